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


def to_blocks(
    intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, targets: int, *, days: int = MAX_BLOCKS
) -> Blocks:
    """The last `days` days as blocks, with room for `targets` blocks to come in `weekend`."""
    start = slot_start(now)
    origin = int(start.timestamp())
    base = origin + _offset(origin, tz, {})
    known_rows = [(i.start.timestamp(), i.duration_s, net) for i in intervals if (net := i.net_wh) is not None]
    at, duration, wh = np.array(known_rows, dtype=float).reshape(-1, 3).T
    past = at + duration <= origin
    index = days * SLOTS + ((at + _offsets(at, tz) - base) // STEP_S).astype(np.intp)
    slots = np.maximum(1, duration // STEP_S)
    total, seconds = np.zeros(days * SLOTS), np.zeros(days * SLOTS)
    for later in range(int(slots.max(initial=0))):
        here = past & (slots > later) & (index + later >= 0) & (index + later < total.size)
        total += np.bincount(index[here] + later, (wh * 3600 / duration)[here], total.size)
        seconds += np.bincount(index[here] + later, minlength=total.size)
    with np.errstate(invalid="ignore"):
        power = (total / np.where(seconds > 0, seconds, np.nan)).reshape(days, SLOTS)
    known = ~np.isnan(power).all(axis=1)
    first = int(np.argmax(known)) if known.any() else days
    weekend = _weekend(base, days - first, targets)
    return Blocks(start, power[first:], weekend)


def local_quarter(start: datetime, tz: ZoneInfo) -> int:
    """How many quarter hours of its local day have begun before `start`, by the clock on the wall."""
    local = start.astimezone(tz)
    return local.hour * 4 + local.minute // 15


def at_midnight(blocks: Blocks, quarter: int) -> Blocks:
    """The same cut at local midnight: what lies after it, `quarter` slots, and an unfinished first day are left out."""
    if not quarter:
        return Blocks(blocks.start, blocks.power_w, blocks.weekend[: len(blocks.power_w) + 1])
    begin = SLOTS - quarter
    count = max(0, len(blocks.power_w) - 1)
    power = blocks.power_w.ravel()[begin : begin + count * SLOTS].reshape(count, SLOTS)
    weekend = blocks.weekend.ravel()[begin : begin + (count + 1) * SLOTS].reshape(count + 1, SLOTS)
    return Blocks(blocks.start - timedelta(seconds=quarter * STEP_S), power, weekend)


def local_slot_offset(start: datetime, tz: ZoneInfo, count: int) -> NDArray[np.intp]:
    """For `count` quarter hours of real time from `start`: which (target block * 96 + slot) of the local clock each is."""
    origin = int(start.timestamp())
    at = origin + np.arange(count, dtype=float) * STEP_S
    local = at + _offsets(at, tz) - (origin + _offset(origin, tz, {}))
    return (local // STEP_S).astype(np.intp)


def _offsets(at: Array, tz: ZoneInfo) -> Array:
    """The zone's offset from UTC in s at each time; clocks change on whole hours of UTC nearly everywhere."""
    known: dict[int, int] = {}
    quarters, back = np.unique(at // STEP_S, return_inverse=True)
    found = np.array([_offset(int(quarter) * STEP_S, tz, known) for quarter in quarters.tolist()], dtype=float)
    return found[back]


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
