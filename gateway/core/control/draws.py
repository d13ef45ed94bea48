"""What each car may be drawing at the instant of the meter's sample: bounds, and on which phases of the grid.

commanded 16 A            commanded 10 A
------------------------->|<---- follow_s ---->|
draws at most 16 A        anything between     at most 10 A
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.core.control.timing import ControlTiming
from gateway.model.setpoint import SetpointKind
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargerStatus, Snapshot

TAKES_A = 1.0
"""From here a car counts as drawing on a phase, A."""

METER_LAG_S = 1.0
"""A charger's sample and the meter's word this close count as taken together, s."""

HIGH_VOLTAGE = 1.1
"""Supply may be a tenth above its nominal voltage (EN 50160)."""

METER_SHOWS_S = 2.0
"""A meter may take so long to show what a charger's sample shows already, s."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a car may be drawing per phase right now, A: at least `low`, at most `high`.

    A car that was just raised may have followed or not: then `high` is what the meter has seen, so that a cut is enough
    in any case, and `raised_to` what it may have reached, so that the next tick does not cut for the same overload again.
    """

    low: float
    high: float
    raised_to: float = 0.0
    heard: bool = True
    """Whether its charger is connected; else what it draws is in the meter's base, and it takes from nobody's room."""
    phases: tuple[int, ...] = (1, 2, 3)
    """The grid phases it loads or may start to load."""
    obeys: bool = True
    """False: it was seen above its limit, so it counts at its maximum."""
    sure: bool = True
    """False: it was raised and has not told since, or tells nothing: what it may have reached is far above `low`."""
    fallen: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far the main meter fell since it told its draw, A per phase: the car itself may have, and may come back."""
    certain: float | None = None
    """What it surely drew by the meters' last words where that is less than `high`, A: no cut gives more than that."""

    @property
    def sure_a(self) -> float:
        """What it certainly draws, A: `high` where nothing is in doubt."""
        return self.high if self.certain is None else min(self.high, self.certain)

    @property
    def most(self) -> float:
        """The most it may be drawing, A."""
        return max(self.high, self.raised_to)


@dataclass(frozen=True, slots=True)
class Past:
    """Per charger, as of the last change of its limit: the moment, its car's draw and the main meter's currents."""

    sent_at: Mapping[str, float]
    """Monotonic home s."""
    drawn: Mapping[str, float]
    """The most its car may have been drawing, A per phase."""
    meter: Mapping[str, tuple[float, ...]]
    """What the main meter showed, A."""
    phases: Mapping[str, int]
    """On how many phases it was told to charge; it may be on its way there."""
    sampled: Mapping[str, tuple[float, ...]]
    """What the main meter showed when the charger's last sample was taken, A."""
    limits: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """The limits it stood at before: until when each was in force (monotonic home s), and A per phase."""
    calm: tuple[float, ...] = ()
    """What the main meter showed when no fuse was overloaded last, A per phase.

    A car is raised into free room only, so what it adds overloads nothing: the jump that does is another load's, and
    only what was seen rising before it may be the car's.
    """

    def most_told(self, charger: str, limit: float, timing: ControlTiming, mono: float) -> float:
        """The highest limit that a car may still be following, A: each change is followed by itself, in its own time.

        A car that is cut every few seconds would else count with what it drew before the first cut.
        """
        ended = self.limits.get(charger, ((mono, float("inf")),))
        return max([limit, *(amps for until, amps in ended if until > mono - timing.settle_s)])

    def stood(self, charger: str) -> float:
        """The limit before the present one, A; infinite where none is known."""
        return self.limits[charger][-1][1] if self.limits.get(charger) else float("inf")

    def held(self, charger: str, drew: float | None) -> bool:
        """Whether the limit before may have held a car that drew so much: one far below it will not rise with the next."""
        stood = self.stood(charger)
        return drew is None or stood == float("inf") or drew > stood - TAKES_A

    def shows_before(self, charger: str, taken: float, timing: ControlTiming) -> bool:
        """Whether a sample of `taken` s after the last change shows what the car drew under the limit before it."""
        ended = self.limits.get(charger, ())
        return bool(ended) and (len(ended) < 2 or ended[-1][0] + taken - ended[-2][0] >= timing.follow_s)


def draws(
    site: Site, snapshot: Snapshot, timing: ControlTiming, past: Past, currents: tuple[float, ...], mono: float
) -> dict[str, Draw]:
    """The bounds of every car; `currents`: what the main meter shows, A per phase, empty while it is silent."""
    chargers = list(site.of_role(Role.EV_CHARGER))
    rises = _rises(chargers, snapshot, timing, past, past.calm or currents, mono)
    found = {charger.id: draw(snapshot, charger, timing, past, mono, rises[charger.id]) for charger in chargers}
    for charger in chargers:
        if found[charger.id].certain == 0.0:
            least = _by_power(snapshot.chargers[charger.id], found[charger.id].phases, site.nominal_voltage_v)
            found[charger.id] = replace(found[charger.id], certain=least)
    return {name: replace(drawn, fallen=_fallen(past.sampled.get(name, ()), currents)) for name, drawn in found.items()}


