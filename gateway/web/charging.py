"""The page Charging in words: what each car does and why, the plan as a bar, and what may be wished of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.preferences import EVERY_DAY, ChargeMode, ChargingPreference, Departure, Vehicle
from gateway.model.session import EvSession
from gateway.model.setpoint import Override
from gateway.model.site import ChargerSpec, Device
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.runtime.car_words import CarFacts, car_facts
from gateway.runtime.words import local_time
from gateway.web.state import charger_status
from gateway.web.view import HomeView
from gateway.web.words import MODE_WORDS, countdown, saving, watt_hours, watts

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BAR_H = 24
BLOCKS_SHOWN = 4
WIDTH, MARGIN = 480.0, 24.0
"""Of the plan's bar, in its own units."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The signature card: the car waits; until when, why, what it saves, and Override."""

    title: str
    why: str
    saves: str
    ready: str
    event: str
    minutes: int


@dataclass(frozen=True, slots=True)
class BarPart:
    """A piece of the plan's bar: left edge, width and height in its own units."""

    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PlanBar:
    """The next 24 hours of one car as a picture with its reasons beside it."""

    parts: list[BarPart]
    hours: list[tuple[float, str]]
    leaves: float | None
    """Where the departure lies; None when it is not within the bar."""
    words: str
    rows: list[tuple[str, str]]
    """(when, why), the block in force first."""


@dataclass(frozen=True, slots=True)
class ChargerCard:
    """One charge point for the owner: what is, and the texts of its forms."""

    id: str
    name: str
    status: str
    why: str
    phase: str
    plugged: bool
    power: str
    session: str
    soc: str
    limit: str
    mode: str
    waiting: Waiting | None
    overridden: str
    car: CarFacts
    shown: str
    """What a car that told its needs is told in turn; empty where none did."""
    leaves: str
    need: str
    other_mode: str
    """Why another mode holds than the one chosen; empty when that one holds."""
    bar: PlanBar | None
    wish: ChargingPreference
    fields: dict[str, str]
    """The settings as the form's texts."""
    departures: list[tuple[int, str, str]]
    """(index, when, target)."""


def charger_card(home: HomeView, device: Device) -> ChargerCard:
    """What one charger does, why, and what may be wished of it."""
    status = charger_status(home.snapshot(), device.id)
    setpoint = home.setpoints().get(device.id)
    wish = home.preferences().charging_of(device.id)
    running = _override(home, device)
    plugged = status is not None and status.phase in (ChargePhase.PLUGGED, ChargePhase.CHARGING)
    zone, now = home.site.timezone, home.clock.now()
    car = car_facts(home.site, home.preferences(), device, status, now)
    return ChargerCard(
        device.id,
        device.name,
        _status(home, device, status),
        setpoint.reason if setpoint and plugged else "",
        status.phase.value if status else "offline",
        plugged,
        watts(status.power_w if status else None) + (" (not measured)" if status and status.resting else ""),
        watt_hours(status.session_wh) if status and plugged else "–",
        f"{status.soc_percent:.0f} %" if status and status.soc_percent is not None else "–",
        f"{setpoint.value:.0f} A" if setpoint else "–",
        wish.mode.value,
        _waiting(home, device, status, car),
        f"Your override ({running.action}) holds until {local_time(running.end, now, zone)}." if running else "",
        car,
        _shown(device, status) if plugged else "",
        local_time(car.leaves, now, zone),
        watt_hours(car.need_wh),
        _other_mode(wish, car),
        plan_bar(home, device, car.leaves) if plugged and wish.mode is not ChargeMode.OFF else None,
        wish,
        charging_fields(wish),
        [(i, departure_words(d), _target_words(d)) for i, d in enumerate(wish.departures)],
    )


def charging_fields(wish: ChargingPreference) -> dict[str, str]:
    """One charger's wishes as the form's texts."""
    price, grams = wish.max_price_micro_per_kwh, wish.max_co2_g_per_kwh
    least, least_wh = wish.minimum_soc_percent, wish.minimum_wh
    return {
        "ready_by": f"{wish.ready_by:%H:%M}",
        "target_kwh": f"{wish.target_wh / 1000:g}",
        "target_soc": f"{wish.target_soc_percent:g}",
        "minimum_soc": "" if least is None else f"{least:g}",
        "minimum_kwh": "" if least_wh is None else f"{least_wh / 1000:g}",
        "goal": wish.goal.value,
        "max_price": "" if price is None else f"{price / 1e6:g}",
        "max_co2": "" if grams is None else f"{grams:g}",
        "priority": f"{wish.priority}",
        "trust_car": "yes" if wish.trust_car else "",
        "default_vehicle": wish.default_vehicle,
        "guest_current": f"{wish.guest_current_a:g}",
        "unknown_tag_is_guest": "yes" if wish.unknown_tag_is_guest else "",
    }


