"""15-minute interval data of one device, streaming: from its counters where it has them, else from its power.

    counter  1000 ........ 1250 .................. 1900
    time     09:58         10:02   (10:15)         10:20
    interval |...09:45-10:00|....10:00-10:15....|..10:15-10:30
                       the boundary value is interpolated between its two neighbours

The sum of a device's intervals is the difference of its counter, whatever gaps lie between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.core.metering.counters import counter_step
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality, Quality, Reading

COUNTER_HOLE_S = 300.0
"""Counter values further apart than this leave the split between intervals estimated (their sum stays exact)."""
POWER_HOLE_S = 120.0
"""Power values further apart than this say nothing about the time between."""
KEEP_S = 31 * 86400
"""Open intervals of a silent counter are kept this long for its energy to be spread by the measured power."""
ENOUGH = 0.9
SOME = 0.5

Q = Quantity


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one stream's energy comes from; `suffix` is added to the device's id."""

    suffix: str
    taken: Quantity | None
    given: Quantity
    power: Quantity


_SOURCES = (
    _Source("", Q.ENERGY_IMPORT, Q.ENERGY_EXPORT, Q.POWER),
    _Source("/pv", None, Q.PV_ENERGY, Q.PV_POWER),
    _Source("/battery", Q.BATTERY_CHARGED, Q.BATTERY_DISCHARGED, Q.BATTERY_POWER),
)


@dataclass(slots=True)
class _Amount:
    """One direction of one interval: energy in Wh and the seconds it covers, from the counter and from power."""

    counter_wh: float = 0.0
    counter_s: float = 0.0
    spread: str = ""
    power_wh: float = 0.0


@dataclass(slots=True)
class _Slot:
    """One open interval."""

    taken: _Amount = field(default_factory=_Amount)
    given: _Amount = field(default_factory=_Amount)
    power_s: float = 0.0


Point = tuple[float, float]
"""(seconds since 1970, value)"""


def _direction(name: str) -> Callable[[_Slot], _Amount]:
    return (lambda slot: slot.taken) if name == "taken" else (lambda slot: slot.given)


@dataclass(slots=True)
class _Stream:
    """The intervals of one source."""

    device: str
    source: _Source
    slots: dict[int, _Slot] = field(default_factory=dict)
    counters: dict[str, Point] = field(default_factory=dict)
    """Direction -> last believed register value."""
    power: Point | None = None
    emitted: int | None = None
    """Intervals before this one were handed out."""
    again: set[int] = field(default_factory=set)
    """Intervals handed out whose energy became known since."""

    def add(self, quantity: Quantity, at: float, value: float) -> list[Interval]:
        if self.emitted is None:
            self.emitted = _floor(at)
        if quantity is self.source.power:
            self._add_power(at, value)
        else:
            self._add_counter("taken" if quantity is self.source.taken else "given", at, value)
        return self._ready()

    def _add_power(self, at: float, value: float) -> None:
        before, self.power = self.power, (at, value)
        if before is None or not 0 < at - before[0] <= POWER_HOLE_S:
            return
        for start, begin, end in _pieces(before[0], at):
            slot = self.slots.setdefault(start, _Slot())
            slot.power_s += end - begin
            taken, given = _trapezoid(_along(before, (at, value), begin), _along(before, (at, value), end), end - begin)
            slot.taken.power_wh += taken
            slot.given.power_wh += given

    def _add_counter(self, name: str, at: float, value: float) -> None:
        before = self.counters.get(name)
        if before is not None and at <= before[0]:
            return
        self.counters[name] = (at, value)
        if before is None:
            return
        step = counter_step(before[1], value, at - before[0])
        pieces = _pieces(before[0], at)
        spread, shares = self._shares(name, pieces, at - before[0])
        if step.kind in ("reset", "jump"):
            spread = f"counter {step.kind}"
        left = step.energy_wh
        for index, (start, begin, end) in enumerate(pieces):
            amount = _direction(name)(self.slots.setdefault(start, _Slot()))
            # The last piece takes what is left, so that nothing is lost to rounding.
            energy = left if index == len(pieces) - 1 else step.energy_wh * shares[index]
            left -= energy
            amount.counter_wh += energy
            amount.counter_s += end - begin
            amount.spread = spread or amount.spread
            if self.emitted is not None and start < self.emitted:
                self.again.add(start)

    def _shares(self, name: str, pieces: list[tuple[int, float, float]], elapsed: float) -> tuple[str, list[float]]:
        """How a counter's rise divides over the intervals it spans, and in which words when that is an estimate."""
        even = [(end - begin) / elapsed for _, begin, end in pieces]
        if len(pieces) == 1 or elapsed <= COUNTER_HOLE_S:
            return "", even
        slots = [self.slots.get(start, _Slot()) for start, _, _ in pieces]
        weights = [max(0.0, _direction(name)(slot).power_wh - _direction(name)(slot).counter_wh) for slot in slots]
        measured = all(s.power_s >= ENOUGH * (end - begin) for s, (_, begin, end) in zip(slots, pieces, strict=True))
        if not measured or sum(weights) <= 0:
            return "counter spread evenly", even
        return "counter spread by profile", [weight / sum(weights) for weight in weights]

    def _ready(self) -> list[Interval]:
        """Intervals that every series heard so far has passed."""
        times = [at for at, _ in self.counters.values()] + ([self.power[0]] if self.power else [])
        return self._emit(_floor(min(times)))

    def close(self, until: float) -> list[Interval]:
        if self.emitted is None:
            return []
        return self._emit(_floor(until))

    def _emit(self, edge: int) -> list[Interval]:
        assert self.emitted is not None
        starts = sorted(start for start in self.again if start < self.emitted)
        self.again.clear()
        starts += range(self.emitted, edge, INTERVAL_S)
        self.emitted = max(self.emitted, edge)
        result = [self._interval(start) for start in starts]
        self._drop(starts)
        return result

    def _drop(self, starts: list[int]) -> None:
        behind = min((at for at, _ in self.counters.values()), default=float("inf"))
        for start in starts:
            if start + INTERVAL_S <= behind:
                self.slots.pop(start, None)
        if self.slots and self.emitted is not None:
            for start in [s for s in self.slots if s < self.emitted - KEEP_S]:
                del self.slots[start]

    def _interval(self, start: int) -> Interval:
        slot = self.slots.get(start) or _Slot()
        taken, taken_how = self._energy("taken", slot)
        given, given_how = self._energy("given", slot)
        words = list(dict.fromkeys(how for how in (taken_how, given_how) if how))
        exact = all(how in ("counter", "power") for how in words)
        quality = IntervalQuality.VALID if exact else IntervalQuality.ESTIMATED
        if taken is None and given is None:
            quality = IntervalQuality.MISSING
        when = datetime.fromtimestamp(start, UTC)
        method = " and ".join(words) or "nothing measured"
        return Interval(self.device + self.source.suffix, when, INTERVAL_S, taken, given, quality, method)

    def _energy(self, name: str, slot: _Slot) -> tuple[float | None, str]:
        """One direction's energy in Wh and how it came about; (None, "") when nothing is known."""
        amount = _direction(name)(slot)
        covered, powered = amount.counter_s / INTERVAL_S, slot.power_s / INTERVAL_S
        if name in self.counters and covered > 0 and (covered >= ENOUGH or covered >= powered):
            whole = covered > 1 - 1e-9
            return amount.counter_wh, amount.spread or ("counter" if whole else "counter, part of the interval")
        if powered >= ENOUGH:
            return amount.power_wh / min(1.0, powered), "power"
        if powered >= SOME:
            return amount.power_wh / powered, "power, scaled to the interval"
        return None, ""


