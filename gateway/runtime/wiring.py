"""Watches the main meter's wiring: a notification for each mistake the evidence proves, ended when it is mended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.core.metering.sun import sun_up
from gateway.core.metering.wiring import KnownStep, Triple, WiringSample, WiringWatch
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock
from gateway.runtime.notices import Notices

LOOK_S = 5.0
CAUSE = "wiring "
IDLE_W = 30.0
"""Less than this from panels or battery is none."""
STEADY = 3
"""So many looks before and after a charger's change must agree, ..."""
SETTLE = 3
"""... and so many between them are passed over: the charger tells of its current less often than the meter."""
STEADY_A = 0.7
STEADY_W = 250.0
FRESH_S = 15.0
LEAST_STEP_A = 4.0
IDLE_A, UNEVEN_A = 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Draw:
    """What a charger draws: A on each of the grid phases it loads now; 0 A on none."""

    amps: float
    phases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw: what each charger draws (None: unknown), and the meter's phases, W."""

    draws: dict[str, Draw | None]
    watts: tuple[float, float, float]


@dataclass(slots=True)
class WiringLoop:
    """Looks at the newest snapshot every few seconds; `newest` gives it."""

    site: Site
    clock: Clock
    notices: Notices
    newest: Callable[[], Snapshot | None]
    keys: bool = True
    """Whether the site file has keys to correct the main meter's wiring (it has for Modbus)."""
    _watch: WiringWatch | None = None
    _looks: deque[Look] = field(default_factory=lambda: deque(maxlen=2 * STEADY + SETTLE))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.clock.sleep(LOOK_S, real_floor=0.5)
            snapshot = self.newest()
            if snapshot is not None:
                self.look(snapshot)

    def look(self, snapshot: Snapshot) -> None:
        """Take one snapshot as evidence, and raise and end notifications by what is proven."""
        meters = self.site.of_role(Role.MAIN_METER)
        if not meters:
            return
        if self._watch is None:
            self._watch = WiringWatch(meters[0].id, meters[0].name, self.keys)
        state = snapshot.main_meter()
        if state is None or not state.online:
            self._looks.clear()
            return
        sample = self._sample(snapshot)
        self._watch.add(sample)
        self._follow_chargers(snapshot, sample.watts, self._watch)
        self._tell(self._watch)

    def _sample(self, snapshot: Snapshot) -> WiringSample:
        meter = snapshot.main_meter()
        assert meter is not None

        def triple(quantities: Sequence[Quantity]) -> Triple:
            one, two, three = (meter.get(quantity) for quantity in quantities)
            return (one, two, three)

        volts, amps, watts = triple(VOLTAGES), triple(CURRENTS), triple(POWERS)
        return WiringSample(volts, amps, watts, meter.get(Quantity.POWER), self._generating(snapshot))

    def _generating(self, snapshot: Snapshot) -> bool:
        """Whether anything may give power now: by day panels nobody listed may, by night only what is known."""
        site = self.site
        known = [snapshot.pv_w(), snapshot.battery_w()]
        sources = site.of_role(Role.PV, Role.HYBRID_INVERTER, Role.BATTERY)
        silent = any(device.id in snapshot.devices and not snapshot.devices[device.id].online for device in sources)
        if silent or any(power is not None and power < -IDLE_W for power in known):
            return True
        return sun_up(snapshot.now, site.latitude, site.longitude)

    def _follow_chargers(self, snapshot: Snapshot, watts: Triple, watch: WiringWatch) -> None:
        one, two, three = watts
        if one is None or two is None or three is None:
            self._looks.clear()
            return
        draws = {charger.id: _draw(snapshot, charger) for charger in self.site.of_role(Role.EV_CHARGER)}
        self._looks.append(Look(draws, (one, two, three)))
        if len(self._looks) < 2 * STEADY + SETTLE:
            return
        step = self._step()
        if step is not None:
            watch.add_step(step)
            self._looks.clear()

    def _step(self) -> KnownStep | None:
        """The change of one charger between the oldest looks and the newest, when all else stood still."""
        looks = list(self._looks)
        before, after = looks[:STEADY], looks[-STEADY:]
        changes = {c.name: _change(c.id, before, after) for c in self.site.of_role(Role.EV_CHARGER)}
        if any(change is None for change in changes.values()) or not _steady(before) or not _steady(after):
            return None
        changed = {name: change for name, change in changes.items() if change and abs(change.amps) >= LEAST_STEP_A}
        if len(changed) != 1:
            return None
        name, change = changed.popitem()
        moved = tuple(_mean([look.watts[i] for look in after]) - _mean([look.watts[i] for look in before])
                      for i in range(3))  # fmt: skip
        watts = change.amps * self.site.nominal_voltage_v
        return KnownStep(name, change.phases, watts, (moved[0], moved[1], moved[2]))

    def _tell(self, watch: WiringWatch) -> None:
        findings = {f"{CAUSE}{finding.cause}": finding for finding in watch.findings()}
        for cause, finding in findings.items():
            self.notices.later_raise(cause, "warning", f"Check the meter's current transformers: {finding}")
        if findings or watch.settled():
            for cause in [cause for cause in self.notices.open if cause.startswith(CAUSE) and cause not in findings]:
                self.notices.later_end(cause)


def _draw(snapshot: Snapshot, charger: Device) -> Draw | None:
    """What a charger draws; None when it is unknown, old, or not the same on its phases."""
    status = snapshot.chargers.get(charger.id)
    if status is None or status.meter_age_s is None or status.meter_age_s > FRESH_S:
        return None
    wired = charger.spec.phases if isinstance(charger.spec, ChargerSpec) else (1, 2, 3)
    known = [amps for amps in status.current_a[: len(wired)] if amps is not None]
    drawn = {phase: a for phase, a in zip(wired, status.current_a, strict=False) if a is not None and a > IDLE_A}
    if not known or (drawn and max(drawn.values()) - min(drawn.values()) > UNEVEN_A):
        return None
    return Draw(_mean(list(drawn.values())), tuple(drawn)) if drawn else Draw(0.0, ())


def _change(charger: str, before: Sequence[Look], after: Sequence[Look]) -> Draw | None:
    """How much a charger's draw changed; None when it was unknown, did not stand still, or changed its phases."""
    old, new = ([look.draws.get(charger) for look in looks] for looks in (before, after))
    known = [draw for draw in (*old, *new) if draw is not None]
    phases = {draw.phases for draw in known if draw.phases}
    if len(known) < len(before) + len(after) or len(phases) > 1:
        return None
    first, last = ([draw.amps for draw in part] for part in (known[: len(old)], known[len(old) :]))
    if max(first) - min(first) > STEADY_A or max(last) - min(last) > STEADY_A:
        return None
    return Draw(_mean(last) - _mean(first), phases.pop() if phases else ())


def _steady(looks: Sequence[Look]) -> bool:
    return all(max(w) - min(w) <= STEADY_W for w in zip(*(look.watts for look in looks), strict=True))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
