"""Panels that give less than they should: each day's yield over the light it had, against the home's own good days."""

from __future__ import annotations

import numpy as np

from gateway.core.learning.alerts.usual import Floats

RECENT_DAYS, PAST_DAYS = 7, 60
LEAST_LIGHT_WH_M2 = 800.0
"""A darker day says little: its yield is small and the light is diffuse."""
LEAST_DROP = 0.15
LEAST_KNOWN, LEAST_PAST = 4, 14


def yields(made_w: Floats, light_w_m2: Floats) -> Floats:
    """Energy over light for each day, rows of quarters (W made >= 0, W/m2), nan for dark or unknown days."""
    both = np.isfinite(made_w) & np.isfinite(light_w_m2)
    light = np.where(both, light_w_m2, 0.0).sum(axis=1) / 4
    made = np.where(both, made_w, 0.0).sum(axis=1) / 4
    good = (light >= LEAST_LIGHT_WH_M2) & (both.mean(axis=1) > 0.8)
    return np.where(good, made / np.maximum(light, 1.0), np.nan)


def panels_drop(daily: Floats) -> float:
    """The share that the last good days lack against the days before, 0 where not proven; newest day last.

    Proven: the median lacks LEAST_DROP and three times the usual spread of days, and no recent day was as good as an
    ordinary day before.
    """
    now, past = daily[-RECENT_DAYS:], daily[-(RECENT_DAYS + PAST_DAYS) : -RECENT_DAYS]
    now, past = now[np.isfinite(now)], past[np.isfinite(past)]
    if now.size < LEAST_KNOWN or past.size < LEAST_PAST:
        return 0.0
    usual = float(np.median(past))
    if usual <= 0:
        return 0.0
    spread = 1.48 * float(np.median(np.abs(past - usual))) / usual
    drop = 1 - float(np.median(now)) / usual
    proven = drop > max(LEAST_DROP, 3 * spread) and float(now.max()) < usual * (1 - LEAST_DROP / 3)
    return drop if proven else 0.0
