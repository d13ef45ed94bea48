"""History as blocks of 24 hours that end now: row = block, column = quarter hour of the local clock.

           now - 48 h          now - 24 h             now            now + 24 h
    ... |--- block n-2 ---|--- block n-1 ---|--- first target ---|--- second target ---|

So whatever the hour of asking, the block before the first target is complete, and a column is always the same hour
on the clock, also across a change of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.model.reading import Interval

Array = NDArray[np.float64]
STEP_S = 900
SLOTS = 96
MAX_BLOCKS = 63


@dataclass(frozen=True, slots=True)
class Blocks:
    """Mean power in W by block and slot (NaN = not known), and whether that slot lies on a weekend."""

    start: datetime
    """Start of the first target, aware UTC, on a quarter hour."""
    power_w: Array
    weekend: NDArray[np.bool_]
    """One row more per target than `power_w` has blocks."""


def slot_start(now: datetime) -> datetime:
    """The quarter hour that holds `now`."""
    return datetime.fromtimestamp(now.timestamp() // STEP_S * STEP_S, UTC)


def to_blocks(intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, targets: int) -> Blocks:
    """The last 63 days as blocks, with room for `targets` blocks to come in `weekend`."""
    start = slot_start(now)
    offsets: dict[int, int] = {}
    base = int(start.timestamp()) + _offset(int(start.timestamp()), tz, offsets)
    total = np.zeros(MAX_BLOCKS * SLOTS)
    seconds = np.zeros(MAX_BLOCKS * SLOTS)
    for interval in intervals:
        net = interval.net_wh
        if net is None:
            continue
        at = int(interval.start.timestamp())
        index = MAX_BLOCKS * SLOTS + (at + _offset(at, tz, offsets) - base) // STEP_S
        if 0 <= index < MAX_BLOCKS * SLOTS and interval.end <= start:
            stop = index + max(1, interval.duration_s // STEP_S)
            total[index:stop] += net * 3600 / interval.duration_s
            seconds[index:stop] += 1
    with np.errstate(invalid="ignore"):
        power = (total / np.where(seconds > 0, seconds, np.nan)).reshape(MAX_BLOCKS, SLOTS)
    known = ~np.isnan(power).all(axis=1)
    first = int(np.argmax(known)) if known.any() else MAX_BLOCKS
    weekend = _weekend(base, MAX_BLOCKS - first, targets)
    return Blocks(start, power[first:], weekend)


def local_slot_offset(start: datetime, tz: ZoneInfo, count: int) -> NDArray[np.intp]:
    """For `count` quarter hours of real time from `start`: which (target block * 96 + slot) of the local clock each is."""
    offsets: dict[int, int] = {}
    origin = int(start.timestamp())
    base = origin + _offset(origin, tz, offsets)
    local = [origin + i * STEP_S + _offset(origin + i * STEP_S, tz, offsets) - base for i in range(count)]
    return np.asarray(local, dtype=np.intp) // STEP_S


def _offset(at: int, tz: ZoneInfo, known: dict[int, int]) -> int:
    hour = at // 3600
    if hour not in known:
        delta = datetime.fromtimestamp(hour * 3600, tz).utcoffset() or timedelta(0)
        known[hour] = int(delta.total_seconds())
    return known[hour]


def _weekend(base: int, blocks: int, targets: int) -> NDArray[np.bool_]:
    starts = base + np.arange(-blocks, targets)[:, None] * 86400 + np.arange(SLOTS)[None, :] * STEP_S
    # 1970-01-01 was a Thursday; `base` counts local seconds.
    weekday = (starts // 86400 + 3) % 7
    result: NDArray[np.bool_] = weekday >= 5
    return result
