"""Weak panels by the home's own clear moments, held against those of its weeks before; nobody need tell the light.

Under a clear sky the ratio of power to the clear-sky light on the panels (roof.py) hardly moves for two hours; clouds make it jump. So the height
of the steadiest stretches says what the panels can do, whatever the weather was on the other days.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gateway.core.learning.alerts.usual import Floats

STRETCH = 8
"""Quarters."""
STEADY = 0.05
"""How far the ratio may move within a stretch, as a share of its mean."""
LEAST_LIGHT_W_M2 = 250.0
RECENT_DAYS, PAST_DAYS = 14, 60
LEAST_CLEAR, LEAST_PAST_CLEAR = 3, 6
"""Days with a clear stretch."""
CLEAR_SHARE = 0.75
"""A steady stretch below so much of the best is an even layer of cloud, not a clear sky."""
DULL_SHARE = 0.3
LEAST_DROP, NEAR = 0.25, 0.9


def clear_ratio(made_w: Floats, clear_w_m2: Floats) -> Floats:
    """The highest steady ratio of each day, W per W/m2, nan for a day without a steady stretch; both days x quarters."""
    bright = clear_w_m2 >= LEAST_LIGHT_W_M2
    ratio = np.where(bright & np.isfinite(made_w), made_w / np.maximum(clear_w_m2, 1.0), np.nan)
    windows = sliding_window_view(ratio, STRETCH, axis=1)
    mean = windows.mean(axis=2)
    # A roof that lies a little other than thought makes the ratio slope through the day: the line is taken off.
    slope = windows @ (np.arange(STRETCH) - (STRETCH - 1) / 2) / (STRETCH * (STRETCH**2 - 1) / 12)
    line = mean[..., None] + slope[..., None] * (np.arange(STRETCH) - (STRETCH - 1) / 2)
    with np.errstate(invalid="ignore"):
        steady = (np.abs(windows - line).max(axis=2) <= STEADY * mean) & (np.abs(slope) * STRETCH <= 0.4 * mean)
    best = np.where(steady, mean, -np.inf).max(axis=1)
    return np.where(np.isfinite(best) & (best > 0), best, np.nan)


def clear_drop(daily: Floats) -> float:
    """The share that the clear moments of the last days lack against those before, 0 where not proven; newest last.

    Proven: LEAST_CLEAR of the last days had a steady stretch far above what an even layer of cloud lets through, and
    the best of all of them stays LEAST_DROP below what a clear day usually made.
    """
    now, past = daily[-RECENT_DAYS:], daily[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
    now, past = now[np.isfinite(now)], past[np.isfinite(past)]
    if now.size < LEAST_CLEAR or past.size < LEAST_PAST_CLEAR:
        return 0.0
    clear = past[past >= CLEAR_SHARE * np.quantile(past, 0.9)]
    if clear.size < LEAST_PAST_CLEAR:
        return 0.0
    usual, best = float(np.median(clear)), float(now.max())
    alike = now[now >= NEAR * best]
    if best < DULL_SHARE * usual or alike.size < LEAST_CLEAR:
        return 0.0
    drop = 1 - best / usual
    return drop if drop > LEAST_DROP and best < CLEAR_SHARE * usual else 0.0
