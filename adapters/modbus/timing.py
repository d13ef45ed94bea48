"""What devices need of their line, and what the line therefore does: pure. The site file's own word wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from adapters.modbus.settings import BusSettings

T = TypeVar("T", int, float, str)
ONE_CLIENT = "It serves one client at a time: end other programs that read it"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a kind of device needs of its line; None where it needs nothing in particular."""

    min_gap_ms: int | None = None
    connect_delay_ms: int | None = None
    timeout_s: float | None = None
    single_client: bool = False
    baudrate: int | None = None
    """As it leaves the factory."""
    parity: str | None = None
    stopbits: int | None = None

    def with_(self, other: Needs) -> Needs:
        """The needs of two devices at one unit id; of serial settings the first one's."""
        return Needs(
            _most(self.min_gap_ms, other.min_gap_ms), _most(self.connect_delay_ms, other.connect_delay_ms),
            _most(self.timeout_s, other.timeout_s), self.single_client or other.single_client,
            self.baudrate or other.baudrate, self.parity or other.parity, self.stopbits or other.stopbits,
        )  # fmt: skip


NO_NEEDS = Needs()


@dataclass(frozen=True, slots=True)
class Timing:
    """How a line is run: what the site file says, else what its devices need, else the usual."""

    timeout_s: float
    longest_timeout_s: float
    gap_ms: int
    connect_delay_ms: int
    baudrate: int
    parity: str
    stopbits: int
    remedy: str
    """What may help when it cannot be opened."""


def timing_of(settings: BusSettings, needs: Collection[Needs]) -> Timing:
    """The timing of a line with these devices: the longest gap and delay, the first one's serial settings."""
    timeouts = [need.timeout_s for need in needs if need.timeout_s is not None]
    usual_s: float = settings.timeout_s
    timeout_s = usual_s if _said(settings, "timeout_s") or not timeouts else max(timeouts)
    gaps = [need.min_gap_ms for need in needs if need.min_gap_ms is not None]
    delays = [need.connect_delay_ms for need in needs if need.connect_delay_ms is not None]
    return Timing(
        timeout_s=timeout_s,
        longest_timeout_s=max(timeout_s, usual_s),
        gap_ms=settings.gap_ms if _said(settings, "gap_ms") else max([settings.gap_ms, *gaps]),
        connect_delay_ms=_unless_said(settings, "connect_delay_ms", max(delays, default=0), 0),
        baudrate=_unless_said(settings, "baudrate", _first(need.baudrate for need in needs), 9600),
        parity=_unless_said(settings, "parity", _first(need.parity for need in needs), "N"),
        stopbits=_unless_said(settings, "stopbits", _first(need.stopbits for need in needs), 1),
        remedy=ONE_CLIENT if any(need.single_client for need in needs) else "",
    )


def _said(settings: BusSettings, name: str) -> bool:
    return name in settings.model_fields_set


def _unless_said(settings: BusSettings, name: str, needed: T | None, usual: T) -> T:
    stated: T = getattr(settings, name, usual)
    return stated if _said(settings, name) or needed is None else needed


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _most(one: T | None, other: T | None) -> T | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
