"""What is usual in a home at each hour: the band that alerts are measured against, learned from its own weeks.

Arrays of days hold one local day a row: 96 quarters of wall-clock time, W, nan where nothing was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAST_DAYS = 42
LEAST_DAYS = 14
QUARTERS = 96
WARM_C, COLD_C = 22.0, 16.0
"""Above the one a home may cool, below the other it may heat."""
BLOCK_H = 4
RIDGE = 40.0
"""Squared degrees that a slope must stand against: a few mild hours prove nothing."""


@dataclass(frozen=True, slots=True)
class Sustained:
    """How a level that lasts is taken: the (skip + 1)-th lowest quarter of the last `quarters`."""

    quarters: int
    skip: int


@dataclass(frozen=True, slots=True)
class Band:
    """The highest usual sustained level at each local hour, W, and by how much W an alert must pass it."""

    top: Floats
    margin_w: float


@dataclass(frozen=True, slots=True)
class Thermal:
    """W per degree above WARM_C and below COLD_C, for each block of BLOCK_H hours, rows warm and cold."""

    slopes: Floats

    def load(self, air: Floats) -> Floats:
        """W that the weather explains of quarters x days along the last axis; 0 where the air is not known."""
        block = np.arange(QUARTERS) // (4 * BLOCK_H)
        warm, cold = degrees(air)
        return np.asarray(self.slopes[0, block] * warm + self.slopes[1, block] * cold)


def degrees(air: Floats) -> tuple[Floats, Floats]:
    """Degrees above WARM_C and below COLD_C; 0 where the air is not known."""
    known = np.where(np.isfinite(air), air, 20.0)
    return np.maximum(known - WARM_C, 0.0), np.maximum(COLD_C - known, 0.0)


def thermal(days: Floats, air: Floats) -> Thermal:
    """Slopes of load over degrees, each against the same quarter of other days; never below 0."""
    slopes = np.zeros((2, 24 // BLOCK_H))
    known = np.isfinite(days)
    count = np.maximum(known.sum(axis=0), 1)
    load = np.where(known, days - np.where(known, days, 0.0).sum(axis=0) / count, 0.0)
    for row, degree in enumerate(degrees(air)):
        apart = np.where(known, degree - np.where(known, degree, 0.0).sum(axis=0) / count, 0.0)
        blocks = [part.reshape(2, -1) for part in np.split(np.stack([load, apart]), 24 // BLOCK_H, axis=2)]
        found = np.array([(y @ x) / (x @ x + RIDGE * 4 * BLOCK_H) for y, x in blocks])
        slopes[row] = np.maximum(found, 0.0)
    return Thermal(slopes)


def sustained(series: Floats, kind: Sustained) -> Floats:
    """The level that lasted at each quarter of a series, -inf where more than `skip` quarters are missing."""
    filled = np.concatenate([np.full(kind.quarters - 1, -np.inf), np.where(np.isfinite(series), series, -np.inf)])
    windows = sliding_window_view(filled, kind.quarters)
    if kind.skip == 0:
        return np.asarray(windows.min(axis=1))
    return np.asarray(np.partition(windows, kind.skip, axis=1)[:, kind.skip])


def by_hour(levels: Floats) -> Floats:
    """Days x 24: the highest level of each hour."""
    return np.asarray(levels.reshape(-1, 24, 4).max(axis=2))


def band(hours: Floats, rank: int, least_w: float, share: float, day_rank: int) -> Band:
    """The band of days x 24 sustained levels: the rank-th highest day within an hour, and the margin above it.

    The margin is at least `least_w`, and `share` of how far the home's day_rank-th most unusual day passed the band.
    """
    before = np.concatenate([[-np.inf], hours[:-1, 23]])[:, None]
    after = np.concatenate([hours[1:, 0], [-np.inf]])[:, None]
    wide = np.concatenate([before, hours, after], axis=1)
    near = np.maximum(np.maximum(wide[:, :24], wide[:, 1:25]), wide[:, 2:])
    rank = min(rank, len(near))
    top = np.partition(near, -rank, axis=0)[-rank]
    over = np.where(np.isfinite(hours) & np.isfinite(top), hours - np.where(np.isfinite(top), top, 0.0), 0.0)
    unusual = np.sort(over.max(axis=1))[-min(day_rank, len(over))]
    return Band(np.where(np.isfinite(top), top, np.inf), max(least_w, share * float(unusual)))
