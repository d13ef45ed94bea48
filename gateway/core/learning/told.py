"""What was told of the sun, kept by the hour as it was told half a day before: what a forecast is worth is learned of it.

told by a source ->  ... | hour | hour | hour | hour | ...
                           now ----- LEAD_H ----> noted now, never changed again

Of the temperature the mean of each day is kept beside the hours, for longer: what months are compared by.

    | day | day | day | ...... | day | hour hour hour ... now
      KEPT_DAYS ------------>   KEPT_H ------------------>
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gateway.core.learning.blocks import STEP_S, Array
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.model.series import Series

SUN_LEAD_H = 12
"""Irradiance is noted half a day ahead: the panels are learned against a forecast, not against what was known after."""
KEPT_H = 28 * 24
KEPT_DAYS = 130
"""More than the slowest alert looks back; below 1 KiB."""
SURE_H = 6
"""So long what is kept must lie ahead of now before the clock that noted it is taken for the wrong one."""
DAY_H, LEAST_H = 24, 20
"""A day of fewer hours has no mean."""
MOST_W_M2 = 1500.0
HOUR_S = 3600
PER_HOUR = HOUR_S // STEP_S
DARK_W_M2 = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """One kind by the hour of UTC from `first_hour` (hours since 1970) on, in the kind's unit; None: not told.

    `days` are means of whole days of UTC from `first_day` (days since 1970) on, where they are kept.
    """

    first_hour: int = 0
    values: tuple[float | None, ...] = ()
    first_day: int = 0
    days: tuple[float | None, ...] = ()
    ahead_since: int | None = None
    """The hour since which what is kept lies ahead of now; not kept over a restart."""

    @property
    def end_hour(self) -> int:
        """The first hour that is not noted yet."""
        return self.first_hour + len(self.values)

    def noted(self, series: Series | None, now: datetime, lead_h: int = 0, *, keep_days: bool = False) -> Told:
        """The same with the hours up to `lead_h` from now, as they are told now; at most 28 days are kept.

        With `keep_days` the means of KEPT_DAYS days stay as well. What lies ahead of now was noted by a clock that was
        ahead, or the clock is behind just now: nothing changes at first, and after SURE_H it is dropped.
        """
        if series is None or not series.points:
            return self
        hour, until = int(now.timestamp()) // HOUR_S, int(now.timestamp()) // HOUR_S + lead_h
        if self.end_hour > until:
            since = hour if self.ahead_since is None else min(self.ahead_since, hour)
            if hour - since < SURE_H:
                return replace(self, ahead_since=since)
        return self._until(until)._noted(series, hour, until, keep_days)

    def _until(self, end_hour: int) -> Told:
        """The same without what lies after an hour."""
        values = self.values[: max(0, end_hour - self.first_hour)]
        days = self.days[: max(0, end_hour // DAY_H - self.first_day)]
        return Told(self.first_hour, values, self.first_day, days)

    def _noted(self, series: Series, hour: int, until: int, keep_days: bool) -> Told:
        first = self.end_hour
        if not self.values or first < hour - KEPT_H:
            first = max(int(series.points[0].start.timestamp()) // HOUR_S, hour - KEPT_H)
        kept, start = (self.values, self.first_hour) if first == self.end_hour and self.values else ((), first)
        fresh = (hourly(series, at) for at in range(first, until))
        values = (*kept, *(None if value is None else round(value, 1) for value in fresh))
        cut = max(0, len(values) - KEPT_H)
        first_day, days = self._with_days(start, values) if keep_days else (self.first_day, self.days)
        return Told(start + cut, values[cut:], first_day, days)

    def quarters(self, start: datetime, count: int) -> Array:
        """By quarter hour from `start` on (on a quarter hour), each as its hour; NaN where nothing is kept.

        Where only the day's mean is kept: that mean, with the daily swing of the hours that are kept.
        """
        swing = self._swing() if self.days else [0.0] * DAY_H
        return in_quarters([self._hour(hour, swing) for hour in _hours(start, count)], start, count)

    def to_document(self) -> dict[str, Any]:
        """As kept in the store, below 6 KiB."""
        kept: dict[str, Any] = {"first_hour": self.first_hour, "values": list(self.values)}
        return kept | ({"first_day": self.first_day, "days": list(self.days)} if self.days else {})

    @classmethod
    def from_document(cls, document: dict[str, Any] | None) -> Told:
        """What was kept; nothing where it cannot be read."""
        try:
            kept = document or {}
            values, days = _numbers(kept["values"])[-KEPT_H:], _numbers(kept.get("days", []))[-KEPT_DAYS:]
            return cls(int(kept["first_hour"]), values, int(kept.get("first_day", 0)), days)
        except (KeyError, TypeError, ValueError):
            return cls()

    def _hour(self, hour: int, swing: list[float]) -> float | None:
        index, day = hour - self.first_hour, hour // DAY_H - self.first_day
        if 0 <= index < len(self.values):
            return self.values[index]
        mean = self.days[day] if 0 <= day < len(self.days) else None
        return None if mean is None else mean + swing[hour % DAY_H]

    def _with_days(self, start: int, values: tuple[float | None, ...]) -> tuple[int, tuple[float | None, ...]]:
        """The first day and the days' means, with those that have ended in `values` (hours from `start` on)."""
        first, end = -(-start // DAY_H), (start + len(values)) // DAY_H
        next_day = self.first_day + len(self.days)
        # After a silence of months nothing before it is of use any more.
        before = self.days if self.days and first - next_day < KEPT_DAYS else ()
        begin = next_day if before else first
        at = (day * DAY_H - start for day in range(begin, end))
        means = (mean(values[max(0, k) : max(0, k + DAY_H)]) for k in at)
        days = (*before, *means)
        cut = max(0, len(days) - KEPT_DAYS)
        return (self.first_day if before else first) + cut, days[cut:]

    def _swing(self) -> list[float]:
        """By how much each hour of UTC usually lies above its day's mean."""
        by_hour = [mean(self.values[(h - self.first_hour) % DAY_H :: DAY_H], 1) for h in range(DAY_H)]
        known = [value for value in by_hour if value is not None]
        if len(known) < DAY_H:
            return [0.0] * DAY_H
        middle = sum(known) / DAY_H
        return [value - middle for value in known]


def mean(values: tuple[float | None, ...], least: int = LEAST_H) -> float | None:
    """The mean of what is known; None for fewer than `least` values."""
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if len(known) >= max(least, 1) else None


def quarters_told(series: Series, start: datetime, count: int) -> Array:
    """What is told now of the quarter hours from `start` on, each as its hour; NaN where nothing is told."""
    return in_quarters([hourly(series, hour) for hour in _hours(start, count)], start, count)


def hourly(series: Series, hour: int) -> float | None:
    """The mean of one hour of UTC from its four quarters; None where a part is not told."""
    start = datetime.fromtimestamp(hour * HOUR_S, UTC)
    found = [series.at(start + timedelta(seconds=STEP_S * (quarter + 0.5))) for quarter in range(PER_HOUR)]
    known = [value for value in found if value is not None and math.isfinite(value)]
    return sum(known) / PER_HOUR if len(known) == PER_HOUR else None


def in_quarters(hours: list[float | None], start: datetime, count: int) -> Array:
    """Values of the hours from that of `start` on, by quarter hour from `start`; NaN for None."""
    values = np.repeat(np.array([np.nan if hour is None else hour for hour in hours], dtype=float), PER_HOUR)
    offset = int(start.timestamp()) % HOUR_S // STEP_S
    return values[offset : offset + count]


def shaped(hourly_w_m2: Array, start: datetime, lat: float, lon: float) -> Array:
    """Irradiance whose quarter hours from `start` on hold their hour's mean, in the shape of the clear sky in the hour."""
    first = int(start.timestamp())
    at = first + (np.arange(hourly_w_m2.size) + 0.5) * STEP_S
    begin = first // HOUR_S * HOUR_S
    hours = hourly_w_m2.size // PER_HOUR + 2
    sky = clear_sky_w_m2(begin + (np.arange(hours * PER_HOUR) + 0.5) * STEP_S, lat, lon).reshape(-1, PER_HOUR)
    mean = np.repeat(sky.mean(axis=1), PER_HOUR)[((at - begin) // STEP_S).astype(np.intp)]
    here = clear_sky_w_m2(at, lat, lon)
    result: Array = np.clip(hourly_w_m2, 0.0, MOST_W_M2)
    return np.where(mean > DARK_W_M2, result * here / np.maximum(mean, DARK_W_M2), result)


def _numbers(values: list[Any]) -> tuple[float | None, ...]:
    return tuple(None if value is None else float(value) for value in values)


def _hours(start: datetime, count: int) -> range:
    begin = int(start.timestamp()) // HOUR_S
    return range(begin, begin + count // PER_HOUR + 2)
