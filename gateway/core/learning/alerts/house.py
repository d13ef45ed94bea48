"""Spikes and loads left on: how far the house stands above its own usual band, at each quarter of a day.

A spike is seen when more than every usual level of the hour lasted for two hours; what was left on is seen when even
the quietest tenth of the last 24 hours is above what it usually is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.alerts.usual import (
    LEAST_DAYS,
    QUARTERS,
    Band,
    Floats,
    Sustained,
    Thermal,
    band,
    by_hour,
    sustained,
    thermal,
)

SPIKE = Sustained(8, 0)
LEFT_ON = Sustained(96, 9)
SPIKE_LEAST_W, LEFT_ON_LEAST_W = 500.0, 105.0
SPIKE_RANK, LEFT_ON_RANK = 2, 6
"""Of 42 days this many may stand higher without moving the band: a home has odd days that were never told."""
RECENT = 24
RECENT_SHARE = 0.8
"""What the last hours before already stood above the mean day is counted as weather or habit, not as the spike."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in one home, learned from whole days; W by quarter of the local day where not said otherwise."""

    thermal: Thermal
    spike: Band
    left_on: Band
    mean_w: Floats
    base_w: float
    """The usual quietest tenth of a day, weather taken off."""
    days: int


@dataclass(frozen=True, slots=True)
class Excess:
    """How far a day stands beyond the usual band, W by quarter: an alert where above 0."""

    spike: Floats
    left_on: Floats


def usual(days: Floats, air: Floats) -> Usual | None:
    """What is usual from days x 96, W and degC outside (nan: not known), newest last; None for less than two weeks."""
    if (np.isfinite(days).mean(axis=1) > 0.8).sum() < LEAST_DAYS:
        return None
    slopes = thermal(days, air)
    plain = days - slopes.load(air)
    series, known = plain.ravel(), np.isfinite(plain)
    count = np.maximum(known.sum(axis=0), 1)
    quiet = sustained(series, LEFT_ON)
    return Usual(
        slopes,
        band(by_hour(sustained(series, SPIKE)), SPIKE_RANK, SPIKE_LEAST_W, 1.0, 3),
        band(by_hour(quiet), LEFT_ON_RANK, LEFT_ON_LEAST_W, 0.0, 1),
        np.where(known, plain, 0.0).sum(axis=0) / count,
        float(np.median(quiet[np.isfinite(quiet)])) if np.isfinite(quiet).any() else 0.0,
        len(days),
    )


def excess(known: Usual, two_days: Floats, air: Floats) -> Excess:
    """Yesterday and today, 2 x 96, against the usual; what today has not brought yet is nan and gives no alert."""
    plain = (two_days - known.thermal.load(air)).ravel()
    over = plain - np.tile(known.mean_w, 2)
    total = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(over), over, 0.0))])
    end = np.arange(QUARTERS, 2 * QUARTERS) + 1 - SPIKE.quarters
    before = np.maximum((total[end] - total[end - RECENT]) / RECENT, 0.0)
    spike = sustained(plain, SPIKE)[QUARTERS:] - _line(known.spike) - RECENT_SHARE * before
    return Excess(spike, sustained(plain, LEFT_ON)[QUARTERS:] - _line(known.left_on))


def _line(found: Band) -> Floats:
    return np.repeat(found.top + found.margin_w, 4)
