"""Small homes for tests: a site and snapshots of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, Override, Setpoint
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.fakes import START

BATTERY = BatterySpec(10_000, 5_000, 5_000)

SITE = Site(
    name="Test home",
    timezone=ZoneInfo("Europe/Brussels"),
    latitude=50.85,
    longitude=4.35,
    currency="EUR",
    phases=3,
    main_fuse_a=25.0,
    devices=(
        Device("meter", "Main meter", Role.MAIN_METER),
        Device("inverter", "Solar and battery", Role.HYBRID_INVERTER, BATTERY),
        Device("car", "Car", Role.EV_CHARGER, ChargerSpec()),
        Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200, phase=2)),
        Device("heat_pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, phase=3)),
    ),
)


def meter(amps: tuple[float, float, float], age_s: float = 0.5) -> DeviceState:
    values = {
        Q.CURRENT_L1: abs(amps[0]), Q.CURRENT_L2: abs(amps[1]), Q.CURRENT_L3: abs(amps[2]),
        Q.POWER_L1: amps[0] * 230, Q.POWER_L2: amps[1] * 230, Q.POWER_L3: amps[2] * 230,
        Q.POWER: sum(amps) * 230,
    }  # fmt: skip
    return DeviceState("meter", Role.MAIN_METER, age_s <= 10, age_s, values)


def car(
    amps: float | None = 0.0, *, plugged: bool = True, age_s: float = 1.0, session_wh: float = 0.0
) -> ChargerStatus:
    current = (amps, amps, amps)
    return ChargerStatus(
        "car",
        ChargePhase.CHARGING if amps else ChargePhase.PLUGGED if plugged else ChargePhase.AVAILABLE,
        connected=True,
        transaction="1" if plugged else "",
        session_wh=session_wh,
        power_w=None if amps is None else amps * 690,
        current_a=current,
        meter_age_s=age_s,
    )


def block(device: str, kind: IntentKind, power_w: float = 0.0, hours: float = 4.0, reason: str = "planned") -> Block:
    return Block(device, kind, START, START + timedelta(hours=hours), power_w, power_w * hours, reason)


def plan(*blocks: Block) -> Plan:
    return Plan(START, "test", "optimised", (), blocks, 0, 0, 0.0, 1.0)


def snapshot(
    amps: tuple[float, float, float] = (5, 5, 5),
    *,
    meter_age_s: float = 0.5,
    charger: ChargerStatus | None = None,
    mode: ChargeMode = ChargeMode.NOW,
    limits: tuple[Limit, ...] = (),
    overrides: tuple[Override, ...] = (),
    planned: Plan | None = None,
    commanded: Mapping[str, Setpoint] | None = None,
    disobeying: frozenset[str] = frozenset(),
    soc: float = 50.0,
    battery_w: float = 0.0,
    pv_w: float = 0.0,
    water_c: float = 55.0,
    preferences: Preferences | None = None,
) -> Snapshot:
    wishes = preferences or Preferences(charging={"car": ChargingPreference(mode)})
    inverter = {Q.POWER: battery_w + pv_w, Q.BATTERY_POWER: battery_w, Q.PV_POWER: pv_w, Q.SOC: soc}
    devices = {
        "meter": meter(amps, meter_age_s),
        "inverter": DeviceState("inverter", Role.HYBRID_INVERTER, True, 0.5, inverter),
        "tank": DeviceState("tank", Role.WATER_HEATER, True, 1.0, {Q.TEMPERATURE: water_c, Q.ON: 0.0, Q.POWER: 0.0}),
        "heat_pump": DeviceState("heat_pump", Role.HEAT_PUMP, True, 1.0, {Q.TEMPERATURE: 20.5}),
    }
    return Snapshot(
        START, devices, {"car": charger or car()}, wishes, limits, overrides, planned, commanded or {}, disobeying
    )
