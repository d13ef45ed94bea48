"""The energy of each hour of a local day, from stored intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.model.reading import Interval


def hourly(intervals: Iterable[Interval], day: date, tz: ZoneInfo) -> list[float | None]:
    """The net energy of each hour of a local day in Wh, in order: 24 values, 23 or 25 when the clock changes.

    An hour with a part missing is scaled up from at least half of it; with less it is None.
    """
    start = datetime.combine(day, time(), tz).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), tz).astimezone(UTC)
    count = round((end - start).total_seconds() / 3600)
    energy, covered = [0.0] * count, [0.0] * count
    for interval in intervals:
        index = int((interval.start - start).total_seconds() // 3600)
        net = interval.net_wh
        if net is not None and 0 <= index < count:
            energy[index] += net
            covered[index] += interval.duration_s
    return [e / min(1.0, c / 3600) if c >= 1800 else None for e, c in zip(energy, covered, strict=True)]


def summed(main: Sequence[float | None], parts: Iterable[Sequence[float | None]]) -> list[float | None]:
    """The hours of `main` with the known hours of `parts` added; unknown where `main` is."""
    total = list(main)
    for part in parts:
        total = [wh if wh is None or more is None else wh + more for wh, more in zip(total, part, strict=True)]
    return total
