"""The signature scene at 18:05: the car paused by the utility until 22:00, its plan, events, rows and days."""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.authority import Authority
from gateway.model.dr import (
    DrEvent,
    DrInterval,
    Duration,
    EventRecord,
    IntervalPeriod,
    OptState,
    Payload,
    Signal,
    Timeline,
)  # fmt: skip
from gateway.model.learned import DayShape
from gateway.model.plan import Block, IntentKind, Plan, PlanSlot
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.setpoint import Override, Setpoint, SetpointKind
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.model.tariff import Rate

ZONE = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
DAY_RATE = Rate("day", 342_000, 60_000)
SITE = Site("Willow Street 4", ZONE, 50.85, 4.35, "EUR", 3, 25.0, (
    Device("meter", "Main meter", Role.MAIN_METER),
    Device("inverter", "Solar and battery", Role.HYBRID_INVERTER),
    Device("charger", "Car", Role.EV_CHARGER),
    Device("boiler", "Hot water", Role.WATER_HEATER),
    Device("heatpump", "Heat pump", Role.HEAT_PUMP),
))  # fmt: skip


def at(hour: float) -> datetime:
    """Local clock time of the scene's day as UTC; hours above 24 are the next day."""
    return datetime(2026, 11, 20, 23, tzinfo=UTC) + timedelta(hours=hour)


def price(when: datetime) -> int:
    hour = when.astimezone(ZONE).hour
    return 189_000 if hour >= 22 or hour < 6 else 402_000 if 17 <= hour < 21 else 301_000


def sun_w(when: datetime) -> float:
    hour = when.astimezone(ZONE).hour + when.minute / 60
    return -2600 * max(0.0, math.sin((hour - 8) / 8.5 * math.pi)) if 8 < hour < 16.5 else 0.0


def house_w(when: datetime) -> float:
    hour = when.astimezone(ZONE).hour + when.minute / 60
    return 260 + 420 * math.exp(-((hour - 7.5) ** 2) / 2) + 900 * math.exp(-((hour - 19) ** 2) / 4)


def plan() -> Plan:
    slots, soc = [], 62.0
    for i in range(144):
        start = NOW.replace(minute=0) + timedelta(minutes=15 * i)
        house, sun, local = house_w(start), sun_w(start), start.astimezone(ZONE)
        car = 7200.0 if at(22) <= start < at(26.5) else 0.0
        heat = {"boiler": 1900.0 if 3 <= local.hour < 5 else 0.0, "heatpump": 650.0 if local.hour % 3 else 900.0}
        want = house + sum(heat.values()) + sun
        battery = max(-2500.0, -want) if soc > 12 and not car and want > 0 else min(2500.0, -want) if want < 0 else 0.0
        battery = 2200.0 if 2 <= local.hour < 5 and soc < 90 else battery
        soc = min(100.0, max(10.0, soc + battery * 0.25 / 100))
        grid = want + car + battery
        power = {"grid": grid, "house": house, "pv": sun, "inverter": battery, "charger": car, **heat}
        slots.append(PlanSlot(start, 900, power, round(soc, 1), 52.0, 20.5, price(start), 60_000))
    blocks = (
        Block("charger", IntentKind.HOLD, at(18), at(22), 0, 0, "The utility's event until 21:00 and power is cheaper from 22:00.", "Charge now", 1_730_000, 2_400),
        Block("charger", IntentKind.CHARGE_AT, at(22), at(26.5), 7200, 32_400, "Cheapest hours before 07:00; the car will be full by 02:30.", "Charge from 02:00", 120_000, -300),
        Block("inverter", IntentKind.ZERO_GRID, at(18), at(22), -1100, -4400, "The battery covers the dear evening hours.", "Hold the battery", 910_000, 800),
        Block("inverter", IntentKind.CHARGE_AT, at(26), at(29), 2200, 6600, "Night power refills the battery for the morning.", "Leave it empty", 430_000, 0),
        Block("boiler", IntentKind.RUN, at(27), at(29), 1900, 3800, "Heats in the cheapest hours, warm by 06:30.", "Heat at 18:00", 810_000, 700),
        Block("heatpump", IntentKind.IDLE, at(18), at(21), 300, 900, "Rests at 19.5 °C while power is dear.", "Keep 21 °C", 260_000, 310),
    )  # fmt: skip
    return Plan(NOW, "demand response", "optimised", tuple(slots), blocks, 6_420_000, 9_880_000, 14_200, 84.0)


def event(identity: str, name: str, start: datetime, hours: float, kind: str, value: float) -> DrEvent:
    period = IntervalPeriod(start, duration=Duration(seconds=hours * 3600))
    return DrEvent(identity, "utility", "evening", name, (DrInterval(0, (Payload(kind, (value,)),), period),), period)


def records() -> list[EventRecord]:
    first = at(17.75)
    return [
        EventRecord(event("ev-past", "Cold evening", at(-6.5), 3, "SIMPLE", 1), at(-10), opt=OptState.JOINED,
                    delivered_wh=3120, delivered_low_wh=2500, delivered_high_wh=3700, earned_micro=1_250_000),
        EventRecord(event("ev-now", "Evening peak", at(18), 3, "SIMPLE", 2), first, opt=OptState.JOINED,
                    opt_reason="You join unless you skip; the car is still full by 07:00."),
        EventRecord(event("ev-next", "Morning peak", at(31), 2, "IMPORT_CAPACITY_LIMIT", 4.2), first, opt=OptState.UNDECIDED),
    ]  # fmt: skip