def vehicle_fields(vehicle: Vehicle) -> dict[str, str]:
    """One vehicle as the form's texts."""
    soc = vehicle.target_soc_percent
    return {
        "name": vehicle.name,
        "tags": ", ".join(vehicle.tags),
        "battery_kwh": f"{vehicle.battery_wh / 1000:g}",
        "phases": f"{vehicle.phases}",
        "max_current": f"{vehicle.max_current_a:g}",
        "efficiency": f"{vehicle.efficiency_percent:g}",
        "target_soc": "" if soc is None else f"{soc:g}",
        "mode": vehicle.mode.value if vehicle.mode else "",
    }


def vehicle_words(vehicle: Vehicle) -> str:
    """What is known of a vehicle, in a line."""
    parts = [f"{vehicle.battery_wh / 1000:g} kWh", f"{vehicle.max_current_a:g} A on {vehicle.phases} phases"]
    parts[1] = parts[1].removesuffix("s") if vehicle.phases == 1 else parts[1]
    parts += [f"to {vehicle.target_soc_percent:g} %"] if vehicle.target_soc_percent is not None else []
    parts += [f"mode {MODE_WORDS[vehicle.mode.value]}"] if vehicle.mode else []
    count = len(vehicle.tags)
    return " · ".join([*parts, f"{count} {'tag' if count == 1 else 'tags'}" if count else "no tag"])


def departure_words(departure: Departure) -> str:
    """A departure in words: "06:30 Mon–Fri"."""
    return f"{departure.at:%H:%M} {days_words(departure.days)}"


def days_words(days: tuple[int, ...]) -> str:
    """Days of the week in words: "every day", "Mon–Fri", "Sat, Sun"."""
    if days == EVERY_DAY:
        return "every day"
    whole = len(days) > 2 and days[-1] - days[0] == len(days) - 1
    return f"{DAY_NAMES[days[0]]}–{DAY_NAMES[days[-1]]}" if whole else ", ".join(DAY_NAMES[day] for day in days)


def _target_words(departure: Departure) -> str:
    parts = [f"{departure.target_wh / 1000:g} kWh"] if departure.target_wh is not None else []
    parts += [f"{departure.target_soc_percent:g} %"] if departure.target_soc_percent is not None else []
    return " or ".join(parts) or "as above"


def _shown(device: Device, status: ChargerStatus | None) -> str:
    """What the car is told of the plan (decision 10); only a profile of its transaction can carry it."""
    if status is None or status.needs is None:
        return ""
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    safe_a = spec.safe_current_a
    if safe_a < spec.min_current_a:
        return (
            "It is told the current of the moment only: the charger's safe current is 0 A, "
            "and a car that is told of hours without any may go to sleep."
        )
    if not status.rung.startswith("TxProfile"):
        return "It is told the current of the moment only."
    return (
        f"It is told the current of the moment and, for later, the plan held to the safe current of {safe_a:g} A, "
        "which is all it may take without Hearth. What the plan gives it is on the bar."
    )


def _other_mode(wish: ChargingPreference, car: CarFacts) -> str:
    if car.guest or car.mode is wish.mode:
        return ""
    return f"{car.who} has a mode of its own: {MODE_WORDS[car.mode.value]}."


def plan_bar(home: HomeView, device: Device, leaves: datetime) -> PlanBar | None:
    """The plan of one car over the next 24 hours; None without a plan for it."""
    plan, now, zone = home.plan(), home.clock.now(), home.site.timezone
    if plan is None or plan.block(device.id, now) is None:
        return None
    ends = now + timedelta(hours=BAR_H)
    at = (leaves - now) / timedelta(hours=BAR_H)
    shown = [b for b in plan.blocks if b.device == device.id and b.end > now and b.start < ends]
    planned = sum(b.energy_wh for b in shown if b.energy_wh > 0)
    return PlanBar(
        _bar_parts(plan, device.id, now, ends),
        _bar_hours(now, ends, home),
        round(at * WIDTH, 1) if 0 < at < 1 else None,
        f"{device.name}: {watt_hours(planned)} planned in the next {BAR_H} hours",
        [(_when(block, now, zone), block.reason) for block in shown[:BLOCKS_SHOWN]],
    )


def _when(block: Block, now: datetime, zone: ZoneInfo) -> str:
    start = "now" if block.start <= now else local_time(block.start, now, zone)
    return f"{start} – {local_time(block.end, now, zone)}"


def _bar_parts(plan: Plan, device: str, now: datetime, ends: datetime) -> list[BarPart]:
    most = max((slot.power_w.get(device, 0.0) for slot in plan.slots), default=0.0)
    parts: list[BarPart] = []
    for slot in plan.slots:
        power = slot.power_w.get(device, 0.0)
        start, end = max(now, slot.start), min(ends, slot.start + timedelta(seconds=slot.duration_s))
        if power <= 0 or end <= start:
            continue
        x, width = ((value / timedelta(hours=BAR_H)) * WIDTH for value in (start - now, end - start))
        height = round(40 * power / most, 1)
        last = parts[-1] if parts else None
        if last is not None and last.height == height and abs(last.x + last.width - x) < 0.2:
            parts[-1] = BarPart(last.x, round(x + width - last.x, 1), height)
        else:
            parts.append(BarPart(round(x, 1), round(width, 1), height))
    return parts


