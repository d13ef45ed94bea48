"""Verification at run time: was the limit seen working? If not, the next way of limiting, and a person is told."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gateway.core.control.mains import phase_currents, speaks
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import (
    TOLERANCE_A,
    Sight,
    drawn_a,
    honours,
    verify_after_s,
)
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceError
from gateway.model.setpoint import Setpoint
from gateway.model.site import ChargerSpec, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.ports import Clock, EvCharger
from gateway.runtime.notices import Notices
from gateway.runtime.sent import Sent
from gateway.runtime.witness import Seen, battery_w

log = logging.getLogger(__name__)

SIGHTS = 90
"""How many samples of the main meter are remembered."""
STOPS = ("RemoteStop", "ChangeAvailability")
"""The last ways of limiting, as a charger names them: no more charging."""


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
            if status is not None:
                self._tell_lacks(status)
            if sent is None or status is None:
                continue
            held, seen = snapshot.commanded.get(device), self._seen.setdefault(device, Seen())
            held_a = held.value if held is not None else None
            seen.remember(status, sent, held_a, snapshot.now, now, self.timing)
            in_danger = self._is_in_danger(device, snapshot)
            verdict = self._verdict(device, status, sent, held, in_danger, now)
            if verdict is True and held is not None:
                self._confirm(sent, held, status)
                self.disobeying.discard(device)
                self.notices.later_end(f"disobeys {device}")
            elif verdict is False:
                self._accuse(device, charger, sent, status, in_danger, now)

    # ---- judging

    def _verdict(
        self, device: str, status: ChargerStatus, sent: Sent, held: Setpoint | None, in_danger: bool, now: float
    ) -> bool | None:
        seen = self._seen[device]
        if self._does_not_take(status, sent, seen, now):
            return False
        if held is None:
            return None
        if self._by_register(device, status, seen):
            seen.lies = seen.lies or self._own_word(status, sent, held, seen, now) is True
            return False
        draws = status.transaction or status.phase is ChargePhase.CHARGING
        if draws and seen.by_meter(status, self._sights, self.timing, now, self._seen.values(), in_danger):
            return False
        if in_danger and device in self.disobeying and now - sent.rung_at >= self.timing.settle_s:
            return None if seen.stands_down(status, self._sights, sent.rung_at) else False
        verdict = self._own_word(status, sent, held, seen, now)
        return None if verdict is True and seen.lies and status.transaction else verdict

    def _own_word(self, status: ChargerStatus, sent: Sent, held: Setpoint, seen: Seen, now: float) -> bool | None:
        """By its own samples: above the present limit, or above every limit of late while that changes often."""
        volts = self.site.nominal_voltage_v
        verdict = honours(status, held, now - max(sent.accepted_at, seen.limited_at), self.timing, volts)
        wait_s = verify_after_s(status, self.timing)
        most_a = seen.trail.most_a(now - wait_s)
        if verdict is None and most_a is not None:
            of_late = honours(status, replace(held, value=most_a), wait_s, self.timing, volts)
            return False if of_late is False else None
        return verdict

    def _by_register(self, device: str, status: ChargerStatus, seen: Seen) -> bool:
        found = self.site.device(device)
        spec = found.spec if found is not None and isinstance(found.spec, ChargerSpec) else ChargerSpec()
        phases = status.phases_in_use or len(spec.phases)
        interval_s, settle_s = status.sample_interval_s, self.timing.settle_s
        return seen.trail.exceeds(phases, self.site.nominal_voltage_v, interval_s, settle_s, spec.max_current_a)

    def _does_not_take(self, status: ChargerStatus, sent: Sent, seen: Seen, now: float) -> bool:
        """A connected charger that neither takes a lower limit nor says why is one that does not obey."""
        wanted, age_s = sent.wanted, status.meter_age_s
        if not sent.failing or wanted is None or not status.connected or age_s is None:
            return False
        since_s = now - max(sent.wanted_at, seen.limited_at)
        if since_s < verify_after_s(status, self.timing) or age_s > 1.5 * status.sample_interval_s:
            return False
        low, _ = drawn_a(status, self.site.nominal_voltage_v)
        return low is not None and low > wanted.value + TOLERANCE_A

    def _is_in_danger(self, device: str, snapshot: Snapshot) -> bool:
        """Whether a fuse above this charger is above its rating, by a meter that speaks now."""
        found, main = self.site.device(device), snapshot.main_meter()
        rated: list[tuple[DeviceState | None, tuple[float, ...]]] = [(main, (self.site.main_fuse_a,) * 3)]
        for circuit in self.site.above(found.circuit) if found is not None else ():
            if circuit.meter and circuit.fuse_a:
                rated.append((snapshot.devices.get(circuit.meter), circuit.fuse_a))
        return any(
            current > fuse
            for meter, fuses in rated
            if meter is not None and speaks(meter, self.timing)
            for current, fuse in zip(phase_currents(meter, self.site), fuses, strict=False)
        )

    def _remember_meter(self, snapshot: Snapshot, now: float) -> None:
        meter = snapshot.main_meter()
        if meter is None or meter.age_s is None:
            return
        taken = now - meter.age_s
        if not self._sights or taken > self._sights[-1].taken + 0.1:
            self._sights.append(Sight(taken, tuple(phase_currents(meter, self.site)), battery_w(snapshot)))

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

    def _tell_lacks(self, status: ChargerStatus) -> None:
        """What its limits cannot guarantee is told once, and ended when it is no longer so."""
        cause = f"limits {status.id}"
        words = f"{self.name(status.id)}: {status.lacks}" if status.lacks else ""
        known = self.notices.open.get(cause)
        if known is not None and known.text != words:
            self.notices.later_end(cause)
        if words:
            self.notices.later_raise(cause, "warning", words)

    def _accuse(
        self, device: str, charger: EvCharger, sent: Sent, status: ChargerStatus, in_danger: bool, now: float
    ) -> None:
        self.disobeying.add(device)
        pause_s = self.timing.settle_s if in_danger else verify_after_s(status, self.timing)
        if sent.task is None and now - sent.rung_at >= pause_s:
            sent.rung_at = sent.begun = now
            sent.sending = sent.wanted
            lacks = self._lacks(sent, status)
            sent.task = asyncio.create_task(self._escalate(sent, charger, lacks, in_danger), name=f"escalate {device}")

    def _lacks(self, sent: Sent, status: ChargerStatus) -> str:
        """What is wrong with it, for a person."""
        if status.rung in STOPS:
            return f"charges on after {status.rung}"
        if sent.failing or sent.accepted is None:
            return "took no limit"
        if self._seen[status.id].lies:
            return "tells of the limit it accepted, but draws more"
        return "accepted a limit but did not honour it"

    async def _escalate(self, sent: Sent, charger: EvCharger, lacks: str, in_danger: bool) -> None:
        name = self.name(charger.id)
        try:
            rung = await charger.next_rung(at_once=in_danger)
            words = f"{name} {lacks}; trying another way: {rung}."
            if in_danger and rung in STOPS:
                words = f"{name} {lacks} and overloads the fuse; it is stopped at once: {rung}."
            self._seen[charger.id].climbs(self.clock.monotonic(), self.clock.monotonic())
            if sent.wanted is not None:
                wanted = sent.wanted
                sent_at = self.clock.monotonic()
                await charger.apply(wanted)
                sent.accepted, sent.sent_at, sent.accepted_at = wanted, sent_at, self.clock.monotonic()
                sent.failing, sent.refusals, sent.refused = "", 0, None
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
