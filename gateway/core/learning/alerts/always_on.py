"""The level that never ends, over weeks: what the home draws when nobody does anything, against the weeks before."""

from __future__ import annotations

import numpy as np

from gateway.core.learning.alerts.usual import Floats

RECENT_DAYS, GAP_DAYS = 12, 2
"""Longer than anything that is merely left on; the days just before may already hold the beginning."""
PAST_DAYS = 28
LEAST_W = 55.0
SPREADS = 3.0
LEAST_KNOWN = 0.7
AWAY_SHARE = 0.4
"""A day on which the home did less than this share of what it does now: nobody was there."""


def quiet_level(day: Floats) -> float:
    """The lowest tenth of a day's quarters, W; nan where more than a fifth is not known."""
    known = day[np.isfinite(day)]
    if known.size < 0.8 * day.size:
        return float("nan")
    return float(np.partition(known, known.size // 10)[known.size // 10])


def bustle(day: Floats) -> float:
    """How far a day's mean lies above its quiet level, W: what people do; nan where more than a fifth is not known."""
    quiet = quiet_level(day)
    return float(np.nanmean(day)) - quiet if np.isfinite(quiet) else quiet


def at_home(levels: Floats, bustles: Floats) -> Floats:
    """The quiet levels with nan for days away: coming back from a vacation is no growth."""
    lately = bustles[-RECENT_DAYS:]
    if not np.isfinite(lately).any():
        return levels
    return np.where(bustles < AWAY_SHARE * np.nanmedian(lately), np.nan, levels)


def always_on_rise(levels: Floats, may_heat_w: float = 0.0) -> float:
    """How many W the last days' quiet level stands above the weeks before, 0 where not proven; newest day last.

    `may_heat_w` is what heating may draw of it that the home has not shown yet (`house.may_heat_lately`).

    Proven: the median of the last days is above the earlier ones' median by LEAST_W and by SPREADS of their usual
    spread, and even the recent days' lower quarter is above the earlier ones' upper quarter.
    """
    now = levels[-RECENT_DAYS:]
    past = levels[-(RECENT_DAYS + GAP_DAYS + PAST_DAYS) : -(RECENT_DAYS + GAP_DAYS)]
    now, past = now[np.isfinite(now)], past[np.isfinite(past)]
    if now.size < LEAST_KNOWN * RECENT_DAYS or past.size < LEAST_KNOWN * PAST_DAYS:
        return 0.0
    middle = float(np.median(past))
    spread = 1.48 * float(np.median(np.abs(past - middle)))
    rise = float(np.median(now)) - middle
    apart = np.quantile(now, 0.25) > np.quantile(past, 0.75)
    return rise if rise > max(LEAST_W, SPREADS * spread) + may_heat_w and apart else 0.0
