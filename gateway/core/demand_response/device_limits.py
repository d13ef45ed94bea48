"""What the signals mean for each device: levels, offsets and alerts by the strategy table, setpoints by their own word.

    SIMPLE 2, OFFSET 5, FLEX_ALERT   -> a row of the table: car minimum or pause, tank shed, thermostat -2 K, ...
    OFFSET -3                        -> the row `more`: tank loaded up, thermostat +1 K
    DISPATCH_SETPOINT -2.5 kW        -> the battery gives 2.5 kW; a named device draws at most that
    DISPATCH_SETPOINT_RELATIVE       -> the same, counted from what the device may draw at most
    CHARGE_STATE_SETPOINT 80 %       -> the battery goes to 80 % and stays there
    ALERT_POSSIBLE_OUTAGE            -> the battery goes to 100 % and stays there

Interpretations: a setpoint that names no device means the battery, as nothing else can be set to a power; a battery follows
the meter and has no power of its own to be relative to, so a relative setpoint is taken as it is; a device that heats
or charges can be held down to a power, but not made to draw what it does not need; the charge of a car is its owner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from gateway.core.demand_response.claims import LOWEST
from gateway.core.demand_response.kinds import (
    CHARGE_STATE,
    OFFSETS,
    SETPOINTS,
    charge_of,
    level_of,
    offset_of,
    watts_of,
)
from gateway.core.demand_response.overlap import Claim, Held, resolve
from gateway.core.demand_response.strategies import Strategies, Strategy
from gateway.core.demand_response.words import limit_of
from gateway.model.dr import Signal
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import (
    ApplianceSpec,
    BatterySpec,
    ChargerSpec,
    Device,
    HeatPumpSpec,
    PoolPumpSpec,
    Role,
    Site,
    WaterHeaterSpec,
)

BATTERIES = (Role.BATTERY, Role.HYBRID_INVERTER)
ACTING = (
    Role.EV_CHARGER, Role.BATTERY, Role.HYBRID_INVERTER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP,
    Role.APPLIANCE, Role.PV,
)  # fmt: skip


def device_limits(
    signals: Sequence[Signal], device: Device, strategies: Strategies, site: Site, now: datetime
) -> Iterator[Limit]:
    """All limits of one device, in order of time within a kind, without overlap."""
    mine = [signal for signal in signals if addresses(signal, device, site) and device.id not in signal.released]
    for held in _by_right([(s, row) for s in mine if (row := _row(s, strategies)) is not None]):
        signal, row = held.item
        for kind, value in _values(row.strategy, device, site):
            yield limit_of(kind, value, Held(held.start, held.end, signal), device.id, row.words, site, now)
    for held in _by_right(
        [(s, _NO_ROW) for s in mine if s.kind in SETPOINTS and watts_of(s.values, s.unit) is not None]
    ):
        yield from _setpoint(Held(held.start, held.end, held.item[0]), device, site, now)
    if device.role in BATTERIES:
        yield from _charge_states(mine, device, strategies, site, now)


def addresses(signal: Signal, device: Device, site: Site) -> bool:
    """Whether a signal means this device: its targets name it, or name no device of the home at all."""
    meant = named(signal, site)
    return not meant or device.id in meant


def named(signal: Signal, site: Site) -> set[str]:
    """The ids of the home's devices that a signal's targets name, by id or by name."""
    return {each.id for each in site.devices if {each.id, each.name} & set(signal.targets)}


class _Row:
    """A row of the table with the words for it; `rank` grows with how much it asks."""

    __slots__ = ("rank", "strategy", "words")

    def __init__(self, strategy: Strategy, rank: float, words: str) -> None:
        self.strategy, self.rank, self.words = strategy, rank, words


_NO_ROW = _Row(Strategy(), 0.0, "")


def _row(signal: Signal, strategies: Strategies) -> _Row | None:
    """What a level, an offset or an alert means by the table; None for what it does not know, or that changes nothing."""
    if signal.kind in OFFSETS:
        offset = offset_of(signal.kind, signal.values)
        if offset is None or offset == 0:
            return None
        if offset < 0:
            return _Row(strategies.more, offset, f"The utility asks to use more now (offset {offset:g})")
        level = strategies.offset_level(offset)
        words = f"The utility asks to save power (offset {offset:g})"
        return _Row(strategies.at(level, signal.program), level, words) if level else None
    level = strategies.alerts.get(signal.kind) or (level_of(signal.values) or 0 if signal.kind == "SIMPLE" else 0)
    if not level:
        return _Row(Strategy(), 0, "") if signal.kind == "SIMPLE" and level_of(signal.values) == 0 else None
    return _Row(strategies.at(level, signal.program), level, f"The utility asks to save power (level {level})")


def _by_right(found: Sequence[tuple[Signal, _Row]]) -> list[Held[tuple[Signal, _Row]]]:
    """The strongest right wins where signals overlap: authority, then priority, then who asks more.

    Priorities of two utilities cannot be compared: between them the one that asks more wins.
    """
    servers: dict[str, list[Claim[tuple[Signal, _Row]]]] = {}
    for signal, row in found:
        rank = (float(signal.authority), _priority(signal), -row.rank)
        claim = Claim(signal.start, signal.end, rank, (signal, row))
        servers.setdefault(signal.program.partition(":")[0], []).append(claim)
    if len(servers) == 1:
        return resolve(next(iter(servers.values())))
    between = []
    for claims in servers.values():
        for held in resolve(claims):
            signal, row = held.item
            between.append(
                Claim(held.start, held.end, (float(signal.authority), -row.rank, _priority(signal)), held.item)
            )
    return resolve(between)


def _priority(signal: Signal) -> float:
    return float("inf") if signal.priority is None else float(min(signal.priority, LOWEST))


def _values(row: Strategy, device: Device, site: Site) -> Iterator[tuple[LimitKind, float]]:
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
    if device.role in BATTERIES and row.battery == "charge":
        yield LimitKind.BATTERY_SOC, 100.0
    elif device.role in BATTERIES and row.battery != "normal":
        may_export = isinstance(device.spec, BatterySpec) and device.spec.grid_export
        yield LimitKind.BATTERY_DISCHARGE, 2.0 if row.battery == "export" and may_export else 1.0
    if device.role in (Role.PV, Role.HYBRID_INVERTER) and row.pv_percent < 100:
        yield LimitKind.PV_PERCENT, row.pv_percent


def _setpoint(held: Held[Signal], device: Device, site: Site, now: datetime) -> Iterator[Limit]:
    signal = held.item
    watts = watts_of(signal.values, signal.unit)
    if watts is None:
        return
    relative = signal.kind == "DISPATCH_SETPOINT_RELATIVE"
    if device.role in BATTERIES:
        words = f"The utility {'moves' if relative else 'sets'} the battery {'by' if relative else 'to'} {watts / 1000:g} kW"
        yield limit_of(LimitKind.BATTERY_SETPOINT, watts, held, device.id, words, site, now)
        return
    most = most_w(device, site)
    if most is None or not named(signal, site):
        return
    watts = max(0.0, most + watts) if relative else max(0.0, watts)
    words = f"The utility sets {device.name} to {watts / 1000:g} kW"
    if device.role is Role.WATER_HEATER:
        kind, value = (LimitKind.TANK_LOAD_UP, 1.0) if watts >= most / 2 else (LimitKind.TANK_SHED, 2.0)
        yield limit_of(kind, value, held, device.id, words, site, now)
    elif watts < most:
        yield limit_of(LimitKind.DEVICE_POWER, watts, held, device.id, words, site, now)


def _charge_states(
    signals: Sequence[Signal], device: Device, strategies: Strategies, site: Site, now: datetime
) -> Iterator[Limit]:
    capacity = device.spec.capacity_wh if isinstance(device.spec, BatterySpec) else 0.0
    told = []
    for signal in signals:
        if (
            signal.kind == CHARGE_STATE and charge_of(signal.values, signal.unit, capacity) is not None
        ) or signal.kind in strategies.reserves:
            told.append((signal, _NO_ROW))
    for held in _by_right(told):
        signal = held.item[0]
        percent = charge_of(signal.values, signal.unit, capacity) if signal.kind == CHARGE_STATE else 100.0
        if percent is None:
            continue
        outage = signal.kind != CHARGE_STATE
        words = (
            "The utility warns of an outage: the battery is filled and kept" if outage
            else f"The utility asks for a battery at {percent:.0f} %"
        )  # fmt: skip
        one = Held(held.start, held.end, signal)
        yield limit_of(LimitKind.BATTERY_SOC, percent, one, device.id, words, site, now)


def most_w(device: Device, site: Site) -> float | None:
    """What a device may draw at most, W; None where nothing is known of it."""
    match device.spec:
        case ChargerSpec(phases=phases, max_current_a=amps):
            return amps * len(phases) * site.nominal_voltage_v
        case WaterHeaterSpec(power_w=power) | PoolPumpSpec(power_w=power) | HeatPumpSpec(max_power_w=power):
            return power
        case ApplianceSpec(profile_w=profile):
            return max(profile)
        case _:
            return None


def _least_charge_w(device: Device, site: Site) -> float:
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    return spec.min_current_a * len(spec.phases) * site.nominal_voltage_v