def timeline() -> Timeline:
    def signal(identity: str, name: str, kind: str, value: float, start: float, end: float) -> Signal:
        return Signal(kind, (value,), "KW", at(start), at(end), identity, "evening", 0, None, Authority.DEMAND_RESPONSE, name=name)  # fmt: skip

    return Timeline((
        signal("ev-now", "Evening peak", "SIMPLE", 2.0, 18, 21),
        signal("ev-next", "Morning peak", "IMPORT_CAPACITY_LIMIT", 4.2, 31, 33),
    ))  # fmt: skip


def snapshot(preferences: Preferences, overrides: tuple[Override, ...] = ()) -> Snapshot:
    q = Quantity
    devices = {
        "meter": DeviceState("meter", Role.MAIN_METER, True, 0.6, {q.POWER: 240.0, q.VOLTAGE_L1: 231.2}),
        "inverter": DeviceState("inverter", Role.HYBRID_INVERTER, True, 0.9, {q.POWER: -1390.0, q.PV_POWER: 0.0, q.BATTERY_POWER: -1480.0, q.SOC: 62.0}),
        "charger": DeviceState("charger", Role.EV_CHARGER, True, 4.0, {q.POWER: 0.0}),
        "boiler": DeviceState("boiler", Role.WATER_HEATER, False, 252.0, {}, "The relay has not spoken for 4 min; look at its Wi-Fi."),
        "heatpump": DeviceState("heatpump", Role.HEAT_PUMP, True, 12.0, {q.POWER: 310.0, q.TEMPERATURE: 20.6},
                                doubts={q.OUTDOOR_TEMPERATURE: "range: 812.0 °C is not possible <here>"}),
    }  # fmt: skip
    charger = ChargerStatus("charger", ChargePhase.PLUGGED, True, "41", at(17.33), 4200.0, 0.0, (0.0, 0.0, 0.0), 0.0, 58.0, 0.0, at(18), 4.0)  # fmt: skip
    return Snapshot(NOW, devices, {"charger": charger}, preferences, overrides=overrides)


def setpoints() -> dict[str, Setpoint]:
    return {
        "charger": Setpoint("charger", SetpointKind.CURRENT, 0, at(22), Authority.DEMAND_RESPONSE,
                            "The utility asks for less until 21:00, and power is cheaper from 22:00.", source="ev-now"),
        "inverter": Setpoint("inverter", SetpointKind.BATTERY_BAND, 2500, at(22), Authority.PLAN,
                             "The battery covers the dear evening hours.", low=-2500),
        "heatpump": Setpoint("heatpump", SetpointKind.TEMPERATURE, 19.5, at(21), Authority.PLAN, "Rests while power is dear."),
    }  # fmt: skip


def day_shapes() -> list[DayShape]:
    names, found = list(typical()), []
    for i in range(28):
        day = (NOW - timedelta(days=28 - i)).date()
        name = names[2] if day.weekday() < 5 else names[i % 4]
        bent = [share * (1 + 0.25 * math.sin(3 * hour + i)) for hour, share in enumerate(typical()[name])]
        whole = sum(bent)
        profile = tuple(share / whole for share in bent)
        why = "Most was used between 17 and 22 h, as on 19 of the last 28 days."
        found.append(
            DayShape(day, name, 0.82, 9400 + 300 * (i % 5), profile, why, (("double peak", 0.12), ("flat", 0.04)))
        )
    return found


def typical() -> dict[str, tuple[float, ...]]:
    def bumps(*peaks: tuple[float, float]) -> tuple[float, ...]:
        raw = [0.35 + sum(size * math.exp(-((hour - mid) ** 2) / 5) for mid, size in peaks) for hour in range(24)]
        return tuple(value / sum(raw) for value in raw)

    return {
        "flat": bumps(),
        "double peak": bumps((7.5, 1.0), (19, 1.3)),
        "evening peak": bumps((19.5, 2.2)),
        "midday": bumps((12.5, 1.8)),
        "night charging": bumps((2, 2.0), (19, 0.6)),
    }


@functools.cache
def interval_of(device: str, when: datetime) -> Interval:
    """One row of today: 15 minutes of a device, counted from the powers of the story."""
    car = 7000.0 if at(17.5) <= when < at(18) else 0.0
    house, sun, heat = house_w(when), sun_w(when), 500.0
    battery = min(2000.0, -sun * 0.6) if sun < -200 else -min(900.0, house) if when >= at(16.5) else 0.0
    table = {
        "house": house,
        "solar": sun,
        "charger": car,
        "boiler": 0.0,
        "heatpump": heat,
        "inverter": sun + battery,
        "inverter/pv": sun,
        "inverter/battery": battery,
    }
    power = table.get(device, sum(table[k] for k in ("house", "charger", "heatpump", "inverter")))
    wh = power / 4
    gap = at(12) <= when < at(12.5) and device in ("meter", "house")
    quality = IntervalQuality.ESTIMATED if gap else IntervalQuality.VALID
    method = "counter spread evenly" if gap else "counter"
    return Interval(device, when, 900, max(0.0, wh), max(0.0, -wh), quality, method)