def _bar_hours(now: datetime, ends: datetime, home: HomeView) -> list[tuple[float, str]]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    found = []
    while (hour := hour + timedelta(hours=1)) < ends:
        local = hour.astimezone(home.site.timezone)
        x = (hour - now) / timedelta(hours=BAR_H) * WIDTH
        # A time at an edge would be cut.
        if local.hour % 6 == 0 and local.minute == 0 and MARGIN < x < WIDTH - MARGIN:
            found.append((round(x, 1), f"{local:%H:%M}"))
    return found


def _status(home: HomeView, device: Device, status: ChargerStatus | None) -> str:
    if status is None or not status.connected:
        return "The charger is not connected to Hearth. It keeps its own safe limit until it comes back."
    if status.phase is ChargePhase.FAULTED:
        return "The charger reports a fault. Look at its display, then unplug and plug in again."
    if status.phase is ChargePhase.AVAILABLE:
        return "No car is plugged in."
    now, zone = home.clock.now(), home.site.timezone
    plan = home.plan()
    block, later = (plan.block(device.id, now), plan.next_block(device.id, now)) if plan else (None, None)
    if status.phase is ChargePhase.CHARGING and (status.power_w or 0) > 100:
        if block is not None:
            left = countdown((block.end - now).total_seconds()).removeprefix("in ")
            return f"Charging with {watts(status.power_w)}, planned for another {left}."
        return f"Charging with {watts(status.power_w)}."
    if later is not None and later.kind in (IntentKind.CHARGE_AT, IntentKind.RUN):
        at = local_time(later.start, now, zone)
        return f"Plugged in and waiting; charging starts at {at}, {countdown((later.start - now).total_seconds())}."
    return "Plugged in, taking no power."


def _waiting(home: HomeView, device: Device, status: ChargerStatus | None, car: CarFacts) -> Waiting | None:
    setpoint, plan, now = home.setpoints().get(device.id), home.plan(), home.clock.now()
    if status is None or status.phase is not ChargePhase.PLUGGED or setpoint is None or setpoint.value > 0:
        return None
    if setpoint.authority is Authority.OWNER_OVERRIDE or car.mode is ChargeMode.OFF:
        return None
    block, later = (plan.block(device.id, now), plan.next_block(device.id, now)) if plan else (None, None)
    start = later.start if later else setpoint.until
    known = block is not None and block.kind is IntentKind.HOLD
    micro, grams = (block.alternative_cost_micro, block.alternative_co2_g) if block and known else (None, None)
    saves = saving(micro, grams, home.site.currency)
    at = local_time(start, now, home.site.timezone)
    event = setpoint.source if any(r.key == setpoint.source for r in home.event_records()) else ""
    leaves = local_time(car.leaves, now, home.site.timezone)
    ready = f"Still planned to be ready by {leaves.split()[-1] if _within_a_day(car, now) else leaves}."
    on_sun = car.mode is ChargeMode.SOLAR
    return Waiting(
        # When the sun comes nobody can tell, and the end of a command is no start of charging.
        "Waiting" if on_sun or (later is None and not event) else f"Paused until {at}",
        setpoint.reason,
        f"Waiting {saves}." if saves else "",
        "" if on_sun else ready,
        event,
        _minutes_until(car.leaves, now),
    )


def _within_a_day(car: CarFacts, now: datetime) -> bool:
    return car.leaves - now <= timedelta(days=1)


def _minutes_until(leaves: datetime, now: datetime) -> int:
    """From now to the departure, at most four hours: an override should not outlive the evening."""
    return int(min(240, max(1, (leaves - now).total_seconds() // 60)))


def _override(home: HomeView, device: Device) -> Override | None:
    snapshot = home.snapshot()
    overrides = snapshot.overrides if snapshot else ()
    return next((o for o in overrides if o.device == device.id and o.end > home.clock.now()), None)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One charging session."""

    charger: str
    when: str
    energy: str
    lasted: str
    stop: str


def session_row(home: HomeView, session: EvSession) -> SessionRow:
    """A row of the ledger in local time."""
    now, zone = home.clock.now(), home.site.timezone
    device = home.site.device(session.charger)
    started = session.start.astimezone(zone)
    lasted = int(((session.end or now) - session.start).total_seconds() // 60)
    return SessionRow(
        device.name if device else session.charger,
        f"{started:%a %d %b %H:%M}",
        watt_hours(session.energy_wh),
        f"{lasted // 60} h {lasted % 60:02d} min" if lasted >= 60 else f"{lasted} min",
        session.stop_reason if session.end else "under way",
    )
