"""What the home does about an event: join or not, the limits its signals mean, prices and words for the owner.

timeline   |-- SIMPLE 1 (whole home) --------------|     |-- IMPORT_CAPACITY_LIMIT 4 kW --|
                  |-- SIMPLE 3 (target "car") --|
car        |min.  |========= pause =============|min.|
tank       |============ no reheating ==============|
site                                                     |======= import <= 4000 W =======|
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from gateway.core.demand_response.overlap import Claim, Held, resolve
from gateway.core.demand_response.strategies import Strategies, Strategy, parse_strategies
from gateway.core.demand_response.timeline import CAPACITY_LIMITS
from gateway.model.agreement import DrPolicy
from gateway.model.dr import DrEvent, DrProgram, OptState, Payload, PricePoint, Signal, Timeline
from gateway.model.preferences import Preferences
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import BatterySpec, ChargerSpec, Device, Role, Site

__all__ = [
    "Strategies",
    "alerts",
    "asks_action",
    "decide_opt",
    "is_usable",
    "not_understood",
    "parse_strategies",
    "prices",
    "to_limits",
]

PRICES = frozenset({"PRICE", "EXPORT_PRICE"})
INFORMATION = PRICES | {"PRICE_ALTERNATE", "GHG"}
SETPOINTS = frozenset({"CONTROL_SETPOINT", "DISPATCH_SETPOINT"})
ACTING_ALERTS = frozenset({"ALERT_FLEX_ALERT", "ALERT_GRID_EMERGENCY", "ALERT_BLACK_START"})
OPEN_END = timedelta(days=30)
"""How far a limit without an end is stated ahead; it is stated anew at each rebuild."""
_WATTS = {"W": 1.0, "KW": 1000.0, "MW": 1e6}
_KWH_PER = {"KWH": 1.0, "MWH": 1000.0, "WH": 0.001}
_BATTERIES = (Role.BATTERY, Role.HYBRID_INVERTER)
_ACTING = (
    Role.EV_CHARGER, Role.BATTERY, Role.HYBRID_INVERTER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP,
    Role.APPLIANCE, Role.PV,
)  # fmt: skip


def decide_opt(event: DrEvent, program: DrProgram | None, preferences: Preferences) -> tuple[OptState, str]:
    """Where the home stands on a new event, with the reason in words; consent per program comes before the policy.

    Capacity limits are conditions of the connection, so they bind unless the program has the consent "none".
    """
    consent = _consent(event, program, preferences)
    kinds = _kinds(event)
    if consent == "none":
        return OptState.SKIPPED, "You do not take part in this program."
    unused = not_understood(event, program)
    if unused:
        words = ", ".join(unused)
        return OptState.SKIPPED, f"Hearth does not understand this event ({words}), so it changes nothing."
    if consent == "binding":
        return OptState.BINDING, "You consented to this program as binding."
    if kinds & CAPACITY_LIMITS:
        return OptState.BINDING, "A capacity limit of your connection is binding."
    if not asks_action(event):
        return OptState.JOINED, _information(event, program)
    if consent == "voluntary":
        return OptState.JOINED, "You take part in this program; you can skip any event."
    if preferences.dr_policy is DrPolicy.JOIN:
        return OptState.JOINED, "You join events unless you skip them."
    if preferences.dr_policy is DrPolicy.NEVER:
        return OptState.SKIPPED, "You chose never to take part."
    return OptState.UNDECIDED, "It waits for your answer."


def asks_action(event: DrEvent) -> bool:
    """Whether an event asks the home to do something, and so can deliver; prices, carbon and news do not."""
    return any(_asks(kind) for kind in _kinds(event))


def is_usable(kind: str, values: Sequence[float | str | bool], unit: str) -> bool:
    """Whether the home can act on such a payload, or count with it; news and alerts need no value.

    SIMPLE is 0-3, a capacity limit W >= 0 (kW without a unit), a setpoint W, a price money per energy.
    """
    if kind == "SIMPLE":
        return _simple(values) is not None
    if kind in CAPACITY_LIMITS:
        watts = _to_watts(values, unit or "KW")
        return watts is not None and watts >= 0
    if kind in SETPOINTS:
        return _to_watts(values, unit) is not None
    if kind in PRICES:
        return unit.upper() in _KWH_PER and any(_finite(value) is not None for value in values)
    return kind in INFORMATION or kind.startswith("ALERT_")


def not_understood(event: DrEvent, program: DrProgram | None = None) -> list[str]:
    """What the event asks, in words, when it asks something and the home can act on nothing of it; else empty."""
    asked = [payload for interval in event.intervals for payload in interval.payloads if _asks(payload.type)]
    if any(is_usable(payload.type, payload.values, _unit(event, program, payload.type)) for payload in asked):
        return []
    found = dict.fromkeys(_words(payload, _unit(event, program, payload.type)) for payload in asked)
    return list(found)[:3]


def _words(payload: Payload, unit: str) -> str:
    known = payload.type == "SIMPLE" or payload.type in CAPACITY_LIMITS | SETPOINTS
    shown = " ".join(str(value)[:20] for value in payload.values[:1])
    return f"{payload.type} {shown or 'without a value'} {unit}".strip() if known else payload.type


def _information(event: DrEvent, program: DrProgram | None) -> str:
    payloads = [payload for interval in event.intervals for payload in interval.payloads]
    told = [(p.type, p.values, _unit(event, program, p.type)) for p in payloads]
    if not told or not {kind for kind, _, _ in told} <= PRICES or any(is_usable(*each) for each in told):
        return "For information: it asks nothing of you."
    why = "no unit" if any(not unit for _, _, unit in told) else "no number in a known unit"
    return f"For information; its prices cannot be used ({why})."


def _unit(event: DrEvent, program: DrProgram | None, kind: str) -> str:
    return event.units.get(kind) or (program.units.get(kind, "") if program else "")


def _kinds(event: DrEvent) -> set[str]:
    return {payload.type for interval in event.intervals for payload in interval.payloads}


def to_limits(timeline: Timeline, now: datetime, strategies: Strategies, *, site: Site) -> list[Limit]:
    """The limits in force at `now` and later, in order of start, without overlap within a kind and device.

    A signal whose targets name devices of the site (by id or name) binds those only; other targets are groups of the
    utility's and mean the whole home. Levels outside 0-3 and values without a usable unit are left out, never clamped.
    """
    signals = [s for s in timeline.signals if s.end is None or s.end > now]
    limits = list(_site_limits(signals, site, now))
    for device in site.of_role(*_ACTING):
        mine = [signal for signal in signals if _addresses(signal, device, site)]
        limits += _level_limits(mine, device, strategies, site, now)
        if device.role in _BATTERIES:
            limits += _setpoint_limits(mine, device, site, now)
    return sorted(limits, key=lambda limit: (limit.start, limit.kind, limit.device))


def prices(timeline: Timeline, currency: str = "") -> list[PricePoint]:
    """Prices in micro-units per kWh and GHG in g/kWh, in order of start.

    A price without units of energy, or in another currency than `currency` (when both are known), is left out.
    """
    points: list[PricePoint] = []
    for signal in timeline.signals:
        value = _number(signal)
        if value is None:
            continue
        per_kwh = _KWH_PER.get(signal.unit.upper())
        foreign = bool(currency and signal.currency and signal.currency.upper() != currency.upper())
        if signal.kind in PRICES and per_kwh is not None and not foreign:
            micro = float(round(value / per_kwh * 1e6))
            points.append(
                PricePoint(signal.kind, micro, signal.start, signal.end, signal.currency or currency, signal.event)
            )
        elif signal.kind == "GHG" and signal.unit.upper() in ("", "GHG", "G/KWH"):
            points.append(PricePoint("GHG", value, signal.start, signal.end, "", signal.event))
    return points


def alerts(timeline: Timeline, now: datetime) -> list[tuple[str, str]]:
    """The utility's alerts in force as (text, level); the level is "warning", or "alarm" for an emergency."""
    found = []
    for signal in timeline.at(now):
        if signal.kind.startswith("ALERT_"):
            title = signal.kind.removeprefix("ALERT_").replace("_", " ").lower()
            words = ". ".join(str(value) for value in signal.values if value)
            urgent = signal.kind in ("ALERT_GRID_EMERGENCY", "ALERT_BLACK_START")
            text = f"{'Test: ' if signal.test else ''}Alert of the utility, {title}{': ' + words if words else ''}"
            found.append((text, "alarm" if urgent else "warning"))
    return found


