"""The experts of the load forecast: a ridge over the features of the day, the likest days, and the usual course."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import SLOTS, Array, Blocks
from gateway.core.learning.features import Features, features
from gateway.core.learning.load_model import GROUPS, HOURS, LoadModel

LEAST_SIMILAR = 9
NEIGHBOURS = 15
AGED = 60.0
"""A day so many days old counts as twice as far."""


def day_ahead(model: LoadModel, whole: Array, past: Blocks, quarter: int, ahead: int) -> Array:
    """What each expert says of the `ahead`-th block after `past`, W, expert x slot.

    `whole` are the blocks of `past` and, after them, what was forecast of those before the one asked for; without gaps.
    """
    found = features(whole, past.weekend, len(whole), len(whole) + 1)
    each: Array = np.stack([ridge(model, found, quarter)[0], analog(model, past, quarter, ahead), found.usual_w[0]])
    return each


def ridge(model: LoadModel, found: Features, quarter: int) -> Array:
    """Expert 1, W by block and slot; the first slot is the local quarter hour `quarter` of its day."""
    weights = model.weights[group(quarter)]
    result: Array = found.usual_w + np.einsum("bsf,sf->bs", found.values, weights) * found.scale_w[:, None]
    return result


def analog(model: LoadModel, blocks: Blocks, quarter: int, ahead: int) -> Array:
    """Expert 2: what followed on the days most like the last one, W by slot of the `ahead`-th block to come.

    `blocks` has no gaps; its last row begins at the local quarter hour `quarter` of the day after the memory's last.
    """
    today = blocks.power_w[-1, SLOTS - quarter :] if quarter else np.zeros(0)
    hours = np.concatenate([model.memory_w.ravel(), today[: quarter // 4 * 4].reshape(-1, 4).mean(axis=1)])
    count = hours.size // HOURS
    past = count - ahead
    if past < LEAST_SIMILAR:
        again: Array = blocks.power_w[-1]
        return again
    rows = hours[hours.size - count * HOURS :].reshape(count, HOURS)
    free = _free_hours(model, quarter // 4, count, hours.size)
    smooth = (np.roll(rows, 1, axis=1) + rows + np.roll(rows, -1, axis=1)) / 3
    target = blocks.weekend[len(blocks.power_w) + ahead - 1, ::4]
    distance = np.sqrt(((smooth[:past] - smooth[-1]) ** 2).mean(axis=1))
    distance = distance * (1 + (free[ahead:] != target).mean(axis=1)) * (1 + np.arange(count - 1, ahead - 1, -1) / AGED)
    nearest = np.argsort(distance)[: min(NEIGHBOURS, max(3, past // 3))]
    closeness = 1.0 / (distance[nearest] + 0.25 * float(distance.mean()) + 1.0)
    course = (closeness[:, None] * rows[nearest + ahead]).sum(axis=0) / closeness.sum()
    at = (np.arange(SLOTS) + quarter % 4 + 0.5) / 4 - 0.5
    result: Array = np.interp(at, np.arange(-1, HOURS + 2), np.concatenate([course[-1:], course, course[:2]]))
    return result


def group(quarter: int) -> NDArray[np.intp]:
    """The group of hours of each slot of a block that begins at the local quarter hour `quarter`."""
    return ((np.arange(SLOTS) + quarter) % SLOTS * GROUPS // SLOTS).astype(np.intp)


def _free_hours(model: LoadModel, hour: int, count: int, size: int) -> NDArray[np.bool_]:
    """Which hours of the rows lie on a weekend; the last row ends at the local hour `hour` after the memory."""
    first = (model.day + 1) * HOURS + hour - count * HOURS
    at = first + np.arange(count * HOURS)
    # Ordinal day 1 was a Monday.
    result: NDArray[np.bool_] = ((at // HOURS - 1) % 7 >= 5).reshape(count, HOURS)
    return result
