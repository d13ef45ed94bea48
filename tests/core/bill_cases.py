"""Tariffs and interval data that a bill's two ways of counting are compared on."""

from __future__ import annotations

import csv
import gzip
import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.physics.replay import DATA
from tests.core.bill_oracle import Metered, SpotPoint

FLAT = [{"name": "all", "import": 0.30, "export": 0.07}]
THREE = [
    {"name": "peak", "import": 0.42, "export": 0.05, "from": "17:00", "to": "22:00", "days": ["mon", "tue", "fri"]},
    {"name": "night", "import": 0.19, "export": 0.04, "from": "22:20", "to": "06:40"},
    {"name": "day", "import": 0.29, "export": 0.05},
]
SPANISH = [
    {"name": "valle fiesta", "import": 0.09, "export": 0.06, "days": ["sat", "sun", "holiday"]},
    {"name": "valle", "import": 0.09, "export": 0.06, "from": "00:00", "to": "08:00"},
    {"name": "punta", "import": 0.21, "export": 0.06, "from": "10:00", "to": "14:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
    {"name": "punta tarde", "import": 0.21, "export": 0.06, "from": "18:00", "to": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
    {"name": "llano", "import": 0.13, "export": 0.06},
]  # fmt: skip
DYNAMIC = [{
    "name": "spot", "import": 0.142, "export": -0.01, "spot_factor": 1.05, "export_spot_factor": 0.97, "spot_typical": 0.083,
}]  # fmt: skip


def tariff(name: str, rates: list[dict[str, Any]], zone: str = "Europe/Brussels", **rest: Any) -> dict[str, Any]:
    """A tariff file's content."""
    about = {"id": name, "name": name, "currency": "EUR", "timezone": zone, "source": "made up for the test"}
    return about | {"rates": rates} | rest


def _steps(*steps: tuple[float | None, float]) -> list[dict[str, float]]:
    return [{"add": add} if up_to is None else {"up_to_kwh": up_to, "add": add} for up_to, add in steps]


def _power_steps(*steps: tuple[float | None, float]) -> list[dict[str, float]]:
    return [{"per_month": a} if up_to is None else {"up_to_kw": up_to, "per_month": a} for up_to, a in steps]


WINTER = {"winter": {"from": "11-15", "to": "02-29"}, "summer": {"from": "06-01", "to": "09-15"}}
TARIFFS: dict[str, dict[str, Any]] = {
    made["id"]: made
    for made in (
        tariff("flat", FLAT),
        tariff("flat_vat_and_month", FLAT, vat_percent=21, fixed_per_month=5.5, fixed_per_day=0.125),
        tariff("three_windows_past_midnight", THREE, fixed_per_day=0.25),
        tariff("weekend_window_past_midnight", [
            {"name": "friday night", "import": 0.05, "export": 0.01, "from": "21:00", "to": "05:30", "days": ["fri", "holiday"]},
            {"name": "rest", "import": 0.33, "export": 0.02},
        ], holidays=["12-25", "2026-11-11", "easter+1", "easter"]),
        tariff("spanish", SPANISH, "Europe/Madrid", vat_percent=10, holidays=["01-01", "01-06", "05-01", "12-25", "easter-2"],
               contracted=[{"name": "P1", "kw": 4.6, "per_kw_day": 0.0755, "from": "08:00", "to": "00:00", "days": ["mon", "tue"]},
                           {"name": "P2", "kw": 5.75, "per_kw_day": 0.0025}]),
        tariff("winter_over_new_year", [
            {"name": "winter evening", "import": 0.51, "export": 0.03, "from": "16:00", "to": "20:00", "season": "winter"},
            {"name": "winter night", "import": 0.17, "export": 0.03, "from": "23:00", "to": "05:00", "season": "winter"},
            {"name": "summer noon", "import": 0.08, "export": -0.02, "from": "11:00", "to": "15:00", "season": "summer", "days": ["sun", "sat"]},
            {"name": "rest", "import": 0.27, "export": 0.06},
        ], seasons=WINTER, vat_percent=19),
        tariff("months_past_midnight", [
            {"name": "february night", "import": 0.11, "export": 0.0, "from": "22:00", "to": "06:00", "months": [2, 10, 12]},
            {"name": "rest", "import": 0.31, "export": 0.09},
        ]),
        tariff("tiers_month", FLAT, tiers={"period": "month", "steps": _steps((100, 0.0), (250, 0.06), (None, 0.13))}, vat_percent=6),
        tariff("tiers_day", THREE, tiers={"period": "day", "steps": _steps((5, -0.04), (12.5, 0.02), (None, 0.11))}),
        tariff("tiers_per_day", FLAT, "America/Los_Angeles",
               tiers={"period": "month", "per_day": True, "steps": _steps((7.3, 0.0), (None, 0.094))}),
        tariff("tiers_first_is_last", FLAT, tiers={"period": "month", "steps": _steps((None, 0.02))}),
        tariff("demand_plain", FLAT, demand=[{"name": "peak", "per_kw_month": 4.1, "least_kw": 2.5}], vat_percent=6),
        tariff("demand_hour_mean_of_3", FLAT, "Europe/Oslo",
               demand=[{"name": "capacity", "window_minutes": 60, "mean_of": 3,
                        "steps": _power_steps((1, 10.0), (2, 15.5), (3, 22.0), (5, 30.0), (None, 55.0))}]),
        tariff("demand_windows", THREE, seasons=WINTER, holidays=["12-25", "01-01", "easter+1"], demand=[
            {"name": "evening", "per_kw_month": 9.5, "from": "16:00", "to": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"], "window_minutes": 30},
            {"name": "winter night", "per_kw_month": 1.5, "from": "22:00", "to": "06:00", "season": "winter", "mean_of": 2},
            {"name": "holiday", "per_kw_month": 2.0, "days": ["holiday"], "window_minutes": 60, "least_kw": 0.3},
        ]),
        tariff("demand_few_days", FLAT, demand=[{"name": "mean of many", "per_kw_month": 3.0, "mean_of": 31, "window_minutes": 15}]),
        tariff("demand_only_february", FLAT, demand=[{"name": "feb", "per_kw_month": 3.3, "months": [2], "least_kw": 1.0}]),
        tariff("demand_steps_with_least", FLAT, demand=[
            {"name": "steps", "least_kw": 2.5, "mean_of": 2, "steps": _power_steps((2.5, 11.0), (4, 12.0), (None, 30.0))}]),
        tariff("dynamic", DYNAMIC, vat_percent=21, fixed_per_month=4.9),
        tariff("dynamic_half_hours", [
            {"name": "dear", "import": 0.12, "export": 0.0, "spot_factor": 2.2, "export_spot_factor": 1.0, "spot_typical": 0.1, "from": "16:00", "to": "19:00"},
            {"name": "rest", "import": 0.0, "export": 0.15, "spot_factor": 2.2, "spot_typical": 0.07},
        ], "Europe/London", vat_percent=5),
        tariff("dynamic_windows", [
            {"name": "low grid", "import": 0.02, "export": 0.0, "from": "00:00", "to": "06:00", "spot_factor": 1, "export_spot_factor": 1, "spot_typical": 0},
            {"name": "high grid", "import": 0.15, "export": 0.0, "from": "17:15", "to": "20:50", "spot_factor": 1, "export_spot_factor": 1, "spot_typical": 0.2},
            {"name": "grid", "import": 0.09, "export": 0.0, "spot_factor": 1, "export_spot_factor": 0.5, "spot_typical": 0.1},
        ], "Europe/Berlin", vat_percent=19, fixed_per_month=12),
        tariff("export_dearer_than_import", [
            {"name": "sun", "import": 0.10, "export": 0.45, "from": "09:00", "to": "16:00"}, {"name": "rest", "import": 0.2, "export": 0.31},
        ], vat_percent=25),
        tariff("australian", THREE, "Australia/Sydney", fixed_per_day=0.99,
               tiers={"period": "day", "steps": _steps((10, 0.0), (None, 0.05))}, seasons={"hot": {"from": "12-01", "to": "03-31"}},
               demand=[{"name": "hot evening", "per_kw_month": 6.2, "from": "15:00", "to": "21:00", "season": "hot", "window_minutes": 30}]),
        tariff("half_hour_zone", THREE, "Australia/Adelaide", demand=[{"name": "hour", "per_kw_month": 2, "window_minutes": 60, "from": "07:00", "to": "22:00"}]),
        tariff("quarter_hour_zone", THREE, "Asia/Kathmandu", demand=[{"name": "hour", "per_kw_month": 2, "window_minutes": 60, "mean_of": 2}]),
        tariff("no_export_told", [{"name": "all", "import": 0.25}], fixed_per_day=0.1),
        tariff("everything", [
            {"name": "peak", "import": 0.12, "export": 0.0, "from": "17:00", "to": "21:00", "season": "winter", "days": ["mon", "tue", "wed", "thu", "fri"],
             "spot_factor": 1.0, "export_spot_factor": 0.9, "spot_typical": 0.11},
            {"name": "night", "import": 0.04, "export": 0.01, "from": "22:30", "to": "06:30", "spot_factor": 1.0, "spot_typical": 0.06},
            {"name": "rest", "import": 0.08, "export": 0.02, "spot_factor": 1.1, "export_spot_factor": 1.0, "spot_typical": 0.09},
        ], seasons=WINTER, holidays=["01-01", "easter", "easter+39", "2026-11-01"], vat_percent=6, fixed_per_day=0.2, fixed_per_month=3,
            tiers={"period": "month", "per_day": True, "steps": _steps((4, -0.01), (9, 0.03), (None, 0.08))},
            demand=[{"name": "all", "per_kw_month": 4.1, "least_kw": 2.5}, {"name": "e", "per_kw_month": 2, "from": "07:00", "to": "22:00", "mean_of": 3, "window_minutes": 60}],
            contracted=[{"name": "P1", "kw": 6, "per_kw_day": 0.08}]),
    )
}  # fmt: skip

Data = tuple[list[Metered], list[SpotPoint]]


def load(
    zone: str, first: str, days: float, minutes: int = 15, seed: int = 1, gaps: float = 0.0, sun: float = 2.5
) -> list[Metered]:
    """Made-up intervals from a local day's begin on: noise, evening cooking, sun at noon that often exceeds it."""
    chance, at = random.Random(seed), datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found, end = [], at + timedelta(days=days)
    while at < end:
        hour = at.astimezone(ZoneInfo(zone)).hour
        kw = (
            0.2
            + 2 * chance.random() ** 6
            + (3.5 * chance.random() if 17 <= hour < 21 else 0)
            + 5 * (chance.random() > 0.98)
        )
        kw -= sun * chance.random() if 9 <= hour < 17 else 0.0
        wh = round(1000 * kw * minutes / 60, 2)
        if chance.random() >= gaps:
            found.append(Metered(at, minutes, max(0.0, wh), max(0.0, -wh)))
        elif chance.random() < 0.5:
            found.append(Metered(at, minutes, None, None))
        elif chance.random() < 0.3:
            found.append(Metered(at, minutes, max(0.0, wh), None))
        at += timedelta(minutes=minutes)
    return found


def spot(metered: list[Metered], minutes: int = 60, seed: int = 7, gaps: float = 0.0) -> list[SpotPoint]:
    """Made-up spot prices over all of it, some negative, some not told."""
    chance, found = random.Random(seed), []
    at = metered[0].start.replace(minute=0) - timedelta(hours=2)
    while at < metered[-1].start + timedelta(hours=3):
        price = Fraction(round(1e6 * (0.12 * chance.random() + 0.4 * chance.random() ** 8 - 0.04)), 10**6)
        if chance.random() >= gaps:
            found.append(SpotPoint(at, at + timedelta(minutes=minutes), price))
        at += timedelta(minutes=minutes)
    return found


# ---- real homes, as they are shipped for the simulated one (see NOTICE)

HOMES = {"3aa4": ("home_60min_2016", "load_w")} | {
    name: ("more_homes_60min_2016", f"{name}_w") for name in ("b841", "d209", "4d23", "7863")
}


def real_home(name: str, first: int, days: int) -> list[Metered]:
    """Some days of a real home's hours, from hour `first` of 2016 on; an hour without a value is no data."""
    file, column = HOMES[name]
    with gzip.open(DATA / f"{file}.csv.gz", "rt", encoding="utf-8") as text:
        rows = list(islice(csv.DictReader(text), first, first + 24 * days))
    return [
        Metered(datetime.fromisoformat(row["start_utc"]), 60, float(row[column]) if row[column] else None)
        for row in rows
    ]
