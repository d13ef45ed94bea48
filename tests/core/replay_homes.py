"""Small homes for the tests of the replay: a flat house, a sine of sun, a car in the evening."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.planning.twin import DAY, Record, Setup, Visit
from gateway.model.preferences import Preferences
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.tariff import Rate, Tariff

ZONE = ZoneInfo("Europe/Brussels")
START = datetime(2026, 4, 1, 22, tzinfo=UTC)
"""Midnight in Brussels."""
TARIFF = Tariff(
    "two", "Two prices", "EUR", ZONE,
    (
        Rate("night", 100_000, 50_000, time(0), time(6)),
        Rate("day", 400_000, 50_000),
    ),
)  # fmt: skip
BATTERY = Device("battery", "Battery", Role.BATTERY, BatterySpec(8_000, 4_000, 4_000))
CAR = Device("car", "Car", Role.EV_CHARGER, ChargerSpec((1,), max_current_a=16.0))
TANK = Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200))
PUMP = Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500))
METER = Device("grid", "Main meter", Role.MAIN_METER)


def setup(*devices: Device, tariff: Tariff = TARIFF) -> Setup:
    """A home with these devices."""
    site = Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, devices)
    return Setup(site, tariff, Preferences(hygiene_days=0))


def record(days: int, *visits: Visit, sun_w: float = 3_000.0, house_w: float = 400.0) -> Record:
    """Days with the same house and the same sun, at 8 degC."""
    count = days * DAY
    hour = (np.arange(count) % DAY) / 4
    sun = np.where((hour > 8) & (hour < 18), -sun_w * np.sin((hour - 8) / 10 * np.pi), 0.0)
    house = np.full(count, house_w) + 600 * (np.abs(hour - 19) < 2)
    return Record(START, house, sun, np.ones(count, dtype=bool), np.full(count, 8.0), np.zeros(count), visits)


def intervals(device: str, watts: np.ndarray, start: datetime = START) -> list[Interval]:
    """A series of W as stored intervals."""
    return [
        Interval(device, start + timedelta(minutes=15 * i), 900, max(0.0, w) / 4, max(0.0, -w) / 4, IntervalQuality.VALID, "")
        for i, w in enumerate(watts.tolist())
        if not np.isnan(w)
    ]  # fmt: skip


def dearer(tariff: Tariff, factor: int) -> Tariff:
    """The same tariff with other prices."""
    rates = tuple(replace(rate, import_micro_per_kwh=rate.import_micro_per_kwh * factor) for rate in tariff.rates)
    return replace(tariff, rates=rates)
