"""Tariffs and data by chance: everything the file can say, in combinations nobody would think of."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from tests.core.bill_cases import Data, load, spot, tariff

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
ZONES = (
    "Europe/Brussels", "Europe/London", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo",
    "Australia/Sydney", "Australia/Adelaide", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Tokyo",
)  # fmt: skip
EDGY = ("2026-03-05", "2026-03-27", "2026-04-01", "2026-10-01", "2026-10-23", "2026-10-29", "2027-12-28", "2028-02-27")
"""A few days before clocks change, Easter, New Year, a leap day."""


def random_tariff(chance: random.Random) -> dict[str, Any]:
    """A valid tariff file."""
    rest: dict[str, Any] = {}
    seasons = {f"s{i}": {"from": _day(chance), "to": _day(chance)} for i in range(chance.randint(0, 2))}
    rest |= {"seasons": seasons} if seasons else {}
    rest |= {"holidays": [_holiday(chance) for _ in range(chance.randint(0, 12))]}
    for key, value in (("vat_percent", 5.5), ("fixed_per_day", 0.3), ("fixed_per_month", 7.7)):
        rest |= {key: value} if chance.random() < 0.5 else {}
    rest |= {"tiers": _tiers(chance)} if chance.random() < 0.5 else {}
    rest |= {"demand": [_charge(chance, f"d{i}", seasons) for i in range(chance.randint(0, 3))]}
    if chance.random() < 0.3:
        rest["contracted"] = [{"name": "P1", "kw": 4.6, "per_kw_day": 0.07} | _window(chance, seasons)]
    return tariff("random", _rates(chance, seasons), chance.choice(ZONES), **rest)


def random_data(chance: random.Random, zone: str) -> Data:
    """Intervals of some days with a spot series, both with gaps."""
    first = (date(2026, 1, 1) + timedelta(days=chance.randrange(800))).isoformat()
    first = chance.choice(EDGY) if chance.random() < 0.4 else first
    days, minutes, gaps = (
        chance.choice((1, 2, 3, 7, 12)),
        chance.choice((15, 15, 30, 60)),
        chance.choice((0.0, 0.05, 0.3)),
    )
    metered = load(zone, first, days, minutes, chance.randrange(10**6), gaps, chance.choice((0.0, 2.5, 8.0)))
    prices = spot(metered, chance.choice((15, 30, 60)), chance.randrange(10**6), chance.choice((0.0, 0.1, 0.5)))
    return metered, prices if chance.random() < 0.7 else []


def _clock(chance: random.Random) -> str:
    return f"{chance.randrange(24):02d}:{chance.choice((0, 0, 15, 30, 45, 20, 5)):02d}"


def _day(chance: random.Random) -> str:
    return f"{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"


def _holiday(chance: random.Random) -> str:
    return chance.choice((_day(chance), "easter", "easter+1", "easter-2", f"2026-{_day(chance)}"))


def _window(chance: random.Random, seasons: dict[str, Any]) -> dict[str, Any]:
    window: dict[str, Any] = {}
    if chance.random() < 0.7:
        window |= {"from": _clock(chance), "to": _clock(chance)}
    if chance.random() < 0.4:
        window["days"] = chance.sample(DAYS, chance.randint(1, 6))
    if chance.random() < 0.2:
        window["months"] = chance.sample(range(1, 13), chance.randint(1, 8))
    if seasons and chance.random() < 0.3:
        window["season"] = chance.choice(list(seasons))
    return window


def _rates(chance: random.Random, seasons: dict[str, Any]) -> list[dict[str, Any]]:
    windows = [_window(chance, seasons) for _ in range(chance.randint(0, 4))]
    rates = []
    for number, window in enumerate([*windows, {}]):
        money = {"import": round(chance.uniform(-0.1, 0.6), 4), "export": round(chance.uniform(-0.1, 0.5), 4)}
        follows = {"spot_factor": 1.2, "export_spot_factor": 0.9, "spot_typical": 0.08} if chance.random() < 0.3 else {}
        rates.append({"name": f"r{number}"} | money | follows | window)
    return rates


def _tiers(chance: random.Random) -> dict[str, Any]:
    period, per_day = chance.choice((("day", False), ("month", False), ("month", True)))
    size = 1.0 if period == "month" and not per_day else 15.0
    bounds = sorted(chance.sample(range(1, 300), chance.randint(0, 3)))
    steps = [{"up_to_kwh": bound / size, "add": round(chance.uniform(-0.1, 0.2), 3)} for bound in bounds]
    return {"period": period, "per_day": per_day, "steps": [*steps, {"add": 0.1}]}


def _charge(chance: random.Random, name: str, seasons: dict[str, Any]) -> dict[str, Any]:
    lengths = {"window_minutes": chance.choice((5, 10, 15, 20, 30, 60)), "mean_of": chance.choice((1, 1, 2, 3, 10))}
    bounds = sorted(chance.sample(range(1, 9), chance.randint(0, 3)))
    steps: list[dict[str, float]] = [{"up_to_kw": bound, "per_month": 5.0 + 2 * bound} for bound in bounds]
    price = {"per_kw_month": 3.3} if chance.random() < 0.5 else {"steps": [*steps, {"per_month": 50.0}]}
    least = {"least_kw": chance.choice((1, 2.5, 4))} if chance.random() < 0.4 else {}
    return {"name": name} | lengths | price | least | _window(chance, seasons)
