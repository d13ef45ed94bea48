"""The load forecast: a mix of three simple experts for each quarter hour, with the home's own past errors as band."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.band import band
from gateway.core.learning.blocks import SLOTS, STEP_S, Array, Blocks, local_slot_offset, slot_start, to_blocks
from gateway.core.learning.day_type import HALF_LIFE, around, day_type
from gateway.core.learning.dictionary import SHAPES, curve
from gateway.core.learning.sun import forecast_solar
from gateway.model.plan import Forecast
from gateway.model.reading import Interval

__all__ = ["forecast_load", "forecast_solar"]

WEEK = 7
RIDGE_FROM = 14
ANALOG_FROM = 10
NEIGHBOURS = 12
PENALTY = 12.0
CLIP = 4.0
"""Features are clipped at so many standard deviations: one odd day never throws the forecast."""
FIRST_DAY_W = 350.0
"""Mean load assumed before anything was measured: 3 000 kWh a year."""


def forecast_load(
    intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, *, hours: int = 48
) -> Forecast:  # fmt: skip
    """The load of the next `hours` in W per quarter hour, from the quarter hour that holds `now`, with 10/90 % quantiles.

    `intervals` are the load's history in any order; 63 days are used. With few days it is a plain mean, with none the
    shipped "morning and evening" shape with a wide band. Never outside the range this home has shown.
    """
    count = hours * 3600 // STEP_S
    return forecast_blocks(to_blocks(intervals, now, tz, targets_of(count)), tz, count)


def targets_of(count: int) -> int:
    """Blocks to forecast for `count` quarter hours: one more, as the local clock may run an hour ahead of real time."""
    return -(-count // SLOTS) + 1


def forecast_blocks(blocks: Blocks, tz: ZoneInfo, count: int) -> Forecast:
    """`forecast_load` of a history that is in blocks already, for `count` quarter hours."""
    targets = targets_of(count)
    where = np.clip(local_slot_offset(blocks.start, tz, count), 0, targets * SLOTS - 1)
    if not len(blocks.power_w):
        return _first_day(blocks.start, tz, count)
    mean, low, high, method = _predict(blocks, targets)
    return Forecast(
        "load", blocks.start, STEP_S, _tuple(mean[where]), _tuple(low[where]), _tuple(high[where]), "W", method
    )


def _predict(blocks: Blocks, targets: int) -> tuple[Array, Array, Array, str]:
    power, known = blocks.power_w, ~np.isnan(blocks.power_w)
    filled = np.where(known, power, _day_type_means(power, blocks.weekend[: len(power)]))
    rows = []
    methods = "day-type mean"
    for ahead in range(1, targets + 1):
        experts = [day_type(power, blocks.weekend, len(power) + ahead - 1)]
        if len(power) >= RIDGE_FROM + ahead:
            experts += [_ridge(filled, known, blocks.weekend, ahead)] * 2
        if len(power) >= ANALOG_FROM + ahead:
            experts.append(_analog(filled, blocks.weekend, ahead))
        methods = "mix of day-type mean, ridge and similar days" if len(experts) > 2 else methods
        rows.append(np.mean(experts, axis=0))
    floor, cap = min(0.0, float(np.nanmin(power))), float(np.nanmax(power))
    mean = np.clip(np.concatenate(rows), floor, cap)
    below, above = band(power, blocks.weekend, targets)
    low, high = np.clip(below, floor, mean), np.clip(above, mean, cap)
    return mean, low, high, methods


def _day_type_means(power: Array, weekend: NDArray[np.bool_]) -> Array:
    """What a missing value is taken for: the mean of its slot on that kind of day."""
    rows = {kind: day_type(power, np.vstack([weekend, np.full(SLOTS, kind)]), len(power)) for kind in (False, True)}
    result: Array = np.where(weekend, rows[True], rows[False])
    return result


def _ridge(filled: Array, known: NDArray[np.bool_], weekend: NDArray[np.bool_], ahead: int) -> Array:
    """Expert 2: one ridge regression per slot, all 96 solved at once, on what was known `ahead` blocks before."""
    x = _features(filled, weekend, ahead)
    origins = slice(WEEK - 1, len(filled) - ahead)
    train, y = x[:, origins], filled[WEEK - 1 + ahead :]
    w = known[WEEK - 1 + ahead :] * (0.5 ** (np.arange(len(y))[::-1, None] / (2 * HALF_LIFE)))
    centre = train.mean(axis=1, keepdims=True)
    # A floor on the scale: a feature that never moved in training must not explode when it moves.
    scale = np.maximum(train.std(axis=1, keepdims=True), 0.05 * (np.abs(centre) + np.abs(filled).mean() + 1.0))
    z = np.clip((train - centre) / scale, -CLIP, CLIP).transpose(2, 1, 0)
    now = np.clip((x[:, -1:] - centre) / scale, -CLIP, CLIP).transpose(2, 1, 0)[:, 0]
    weights = w.T[:, :, None]
    level = (w * y).sum(axis=0) / np.maximum(w.sum(axis=0), 1e-9)
    gram = z.transpose(0, 2, 1) @ (z * weights) + PENALTY * np.eye(z.shape[2])
    right = (z * weights).transpose(0, 2, 1) @ (y - level).T[:, :, None]
    result: Array = level + np.einsum("sf,sf->s", now, np.linalg.solve(gram, right)[:, :, 0])
    return result


def _features(filled: Array, weekend: NDArray[np.bool_], ahead: int) -> Array:
    """Features x origins x slots; origin i knows blocks up to i and looks at block i + ahead (same slots)."""
    blocks = len(filled)
    padded = np.vstack([np.repeat(filled[:1], WEEK, axis=0), filled])
    sums = np.cumsum(np.vstack([np.zeros((1, SLOTS)), padded]), axis=0)
    week = (sums[WEEK + 1 :] - sums[1:-WEEK]) / WEEK
    last = filled
    back = padded[np.arange(blocks) + ahead % WEEK]
    daily = np.repeat(last.mean(axis=1, keepdims=True), SLOTS, axis=1)
    evening = np.repeat(last[:, -16:].mean(axis=1, keepdims=True), SLOTS, axis=1)
    kind = weekend[ahead : blocks + ahead].astype(float)
    features: Array = np.stack(
        [around(last, 4), around(last, 1), around(back, 4), around(week, 2), daily, evening, kind]
    )
    return features


def _analog(filled: Array, weekend: NDArray[np.bool_], ahead: int) -> Array:
    """Expert 3: what followed on the days most like the last one."""
    blocks = len(filled)
    smooth = around(filled, 4)[:, ::4]
    past = smooth[: blocks - ahead]
    distance = np.sqrt(((past - smooth[-1]) ** 2).mean(axis=1))
    kind = (weekend[ahead:blocks] != weekend[blocks + ahead - 1]).mean(axis=1)
    distance = distance * (1 + kind)
    nearest = np.argsort(distance)[: min(NEIGHBOURS, max(3, len(past) // 3))]
    closeness = 1.0 / (distance[nearest] + 0.25 * float(distance.mean()) + 1.0)
    followers = filled[nearest + ahead]
    result: Array = (closeness[:, None] * followers).sum(axis=0) / closeness.sum()
    return around(result, 2)


def _first_day(now: datetime, tz: ZoneInfo, count: int) -> Forecast:
    start = slot_start(now)
    shape = curve(next(item for item in SHAPES if item.name == "morning and evening")) * 24 * FIRST_DAY_W
    first = start.astimezone(tz)
    steps = local_slot_offset(start, tz, count)
    quarter = (first.hour * 4 + first.minute // 15 + steps) % SLOTS
    mean = shape[quarter // 4]
    return Forecast("load", start, STEP_S, _tuple(mean), _tuple(mean * 0.3), _tuple(mean * 3), "W", "shipped shape")


def _tuple(values: Array) -> tuple[float, ...]:
    return tuple(values.tolist())
