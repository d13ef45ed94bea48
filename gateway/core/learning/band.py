"""How far a day may be from what is expected: quantiles of the home's own past errors, corrected by how well they held.

What was left of past days over their forecast is kept (split conformal prediction). A share of a fixed 10 % on each
side held on too few days where a season turns, so the shares follow what was missed (adaptive conformal inference,
Gibbs and Candes 2021): after a day with more misses above, the upper end reaches higher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import Array
from gateway.core.learning.day_type import OTHER_TYPE

TAIL = 0.10
"""Share of the outcomes on each side of the band."""
TAILS = (0.005, 0.25)
PACE = 0.1
"""How far one day without any hit moves a share."""
ROUNDS = 10
"""The last days on which the shares are corrected."""
LEAST = 7
"""Days left over before which nothing is corrected."""
HALF_LIFE = 14.0
AROUND = (-4, -2, 0, 2, 4)
CLOSE = (-2, 0, 2)
DUE, KEPT = 0.01, 0.98
"""How far a day owed moves a share, and what is left of a debt after a day."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """What was left of past days around each slot, in ascending order, with the day and the weight of each."""

    left: Array
    day: NDArray[np.intp]
    weight: Array
    order: NDArray[np.intp]

    def quantile(self, before: int, share: float, otherwise: float) -> Array:
        """The weighted quantile of each slot over the days before `before`."""
        reached = np.cumsum(np.where(self.day < before, self.weight, 0.0), axis=0)
        rank = (reached < share * reached[-1] - 1e-12).sum(axis=0).clip(0, len(self.left) - 1)
        found = np.take_along_axis(self.left, rank[None, :], axis=0)[0]
        result: Array = np.where(reached[-1] > 0, found, otherwise)
        return result


class Tails(NamedTuple):
    """The shares left out below and above the band, and what they owe: days of too few misses less those of too many."""

    low: float = TAIL
    high: float = TAIL
    owed_low: float = 0.0
    owed_high: float = 0.0

    def after(self, missed_low: float, missed_high: float) -> Tails:
        """The same after a day of which these shares lay below and above the band."""
        missed = np.array([missed_low, missed_high])
        shares = np.clip(np.array([self.low, self.high]) + PACE * (TAIL - missed), *TAILS)
        owed = KEPT * np.array([self.owed_low, self.owed_high]) + (TAIL - missed)
        return Tails(*shares.tolist(), *owed.tolist())

    @property
    def shares(self) -> tuple[float, float]:
        """What to leave out tomorrow: the long run is set right too, not only the last days."""
        low, high = np.clip([self.low + DUE * self.owed_low, self.high + DUE * self.owed_high], *TAILS).tolist()
        return low, high


class DayBand:
    """The band around what is expected of a day, from the last days.

    Halfway between two: the quantiles of what was `left` of the last days over their forecast, around the mean; and
    those of the days' `power` itself (W, NaN where not known). The first follows the level, the second the steps of a
    load that is either on or off.
    """

    def __init__(self, left: Array, power: Array, tails: Tails) -> None:
        low, high = tails.shares
        self._shares = (low, 1 - high)
        over = _sorted(left, AROUND)
        self._aside = [over.quantile(len(left), s, float(np.nanquantile(left, s))) for s in self._shares]
        self._otherwise = [float(np.nanquantile(power, s)) for s in self._shares]
        self._own = _sorted(power, CLOSE)

    def around(self, mean: Array, alike: NDArray[np.bool_]) -> tuple[Array, Array]:
        """The lower and the upper end by slot, W; days not `alike` (block x slot) count less."""
        own = self._own
        like = _pooled(np.where(alike, 1.0, OTHER_TYPE), CLOSE)
        own = _Sorted(own.left, own.day, own.weight * np.take_along_axis(like, own.order, axis=0), own.order)
        low, high = (
            (mean + aside + own.quantile(len(alike), share, otherwise)) / 2
            for share, aside, otherwise in zip(self._shares, self._aside, self._otherwise, strict=True)
        )
        return low, high


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
    pooled = _pooled(left, around)
    day = np.tile(np.arange(len(left)), len(around))
    order = np.argsort(pooled, axis=0)
    ordered, days = np.take_along_axis(pooled, order, axis=0), day[order]
    weight = 0.5 ** ((len(left) - 1 - days) / HALF_LIFE) * ~np.isnan(ordered)
    return _Sorted(ordered, days, weight, order)


def _pooled(rows: Array, around: tuple[int, ...]) -> Array:
    return np.concatenate([np.roll(rows, shift, axis=1) for shift in around])


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
