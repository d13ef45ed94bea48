"""The plainest forecast of a day: the mean of each quarter hour over days of its kind, younger days counting more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import Array

HALF_LIFE = 14.0
"""Days after which a day counts half."""
OTHER_TYPE = 0.35
"""Weight of a working day for a weekend and the other way round."""


def day_type(power: Array, weekend: NDArray[np.bool_], target: int) -> Array:
    """The weighted mean of each slot for block `target`, smoothed over the hour around it, W."""
    weights = _weights(weekend, len(power), target) * ~np.isnan(power)
    top, bottom = (weights * np.nan_to_num(power)).sum(axis=0), weights.sum(axis=0)
    return _ratio(around(top), around(bottom), float(np.nanmean(power)))


def _weights(weekend: NDArray[np.bool_], blocks: int, target: int) -> Array:
    """Weight of each past block and slot for one target: younger counts more, the same kind of day counts more."""
    age = target - np.arange(blocks)
    recent = 0.5 ** (age / HALF_LIFE)
    same = weekend[:blocks] == weekend[target]
    result: Array = recent[:, None] * np.where(same, 1.0, OTHER_TYPE)
    return result


def around(rows: Array, reach: int = 2) -> Array:
    """The circular mean over 2 * reach + 1 slots along the last axis."""
    circle = np.concatenate([rows[..., -reach:], rows, rows[..., :reach]], axis=-1)
    total = np.cumsum(np.concatenate([np.zeros((*rows.shape[:-1], 1)), circle], axis=-1), axis=-1)
    width = 2 * reach + 1
    result: Array = (total[..., width:] - total[..., :-width]) / width
    return result


def _ratio(top: Array, bottom: Array, otherwise: float) -> Array:
    result: Array = np.where(bottom > 1e-9, top / np.maximum(bottom, 1e-9), otherwise)
    return result