class IntervalBuilder:
    """Turns one device's checked readings into intervals; "<id>/pv" and "<id>/battery" for the sides of a hybrid."""

    def __init__(self, device: str) -> None:
        self._streams = [_Stream(device, source) for source in _SOURCES]
        self._seeded: list[Interval] = []

    def seed(self, quantity: Quantity, value: float, time: datetime) -> None:
        """A register value from the store, oldest first: the energy since then is recovered after a restart.

        Seeding with each stored minute since the last whole quarter restores the interval that was under way.
        """
        if quantity.is_counter:
            self._seeded += self._feed(quantity, value, time)

    def add(self, reading: Reading) -> list[Interval]:
        """Take a checked reading; returns intervals that are complete now, and earlier ones better known now.

        One with the start of an earlier one supersedes it.
        """
        if reading.quality is not Quality.VALID or reading.value is None:
            return []
        return self.take_seeded() + self._feed(reading.quantity, reading.value, reading.time)

    def close(self, now: datetime) -> list[Interval]:
        """Hand out every interval that ended by `now`; one without data is marked missing.

        Energy that a counter tells of later comes as a superseding interval.
        """
        closed = [interval for stream in self._streams for interval in stream.close(now.timestamp())]
        return self.take_seeded() + closed

    def take_seeded(self) -> list[Interval]:
        """The intervals that seeding completed, once; they may be on disk already."""
        seeded, self._seeded = self._seeded, []
        return seeded

    def _feed(self, quantity: Quantity, value: float, time: datetime) -> list[Interval]:
        for stream in self._streams:
            source = stream.source
            if quantity in (source.taken, source.given, source.power):
                return stream.add(quantity, time.timestamp(), value)
        return []


def _floor(at: float) -> int:
    return int(at // INTERVAL_S) * INTERVAL_S


def _pieces(begin: float, end: float) -> list[tuple[int, float, float]]:
    """The interval starts that [begin, end) touches, each with the part inside it."""
    starts = range(_floor(begin), -(-int(-(-end // 1)) // INTERVAL_S) * INTERVAL_S, INTERVAL_S)
    pieces = [(start, max(begin, start), min(end, start + INTERVAL_S)) for start in starts]
    return [piece for piece in pieces if piece[2] > piece[1]]


def _along(a: Point, b: Point, at: float) -> float:
    return a[1] + (b[1] - a[1]) * (at - a[0]) / (b[0] - a[0])


def _trapezoid(first_w: float, last_w: float, span_s: float) -> tuple[float, float]:
    """Energy above and below zero (both >= 0, Wh) of a power that changes linearly."""
    if first_w * last_w >= 0:
        energy = (first_w + last_w) / 2 * span_s / 3600
        return max(energy, 0.0), max(-energy, 0.0)
    crossing = first_w / (first_w - last_w)
    head, tail = first_w * crossing / 2 * span_s / 3600, last_w * (1 - crossing) / 2 * span_s / 3600
    return max(head, tail), -min(head, tail)
