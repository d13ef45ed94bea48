"""The guard: what the fuse, a silent meter and a limit at the grid connection leave for cars and battery.

The car's true current at the instant of the meter's sample is known only within bounds: for some seconds after
a command it may draw anything between the old and the new limit, and its own report is up to one sampling
interval old. So the guard reckons with both ends:

    room for the car = car's draw + (fuse - measured current)

    raising uses the least the car may be drawing   -> never raises into an overload
    reducing uses the most it may be drawing        -> never cuts a car twice for one overload
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.core.control.timing import ControlTiming
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.setpoint import LimitKind, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargerStatus, DeviceState, Snapshot

FUSE_MARGIN_A = 0.5
"""Kept free below the fuse's rating, A: a meter's error and a car's tolerance."""

WORDS_MISSED, MOST_PATIENCE_S = 2.5, 30.0
"""A meter that speaks every 10 s is waited for 25 s: the fuse is then guarded no sooner either."""


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

    @property
    def most(self) -> float:
        """The most it may be drawing, A."""
        return max(self.high, self.raised_to)


@dataclass(frozen=True, slots=True)
class Room:
    """What one charger may be given, A per phase: raise to at most `low`; reduce when above `high`.

    `reason` names the narrowest bound in words; it is empty when nothing binds below the charger's maximum.
    """

    low: float
    high: float
    reason: str = ""
    binding: bool = False
    """Whether a utility's limit, not the fuse, is the narrowest."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """The guard's verdict for one tick; `spent` gives what is left after one charger was granted its current."""

    site: Site
    meter_ok: bool
    draws: Mapping[str, Draw]
    headroom_a: tuple[float, ...] = ()
    """Per phase, what may still be added under the fuse, A; negative: overload."""
    current_a: tuple[float, ...] = ()
    """What the main meter shows per phase, A; empty while it is silent."""
    starting_w: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Per phase, what other devices are about to draw by our own command, W: no charger is raised into it."""
    site_w: float = float("inf")
    """What may still be added under the import limit, W."""
    site_reason: str = ""
    alarms: tuple[tuple[str, str], ...] = ()
    """(cause, sentence) of what a person must know."""

    def room(self, charger: Device) -> Room:
        """What this charger may be given now; its safe current while the main meter is silent."""
        spec = _spec(charger.spec)
        if not self.meter_ok:
            safe = spec.safe_current_a
            return Room(safe, safe, "the main meter is silent, so the car gets its safe current only")
        return _room(spec, self.draws[charger.id], self)

    def reserved(self, phase: int, power_w: float) -> Guarded:
        """The verdict with `power_w` W kept free on one phase for a device that is being switched on."""
        kept = list(self.starting_w)
        kept[phase - 1] += power_w
        return replace(self, starting_w=(kept[0], kept[1], kept[2]))

    def spent(self, charger: Device, granted_a: float) -> Guarded:
        """The verdict that is left for the next charger and the battery once this one has `granted_a` A."""
        if not self.meter_ok or not self.draws[charger.id].heard:
            return self
        spec = _spec(charger.spec)
        more = max(0.0, granted_a - self.draws[charger.id].low)
        left = tuple(h - more if index + 1 in spec.phases else h for index, h in enumerate(self.headroom_a))
        return replace(
            self, headroom_a=left, site_w=self.site_w - more * self.site.nominal_voltage_v * len(spec.phases)
        )

    def battery_room_w(self) -> float | None:
        """How much more the battery may take from the grid, W; None when the meter is silent (it rests)."""
        if not self.meter_ok:
            return None
        per_phase = self.site.nominal_voltage_v * self.site.phases
        return min([h * per_phase for h in self.headroom_a[: self.site.phases]] + [self.site_w])


def guard(
    site: Site,
    snapshot: Snapshot,
    timing: ControlTiming,
    sent_at: Mapping[str, float],
    drawn_before: Mapping[str, float],
    meter_before: Mapping[str, tuple[float, ...]],
    mono: float,
) -> Guarded:
    """What is left for each charger and the battery under the main fuse and the import limit.

    Per charger, as of the last change of its limit: `sent_at` the moment (monotonic home s), `drawn_before` the most
    its car may have been drawing, A, `meter_before` what the main meter showed, A. A silent main meter gives every
    charger its safe current and holds the battery.
    """
    meter = snapshot.main_meter()
    if meter is None or meter.age_s is None or meter.age_s > patience_s(meter, timing) or not _measures(meter):
        return Guarded(site, False, {}, alarms=(("meter", _meter_words(meter)),))
    currents = phase_currents(meter, site)
    chargers = site.of_role(Role.EV_CHARGER)
    draws = {
        c.id: draw(
            snapshot,
            c.id,
            _spec(c.spec),
            timing,
            sent_at.get(c.id),
            drawn_before.get(c.id),
            mono,
            _rise(currents, meter_before.get(c.id, ()), _spec(c.spec)),
        )
        for c in chargers
    }
    kept = _disobedient_reserve(site, snapshot, draws)
    headroom = tuple(site.main_fuse_a - FUSE_MARGIN_A - i - k for i, k in zip(currents, kept, strict=True))
    site_w, site_reason = _site_headroom(site, snapshot)
    if min(headroom) >= 0 and site_w >= 0:  # nothing must be cut, so no car counts for less than it may draw
        draws = {name: replace(found, high=found.most) for name, found in draws.items()}
    return Guarded(
        site,
        True,
        draws,
        headroom,
        current_a=tuple(currents),
        site_w=site_w,
        site_reason=site_reason,
        alarms=tuple(_alarms(site, currents, snapshot)),
    )


def patience_s(meter: DeviceState, timing: ControlTiming) -> float:
    """How old the main meter may be before it counts as silent, s: two missed words of one that speaks seldom."""
    usual_s = 0.0 if meter.pace_s is None else meter.pace_s
    return max(timing.meter_stale_s, min(WORDS_MISSED * usual_s, MOST_PATIENCE_S))


def _measures(meter: DeviceState) -> bool:
    """Whether it tells of any power or current now: what took all of it back is as good as silent."""
    return any(quantity in meter.values for quantity in (Quantity.POWER, *POWERS, *CURRENTS))


def phase_currents(meter: DeviceState, site: Site) -> list[float]:
    """Signed current per phase, A, import positive; from power and voltage when the meter gives no current.

    Most meters tell currents without a sign, some with one: the phase's power, where known, says which way it flows.
    A phase nobody measured takes its share of the total power.
    """
    result = []
    total = meter.get(Quantity.POWER) or 0.0
    for index in range(3):
        power, current = meter.get(POWERS[index]), meter.get(CURRENTS[index])
        voltage = meter.get(VOLTAGES[index]) or site.nominal_voltage_v
        if current is not None:
            result.append(current if power is None else abs(current) * (-1 if power < 0 else 1))
        elif power is not None:
            result.append(power / voltage)
        else:
            result.append(total / site.phases / voltage if index < site.phases else 0.0)
    return result


def draw(
    snapshot: Snapshot,
    charger: str,
    spec: ChargerSpec,
    timing: ControlTiming,
    sent_at: float | None,
    drawn_before: float | None,
    mono: float,
    rise_a: float = float("inf"),
) -> Draw:
    """What the charger's car may be drawing now, A per phase (see the module's note)."""
    status = snapshot.chargers.get(charger)
    setpoint = snapshot.commanded.get(charger)
    limit = setpoint.value if setpoint is not None and setpoint.kind is SetpointKind.CURRENT else spec.max_current_a
    if status is None or not status.connected:
        return Draw(0.0, limit, heard=False)
    measured = _measured(status)
    since = mono - sent_at if sent_at is not None else float("inf")
    fresh = (
        status.meter_age_s is not None and measured is not None and status.meter_age_s <= 2 * status.sample_interval_s
    )
    if fresh and measured is not None and status.meter_age_s is not None:
        taken, lies = since - status.meter_age_s, charger in snapshot.disobeying
        return _between(measured, taken, limit, since, drawn_before, timing, rise_a, lies)
    if not status.transaction:
        return Draw(0.0, 0.0)
    return Draw(0.0, drawn_before or limit if since <= timing.settle_s else limit)


def _rise(now: list[float], before: tuple[float, ...], spec: ChargerSpec) -> float:
    """The most a raised car can have added since, A: its phases rise alike, another load's do not."""
    return min((now[phase - 1] - before[phase - 1] for phase in spec.phases), default=0.0) if before else float("inf")


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
    A raised one gives no such relief: it counts with what it drew before and the meter has seen rising since.
    """
    low = min(measured, limit)
    if taken >= timing.follow_s:
        return Draw(low, measured)
    if since > timing.settle_s and not lies:
        return Draw(low, limit)  # the sample is older than the change has needed: by now the car keeps to its limit
    if before is None:
        return Draw(low, measured)
    known = max(measured, before) if taken > 0 else before
    if limit > before:
        reached = min(limit, before + max(0.0, rise_a))
        return Draw(low, max(known, reached), raised_to=limit)
    followed = taken > 0 and measured <= limit + 1
    return Draw(low, max(measured, limit) if followed else known)


def _measured(status: ChargerStatus) -> float | None:
    known = [current for current in status.current_a if current is not None]
    return max(known) if known else None


def _room(spec: ChargerSpec, drawn: Draw, left: Guarded) -> Room:
    voltage = left.site.nominal_voltage_v
    by_site = left.site_w / (voltage * len(spec.phases))
    # A reduction answers what is measured; a raise also leaves room for what is about to start.
    fuse = min(left.headroom_a[phase - 1] for phase in spec.phases)
    calm = min(left.headroom_a[phase - 1] - left.starting_w[phase - 1] / voltage for phase in spec.phases)
    binding = by_site < fuse
    low, high = max(0.0, drawn.low + min(calm, by_site)), max(0.0, drawn.high + min(fuse, by_site))
    reason = ""
    if low < spec.max_current_a:
        reason = left.site_reason if binding else "the main fuse leaves no more"
    return Room(min(low, spec.max_current_a), min(high, spec.max_current_a), reason, binding)


def _site_headroom(site: Site, snapshot: Snapshot) -> tuple[float, str]:
    """How much more the site may import, W, and which limit says so."""
    caps = [(limit.value, limit.reason) for limit in snapshot.limits if limit.kind is LimitKind.SITE_IMPORT]
    if site.import_limit_w is not None:
        caps.append((site.import_limit_w, "the site's import limit"))
    grid = snapshot.grid_w()
    if not caps or grid is None:
        return float("inf"), ""
    value, reason = min(caps)
    return value - grid, reason


def _disobedient_reserve(site: Site, snapshot: Snapshot, draws: Mapping[str, Draw]) -> list[float]:
    """Per phase, what chargers that do not obey could still add: they count at their maximum."""
    kept = [0.0, 0.0, 0.0]
    for charger in site.of_role(Role.EV_CHARGER):
        if charger.id in snapshot.disobeying:
            spec = _spec(charger.spec)
            for phase in spec.phases:
                kept[phase - 1] += max(0.0, spec.max_current_a - draws[charger.id].high)
    return kept


def _alarms(site: Site, currents: list[float], snapshot: Snapshot) -> list[tuple[str, str]]:
    """Overload by loads nobody controls: chargers and battery already at their least."""
    over = [(index + 1, current) for index, current in enumerate(currents) if current > site.main_fuse_a]
    moving = any((status.power_w or 0.0) > 100 for status in snapshot.chargers.values())
    if not over or moving:
        return []
    phase, current = over[0]
    words = f"Phase L{phase} draws {current:.0f} A, above the {site.main_fuse_a:.0f} A fuse, by loads Hearth does not control."
    return [("fuse", words)]


def _meter_words(meter: DeviceState | None) -> str:
    if meter is None:
        return "No main meter is configured: cars charge at their safe current only."
    age = "has not answered yet" if meter.age_s is None else f"is silent for {meter.age_s:.0f} s"
    if meter.age_s is not None and not _measures(meter):
        age = "tells of no power and no current"
    return f"The main meter {age}: cars charge at their safe current and the battery rests until it is back."


def _spec(spec: object) -> ChargerSpec:
    return spec if isinstance(spec, ChargerSpec) else ChargerSpec()
