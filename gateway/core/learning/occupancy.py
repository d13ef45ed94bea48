"""When somebody is probably at home, from the load above the home's own base level. An estimate: no sensor sees a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.weekly import weekly
from gateway.model.habits import Occupancy
from gateway.model.learned import NotLearned

Array = NDArray[np.float64]
DAYS = 42
LEAST_DAYS = 7
BASE = 0.10
"""The quantile of the hourly load that is taken for the base level."""
LIVED_IN, LEAST_W = 0.4, 50.0
"""An hour is lived in when it is this share of what the mean is above the base, and at least so many watts."""
EVENING, NIGHT, MORNING = 18, 22, 10
"""Local hours: who was active from EVENING on, or is before MORNING, slept at home from NIGHT on."""
WAKE = 6
METHOD = "estimated from the load above the home's own base level; nights after what was before and after them"


def learn_occupancy(load_w: Array, first_weekday: int) -> Occupancy | NotLearned:
    """The chance by weekday and hour from the uncontrolled load, W, days x 24 (oldest first, NaN where unknown).

    `first_weekday` is that of the first row, Monday 0. Of devices that run by themselves (a heat pump that is not
    metered) it knows nothing and takes them for people.
    """
    days = int((np.isfinite(load_w).sum(axis=1) >= 20).sum())
    if days < LEAST_DAYS:
        return NotLearned(f"{days} of {LEAST_DAYS} days of the home's load are known so far.")
    base, above = levels(load_w)
    return Occupancy(weekly(present(load_w, above), first_weekday), base, above, days, METHOD)


def levels(load_w: Array) -> tuple[float, float]:
    """The base level of the home and the level above which an hour counts as lived in, W."""
    base, mean = float(np.nanquantile(load_w, BASE)), float(np.nanmean(load_w))
    return base, base + max(LEAST_W, LIVED_IN * (mean - base))


def present(load_w: Array, above_w: float) -> Array:
    """1 where somebody seems at home, 0 where not, NaN where nothing is known, days x 24."""
    hours = load_w.ravel()
    active = np.where(np.isnan(hours), np.nan, (hours > above_w).astype(float))
    found = active.copy()
    for midnight in range(0, hours.size + 1, 24):
        around = np.concatenate(
            [active[max(0, midnight + EVENING - 24) : midnight], active[midnight + WAKE : midnight + MORNING]]
        )
        if np.isnan(around).all():
            continue
        night = slice(max(0, midnight + NIGHT - 24), midnight + WAKE)
        found[night] = np.where(np.isnan(active[night]), np.nan, float(np.nanmax(around)))
    return found.reshape(load_w.shape)
