"""What a day is foretold from: its usual course, and how the days before differed from it.

Everything is told in W over the usual course of the target's kind of day, so that a model that has learned nothing
(all weights zero) forecasts the usual day, and every feature is small where life goes on as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import SLOTS, Array
from gateway.core.learning.day_type import HALF_LIFE, OTHER_TYPE, around

NAMES = (
    "level", "weekend", "yesterday", "yesterday, this hour", "the day before", "a week ago", "the last week",
    "the last days of its kind", "its kind, unsmoothed", "its weekday", "yesterday's level", "the last four hours",
    "the last hour",
)  # fmt: skip
WEEK = 7
WINDOW = 63
"""Days that a feature looks back at most: what a hub keeps at hand."""
RECENT_HALF_LIFE = 5.0
WEEKDAY_HALF_LIFE = 28.0
SCALE_DAYS = 28
CLIP = 4.0
"""Features are clipped at so many mean loads: one odd day never throws the forecast."""
CONSTANT = 0.3
"""The two features that are no power, in mean loads."""
FADES = (48, 8)
"""Quarter hours after which the surprise of the last four hours, and of the last one, counts half."""
LEAST_W = 1.0


@dataclass(frozen=True, slots=True)
class Features:
    """Of the target blocks `first` on: the usual day in W, features (block x slot x feature) in units of `scale_w`."""

    usual_w: Array
    values: Array
    scale_w: Array
    """Mean load of the last weeks, by block."""


def filled(power: Array, weekend: NDArray[np.bool_]) -> Array:
    """Missing values taken for the mean of their slot on that kind of day."""
    unknown = np.isnan(power)
    if not unknown.any():
        return power
    known = ~unknown
    values = np.nan_to_num(power)
    kind = weekend[: len(power)]
    result = power.copy()
    for which in (False, True):
        weight = known * np.where(kind == which, 1.0, OTHER_TYPE)
        top, bottom = around((weight * values).sum(axis=0)), around(weight.sum(axis=0))
        mean = np.where(bottom > 1e-9, top / np.maximum(bottom, 1e-9), float(np.nanmean(power)))
        result = np.where(unknown & (kind == which), mean, result)
    return result


def features(power: Array, weekend: NDArray[np.bool_], first: int, end: int) -> Features:
    """Those of the blocks first..end-1, each from the blocks before it only; 1 <= first, end <= len(power) + 1.

    `power` is in W without gaps, block x slot; `weekend` has a row more.
    """
    begin = max(1, first - 1)
    usual, recent, weekday, plain = _means(power, weekend, begin, end)
    target = np.arange(begin, end)
    sums = np.cumsum(np.vstack([np.zeros((1, SLOTS)), power]), axis=0)
    start = np.maximum(0, target - WEEK)
    last_week = (sums[target] - sums[start]) / (target - start)[:, None]
    yesterday, before, week = (power[np.maximum(0, target - lag)] for lag in (1, 2, WEEK))
    levels = np.concatenate([[0.0], np.cumsum(np.abs(power).mean(axis=1))])
    since = np.maximum(0, target - SCALE_DAYS)
    scale = np.maximum((levels[target] - levels[since]) / (target - since), LEAST_W)
    # What was left of the block before; nothing is known of that of the very first.
    left = np.vstack([np.zeros((1, SLOTS)), (power[target[:-1]] - usual[:-1])])
    ahead = np.arange(SLOTS) + 0.5
    fades = [0.5 ** (ahead / fade) for fade in FADES]
    level = (CONSTANT * scale)[:, None]
    rows = (
        np.broadcast_to(level, usual.shape), level * weekend[begin:end], around(yesterday, 4) - usual,
        around(yesterday, 1) - usual, around(before, 4) - usual, around(week, 4) - usual, around(last_week) - usual,
        recent - usual, plain - usual, weekday - usual,
        np.broadcast_to(left.mean(axis=1)[:, None], usual.shape),
        left[:, -16:].mean(axis=1)[:, None] * fades[0], left[:, -4:].mean(axis=1)[:, None] * fades[1],
    )  # fmt: skip
    skip = first - begin
    values = np.empty((end - first, SLOTS, len(NAMES)))
    for number, row in enumerate(rows):
        np.divide(row[skip:], scale[skip:, None], out=values[:, :, number])
    np.clip(values, -CLIP, CLIP, out=values)
    return Features(usual[skip:], values, scale[skip:])


def _means(power: Array, weekend: NDArray[np.bool_], begin: int, end: int) -> tuple[Array, Array, Array, Array]:
    """Weighted means over the blocks before each target: usual, of the last days, of its weekday, usual unsmoothed."""
    parts = []
    for chunk in range(begin, end, WINDOW):
        stop = min(end, chunk + WINDOW)
        oldest = max(0, chunk - WINDOW)
        target, past = np.arange(chunk, stop), np.arange(oldest, min(stop - 1, len(power)))
        age = (target[:, None] - past[None, :]).astype(float)
        fit = (age > 0) & (age <= WINDOW)
        usual, plain = _by_kind(np.where(fit, 0.5 ** (age / HALF_LIFE), 0.0), power[past], weekend, target, past)
        recent, _ = _by_kind(np.where(fit, 0.5 ** (age / RECENT_HALF_LIFE), 0.0), power[past], weekend, target, past)
        same = np.where(fit & (age % WEEK == 0), 0.5 ** (age / WEEKDAY_HALF_LIFE), 0.0)
        count = same.sum(axis=1, keepdims=True)
        weekday = np.where(count > 0, around(same @ power[past]) / np.maximum(count, 1e-9), usual)
        parts.append((usual, recent, weekday, plain))
    usual, recent, weekday, plain = (np.concatenate(part) for part in zip(*parts, strict=True))
    return usual, recent, weekday, plain


def _by_kind(
    weight: Array, power: Array, weekend: NDArray[np.bool_], target: NDArray[np.intp], past: NDArray[np.intp]
) -> tuple[Array, Array]:  # fmt: skip
    """The mean of each slot with days of the other kind counting less: over the hour around it, and as it is."""
    free = weekend[past].astype(float)
    both, ends = weight @ power, weight @ (power * free)
    count, ends_count = weight.sum(axis=1, keepdims=True), weight @ free
    on_end = weekend[target]
    top = np.where(on_end, ends + OTHER_TYPE * (both - ends), both - ends + OTHER_TYPE * ends)
    bottom = np.where(
        on_end, ends_count + OTHER_TYPE * (count - ends_count), count - ends_count + OTHER_TYPE * ends_count
    )
    return around(top) / around(bottom), top / bottom
