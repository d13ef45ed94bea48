"""Weak panels as the hub looks for them once a day, in a home of the benchmark; how the panels lie is learned once a week."""

from __future__ import annotations

import numpy as np

from benchmarks.shapes.homes import Home
from benchmarks.shapes.sky import PLACES, SLOT_S, Floats, Ints
from gateway.core.learning.alerts.clear_panels import (
    RECENT_DAYS,
    clear_drop,
    clear_ratio,
    dead_days,
    far_below,
    highest_ratio,
)
from gateway.core.learning.alerts.panels import dull_days, panels_drop, yields
from gateway.core.learning.alerts.roof import on_roof
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.runtime.alert_past import PAST_DAYS

AGAIN_DAYS = 7


def weak_days(home: Home, made: Floats, light: Floats, slots: Ints) -> list[int]:
    """The days at whose begin weak panels are seen; `made` and `light` days x 96 W and W/m2, as their `slots`."""
    place = next((place for place in PLACES if place.zone == home.zone), None)
    if place is None or not home.pv.any():
        return []
    at = np.where(np.isfinite(made), home.start.timestamp() + SLOT_S * (slots + 0.5), np.nan)
    clear = np.nan_to_num(clear_sky_w_m2(at, place.north, place.east))
    found = []
    for begin in range(AGAIN_DAYS, len(made), AGAIN_DAYS):
        first = max(0, begin - PAST_DAYS)
        seen = slice(first, min(len(made), begin + AGAIN_DAYS))
        roof = on_roof(made[seen], at[seen], place.north, place.east, max(0, begin - RECENT_DAYS - first))
        daily = yields(made[seen], light[seen], clear[seen], roof)
        ratio = clear_ratio(made[seen], roof) if roof is not None else np.full(len(daily), np.nan)
        bare = np.full(len(daily), np.nan)
        high = highest_ratio(made[seen], roof) if roof is not None else bare
        level = highest_ratio(made[seen], clear[seen])
        bright = np.where(dull_days(light[seen], clear[seen]), np.nan, ratio)
        for day in range(begin, seen.stop):
            till = slice(day - first)
            proofs = clear_drop(ratio[till]), panels_drop(daily[till]), far_below(bright[till], high[till])[0]
            if max(proofs) > 0 or dead_days(level[till]):
                found.append(day)
    return found
