"""A battery that loses more than it used to: what it took and gave by week, against its own past.

    loss of a week = standing loss + share x what it took

Both are fitted to its past, so that a winter with little sun, in which the standing loss weighs more, is no fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.alerts.usual import Floats

WEEK = 7
RECENT_WEEKS, LEAST_PAST_WEEKS = 3, 6
LEAST_KNOWN = 6
"""Days of a week that must be known."""
LEAST_SHARE, SPREADS = 0.05, 3.0
REACH = (0.6, 1.5)
"""The last weeks must have taken so much of the least and the most a past week took: else nothing compares."""


@dataclass(frozen=True, slots=True)
class BatteryLoss:
    """Round trip now and as its past lets expect for what it took, percent, and Wh lost a day beyond that."""

    now_percent: float
    usual_percent: float
    extra_wh_a_day: float
    days: int
    """How many of the last days it is about."""


def battery_loss(took_wh: Floats, gave_wh: Floats) -> BatteryLoss | None:
    """From Wh (>= 0) taken and given by day, nan where not known, newest last; None where no loss is proven.

    Proven: the extra loss is above LEAST_SHARE of what it took and SPREADS of what its past weeks spread, in each week.
    """
    took, gave = weekly(took_wh), weekly(gave_wh)
    known = np.isfinite(took) & np.isfinite(gave) & (np.nan_to_num(took) > 0)
    recent, past = known.copy(), known.copy()
    recent[:-RECENT_WEEKS], past[-RECENT_WEEKS:] = False, False
    if recent.sum() < RECENT_WEEKS or past.sum() < LEAST_PAST_WEEKS:
        return None
    if not REACH[0] * took[past].min() <= took[recent].mean() <= REACH[1] * took[past].max():
        return None
    loss = took - gave
    standing, share = _line(took[past], loss[past])
    rest = loss - standing - share * took
    spread = max(1.48 * float(np.median(np.abs(rest[past]))), float(np.std(rest[past])))
    sure = spread * np.sqrt(1 / RECENT_WEEKS + 1 / past.sum())
    extra, total = float(rest[recent].mean()), float(took[recent].mean())
    if extra <= max(LEAST_SHARE * total, SPREADS * sure) or rest[recent].min() <= 0:
        return None
    now = 100 * float(gave[recent].sum() / took[recent].sum())
    return BatteryLoss(now, now + 100 * extra / total, extra / WEEK, WEEK * RECENT_WEEKS)


def weekly(days: Floats) -> Floats:
    """Sums of seven days, the last week ending with the last day; nan where fewer than LEAST_KNOWN are known.

    A day that is not known counts as the mean of its week.
    """
    parts = days[len(days) % WEEK :].reshape(-1, WEEK)
    known = np.isfinite(parts)
    count = known.sum(axis=1)
    total = np.where(known, parts, 0.0).sum(axis=1) * WEEK / np.maximum(count, 1)
    return np.where(count >= LEAST_KNOWN, total, np.nan)


def _line(took: Floats, loss: Floats) -> tuple[float, float]:
    """Standing loss and share, neither below 0; where the weeks were all alike everything is in the share."""
    apart = took - took.mean()
    share = float(loss.sum() / took.sum())
    if np.abs(apart).max() > 0.1 * took.mean():
        slope = float((apart @ (loss - loss.mean())) / (apart @ apart))
        standing = float(loss.mean() - slope * took.mean())
        if slope >= 0 and standing >= 0:
            return standing, slope
    return 0.0, max(share, 0.0)
