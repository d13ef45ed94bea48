"""How well a day was foretold."""

from __future__ import annotations

import math

import numpy as np

from gateway.core.learning.blocks import Array
from gateway.model.foretold import DayAccuracy, ForetoldDay

EPS = 1e-6


def day_accuracy(told: ForetoldDay, came_w: Array, week_before_w: Array) -> DayAccuracy | None:
    """The errors of one day; W by quarter hour from its start, NaN where not measured. None where nothing was."""
    known = ~np.isnan(came_w)
    if not known.any():
        return None
    mean, low, high = (np.array(values) for values in (told.mean, told.low, told.high))
    error = (mean - came_w)[known]
    inside = ((came_w >= low - EPS) & (came_w <= high + EPS))[known]
    return DayAccuracy(
        told.day, told.name, int(known.sum()), float(np.abs(error).mean()), float(np.sqrt(np.mean(error**2))),
        float(error.mean()), float(inside.mean()), _skill(mean - came_w, week_before_w - came_w), float(came_w[known].mean()),
    )  # fmt: skip


def _skill(error: Array, naive: Array) -> float | None:
    both = ~np.isnan(error) & ~np.isnan(naive)
    reference = float(np.mean(naive[both] ** 2)) if both.any() else 0.0
    return 1.0 - math.sqrt(float(np.mean(error[both] ** 2)) / reference) if reference > EPS else None
