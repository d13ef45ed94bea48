"""The car that stands at a charger: the owner's wishes, its profile and what it says itself, made one.

guest > mode of the vehicle > mode of the charger
departure and energy told by the car (ISO 15118), when trusted > departure plan > ready by
limits of current and phases: the narrowest of charger, vehicle, and what the car says
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.preferences import ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.site import ChargerSpec, Device, Site
from gateway.model.snapshot import ChargerStatus, Snapshot

ONBOARD_EFFICIENCY = 0.9
"""What of the energy at the charger's meter arrives in a car's battery; 0.87 to 0.94 in cars of 11 kW."""
VACATION_SOC_PERCENT = 60.0
"""A car that stands for weeks is kept no fuller than this, unless the sun or the owner's return asks for more."""
LONG_AWAY = timedelta(days=2)
MOST_AWAY = timedelta(days=400)
"""No vacation is looked beyond this: near the calendar's end no day has a next one."""
DAYS_AHEAD = 8
"""A weekly departure comes again within so many days, whatever the clocks do."""


@dataclass(frozen=True, slots=True)
class Goal:
    """By `ready` the car needs `need_wh` from now on, Wh at the charger."""

    ready: datetime
    need_wh: float


@dataclass(frozen=True, slots=True)
class CarWish:
    """What holds for one charger now; currents in A per phase, `phases` are the grid's, e.g. (1, 2, 3)."""

    preference: ChargingPreference
    mode: ChargeMode
    vehicle: Vehicle | None
    guest: bool
    phases: tuple[int, ...]
    min_a: float
    max_a: float
    goals: tuple[Goal, ...]
    """Soonest first, never empty; a later one is there when it asks for more than those before it."""
    from_car: bool
    """Whether the first goal is the car's own."""
    vacation: bool
    floor_wh: float = 0.0
    """What it lacks of the owner's minimum, Wh at the charger; it charges at once until then."""
    floor_words: str = ""
    """That minimum: "30 %" or "5 kWh"."""

    @property
    def ready(self) -> datetime:
        """The next departure, aware UTC."""
        return self.goals[0].ready

    @property
    def need_wh(self) -> float:
        """Energy needed by the next departure, Wh at the charger."""
        return self.goals[0].need_wh


def car_wish(
    site: Site, preferences: Preferences, device: Device, status: ChargerStatus | None, now: datetime
) -> CarWish:
    """What holds for the car at a charger, whoever said it."""
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    wish = preferences.charging_of(device.id)
    vehicle = _vehicle(preferences, wish, status)
    guest = _is_guest(preferences, wish, status)
    away = preferences.vacation_until
    vacation = away is not None and now < away
    mode = ChargeMode.NOW if guest else (vehicle.mode if vehicle and vehicle.mode else wish.mode)
    low, high = _currents(spec, vehicle, status)
    if guest:
        high = max(low, min(high, wish.guest_current_a))
    goals = _goals(wish, vehicle, status, spec, now, site.timezone, away if vacation else None)
    own = None if guest else _own_goal(wish, status, now, goals[0])
    least_wh, words = (0.0, "") if guest or mode is ChargeMode.OFF else _floor(wish, vehicle, status, spec)
    return CarWish(
        wish, mode, vehicle, guest, _phases(spec, vehicle, status), low, high,
        (own,) if own is not None else goals, own is not None, vacation, least_wh, words,
    )  # fmt: skip


def car_of(snapshot: Snapshot, device: Device, site: Site) -> CarWish:
    """`car_wish` of a snapshot."""
    return car_wish(site, snapshot.preferences, device, snapshot.chargers.get(device.id), snapshot.now)


def departures(
    now: datetime, wish: ChargingPreference, zone: ZoneInfo, away_until: datetime | None = None
) -> list[tuple[datetime, Departure]]:
    """The departures of the next days after `now` (and after a vacation), soonest first, aware UTC.

    A wall time that the clocks skip is the instant they skip to; one that comes twice is the first of the two.
    """
    plans = wish.departures or (Departure(wish.ready_by),)
    first = max(now, min(away_until, now + MOST_AWAY)) if away_until is not None else now
    today = first.astimezone(zone).date()
    found = []
    for day in (today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)):
        for plan in plans:
            leaves = datetime.combine(day, plan.at, zone).astimezone(UTC)
            if day.weekday() in plan.days and leaves > first:
                found.append((leaves, plan))
    return sorted(found, key=lambda departure: departure[0])


def next_departure(now: datetime, wish: ChargingPreference, zone: ZoneInfo) -> datetime:
    """The next departure after `now`, aware UTC; a week ahead when every day is left out."""
    found = departures(now, wish, zone)
    return found[0][0] if found else (now + timedelta(days=7)).astimezone(UTC)


def needed_wh(
    status: ChargerStatus, wish: ChargingPreference, spec: ChargerSpec, vehicle: Vehicle | None = None
) -> float:
    """Energy the car still needs, Wh at the charger: from its state of charge when known, else target minus session."""
    return _need(status, wish.target_soc_percent, wish.target_wh, spec, vehicle)


