"""What the stories about the store keep in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

T0 = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def rollup(minute: int, value: float = 230.5, device: str = "meter", start: datetime = T0) -> Rollup:
    return Rollup(device, Quantity.POWER, start + minute * MINUTE, value, value - 1, value + 1, value, 60, 2)


def interval(quarter: int, wh: float | None, quality: IntervalQuality = IntervalQuality.VALID) -> Interval:
    return Interval("house", T0 + quarter * QUARTER, 900, wh, 0.0, quality, "counter")
