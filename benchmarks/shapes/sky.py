"""Places, local days on slots of elapsed time, air and sun of synthetic homes: part of the frozen generator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOT_S = 900


class Place(NamedTuple):
    """Zone, degrees north and east, rough climate: yearly mean, half the swing of a year and of a clear day."""

    zone: str
    north: float
    east: float
    mean_c: float
    swing_c: float
    day_c: float


BERLIN = Place("Europe/Berlin", 52.5, 13.4, 10, 9.5, 5)
PLACES = (
    BERLIN,
    Place("Europe/London", 51.5, -0.1, 11, 6.5, 4),
    Place("Europe/Rome", 41.9, 12.5, 16, 8.5, 6),
    Place("Europe/Helsinki", 60.2, 24.9, 6, 12, 4),
    Place("America/New_York", 40.7, -74.0, 13, 12, 5),
    Place("America/Los_Angeles", 34.2, -118.4, 19, 6, 8),
    Place("America/Phoenix", 33.4, -112.1, 24, 10.5, 8),
    Place("Australia/Sydney", -33.9, 151.2, 18, 5, 5),
    Place("Asia/Tokyo", 35.7, 139.7, 16, 10.5, 4),
)


@dataclass(frozen=True, eq=False)
class Calendar:
    """Local days laid on slots of elapsed time."""

    start: datetime
    bounds: Ints
    hour: Floats
    day: Ints
    dates: list[date]

    def slot(self, days: Ints, hours: Floats | float) -> Floats:
        """Slot (with fraction) of a wall-clock hour; hours outside 0-24 mean the day before or after."""
        over = np.floor(np.asarray(hours) / 24)
        at = np.clip(days + over, 0, len(self.dates)).astype(np.int64)
        rest = hours - 24 * (at - days)
        lengths = np.append(np.diff(self.bounds), 96)
        return np.asarray(self.bounds[at] + 4 * rest + (lengths[at] - 96) * (rest >= 3))  # clocks change before 3 h


def calendar(zone: str, first: date, days: int) -> Calendar:
    """Every local day from first on, with 23 or 25 hours where the clocks change."""
    dates = [first + timedelta(d) for d in range(days + 1)]
    tz = ZoneInfo(zone)
    stamps = [int(datetime.combine(d, wall(), tz).timestamp()) for d in dates]
    bounds = np.array([(s - stamps[0]) // SLOT_S for s in stamps], dtype=np.int64)
    hour = np.concatenate([_hours(tz, s, e) for s, e in pairwise(stamps)])
    day = np.repeat(np.arange(days), np.diff(bounds))
    return Calendar(datetime.fromtimestamp(stamps[0], UTC), bounds, hour, day, dates[:-1])


def _hours(tz: ZoneInfo, begin: int, end: int) -> Floats:
    if end - begin == 96 * SLOT_S:
        return np.arange(96) / 4
    local = (datetime.fromtimestamp(s, tz) for s in range(begin, end, SLOT_S))
    return np.array([t.hour + t.minute / 60 for t in local])


def sky(dice: Generator, cal: Calendar, place: Place, cloudy: float) -> tuple[Floats, Floats]:
    """Air temperature in degC and irradiance on the level in W/m2; clear sky after Haurwitz 1945."""
    n, days = len(cal.hour), len(cal.dates)
    utc_h = (cal.start.hour + cal.start.minute / 60 + np.arange(n) / 4 + 0.125) % 24
    season = np.array([d.timetuple().tm_yday for d in cal.dates])[cal.day] * 2 * np.pi / 365
    tilt = np.radians(23.44) * np.sin(season + 2 * np.pi * 284 / 365)
    solar_h = (utc_h + place.east / 15) % 24
    north = np.radians(place.north)
    height = np.sin(north) * np.sin(tilt) + np.cos(north) * np.cos(tilt) * np.cos(np.pi / 12 * (solar_h - 12))
    up = np.maximum(height, 1e-3)
    clear = 1098 * up * np.exp(-0.057 / up) * (height > 0)
    mood, cold = _walk(dice, days, 0.5), _walk(dice, days, 0.75)
    share = np.clip(1 - cloudy * 0.75 / (1 + np.exp(1.6 * mood + 0.3)), 0.12, 1)  # of the clear sky, per day
    torn = np.repeat(_walk(dice, n // 2 + 1, 0.8), 2)[:n] * np.sqrt(share * (1 - share))[cal.day]
    sun = clear * np.clip(share[cal.day] * (1 + torn), 0.05, 1.05)
    warm = np.cos(season - 2 * np.pi * (205 if place.north > 0 else 22) / 365)
    noon = cal.bounds[:-1] + 48.0
    swing = place.day_c * (0.3 + 0.7 * share)[cal.day] * np.cos(np.pi / 12 * (solar_h - 15))
    return place.mean_c + place.swing_c * warm + 3 * np.interp(np.arange(n), noon, cold) + swing, sun


def _walk(dice: Generator, n: int, memory: float) -> Floats:
    """An AR(1) series of unit variance, as a sum over its last 40 steps."""
    kernel = memory ** np.arange(40) * np.sqrt(1 - memory**2)
    return np.convolve(dice.standard_normal(n + 39), kernel, "valid")
