"""How often something is so, by weekday and hour: what is seen of few Tuesdays is drawn to all working days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.model.habits import Week

Array = NDArray[np.float64]
HALF_LIFE_DAYS = 42.0
DRAWN = 2.0
"""How many days the wider group counts for in the narrower one."""


def weekly(shares: Array, first_weekday: int) -> Week:
    """The chance by weekday and hour from the share of each hour of past days (days x 24, oldest first, NaN unknown).

    `first_weekday` is that of the first row, Monday 0. Younger days count more. All hours -> this hour -> this hour on
    such a kind of day -> this weekday: each is drawn to the one before, so that nothing is ever certain.
    """
    weekday = (first_weekday + np.arange(len(shares))) % 7
    weight = 0.5 ** (np.arange(len(shares))[::-1, None] / HALF_LIFE_DAYS) * np.isfinite(shares)
    seen = weight * np.nan_to_num(shares)
    everywhere = np.full(24, (float(seen.sum()) / 24 + 0.5) / (float(weight.sum()) / 24 + 1.0))
    hour = _drawn(seen, weight, everywhere)
    kinds = [_drawn(seen[rows], weight[rows], hour) for rows in (weekday < 5, weekday >= 5)]
    days = [_drawn(seen[weekday == day], weight[weekday == day], kinds[day >= 5]) for day in range(7)]
    return tuple(tuple(day.tolist()) for day in days)


def _drawn(seen: Array, weight: Array, wider: Array) -> Array:
    result: Array = (seen.sum(axis=0) + DRAWN * wider) / (weight.sum(axis=0) + DRAWN)
    return result
