"""How far a day may be from the usual one: quantiles of the home's own past errors, corrected by how well they held.

Past days are forecast as their usual day and what was left is kept (split conformal prediction). A share of a fixed 10 %
on each side held on too few days where a season turns, so the shares follow what was missed (adaptive conformal
inference, Gibbs and Candes 2021): after a day with more misses above, the upper end reaches higher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import SLOTS, Array
from gateway.core.learning.day_type import day_type

TAIL = 0.10
"""Share of the outcomes on each side of the band."""
TAILS = (0.005, 0.25)
PACE = 0.1
"""How far one day without any hit moves a share."""
DEPTH = 42
ROUNDS = 10
"""The last days on which the shares are corrected."""
LEAST = 7
"""Days left over before which nothing is corrected."""
HALF_LIFE = 14.0
AROUND = (-4, -2, 0, 2, 4)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """What was left of past days around each slot, in ascending order, with the day and the weight of each."""

    left: Array
    day: NDArray[np.intp]
    weight: Array

    def quantile(self, before: int, share: float, otherwise: float) -> Array:
        """The weighted quantile of each slot over the days before `before`."""
        reached = np.cumsum(np.where(self.day < before, self.weight, 0.0), axis=0)
        rank = (reached < share * reached[-1] - 1e-12).sum(axis=0).clip(0, len(self.left) - 1)
        found = np.take_along_axis(self.left, rank[None, :], axis=0)[0]
        result: Array = np.where(reached[-1] > 0, found, otherwise)
        return result


def band(power: Array, weekend: NDArray[np.bool_], targets: int) -> tuple[Array, Array]:
    """The 10 and 90 % quantile of each slot of the next `targets` blocks, W; around their usual day, not the forecast."""
    usual = np.concatenate([day_type(power, weekend, len(power) + ahead) for ahead in range(targets)])
    # Errors of their own for the second day held no better (0.79 against 0.80 of the slots) and took half as long again.
    below, above = _errors(power, weekend)
    return usual + np.tile(below, targets), usual + np.tile(above, targets)


def _errors(power: Array, weekend: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Quantiles of what was left of past days over their usual day, by slot."""
    blocks = len(power)
    spread = 0.6 * float(np.nanmean(np.abs(power)))
    unknown = np.full(SLOTS, -spread), np.full(SLOTS, 2 * spread)
    if blocks < 4:
        return unknown
    first = max(2, blocks - DEPTH)
    left = np.stack([power[i] - day_type(power[:i], weekend, i) for i in range(first, blocks)])
    if np.isnan(left).all():  # a day of imported history, and nothing since
        return unknown
    return held_quantiles(left, AROUND)


def held_quantiles(left: Array, around: tuple[int, ...]) -> tuple[Array, Array]:
    """The 10 and 90 % quantile of each slot of rows of past days (some known), corrected by how well they held.

    `around` are the slots around a slot whose values count as its own.
    """
    everywhere = np.quantile(left[~np.isnan(left)], (TAIL, 1 - TAIL))
    ordered = _sorted(left, around)
    lower, upper = _tails(left, ordered, everywhere)
    low, high = float(everywhere[0]), float(everywhere[1])
    return ordered.quantile(len(left), lower, low), ordered.quantile(len(left), 1 - upper, high)


def _sorted(left: Array, around: tuple[int, ...]) -> _Sorted:
    """The weights' common scale does not matter, so that one order serves for every day."""
    pooled = np.concatenate([np.roll(left, shift, axis=1) for shift in around])
    day = np.tile(np.arange(len(left)), len(around))
    order = np.argsort(pooled, axis=0)
    ordered, days = np.take_along_axis(pooled, order, axis=0), day[order]
    weight = 0.5 ** ((len(left) - 1 - days) / HALF_LIFE) * ~np.isnan(ordered)
    return _Sorted(ordered, days, weight)


def _tails(left: Array, ordered: _Sorted, everywhere: Array) -> tuple[float, float]:
    """The share to leave out at each side, so that on the last days as many were missed as should be."""
    tails = np.array([TAIL, TAIL])
    for day in range(max(LEAST, len(left) - ROUNDS), len(left)):
        known = ~np.isnan(left[day])
        if known.any():
            low = ordered.quantile(day, float(tails[0]), float(everywhere[0]))
            high = ordered.quantile(day, 1 - float(tails[1]), float(everywhere[1]))
            missed = ((left[day] < low - 1e-9)[known].mean(), (left[day] > high + 1e-9)[known].mean())
            tails = np.clip(tails + PACE * (TAIL - np.array(missed)), *TAILS)
    return float(tails[0]), float(tails[1])
