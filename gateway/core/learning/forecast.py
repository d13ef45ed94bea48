"""The load forecast: a mix of three simple experts for each quarter hour, with the home's own past errors as band."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import SLOTS, STEP_S, Array, Blocks, local_slot_offset, slot_start, to_blocks
from gateway.core.learning.dictionary import SHAPES, curve
from gateway.core.learning.sun import forecast_solar
from gateway.model.plan import Forecast
from gateway.model.reading import Interval

__all__ = ["forecast_load", "forecast_solar"]

HALF_LIFE = 14.0
"""Days after which a day counts half."""
OTHER_TYPE = 0.35
"""Weight of a working day for a weekend and the other way round."""
WEEK = 7
RIDGE_FROM = 14
ANALOG_FROM = 10
NEIGHBOURS = 12
PENALTY = 12.0
CLIP = 4.0
"""Features are clipped at so many standard deviations: one odd day never throws the forecast."""
BAND = (0.10, 0.90)
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
    # One block more than asked: the local clock may run an hour ahead of real time within the horizon.
    targets = -(-count // SLOTS) + 1
    blocks = to_blocks(intervals, now, tz, targets)
    where = np.clip(local_slot_offset(blocks.start, tz, count), 0, targets * SLOTS - 1)
    if not len(blocks.power_w):
        return _first_day(now, tz, count)
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
        experts = [_day_type(power, blocks.weekend, len(power) + ahead - 1)]
        if len(power) >= RIDGE_FROM + ahead:
            experts += [_ridge(filled, known, blocks.weekend, ahead)] * 2
        if len(power) >= ANALOG_FROM + ahead:
            experts.append(_analog(filled, blocks.weekend, ahead))
        methods = "mix of day-type mean, ridge and similar days" if len(experts) > 2 else methods
        rows.append(np.mean(experts, axis=0))
    floor, cap = min(0.0, float(np.nanmin(power))), float(np.nanmax(power))
    mean = np.clip(np.concatenate(rows), floor, cap)
    below, above = _band(power, blocks.weekend)
    low = np.clip(mean + np.tile(below, targets), floor, mean)
    high = np.clip(mean + np.tile(above, targets), mean, cap)
    return mean, low, high, methods


def _weights(weekend: NDArray[np.bool_], blocks: int, target: int) -> Array:
    """Weight of each past block and slot for one target: younger counts more, the same kind of day counts more."""
    age = target - np.arange(blocks)
    recent = 0.5 ** (age / HALF_LIFE)
    same = weekend[:blocks] == weekend[target]
    result: Array = recent[:, None] * np.where(same, 1.0, OTHER_TYPE)
    return result


def _day_type(power: Array, weekend: NDArray[np.bool_], target: int) -> Array:
    """Expert 1: the weighted mean of each slot, smoothed over the hour around it."""
    weights = _weights(weekend, len(power), target) * ~np.isnan(power)
    top, bottom = (weights * np.nan_to_num(power)).sum(axis=0), weights.sum(axis=0)
    return _ratio(_around(top), _around(bottom), float(np.nanmean(power)))


def _day_type_means(power: Array, weekend: NDArray[np.bool_]) -> Array:
    """What a missing value is taken for: the mean of its slot on that kind of day."""
    rows = {kind: _day_type(power, np.vstack([weekend, np.full(SLOTS, kind)]), len(power)) for kind in (False, True)}
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
        [_around(last, 4), _around(last, 1), _around(back, 4), _around(week, 2), daily, evening, kind]
    )
    return features


def _analog(filled: Array, weekend: NDArray[np.bool_], ahead: int) -> Array:
    """Expert 3: what followed on the days most like the last one."""
    blocks = len(filled)
    smooth = _around(filled, 4)[:, ::4]
    past = smooth[: blocks - ahead]
    distance = np.sqrt(((past - smooth[-1]) ** 2).mean(axis=1))
    kind = (weekend[ahead:blocks] != weekend[blocks + ahead - 1]).mean(axis=1)
    distance = distance * (1 + kind)
    nearest = np.argsort(distance)[: min(NEIGHBOURS, max(3, len(past) // 3))]
    closeness = 1.0 / (distance[nearest] + 0.25 * float(distance.mean()) + 1.0)
    followers = filled[nearest + ahead]
    result: Array = (closeness[:, None] * followers).sum(axis=0) / closeness.sum()
    return _around(result, 2)


def _band(power: Array, weekend: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Quantiles of what the last weeks left over a forecast made the same simple way, per slot over the hours around."""
    blocks = len(power)
    spread = 0.6 * float(np.nanmean(np.abs(power)))
    unknown = np.full(SLOTS, -spread), np.full(SLOTS, 2 * spread)
    if blocks < 4:
        return unknown
    first = max(2, blocks - 42)
    left = np.stack([power[i] - _day_type(power[:i], weekend, i) for i in range(first, blocks)])
    if np.isnan(left).all():  # a day of imported history, and nothing since
        return unknown
    pooled = np.concatenate([np.roll(left, shift, axis=1) for shift in (-4, -2, 0, 2, 4)])
    everywhere = np.quantile(left[~np.isnan(left)], BAND)
    low, high = (_column_quantile(pooled, share, everywhere[i]) for i, share in enumerate(BAND))
    return low, high


def _column_quantile(rows: Array, share: float, otherwise: float) -> Array:
    """The nearest-rank quantile of each column without its NaNs (a tenth of the time of np.nanquantile)."""
    ordered = np.sort(rows, axis=0)
    count = (~np.isnan(rows)).sum(axis=0)
    rank = np.rint(share * np.maximum(count - 1, 0)).astype(np.intp)
    found = np.take_along_axis(ordered, rank[None, :], axis=0)[0]
    result: Array = np.where(count > 0, found, otherwise)
    return result


def _around(rows: Array, reach: int = 2) -> Array:
    """The circular mean over 2 * reach + 1 slots along the last axis."""
    around = np.concatenate([rows[..., -reach:], rows, rows[..., :reach]], axis=-1)
    total = np.cumsum(np.concatenate([np.zeros((*rows.shape[:-1], 1)), around], axis=-1), axis=-1)
    width = 2 * reach + 1
    result: Array = (total[..., width:] - total[..., :-width]) / width
    return result


def _ratio(top: Array, bottom: Array, otherwise: float) -> Array:
    result: Array = np.where(bottom > 1e-9, top / np.maximum(bottom, 1e-9), otherwise)
    return result


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