def at_samples(
    site: Site, snapshot: Snapshot, before: Mapping[str, tuple[float, ...]], currents: tuple[float, ...], tick_s: float
) -> dict[str, tuple[float, ...]]:
    """What the main meter showed at each charger's last sample, now that `tick_s` s have passed since the last look.

    A sample taken between two looks counts with the higher of the two; under "" stands the last look itself.
    """
    last = before.get("", ())
    around = tuple(max(pair) for pair in zip(last, currents, strict=True)) if last and currents else currents
    found = dict(before) | {"": currents}
    for charger in site.of_role(Role.EV_CHARGER):
        status = snapshot.chargers.get(charger.id)
        age_s = status.meter_age_s if status is not None else None
        if age_s is None or age_s <= tick_s or charger.id not in found:
            found[charger.id] = around
    return found


def _fallen(then: tuple[float, ...], now: tuple[float, ...]) -> tuple[float, float, float]:
    if not then or not now:
        return 0.0, 0.0, 0.0
    one, two, three = (max(0.0, was - value) for was, value in zip(then, now, strict=True))
    return one, two, three


def draw(
    snapshot: Snapshot, charger: Device, timing: ControlTiming, past: Past, mono: float, rise_a: float = float("inf")
) -> Draw:
    """What the charger's car may be drawing now, A per phase (see the module's note)."""
    spec, status = spec_of(charger), snapshot.chargers.get(charger.id)
    limit = in_force(snapshot, charger)
    lies = charger.id in snapshot.disobeying
    if status is None or not status.connected:
        return Draw(0.0, limit, heard=False, phases=spec.phases, obeys=not lies)
    since = mono - past.sent_at.get(charger.id, float("-inf"))
    before = past.drawn.get(charger.id)
    if before is not None and not lies:
        before = min(before, past.most_told(charger.id, limit, timing, mono))
    phases = loaded_phases(snapshot, charger, past.phases.get(charger.id, 1), since > timing.settle_s)
    measured, least = _measured(status, phases)
    age_s = status.meter_age_s
    if measured is not None and age_s is not None and age_s <= 2 * status.sample_interval_s:
        taken = since - age_s
        if before is not None and limit > past.stood(charger.id) and past.shows_before(charger.id, taken, timing):
            before = min(before, measured)
        rise_a = rise_a if past.held(charger.id, before) else 0.0
        found = _between(measured, taken, limit, since, before, timing, rise_a, lies)
        meter = snapshot.main_meter()
        if meter is not None and meter.age_s is not None and age_s < meter.age_s - METER_LAG_S:
            least = 0.0  # told after the meter's last word: what it draws may not be in the meter's value yet
        # The limit of one that does not obey bounds nothing: it counts with what was measured, and for more at its maximum.
        known = measured if before is None else min(measured, before)
        sure = taken >= timing.follow_s or limit <= known + TAKES_A
        # After a raise, and after a cut that no sample shows yet, it surely drew what it told, and perhaps more.
        lowered = before is not None and limit < before
        certain = found.high if taken >= timing.follow_s or (taken > 0 and lowered) else measured
        return replace(
            found,
            low=least if lies else min(found.low, least),
            phases=phases,
            obeys=not lies,
            sure=sure,
            certain=certain,
        )
    if not status.transaction:
        return Draw(0.0, 0.0, phases=phases, obeys=not lies)
    high = (before or limit) if since <= timing.settle_s else limit
    return Draw(0.0, high, phases=phases, obeys=not lies, sure=False, certain=0.0)


def in_force(snapshot: Snapshot, charger: Device) -> float:
    """The limit the charger stands at, A per phase; its maximum where it accepted none."""
    setpoint = snapshot.commanded.get(charger.id)
    current = setpoint is not None and setpoint.kind is SetpointKind.CURRENT
    return setpoint.value if setpoint is not None and current else spec_of(charger).max_current_a


