"""One local day as numbers that tell its shape and not its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """A day's 24 hours on the dial: net Wh (export negative), the part that was measured, and what was turned over.

    `shares` are the hours over `turned_wh`, the sum of their amounts without sign: a day whose sun makes what it uses
    sums to about zero and has a shape all the same.
    """

    hours_wh: Array
    coverage: float
    net_wh: float
    """Sum of the measured hours."""
    turned_wh: float
    shares: Array

    @property
    def known(self) -> bool:
        """Whether the day can have a class."""
        return self.coverage >= MIN_COVERAGE and self.turned_wh * self.coverage >= MIN_ENERGY_WH


def day_numbers(hourly_wh: Sequence[float | None]) -> DayNumbers:
    """A local day's 23 to 25 hourly energies in Wh on the dial; gaps are bridged, the changed clock's hour is merged."""
    if None in hourly_wh:
        raw = np.array([math.nan if wh is None else wh for wh in hourly_wh], dtype=float)
    else:
        raw = np.array(hourly_wh, dtype=float)
    # nan compares false, so it is left out here too.
    read = np.abs(raw) <= MAX_HOUR_WH
    if not read.any():
        return DayNumbers(np.zeros(HOURS), 0.0, 0.0, 0.0, np.zeros(HOURS))
    coverage = 1.0
    if read.all():
        net, filled = float(raw.sum()), raw
    else:
        coverage, net = float(read.mean()), float(raw[read].sum())
        filled = np.interp(np.arange(raw.size), np.flatnonzero(read), raw[read])
    hours = filled if filled.size == HOURS else _on_dial(filled)
    turned = float(np.abs(hours).sum())
    return DayNumbers(hours, coverage, net, turned, hours / turned if turned > 0 else np.zeros(HOURS))


def _on_dial(filled: Array) -> Array:
    """24 hours of 23 or 25: the repeated hour (02 to 03 in most of Europe) as its mean, the left out one bridged."""
    if filled.size == HOURS + 1:
        return np.concatenate([filled[:2], [(filled[2] + filled[3]) / 2], filled[4:]])
    if filled.size == HOURS - 1:
        return np.concatenate([filled[:2], [(filled[1] + filled[2]) / 2], filled[2:]])
    return np.interp(np.linspace(0, filled.size - 1, HOURS), np.arange(filled.size), filled)


def features(shares: Array) -> Array:
    """What a dictionary looks at: the shares in order, some of them by rank, and the two steepest rises in an hour.

    The last axis is the day's hours; the answer has FEATURES in its place. Rank tells level from hill wherever it
    stands; the rises tell a charging car, which is there at once, from people, who come one by one.
    """
    ranked = np.sort(shares, axis=-1)
    rises = np.sort(shares - np.concatenate((shares[..., -1:], shares[..., :-1]), axis=-1), axis=-1)
    return np.concatenate((shares, ranked[..., RANKED], rises[..., -2:]), axis=-1)
