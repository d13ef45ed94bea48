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
"""Below it an even layer of cloud gives as much: more is asked of what lies so low, see far_below."""
LEAST_DROP, NEAR = 0.25, 0.9
FAR_WINDOWS = (7, 10, 14)
FAR_ALIKE, FAR_SHARE, FAR_NEAR = 4, 0.6, 0.95
"""So many days, and so many of the steady ones, give the same so nearly: cloud is of another thickness on each."""
FAR_HIGHEST = 0.4
"""No quarter passes so much of the usual: through a gap in the clouds sound panels do."""
MENDED = 0.7
"""Held over seasons: how the panels lie is not known so well that a summer's light tells more of a winter's usual."""
DEAD_DAYS, DEAD_SHARE, DEAD_QUARTERS = 3, 0.02, 8
"""Days with so many bright quarters of which none gives so much of what the best do; the darkest rain leaves more."""


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


def highest_ratio(made_w: Floats, clear_w_m2: Floats) -> Floats:
    """The highest ratio of each day's bright quarters, W per W/m2, nan where fewer than DEAD_QUARTERS of them are known."""
    bright = clear_w_m2 >= LEAST_LIGHT_W_M2
    known = bright & np.isfinite(made_w)
    ratio = np.where(known, made_w / np.maximum(clear_w_m2, 1.0), -np.inf).max(axis=1)
    return np.where(
        (known.sum(axis=1) >= DEAD_QUARTERS) & (known.sum(axis=1) >= 0.8 * bright.sum(axis=1)), ratio, np.nan
    )


def clear_drop(daily: Floats) -> float:
    """The share that the clear moments of the last days lack against those before, 0 where not proven; newest last.

    Proven: LEAST_CLEAR of the last days had a steady stretch far above what an even layer of cloud lets through, and
    the best of all of them stays LEAST_DROP below what a clear day usually made.
    """
    now, usual = daily[-RECENT_DAYS:], usual_ratio(daily)
    now = now[np.isfinite(now)]
    if now.size < LEAST_CLEAR or usual is None:
        return 0.0
    best = float(now.max())
    alike = now[now >= NEAR * best]
    if best < DULL_SHARE * usual or alike.size < LEAST_CLEAR:
        return 0.0
    drop = 1 - best / usual
    return drop if drop > LEAST_DROP and best < CLEAR_SHARE * usual else 0.0


def usual_ratio(daily: Floats) -> float | None:
    """What a clear day made before the last RECENT_DAYS, W per W/m2; None where too few were seen."""
    past = daily[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
    past = past[np.isfinite(past)]
    if past.size < LEAST_PAST_CLEAR:
        return None
    clear = past[past >= CLEAR_SHARE * np.quantile(past, 0.9)]
    return float(np.median(clear)) if clear.size >= LEAST_PAST_CLEAR else None


def far_below(daily: Floats, highest: Floats) -> tuple[float, int]:
    """The share that panels lack which give less than DULL_SHARE, and in how many last days; (0, 0) where not proven.

    `daily` of clear_ratio, nan for a day that is told dull; `highest` of highest_ratio. Proven: within one to two weeks
    FAR_ALIKE days, most of the steady ones, had stretches of one and the same height, and not a quarter rose far above.
    """
    usual = usual_ratio(daily)
    for days in FAR_WINDOWS if usual else ():
        now, high = daily[-days:], highest[-days:]
        now, high = now[np.isfinite(now)], high[np.isfinite(high)]
        if not now.size or not high.size or not usual:
            continue
        best = float(now.max())
        alike = int((now >= FAR_NEAR * best).sum())
        if (
            best < DULL_SHARE * usual
            and high.max() < FAR_HIGHEST * usual
            and alike >= max(FAR_ALIKE, FAR_SHARE * now.size)
        ):
            return 1 - best / usual, days
    return 0.0, 0


def dead_days(highest: Floats) -> int:
    """How many of the last days in a row (at most RECENT_DAYS) gave next to nothing, 0 for fewer than DEAD_DAYS."""
    past = highest[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
    past = past[np.isfinite(past)]
    if past.size < LEAST_PAST_CLEAR or np.quantile(past, 0.9) <= 0:
        return 0
    with np.errstate(invalid="ignore"):
        alive = ~(highest[-RECENT_DAYS:] < DEAD_SHARE * np.quantile(past, 0.9))
    days = int(np.argmax(alive[::-1])) if alive.any() else alive.size
    return days if days >= DEAD_DAYS else 0


def still_weak(daily: Floats) -> bool:
    """Whether panels told as weak have not yet been seen good again; RECENT_DAYS last, the days before the fault first."""
    usual, now = usual_ratio(daily), daily[-RECENT_DAYS:]
    now = now[np.isfinite(now)]
    return usual is not None and (not now.size or float(now.max()) < MENDED * usual)