def loaded_phases(snapshot: Snapshot, charger: Device, told: int, settled: bool) -> tuple[int, ...]:
    """The grid phases the charger may load: fewer than it has only while its car is seen drawing on fewer.

    A charger told to use one phase counts with one once the change has settled and nothing else is seen.
    """
    spec, status = spec_of(charger), snapshot.chargers.get(charger.id)
    if status is None or len(spec.phases) == 1:
        return spec.phases
    drawn = tuple(phase for phase in spec.phases if (status.current_a[phase - 1] or 0.0) > TAKES_A)
    setpoint = snapshot.commanded.get(charger.id)
    if (
        told == 1
        and setpoint is not None
        and setpoint.phases == 1
        and status.switches_phases
        and settled
        and len(drawn) <= 1
    ):
        return drawn or spec.phases[:1]
    fresh = status.meter_age_s is not None and status.meter_age_s <= 2 * status.sample_interval_s
    if not drawn or not fresh or not status.transaction or not status.phases_in_use:
        return spec.phases
    return drawn if len(drawn) == status.phases_in_use else spec.phases


def takes(status: ChargerStatus) -> bool:
    """Whether the car is seen drawing."""
    return any(amps is not None and amps > TAKES_A for amps in status.current_a)


def spec_of(charger: Device) -> ChargerSpec:
    """The charger's spec; the default one where the site file has none."""
    return charger.spec if isinstance(charger.spec, ChargerSpec) else ChargerSpec()


def _rises(
    chargers: list[Device],
    snapshot: Snapshot,
    timing: ControlTiming,
    past: Past,
    currents: tuple[float, ...],
    mono: float,
) -> dict[str, float]:
    """The most each raised car can have added since, A: its phases rise alike, another load's do not.

    Cars raised at the same time share what the meter has seen rising, by how far each was raised.
    """
    wanted = {
        c.id: max(0.0, in_force(snapshot, c) - past.drawn[c.id])
        for c in chargers
        if c.id in past.drawn and past.held(c.id, past.drawn[c.id]) and not _settled(snapshot, c, timing, past, mono)
    }
    total = sum(wanted.values())
    result = {}
    for charger in chargers:
        before = past.meter.get(charger.id, ())
        rise = float("inf")
        if before and currents:
            rise = min((currents[p - 1] - before[p - 1] for p in spec_of(charger).phases), default=0.0)
        share = wanted[charger.id] / total if total and wanted.get(charger.id) else 1.0
        result[charger.id] = rise * share
    return result


def _settled(snapshot: Snapshot, charger: Device, timing: ControlTiming, past: Past, mono: float) -> bool:
    """Whether its last sample was taken after its car had its time to follow: then that tells what it draws."""
    status = snapshot.chargers.get(charger.id)
    since = mono - past.sent_at.get(charger.id, float("-inf"))
    if status is None or status.meter_age_s is None:
        return since > timing.settle_s
    return since - status.meter_age_s >= timing.follow_s


def _between(
    measured: float,
    taken: float,
    limit: float,
    since: float,
    before: float | None,
    timing: ControlTiming,
    rise_a: float,
    lies: bool,
) -> Draw:
    """The bounds by a sample taken `taken` s after the limit was last changed (negative: before it), `since` s ago.

    A lowered car is on its way down: what is still too much goes by itself, so it counts with what it drew before.
    A raised one gives no such relief: until it tells it counts with what it drew before and the meter has seen rising since.
    """
    low = min(measured, limit)
    if taken >= timing.follow_s:
        return Draw(low, measured)
    if since > timing.settle_s and not lies and (before is None or limit <= before):
        return Draw(low, limit)  # the sample is older than the change has needed: by now the car keeps to its limit
    if before is None:
        return Draw(low, measured)
    known = max(measured, before) if taken > 0 else before
    if limit < before and since - taken < METER_SHOWS_S:
        return Draw(low, known)  # come down just now: the meter's value may be from before it
    if limit > before:
        reached = min(limit, before + max(0.0, rise_a))
        if since > timing.settle_s:
            known = min(known, limit)
        return Draw(low, max(known, reached), raised_to=limit)
    followed = taken > 0 and measured <= limit + TAKES_A
    if not followed:
        return Draw(low, known)
    # Far below its limit it draws what it draws for reasons of its own, and the limit says nothing of it.
    return Draw(low, max(measured, limit) if limit - measured <= TAKES_A else measured)


def _by_power(status: ChargerStatus, phases: tuple[int, ...], volts: float) -> float:
    """The least A per phase of a car whose charger tells its power only: on all its phases, at a high voltage."""
    fresh = status.meter_age_s is not None and status.meter_age_s <= 2 * status.sample_interval_s
    if status.power_w is None or not fresh:
        return 0.0
    return max(0.0, status.power_w) / len(phases) / (volts * HIGH_VOLTAGE)


def _measured(status: ChargerStatus, phases: tuple[int, ...]) -> tuple[float | None, float]:
    """The most and the least of what it tells of the phases it loads, A."""
    known = [amps for phase in phases if (amps := status.current_a[phase - 1]) is not None]
    known = known or [amps for amps in status.current_a if amps is not None]
    return (max(known), min(known)) if known else (None, 0.0)
