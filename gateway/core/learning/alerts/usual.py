"""What is usual in a home at each hour: the band that alerts are measured against, learned from its own weeks.

Arrays of days hold one local day a row: 96 quarters of wall-clock time, W, nan where nothing was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAST_DAYS, LATELY_DAYS = 60, 42
"""Habits are known by the one; heat and quiet levels, which move with the season, by the other."""
LEAST_DAYS = 14
QUARTERS = 96
WARM_C, COLD_C = 22.0, 16.0
"""Above the one a home may cool, below the other it may heat."""
BLOCK_H = 4
RIDGE = 40.0
"""Squared degrees that a slope must stand against: a few mild hours prove nothing."""
LEAST_AIR = 0.7
"""A day of which less of the air is known says nothing of the weather."""


@dataclass(frozen=True, slots=True)
class Sustained:
    """How a level that lasts is taken: the (skip + 1)-th lowest quarter of the last `quarters`."""

    quarters: int
    skip: int


@dataclass(frozen=True, slots=True)
class Band:
    """The highest usual sustained level at each quarter of the local day, W, and by how much W an alert must pass it."""

    top: Floats
    margin_w: float


@dataclass(frozen=True, slots=True)
class Thermal:
    """W per degree above WARM_C and below COLD_C, for each block of BLOCK_H hours, rows warm and cold."""

    slopes: Floats
    doubt: float = 0.0
    """The share of the slope below COLD_C that the days do not prove: 1 where no cold was seen, near 0 after a winter."""

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
    slopes, doubt = np.zeros((2, 24 // BLOCK_H)), 0.0
    known = np.isfinite(days)
    count = np.maximum(known.sum(axis=0), 1)
    load = np.where(known, days - np.where(known, days, 0.0).sum(axis=0) / count, 0.0)
    for row, degree in enumerate(degrees(air)):
        apart = np.where(known, degree - np.where(known, degree, 0.0).sum(axis=0) / count, 0.0)
        blocks = [part.reshape(2, -1) for part in np.split(np.stack([load, apart]), 24 // BLOCK_H, axis=2)]
        found = np.array([(y @ x) / (x @ x + RIDGE * 4 * BLOCK_H) for y, x in blocks])
        slopes[row] = np.maximum(found, 0.0)
        doubt = float(np.mean([RIDGE * 4 * BLOCK_H / (x @ x + RIDGE * 4 * BLOCK_H) for _, x in blocks]))
    return Thermal(slopes, doubt)


@dataclass(frozen=True, slots=True)
class QuietThermal:
    """W that the quietest tenth of 24 hours grows per degree above WARM_C, and below COLD_C, of their mildest tenth."""

    warm: float = 0.0
    cold: float = 0.0
    doubt: float = 0.0
    """As of Thermal."""

    def load(self, mildest: Floats) -> Floats:
        """W that the weather explains of quiet levels; `mildest` as of `mildest_degrees`."""
        return np.asarray(self.warm * mildest[0] + self.cold * mildest[1])


def quiet_thermal(levels: Floats, mildest: Floats) -> QuietThermal:
    """From the quiet level of each day, W (nan: not known), and the degrees of its mildest tenth, rows warm and cold.

    What people do moves an hour's mean by hundreds of W from day to day, by chance along with the weather too; the
    quiet level is without people, so the same weeks tell its own response many times more exactly.
    """
    known = np.isfinite(levels)
    if not known.any():
        return QuietThermal(doubt=1.0)
    load, apart = levels[known] - levels[known].mean(), mildest[:, known]
    apart = apart - apart.mean(axis=1, keepdims=True)
    proof = np.square(apart).sum(axis=1)
    warm, cold = np.maximum(apart @ load / (proof + RIDGE), 0.0)
    return QuietThermal(float(warm), float(cold), float(RIDGE / (proof[1] + RIDGE)))


def mildest_degrees(air: Floats) -> Floats:
    """2 x days x 96: the degrees of the mildest tenth of the 24 hours that end with each quarter; the air is told by the hour."""
    rows = [sustained(degree[:, ::4].ravel(), Sustained(24, 2)) for degree in degrees(air)]
    return np.repeat(np.maximum(np.stack(rows), 0.0), 4, axis=1).reshape(2, *air.shape)


def sustained(series: Floats, kind: Sustained) -> Floats:
    """The level that lasted at each quarter of a series, -inf where more than `skip` quarters are missing."""
    filled = np.concatenate([np.full(kind.quarters - 1, -np.inf), np.where(np.isfinite(series), series, -np.inf)])
    windows = sliding_window_view(filled, kind.quarters)
    if kind.skip == 0:
        return np.asarray(windows.min(axis=1))
    return np.asarray(np.partition(windows, kind.skip, axis=1)[:, kind.skip])


def band(levels: Floats, rank: int, margin_w: float, near: int) -> Band:
    """The band of days x 96 sustained levels: the rank-th highest day within `near` quarters of each; inf if unknown."""
    series = np.concatenate([np.full(near, -np.inf), levels.ravel(), np.full(near, -np.inf)])
    highest = sliding_window_view(series, 2 * near + 1).max(axis=1).reshape(levels.shape)
    rank = min(rank, len(highest))
    top = np.partition(highest, -rank, axis=0)[-rank]
    return Band(np.where(np.isfinite(top), top, np.inf), margin_w)