def _consent(event: DrEvent, program: DrProgram | None, preferences: Preferences) -> str:
    name = program.name if program is not None else ""
    return preferences.agreement(event.program_key, event.program, name).standing


def _asks(kind: str) -> bool:
    return kind in ACTING_ALERTS or (kind not in INFORMATION and not kind.startswith("ALERT_"))


def _site_limits(signals: Sequence[Signal], site: Site, now: datetime) -> Iterator[Limit]:
    for signal in signals:
        if signal.kind not in CAPACITY_LIMITS:
            continue
        watts = _watts(signal, default="KW")
        if watts is not None and watts >= 0:
            imports = signal.kind.startswith("IMPORT")
            kind = LimitKind.SITE_IMPORT if imports else LimitKind.SITE_EXPORT
            words = f"The utility limits what you {'draw' if imports else 'feed in'} to {watts / 1000:g} kW"
            yield _limit(kind, watts, Held(signal.start, signal.end, signal), "", words, site, now)


def _level_limits(
    signals: Sequence[Signal], device: Device, strategies: Strategies, site: Site, now: datetime
) -> Iterator[Limit]:
    """The strongest right to the device wins where signals overlap: authority, then priority, then the higher level."""
    claims = []
    for signal in signals:
        level = _level(signal, strategies)
        if level is not None:
            priority = float("inf") if signal.priority is None else float(signal.priority)
            rank = (float(signal.authority), priority, -float(level))
            claims.append(Claim(signal.start, signal.end, rank, (signal, level)))
    for held in resolve(claims):
        signal, level = held.item
        words = f"The utility asks to save power (level {level})"
        if level and device.id not in signal.released:
            for kind, value in _device_values(strategies.at(level, signal.program), device, site):
                yield _limit(kind, value, Held(held.start, held.end, signal), device.id, words, site, now)


