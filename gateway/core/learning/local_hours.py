"""Quarter hours of UTC laid on local days and hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP_S = 900
HOURS = 24


@dataclass(frozen=True, slots=True, eq=False)
class LocalHours:
    """Some whole local days: `start` aware UTC, `count` quarter hours, and the cell (day x 24 + hour) of each."""

    start: datetime
    days: int
    count: int
    cells: NDArray[np.intp]

    @property
    def end(self) -> datetime:
        """The midnight that ends the last day."""
        return self.start + timedelta(seconds=STEP_S * self.count)

    def grid(self, quarters: Array) -> Array:
        """Means by day and hour, days x 24; NaN where no quarter hour is known. The hour that comes twice is one."""
        known = np.isfinite(quarters)
        size = self.days * HOURS
        seen = np.bincount(self.cells[known], minlength=size)
        total = np.bincount(self.cells[known], quarters[known], size)
        result: Array = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
        return result.reshape(self.days, HOURS)

    def share(self, spans: list[tuple[datetime, datetime]]) -> Array:
        """The share of each hour's quarters whose middle lies in one of the half-open spans, days x 24."""
        at = self.start.timestamp() + (np.arange(self.count) + 0.5) * STEP_S
        inside = np.zeros(self.count)
        for start, end in spans:
            inside[(at >= start.timestamp()) & (at < end.timestamp())] = 1.0
        return np.nan_to_num(self.grid(inside))


def local_hours(last: date, days: int, zone: ZoneInfo) -> LocalHours:
    """The `days` local days that end with the midnight before `last`."""
    start = datetime.combine(last - timedelta(days=days), time(), zone).astimezone(UTC)
    end = datetime.combine(last, time(), zone).astimezone(UTC)
    count = round((end - start).total_seconds() / STEP_S)
    local = [(start + timedelta(seconds=STEP_S * i)).astimezone(zone) for i in range(count)]
    first = last - timedelta(days=days)
    cells = [(at.date() - first).days * HOURS + at.hour for at in local]
    return LocalHours(start, days, count, np.array(cells, dtype=np.intp))
