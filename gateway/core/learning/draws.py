"""When hot water is drawn: what the tank's energy balance leaves over, by local hour.

    drawn = electric energy - what the water gained - what the tank lost to the room around it

A sensor's noise makes single quarter hours positive and negative; over an hour, and over days, it averages out.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import STEP_S, Array
from gateway.core.learning.quarters import bridged
from gateway.model.learned import DrawPattern, NotLearned

WH_PER_L_K = 1.163
AROUND_C = 20.0
LEAST_DAYS = 7
LEAST_HOURS = 20
"""A day with fewer hours known teaches nothing."""
BRIDGE = 4
HOURS = 24
OTHER_TYPE = 0.35
"""Weight of a working day for a weekend and the other way round."""
HIGH = 0.90
MOST_K_PER_H = 120.0
"""No tap empties a tank faster, K of the whole tank per hour."""
MOST_TANKS = 4.0
"""A day of more than so many tanks heated from cold is none of a home."""
TANK_HEATED_K = 45.0
NOTHING_WH = 200.0
METHOD = "energy balance of the tank by local hour; its loss as the site file states it"


def learn_draws(
    water_c: Array, power_w: Array, start: datetime, tz: ZoneInfo, *, volume_l: float, loss_w_per_k: float
) -> DrawPattern | NotLearned:  # fmt: skip
    """The draws of a tank from quarter hours from `start` on (degC of the water, electric W; NaN where unknown)."""
    capacity = max(1.0, volume_l) * WH_PER_L_K
    drawn, weekend = _by_hour(_drawn(water_c, power_w, capacity, loss_w_per_k), start, tz)
    good = (~np.isnan(drawn)).sum(axis=1) >= LEAST_HOURS
    drawn, weekend = np.clip(drawn[good], -capacity, MOST_K_PER_H * capacity), weekend[good]
    if len(drawn) < LEAST_DAYS:
        return NotLearned(f"{len(drawn)} of {LEAST_DAYS} days of the tank's temperature and power are known so far.")
    pattern = _pattern(drawn, weekend)
    balance_wh = float(np.nanmean(drawn)) * HOURS
    if balance_wh < -NOTHING_WH or not pattern.day_wh <= MOST_TANKS * TANK_HEATED_K * capacity:
        return NotLearned("What was measured at the tank does not add up to hot water of a home.")
    return pattern if pattern.day_wh >= NOTHING_WH else NotLearned("Hardly any hot water was drawn.")


def _drawn(water_c: Array, power_w: Array, capacity: float, loss_w_per_k: float) -> Array:
    """Energy drawn in each quarter hour, Wh; the water's mean of two neighbours is its temperature between them."""
    with np.errstate(invalid="ignore"):
        water = bridged(np.where((water_c > 0) & (water_c < 110), water_c, np.nan), BRIDGE)
        power = bridged(np.where((power_w > -10) & (power_w < 1e5), power_w, np.nan), BRIDGE)
    hours = STEP_S / 3600
    edge = (water[1:] + water[:-1]) / 2
    result = np.full(water.size, np.nan)
    result[1:-1] = power[1:-1] * hours - capacity * np.diff(edge) - loss_w_per_k * (water[1:-1] - AROUND_C) * hours
    return result


def _by_hour(drawn: Array, start: datetime, tz: ZoneInfo) -> tuple[Array, NDArray[np.bool_]]:
    """Wh by local day and hour (NaN where a quarter is not known; an hour that comes twice counts as its mean)."""
    first = int(start.timestamp())
    zoned = [datetime.fromtimestamp(first + STEP_S * i, tz) for i in range(0, drawn.size, 4)]
    begin = zoned[0].date() if zoned else start.date()
    days = max(((local.date() - begin).days for local in zoned), default=0) + 1
    hourly = drawn[: len(drawn) // 4 * 4].reshape(-1, 4).sum(axis=1)
    total, seen = np.zeros((days, HOURS)), np.zeros((days, HOURS))
    for local, wh in zip(zoned, hourly.tolist(), strict=False):
        if wh == wh:
            total[(local.date() - begin).days, local.hour] += wh
            seen[(local.date() - begin).days, local.hour] += 1
    weekend = np.array([(begin.weekday() + day) % 7 >= 5 for day in range(days)])
    return np.where(seen > 0, total / np.maximum(seen, 1), np.nan), weekend


def _pattern(drawn: Array, weekend: NDArray[np.bool_]) -> DrawPattern:
    rows = [_mean(drawn, weekend, kind) for kind in (False, True)]
    highs = [np.maximum(mean, _high(drawn, weekend, kind)) for mean, kind in zip(rows, (False, True), strict=True)]
    error = _error_wh(drawn, weekend)
    day_wh = (5 * float(rows[0].sum()) + 2 * float(rows[1].sum())) / 7
    work, end, work_high, end_high = (tuple(row.tolist()) for row in (*rows, *highs))
    return DrawPattern(work, end, work_high, end_high, day_wh, error, len(drawn), METHOD)


def _weights(drawn: Array, weekend: NDArray[np.bool_], kind: bool) -> Array:
    result: Array = np.where(weekend == kind, 1.0, OTHER_TYPE)[:, None] * ~np.isnan(drawn)
    return result


def _mean(drawn: Array, weekend: NDArray[np.bool_], kind: bool) -> Array:
    weight = _weights(drawn, weekend, kind)
    total = (weight * np.nan_to_num(drawn)).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-9)
    # What noise leaves below zero is taken from its neighbours, so that the day's sum stays right.
    floor = np.maximum(total, 0.0)
    scale = max(0.0, float(total.sum())) / max(1e-9, float(floor.sum()))
    result: Array = floor * scale
    return result


def _high(drawn: Array, weekend: NDArray[np.bool_], kind: bool) -> Array:
    """The weighted quantile of each hour over the days."""
    weight = _weights(drawn, weekend, kind)
    order = np.argsort(np.where(np.isnan(drawn), np.inf, drawn), axis=0)
    ordered = np.take_along_axis(np.nan_to_num(drawn), order, axis=0)
    reached = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
    rank = (reached < HIGH * reached[-1]).sum(axis=0).clip(0, len(drawn) - 1)
    result: Array = np.maximum(0.0, np.take_along_axis(ordered, rank[None, :], axis=0)[0])
    return result


def _error_wh(drawn: Array, weekend: NDArray[np.bool_]) -> float:
    """RMSE of a day's sum against the mean of the other days."""
    errors = []
    for day in range(len(drawn)):
        others = np.arange(len(drawn)) != day
        known = ~np.isnan(drawn[day])
        expected = _mean(drawn[others], weekend[others], bool(weekend[day]))
        errors.append(float(drawn[day][known].sum() - expected[known].sum()))
    return float(np.sqrt(np.mean(np.square(errors))))
