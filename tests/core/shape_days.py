"""Days of known shapes for the tests of load shapes, and the shipped dictionary."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from gateway.core.learning.home_shapes import HomeShapes
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.model.learned import DayShape

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "shapes" / "homes.json"
MONDAY = date(2026, 3, 2)
Hours = list[float]


@cache
def shipped() -> ShapeDictionary:
    return ShapeDictionary.from_document(json.loads(SHIPPED.read_text()), str(SHIPPED))


def hills(base: float, *hills: tuple[int, int, float]) -> Hours:
    """24 hours of `base` Wh with (begin, end, more Wh) on top."""
    return [base + sum(more for begin, end, more in hills if begin <= hour < end) for hour in range(24)]


EVENING = hills(150, (7, 8, 150), (17, 18, 350), (18, 20, 1300), (20, 22, 800), (22, 23, 300))
BOTH = hills(150, (6, 7, 700), (7, 8, 1300), (8, 9, 250), (17, 18, 350), (18, 20, 1100), (20, 22, 500))
DAYTIME = hills(180, (8, 9, 350), (9, 17, 650), (12, 13, 600), (18, 21, 180))
NIGHT = hills(140, (22, 23, 350), (0, 6, 1000), (23, 24, 1000), (18, 22, 200), (7, 8, 150))
FLAT = hills(620, (7, 23, 180), (18, 19, 300))
DOUBLE = hills(150, (6, 7, 600), (7, 8, 1300), (12, 13, 1500), (13, 14, 400), (18, 21, 180))
SUNNY = [a - s for a, s in zip(BOTH, hills(0, (8, 9, 500), (9, 10, 1200), (10, 15, 2200), (15, 17, 900)), strict=True)]
CAR = hills(150, (0, 1, 3000), (1, 3, 3700), (3, 4, 1200), (18, 20, 900), (20, 22, 400))
AWAY = [90.0 + 12 * (hour % 3 - 1) for hour in range(24)]
BY_NAME = {
    "evening peak": EVENING,
    "morning and evening": BOTH,
    "daytime": DAYTIME,
    "night": NIGHT,
    "flat": FLAT,
    "double": DOUBLE,
    "solar dip": SUNNY,
    "EV night": CAR,
    "away": AWAY,
}


def live(state: HomeShapes, first: date, *days: Hours, seed: int = 1, rough: float = 0.15) -> list[DayShape]:
    """Step through days from `first` on, each hour a little off by chance."""
    dice = np.random.default_rng([seed, first.toordinal()])
    rows = [(np.array(hours) * dice.lognormal(0, rough, 24)).tolist() for hours in days]
    return [state.step(first + timedelta(days=i), row) for i, row in enumerate(rows)]
