"""One local day as numbers that tell its shape and not its size.

A day has 24 numbers: on so few, plain lists cost less than numpy's calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter, sub
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOURS = 24
MAX_HOUR_WH = 80_000.0
"""No home passes this in an hour (three phases of 100 A are 69 kWh): such an hour is a meter's reset, not energy."""
MIN_COVERAGE = 0.6
"""A day measured less than this has no class."""
MIN_ENERGY_WH = 50.0
RANKED = (1, 3, 6, 12, 18, 22)
"""Which of the 24 sorted shares count: from near the lowest to near the highest."""
FEATURES = HOURS + len(RANKED) + 2
_ranked = itemgetter(*RANKED)


class DayNumbers(NamedTuple):
    """A day's 24 hours on the dial: net Wh (export negative), the part that was measured, and what was turned over.

    `shares` are the hours over `turned_wh`, the sum of their amounts without sign: a day whose sun makes what it uses
    sums to about zero and has a shape all the same.
    """

    hours_wh: list[float]
    coverage: float
    net_wh: float
    """Sum of the measured hours."""
    turned_wh: float
    shares: list[float]
    low_wh: float
    """The lowest hour."""

    @property
    def known(self) -> bool:
        """Whether the day can have a class."""
        return self.coverage >= MIN_COVERAGE and self.turned_wh * self.coverage >= MIN_ENERGY_WH

    def profile(self) -> tuple[float, ...]:
        """Each hour's share of what is taken from the grid, 0 where the home gives; all alike when it only gives."""
        if self.low_wh > 0:
            return tuple(self.shares)
        taken = [wh if wh > 0 else 0.0 for wh in self.hours_wh]
        used = sum(taken)
        return tuple([wh / used for wh in taken]) if used > 0 else (1 / HOURS,) * HOURS


def day_numbers(hourly_wh: Sequence[float | None]) -> DayNumbers:
    """A local day's 23 to 25 hourly energies in Wh on the dial; gaps are bridged, the changed clock's hour is merged."""
    # nan compares false, so it is left out here too.
    read = [wh for wh in hourly_wh if wh is not None and -MAX_HOUR_WH <= wh <= MAX_HOUR_WH]
    if not read:
        return DayNumbers([0.0] * HOURS, 0.0, 0.0, 0.0, [0.0] * HOURS, 0.0)
    coverage, net = len(read) / len(hourly_wh), sum(read)
    hours = read if coverage == 1.0 else _bridged(hourly_wh)
    if len(hours) != HOURS:
        hours = _on_dial(hours)
    turned = sum(map(abs, hours))
    shares = [wh / turned for wh in hours] if turned > 0 else [0.0] * HOURS
    return DayNumbers(hours, coverage, net, turned, shares, min(hours))


def _bridged(hourly_wh: Sequence[float | None]) -> list[float]:
    """What was not read, on a straight line between what was."""
    raw = np.array([math.nan if wh is None else wh for wh in hourly_wh], dtype=float)
    at = np.flatnonzero(np.abs(raw) <= MAX_HOUR_WH)
    filled: list[float] = np.interp(np.arange(raw.size), at, raw[at]).tolist()
    return filled


def _on_dial(filled: list[float]) -> list[float]:
    """24 hours of 23 or 25: the repeated hour (02 to 03 in most of Europe) as its mean, the left out one bridged."""
    if len(filled) == HOURS + 1:
        return [*filled[:2], (filled[2] + filled[3]) / 2, *filled[4:]]
    if len(filled) == HOURS - 1:
        return [*filled[:2], (filled[1] + filled[2]) / 2, *filled[2:]]
    hours: list[float] = np.interp(np.linspace(0, len(filled) - 1, HOURS), np.arange(len(filled)), filled).tolist()
    return hours


def day_features(shares: list[float]) -> list[float]:
    """What a dictionary looks at: the shares in order, some of them by rank, and the two steepest rises in an hour.

    Rank tells level from hill wherever it stands; the rises tell a charging car, which is there at once, from people,
    who come one by one.
    """
    rises = sorted(map(sub, shares, shares[-1:] + shares[:-1]))
    return [*shares, *_ranked(sorted(shares)), rises[-2], rises[-1]]


def features(shares: Array) -> Array:
    """`day_features` of many days at once: the last axis is the day's hours, the answer has FEATURES in its place."""
    ranked = np.sort(shares, axis=-1)
    rises = np.sort(shares - np.concatenate((shares[..., -1:], shares[..., :-1]), axis=-1), axis=-1)
    return np.concatenate((shares, ranked[..., RANKED], rises[..., -2:]), axis=-1)
