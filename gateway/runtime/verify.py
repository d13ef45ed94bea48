"""Verification at run time: was the limit seen working? If not, the next way of limiting, and a person is told."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.core.control.mains import phase_currents
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import (
    TOLERANCE_A,
    Lowered,
    Sight,
    defies,
    drawn_a,
    honours,
    verify_after_s,
)
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceError
from gateway.model.setpoint import Setpoint
from gateway.model.site import Site
from gateway.model.snapshot import ChargerStatus, Snapshot
from gateway.ports import Clock, EvCharger
from gateway.runtime.notices import Notices
from gateway.runtime.sent import Sent

log = logging.getLogger(__name__)

SIGHTS, SAMPLES = 90, 4
"""How much is remembered: samples of the main meter, and of each charger."""


@dataclass(slots=True)
class Seen:
    """What was seen of one charger: its own last samples (taken at, A per phase), and the limit last lowered."""

    samples: deque[tuple[float, tuple[float | None, ...]]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    limit: float | None = None
    lowered: Lowered | None = None


@dataclass(slots=True)
class Verification:
    """Judges every charger once a tick; `disobeying` are counted at their maximum by the guard."""

    site: Site
    chargers: Mapping[str, EvCharger]
    timing: ControlTiming
    clock: Clock
    notices: Notices
    row: Callable[[AuditRow], None]
    name: Callable[[str], str]
    disobeying: set[str] = field(default_factory=set)
    _sights: deque[Sight] = field(default_factory=lambda: deque(maxlen=SIGHTS))
    _seen: dict[str, Seen] = field(default_factory=dict)

    def look(self, snapshot: Snapshot, sent_to: Mapping[str, Sent], now: float) -> None:
        """Judge by this tick's snapshot and act on it; `now` in monotonic home s."""
        self._remember_meter(snapshot, now)
        for device, charger in self.chargers.items():
            sent, status = sent_to.get(device), snapshot.chargers.get(device)
            if sent is None or status is None:
                continue
            held = snapshot.commanded.get(device)
            self._remember(device, status, sent, held, now)
            verdict = self._verdict(device, status, sent, held, now)
            if verdict is True and held is not None:
                self._confirm(sent, held, status)
                self.disobeying.discard(device)
                self.notices.later_end(f"disobeys {device}")
            elif verdict is False:
                self._accuse(device, charger, sent, status, now)

    # ---- judging

    def _verdict(
        self, device: str, status: ChargerStatus, sent: Sent, held: Setpoint | None, now: float
    ) -> bool | None:
        if self._does_not_take(status, sent, now):
            return False
        verdict = honours(status, held, now - sent.accepted_at, self.timing, self.site.nominal_voltage_v)
        lowered = self._seen[device].lowered
        if verdict is None and lowered is not None and now - lowered.sent_at <= 2 * verify_after_s(status, self.timing):
            by_meter = not self._followed(device, lowered) and defies(lowered, self._sights, self.timing)
            return False if by_meter and held is not None else None
        return verdict

    def _does_not_take(self, status: ChargerStatus, sent: Sent, now: float) -> bool:
        """A connected charger that neither takes a lower limit nor says why is one that does not obey."""
        wanted, age_s = sent.wanted, status.meter_age_s
        if not sent.failing or wanted is None or not status.connected or age_s is None:
            return False
        if now - sent.wanted_at < verify_after_s(status, self.timing) or age_s > 1.5 * status.sample_interval_s:
            return False
        low, _ = drawn_a(status, self.site.nominal_voltage_v)
        return low is not None and low > wanted.value + TOLERANCE_A

    def _followed(self, device: str, lowered: Lowered) -> bool:
        """Whether the charger's own samples since say that the car came down."""
        since = [amps for at, amps in self._seen[device].samples if at > lowered.sent_at]
        return any(
            max((a for a in amps if a is not None), default=0.0) <= lowered.limit_a + TOLERANCE_A for amps in since
        )

    # ---- remembering

    def _remember_meter(self, snapshot: Snapshot, now: float) -> None:
        meter = snapshot.main_meter()
        if meter is None or meter.age_s is None:
            return
        taken = now - meter.age_s
        if not self._sights or taken > self._sights[-1].taken + 0.1:
            self._sights.append(Sight(taken, tuple(phase_currents(meter, self.site))))

    def _remember(self, device: str, status: ChargerStatus, sent: Sent, held: Setpoint | None, now: float) -> None:
        seen = self._seen.setdefault(device, Seen())
        if held is not None and held.value != seen.limit:
            seen.lowered = self._lowered(seen, held, sent)
            seen.limit = held.value
        if status.meter_age_s is not None:
            taken = now - status.meter_age_s
            if not seen.samples or taken > seen.samples[-1][0] + 0.1:
                seen.samples.append((taken, status.current_a))

    def _lowered(self, seen: Seen, held: Setpoint, sent: Sent) -> Lowered | None:
        """The limit went down just now: what the car drew by the charger's last word before."""
        before = [sample for sample in seen.samples if sample[0] <= sent.sent_at]
        if seen.limit is None or held.value >= seen.limit or not before:
            return None
        at, amps = before[-1]
        return Lowered(held.value, sent.sent_at, amps, at)

    # ---- acting

    def _confirm(self, sent: Sent, held: Setpoint, status: ChargerStatus) -> None:
        """The chain's next link, once per changed wish: the limit was seen working."""
        if sent.confirmed_at == sent.accepted_at:
            return
        sent.confirmed_at = sent.accepted_at
        _, amps = drawn_a(status, self.site.nominal_voltage_v)
        what = f"{amps:.1f} A measured" if amps is not None else f"{status.offered_a or 0.0:.1f} A offered"
        words = f"{what} under the limit of {held.value:.1f} A"
        self.row(AuditRow(self.clock.now(), "confirmed", held.device, words, held.authority, held.source))

    def _accuse(self, device: str, charger: EvCharger, sent: Sent, status: ChargerStatus, now: float) -> None:
        self.disobeying.add(device)
        if sent.task is None and now - sent.rung_at >= verify_after_s(status, self.timing):
            sent.rung_at = sent.begun = now
            sent.sending = sent.wanted
            sent.task = asyncio.create_task(self._escalate(sent, charger), name=f"escalate {device}")

    async def _escalate(self, sent: Sent, charger: EvCharger) -> None:
        name = self.name(charger.id)
        lacks = "took no limit" if sent.failing else "accepted a limit but did not honour it"
        try:
            rung = await charger.next_rung()
            words = f"{name} {lacks}; trying another way: {rung}."
            if sent.wanted is not None:
                wanted = sent.wanted
                sent_at = self.clock.monotonic()
                await charger.apply(wanted)
                sent.accepted, sent.sent_at, sent.accepted_at = wanted, sent_at, self.clock.monotonic()
                sent.failing = ""
        except CommandRefused as error:
            words = f"{name} does not honour its limit and no other way is left: {error.reason}. {error.remedy}".strip()
        except DeviceError as error:
            words = f"{name} does not honour its limit and cannot be told another way now: {error.reason}."
        finally:
            sent.task = sent.sending = None
        known = self.notices.open.get(f"disobeys {charger.id}")
        if known is None or known.text != words:
            log.warning("%s", words)
            authority = sent.wanted.authority if sent.wanted is not None else Authority.ELECTRICAL_SAFETY
            self.row(AuditRow(self.clock.now(), "alarm", charger.id, words, authority))
        await self.notices.raise_(f"disobeys {charger.id}", "warning", words)
