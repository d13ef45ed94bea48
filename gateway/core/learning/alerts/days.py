"""Stored quarter hours as local days: one row a day, 96 quarters of wall-clock time.

A day of 23 hours lacks four quarters (nan); of the doubled hour of a day of 25 the later one counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.alerts.usual import QUARTERS, Floats
from gateway.core.learning.told import Told
from gateway.model.reading import Interval

MOST_W = 1e5
"""No home passes this: such a quarter is a meter's reset or fault."""


def by_day(rows: Iterable[Interval], first: date, count: int, zone: ZoneInfo) -> Floats:
    """count x 96 net W from `first` on, nan where not known; an hourly row counts for its four quarters."""
    found = np.full((count, QUARTERS), np.nan)
    for row in rows:
        net = row.net_wh
        if net is None or row.duration_s <= 0:
            continue
        watts = net * 3600 / row.duration_s
        if abs(watts) > MOST_W:
            continue
        for part in range(max(1, row.duration_s // 900)):
            local = (row.start + timedelta(seconds=900 * part)).astimezone(zone)
            at = (local.date() - first).days
            if 0 <= at < count:
                found[at, local.hour * 4 + local.minute // 15] = watts
    return found


def along_days(values: Floats, start: datetime, first: date, count: int, zone: ZoneInfo) -> Floats:
    """The same of a series by quarter hour from `start` (aware) on."""
    found = np.full((count, QUARTERS), np.nan)
    for k in np.flatnonzero(np.isfinite(values)):
        local = (start + timedelta(seconds=900 * int(k))).astimezone(zone)
        at = (local.date() - first).days
        if 0 <= at < count:
            found[at, local.hour * 4 + local.minute // 15] = values[k]
    return found


def told_by_day(told: Told, first: date, count: int, zone: ZoneInfo) -> Floats:
    """The same of what sources told, in its unit."""
    start = day_start(first, zone)
    return along_days(told.quarters(start, quarters_of(first, count, zone)), start, first, count, zone)


def quarters_of(first: date, count: int, zone: ZoneInfo) -> int:
    """How many quarter hours `count` local days have."""
    return int((day_start(first + timedelta(days=count), zone) - day_start(first, zone)).total_seconds() // 900)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