def _need(
    status: ChargerStatus | None, soc_percent: float, target_wh: float, spec: ChargerSpec, vehicle: Vehicle | None
) -> float:
    if status is None:
        return 0.0
    if status.soc_percent is not None and math.isfinite(status.soc_percent):
        battery = vehicle.battery_wh if vehicle else spec.ev_battery_wh
        efficiency = vehicle.efficiency_percent / 100 if vehicle else ONBOARD_EFFICIENCY
        return max(0.0, (soc_percent - status.soc_percent) / 100 * battery / efficiency)
    return max(0.0, target_wh - status.session_wh)


def _floor(
    wish: ChargingPreference, vehicle: Vehicle | None, status: ChargerStatus | None, spec: ChargerSpec
) -> tuple[float, str]:
    """What lacks of the owner's minimum, Wh at the charger, and that minimum in words; 0 once it is there."""
    if status is None or not status.transaction:
        return 0.0, ""
    soc = status.soc_percent
    if wish.minimum_soc_percent is not None and soc is not None and math.isfinite(soc):
        least = wish.minimum_soc_percent
        return _need(status, least, 0.0, spec, vehicle), f"{least:g} %"
    if wish.minimum_wh is None:
        return 0.0, ""
    return max(0.0, wish.minimum_wh - status.session_wh), f"{wish.minimum_wh / 1000:g} kWh"


def _vehicle(preferences: Preferences, wish: ChargingPreference, status: ChargerStatus | None) -> Vehicle | None:
    if _is_guest(preferences, wish, status):
        return None
    known = preferences.vehicle_by_tag(status.tag) if status and status.tag else None
    return known or preferences.vehicle(wish.default_vehicle)


def _is_guest(preferences: Preferences, wish: ChargingPreference, status: ChargerStatus | None) -> bool:
    if status is None or not status.transaction:
        return False
    if status.transaction == wish.guest_session:
        return True
    # Where charging is off, an unknown tag does not switch it on.
    stranger = bool(status.tag) and preferences.vehicle_by_tag(status.tag) is None
    return wish.unknown_tag_is_guest and stranger and wish.mode is not ChargeMode.OFF


def _currents(spec: ChargerSpec, vehicle: Vehicle | None, status: ChargerStatus | None) -> tuple[float, float]:
    """Least and most current, A per phase; the charger's minimum is the floor of every maximum."""
    needs = status.needs if status else None
    low = max(spec.min_current_a, (needs.min_current_a or 0.0) if needs else 0.0)
    low = min(low, spec.max_current_a)
    most = [spec.max_current_a]
    if vehicle is not None:
        most.append(vehicle.max_current_a)
    if needs is not None and needs.max_current_a:
        most.append(needs.max_current_a)
    return low, max(low, min(most))


def _phases(spec: ChargerSpec, vehicle: Vehicle | None, status: ChargerStatus | None) -> tuple[int, ...]:
    """The grid phases this car can load.

    What it is seen drawing on comes before what is said of it, but not at a charger that may itself have switched to
    one phase.
    """
    seen = status.phases_in_use if status and not status.switches_phases else None
    told = status.needs.phases if status and status.needs else None
    count = seen or min(told or 3, vehicle.phases if vehicle else 3)
    return spec.phases[: max(1, count)]


def _own_goal(wish: ChargingPreference, status: ChargerStatus | None, now: datetime, planned: Goal) -> Goal | None:
    """The departure and energy the car told, while the owner trusts them; what it left out is as planned.

    A departure that has passed was for another trip.
    """
    needs = status.needs if status else None
    if needs is None or status is None or not wish.trust_car:
        return None
    if needs.departure is not None and needs.departure <= now:
        return None
    if needs.departure is None and needs.energy_wh is None:
        return None
    ready = needs.departure.astimezone(UTC) if needs.departure else planned.ready
    told = needs.energy_wh
    return Goal(ready, planned.need_wh if told is None else max(0.0, told - (status.session_wh - needs.session_wh)))


def _goals(
    wish: ChargingPreference,
    vehicle: Vehicle | None,
    status: ChargerStatus | None,
    spec: ChargerSpec,
    now: datetime,
    zone: ZoneInfo,
    away_until: datetime | None,
) -> tuple[Goal, ...]:
    soc = vehicle.target_soc_percent if vehicle and vehicle.target_soc_percent is not None else wish.target_soc_percent
    goals: list[Goal] = []
    for leaves, plan in departures(now, wish, zone, away_until):
        target_soc = plan.target_soc_percent if plan.target_soc_percent is not None else soc
        if away_until is not None and leaves - now > LONG_AWAY:
            target_soc = min(target_soc, VACATION_SOC_PERCENT)
        target_wh = plan.target_wh if plan.target_wh is not None else wish.target_wh
        need = _need(status, target_soc, target_wh, spec, vehicle)
        if not goals or need > goals[-1].need_wh + 100:
            goals.append(Goal(leaves, need))
    if goals:
        return tuple(goals)
    return (Goal((now + timedelta(days=7)).astimezone(UTC), _need(status, soc, wish.target_wh, spec, vehicle)),)
