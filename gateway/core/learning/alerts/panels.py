"""Panels that give less than they should where the light is told: clear days against clear ones, dull against dull.

The light that is told is that on level ground. A tilted roof gets from a clear sky what it lies towards, and from a
dull one the same from everywhere: the two are never held against each other, and a day between them is not judged.
"""

from __future__ import annotations

import numpy as np

from gateway.core.learning.alerts.usual import Floats

RECENT_DAYS, PAST_DAYS = 7, 60
LEAST_LIGHT_WH_M2 = 500.0
"""A darker day says little."""
CLEAR, DULL = 0.85, 0.35
"""The day's light as a share of a clear day's, from and up to which it is clear or dull."""
BRIGHT = 0.6
LEAST_DROP = 0.15
LEAST_KNOWN, LEAST_PAST = 4, 5
"""Days judged lately, and past days of each kind."""


def yields(made_w: Floats, light_w_m2: Floats, clear_w_m2: Floats, roof_w_m2: Floats | None) -> Floats:
    """Energy over light by day, days x 2: a clear day's over that on the roof, a dull day's over that told; else nan.

    Rows of quarters: W made >= 0, light told and of a clear sky on level ground, and of a clear sky on the roof (None:
    not known, clear days are not judged).
    """
    both = np.isfinite(made_w) & np.isfinite(light_w_m2)
    made, light, clear = (np.where(both, each, 0.0).sum(axis=1) / 4 for each in (made_w, light_w_m2, clear_w_m2))
    known = (both.mean(axis=1) > 0.8) & (light >= LEAST_LIGHT_WH_M2)
    found = np.full((len(made_w), 2), np.nan)
    dull = known & (light <= DULL * clear)
    found[dull, 1] = made[dull] / light[dull]
    if roof_w_m2 is not None:
        high = both & (roof_w_m2 > 0)
        roof = np.where(high, roof_w_m2, 0.0).sum(axis=1) / 4
        bright = known & (light >= CLEAR * clear) & (roof >= LEAST_LIGHT_WH_M2)
        found[bright, 0] = np.where(high, made_w, 0.0).sum(axis=1)[bright] / 4 / roof[bright]
    return found


def dull_days(light_w_m2: Floats, clear_w_m2: Floats) -> Floats:
    """Whether each day is told to lie well below a clear one; False where nothing is told; days x quarters of W/m2."""
    told = np.isfinite(light_w_m2)
    light, clear = (np.where(told, each, 0.0).sum(axis=1) for each in (light_w_m2, clear_w_m2))
    return np.asarray(light < BRIGHT * clear)


def panels_drop(daily: Floats) -> float:
    """The share that the last days lack against those of their kind before, 0 where not proven; newest day last.

    Proven: the median lacks LEAST_DROP and three times the usual spread of days, and no recent day was as good as an
    ordinary day before.
    """
    now, past = relative(daily)[-RECENT_DAYS:], relative(daily)[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
    now, past = now[np.isfinite(now)], past[np.isfinite(past)]
    if now.size < LEAST_KNOWN:
        return 0.0
    spread = 1.48 * float(np.median(np.abs(past - 1)))
    drop = 1 - float(np.median(now))
    return drop if drop > max(LEAST_DROP, 3 * spread) and float(now.max()) < 1 - LEAST_DROP / 3 else 0.0


def relative(daily: Floats) -> Floats:
    """Each day's yield as a share of what is usual for its kind, nan where that is not known; `daily` of `yields`."""
    found = np.full(len(daily), np.nan)
    for kind in daily.T:
        past = kind[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
        past = past[np.isfinite(past)]
        if past.size >= LEAST_PAST and np.median(past) > 0:
            found = np.where(np.isfinite(kind), kind / np.median(past), found)
    return found
