"""What was stored, as one value per quarter hour of UTC; NaN where it is not known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from gateway.core.learning.blocks import STEP_S, Array
from gateway.model.reading import Interval, Rollup


def means(rows: Iterable[Rollup], start: datetime, count: int) -> Array:
    """The mean of the minutes of each of `count` quarter hours from `start`."""
    first = start.timestamp()
    found = np.array([((row.start.timestamp() - first) // STEP_S, row.mean) for row in rows], dtype=float)
    index, value = found.reshape(-1, 2).T
    good = (index >= 0) & (index < count) & np.isfinite(value)
    where = index[good].astype(np.intp)
    seen = np.bincount(where, minlength=count)
    total = np.bincount(where, value[good], count)
    result: Array = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
    return result


def powers(rows: Iterable[Interval], start: datetime, count: int) -> Array:
    """The mean net power of each of `count` quarter hours from `start`, W; an hourly row counts for its four."""
    first, result = start.timestamp(), np.full(count, np.nan)
    for row in rows:
        net, index = row.net_wh, int((row.start.timestamp() - first) // STEP_S)
        if net is not None and index >= 0:
            result[index : index + max(1, row.duration_s // STEP_S)] = net * 3600 / row.duration_s
    return result


def bridged(values: Array, reach: int) -> Array:
    """The same with gaps of up to `reach` quarter hours bridged by a straight line."""
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return values
    at = np.arange(values.size)
    after = np.searchsorted(known, at).clip(0, known.size - 1)
    before = (np.searchsorted(known, at, side="right") - 1).clip(0, known.size - 1)
    short = (known[before] <= at) & (at <= known[after]) & (known[after] - known[before] <= reach + 1)
    result: Array = np.where(short, np.interp(at, known, values[known]), values)
    return result
