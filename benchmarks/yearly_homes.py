"""The homes of benchmarks/yearly.py: real meters, what is added to them, and their tariffs, fixed before anything was tuned.

Loads are hourly means of real meters (NOTICE), shaped within the hour by patterns of another home; the sun is the
irradiance measured in the same hours. A tariff's local time is taken to be the home's.
"""

from __future__ import annotations

import csv
import gzip
import random
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ruamel.yaml import YAML  # noqa: E402

from firmware_sim.physics.replay import DATA, HomeData, Replay, load_data  # noqa: E402
from gateway.core.planning.home import DRAW_BY_HOUR, DRAW_WH_PER_L  # noqa: E402
from gateway.core.planning.twin import DAY, Record, Setup, Visit  # noqa: E402
from gateway.core.tariff.rates import parse_tariff  # noqa: E402
from gateway.model.preferences import Preferences  # noqa: E402
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
START = datetime(2016, 1, 1, tzinfo=UTC)
PV_PERFORMANCE = 0.85
"""AC energy of a kWp under 1 kW/m2 of horizontal irradiance."""


@dataclass(frozen=True)
class HomeCase:
    """One home: its meter, what is added to it, its tariff."""

    name: str
    pv_kwp: float
    battery_kwh: float
    battery_kw: float
    ev_phases: tuple[int, ...]
    tariff: str
    heat: bool = False


HOMES = (
    HomeCase("b841", 5.0, 10.0, 5.0, (1, 2, 3), "us_california_tou_example"),
    HomeCase("d209", 4.0, 5.0, 2.5, (1,), "uk_economy7_example"),
    HomeCase("4d23", 6.0, 13.5, 5.0, (1, 2, 3), "ca_ontario_ulo_2024"),
    HomeCase("3aa4", 6.0, 10.0, 5.0, (1,), "be_flanders_capacity_example"),
)
PLAIN = (
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "ca_ontario_ulo_2024", heat=True),
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "fr_heures_creuses_2024", heat=True),
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "es_20td_2025", heat=True),
)


def home_data(name: str) -> HomeData:
    """The shipped hours of one meter, with weather and patterns."""
    data = load_data()
    if name == "3aa4":
        return data
    with gzip.open(DATA / "more_homes_60min_2016.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return replace(data, load_w=tuple(float(row[f"{name}_w"]) for row in rows))


def record_of(case: HomeCase, days: int, first_day: int = 0) -> Record:
    """The home's quarter hours with the added panels and car."""
    source, start = Replay(1, home_data(case.name)), START + timedelta(days=first_day)
    count = days * DAY
    house, sun, out, draw = (np.zeros(count) for _ in range(4))
    for index in range(count):
        at = start + timedelta(minutes=15 * index)
        minutes = [at + timedelta(minutes=m) for m in (1, 4, 7, 10, 13)]
        house[index] = sum(sum(source.load_w(m)) for m in minutes) / len(minutes)
        sun[index] = -case.pv_kwp * PV_PERFORMANCE * sum(source.irradiance_w_m2(m) for m in minutes) / len(minutes)
        out[index] = source.outdoor_c(at)
        draw[index] = _draw_w(at) if case.heat else 0.0
    visits = tuple(_visits(case, start, count)) if case.ev_phases else ()
    return Record(start, house, sun, np.ones(count, dtype=bool), out, draw, visits)


def _draw_w(at: datetime) -> float:
    """Hot water of a day as the planner expects it, 30 % more or less, by a dice of the day."""
    local = at.astimezone(ZONE)
    dice = random.Random(f"draw {local.date()} {local.hour}").uniform(0.7, 1.3)
    return DRAW_WH_PER_L * 200.0 * DRAW_BY_HOUR.get(local.hour, 0) / 100 * dice


def _visits(case: HomeCase, start: datetime, count: int) -> list[Visit]:
    """Home from about 17:45 to 7:30 on working days after 30-70 km (6-14 kWh), a Saturday trip, Sundays at home."""
    dice = random.Random(f"car {case.name} {start.date()}")
    found: list[Visit] = []
    day = start.astimezone(ZONE).date() + timedelta(days=1)
    last = 0
    while True:
        weekday = day.weekday()
        leaves, back = {5: ((11, 0), (16, 0))}.get(weekday, ((7, 30), (17, 45)))
        if weekday != 6:
            gone = _quarter(start, datetime(day.year, day.month, day.day, *leaves, tzinfo=ZONE))
            here = _quarter(start, datetime(day.year, day.month, day.day, *back, tzinfo=ZONE)) + dice.randint(-2, 3)
            if gone >= count:
                return found
            found.append(Visit("car", last, gone, round(dice.uniform(6_000, 14_000))))
            last = here
        day += timedelta(days=1)


def _quarter(start: datetime, when: datetime) -> int:
    return int((when.astimezone(UTC) - start) / timedelta(minutes=15))


def setup_of(case: HomeCase) -> Setup:
    """The home's devices, wishes and tariff."""
    devices = [Device("meter", "Main meter", Role.MAIN_METER)]
    if case.pv_kwp:
        devices.append(Device("panels", "Panels", Role.PV))
    if case.battery_kwh:
        power = case.battery_kw * 1000
        devices.append(Device("battery", "Battery", Role.BATTERY, BatterySpec(case.battery_kwh * 1000, power, power)))
    devices.append(Device("car", "Car", Role.EV_CHARGER, ChargerSpec(case.ev_phases, max_current_a=16.0)))
    if case.heat:
        devices.append(Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200)))
        devices.append(Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, 3.2, 0.0055, 8_000)))
    site = Site(case.name, ZONE, 50.85, 4.35, "EUR", 3, 25.0, tuple(devices))
    tariff = parse_tariff(YAML(typ="safe").load(ROOT / f"config/tariffs/{case.tariff}.yaml"))
    return Setup(site, replace(tariff, timezone=ZONE), Preferences(hygiene_days=0))
