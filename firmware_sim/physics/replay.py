"""A real home and its weather, replayed: the year 2016 shifted by whole weeks to the home's date (see NOTICE)."""

from __future__ import annotations

import csv
import gzip
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from firmware_sim.physics.sun import clear_sky_w_m2

DATA = Path(__file__).parent.parent / "data"
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
HIGHEST_LOAD_W = 8_000.0
"""Minutes are kept below this (or 1.15 x the hour's mean): a large hour is not multiplied by a small hour's spikes."""
PHASE_SHARES = (0.44, 0.24, 0.32)
Phases = tuple[float, float, float]


@dataclass(frozen=True)
class HomeData:
    """Hourly means from `start` on: load W, outdoor degC, irradiance W/m2; and minute patterns with mean 1."""

    start: datetime
    load_w: tuple[float, ...]
    outdoor_c: tuple[float, ...]
    irradiance_w_m2: tuple[float, ...]
    patterns: tuple[tuple[float, ...], ...]


def load_data(folder: Path = DATA) -> HomeData:
    """Read the shipped series; raises OSError when they are missing."""
    hours = _rows(folder / "home_60min_2016.csv.gz")
    patterns = [[float(cell) for cell in row] for row in _rows(folder / "within_hour_patterns.csv.gz")]
    return HomeData(
        start=datetime.fromisoformat(hours[0][0]),
        load_w=tuple(float(row[1]) for row in hours),
        outdoor_c=tuple(float(row[2]) for row in hours),
        irradiance_w_m2=tuple(float(row[3]) for row in hours),
        patterns=tuple(tuple(value * 60 / sum(row) for value in row) for row in patterns),
    )


def _rows(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


class Replay:
    """Load and weather of any minute; the same seed gives the same home, whatever the order of asking."""

    def __init__(self, seed: int, data: HomeData) -> None:
        self._seed = seed
        self._data = data
        self._load_minutes = lru_cache(maxsize=48)(self._load_hour)
        self._irradiance_minutes = lru_cache(maxsize=48)(self._irradiance_hour)

    def load_w(self, at: datetime) -> Phases:
        """Uncontrolled load per phase in the minute of `at`, W; an hour's mean is the series' value."""
        minutes, shares = self._load_minutes(_hour_of(at))
        total = minutes[at.minute]
        first, second = total * shares[0], total * shares[1]
        return first, second, total - first - second

    def irradiance_w_m2(self, at: datetime) -> float:
        """Global irradiance in the minute of `at`, W/m2; an hour's mean is the series' value."""
        return self._irradiance_minutes(_hour_of(at))[at.minute]

    def outdoor_c(self, at: datetime) -> float:
        """Outdoor temperature at the start of the minute of `at`, degC, straight between the series' hours."""
        hour = _hour_of(at)
        here, there = self._data.outdoor_c[self._index(hour)], self._data.outdoor_c[self._index(hour + HOUR)]
        return here + (there - here) * at.minute / 60

    def _load_hour(self, hour: datetime) -> tuple[list[float], Phases]:
        mean = self._data.load_w[self._index(hour)]
        dice = random.Random(f"{self._seed} load {hour.isoformat()}")
        pattern = dice.choice(self._data.patterns)
        limit = max(HIGHEST_LOAD_W, 1.15 * mean)
        depth = min(1.0, (limit / mean - 1) / (max(pattern) - 1)) if mean > 0 and max(pattern) > 1 else 1.0
        weights = [share * dice.uniform(0.8, 1.2) for share in PHASE_SHARES]
        first, second, third = (weight / sum(weights) for weight in weights)
        return [mean * (1 + depth * (value - 1)) for value in pattern], (first, second, third)

    def _irradiance_hour(self, hour: datetime) -> list[float]:
        mean = self._data.irradiance_w_m2[self._index(hour)]
        clear = [clear_sky_w_m2(hour + timedelta(minutes=minute, seconds=30)) for minute in range(60)]
        if mean <= 0 or sum(clear) < 60:
            return [max(0.0, mean)] * 60
        clouds = _clouds(random.Random(f"{self._seed} sky {hour.isoformat()}"), mean * 60 / sum(clear))
        shape = [sky * cloud for sky, cloud in zip(clear, clouds, strict=True)]
        return [mean * value * 60 / sum(shape) for value in shape]

    def _index(self, hour: datetime) -> int:
        """Place of the hour in the series: shifted by whole weeks, folded by 52 weeks at the ends."""
        new_year = datetime(hour.year, 1, 1, tzinfo=UTC)
        weeks = round((new_year - datetime(2016, 1, 1, tzinfo=UTC)) / WEEK)
        index = (hour - weeks * WEEK - self._data.start) // HOUR
        year = 52 * 7 * 24
        while index < 0:
            index += year
        while index >= len(self._data.load_w):
            index -= year
        return index


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _clouds(dice: random.Random, clearness: float) -> list[float]:
    """Sixty factors around 1; a half clear hour varies most, a clear or a dull one little."""
    k = min(1.0, max(0.0, clearness))
    depth = min(0.6, 2.2 * k * (1 - k))
    knots = [dice.uniform(1 - depth, 1 + depth) for _ in range(14)]
    factors = []
    for minute in range(60):
        place, part = divmod(minute / 5, 1.0)
        factors.append(knots[math.floor(place)] * (1 - part) + knots[math.floor(place) + 1] * part)
    return factors