def _setpoint_limits(signals: Sequence[Signal], device: Device, site: Site, now: datetime) -> Iterator[Limit]:
    claims = []
    for signal in signals:
        if signal.kind in SETPOINTS and _watts(signal) is not None:
            priority = float("inf") if signal.priority is None else float(signal.priority)
            claims.append(Claim(signal.start, signal.end, (float(signal.authority), priority), signal))
    for held in resolve(claims):
        watts = _watts(held.item)
        if watts is not None and device.id not in held.item.released:
            words = f"The utility sets the battery to {watts / 1000:g} kW"
            yield _limit(LimitKind.BATTERY_SETPOINT, watts, held, device.id, words, site, now)


def _device_values(row: Strategy, device: Device, site: Site) -> Iterator[tuple[LimitKind, float]]:
    match device.role:
        case Role.EV_CHARGER if row.ev != "normal":
            yield LimitKind.DEVICE_POWER, _least_charge_w(device, site) if row.ev == "minimum" else 0.0
        case Role.WATER_HEATER if row.water_heater == "load_up":
            yield LimitKind.TANK_LOAD_UP, 1.0
        case Role.WATER_HEATER if row.water_heater != "normal":
            yield LimitKind.TANK_SHED, 2.0 if row.water_heater == "shed_all" else 1.0
        case Role.HEAT_PUMP if row.thermostat_k:
            yield LimitKind.TEMPERATURE_OFFSET, row.thermostat_k
        case Role.POOL_PUMP if row.pool_pump == "pause":
            yield LimitKind.DEVICE_POWER, 0.0
        case Role.APPLIANCE if row.appliance == "pause":
            yield LimitKind.DEVICE_POWER, 0.0
        case _:
            pass
    if device.role in _BATTERIES and row.battery != "normal":
        may_export = isinstance(device.spec, BatterySpec) and device.spec.grid_export
        yield LimitKind.BATTERY_DISCHARGE, 2.0 if row.battery == "export" and may_export else 1.0
    if device.role in (Role.PV, Role.HYBRID_INVERTER) and row.pv_percent < 100:
        yield LimitKind.PV_PERCENT, row.pv_percent


def _least_charge_w(device: Device, site: Site) -> float:
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    return spec.min_current_a * len(spec.phases) * site.nominal_voltage_v


def _limit(
    kind: LimitKind, value: float, held: Held[Signal], device: str, words: str, site: Site, now: datetime
) -> Limit:
    signal = held.item
    until = f" until {held.end.astimezone(site.timezone):%H:%M}" if held.end is not None else " until further notice"
    reason = f"{'Test event: ' if signal.test else ''}{words}{until}."
    end = held.end if held.end is not None else max(now, held.start) + OPEN_END
    return Limit(kind, value, held.start, end, signal.authority, signal.event, reason, device)


def _level(signal: Signal, strategies: Strategies) -> int | None:
    if signal.kind in strategies.alerts:
        return strategies.alerts[signal.kind]
    return _simple(signal.values) if signal.kind == "SIMPLE" else None


def _simple(values: Sequence[float | str | bool]) -> int | None:
    value = _finite(values[0]) if values else None
    return int(value) if value in (0, 1, 2, 3) else None


def _addresses(signal: Signal, device: Device, site: Site) -> bool:
    names = {name for other in site.devices for name in (other.id, other.name)}
    named = [target for target in signal.targets if target in names]
    return not named or device.id in named or device.name in named


def _watts(signal: Signal, default: str = "") -> float | None:
    return _to_watts(signal.values, signal.unit or default)


def _to_watts(values: Sequence[float | str | bool], unit: str) -> float | None:
    factor = _WATTS.get(unit.upper())
    value = _finite(values[0]) if values else None
    return None if factor is None or value is None else value * factor


def _number(signal: Signal) -> float | None:
    return _finite(signal.values[0]) if signal.values else None


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value == value and abs(value) < 1e12 else None
