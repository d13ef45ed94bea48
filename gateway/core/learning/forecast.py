"""The load forecast: a mix of three simple experts for each quarter hour, with the home's own past errors as band."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.blocks import (
    SLOTS,
    STEP_S,
    Array,
    Blocks,
    at_midnight,
    local_quarter,
    local_slot_offset,
    slot_start,
    to_blocks,
)
from gateway.core.learning.dictionary import SHAPES, curve
from gateway.core.learning.experts import day_ahead
from gateway.core.learning.features import filled
from gateway.core.learning.load_learning import band_of, fit, known
from gateway.core.learning.load_model import LoadModel
from gateway.core.learning.sun import forecast_solar
from gateway.model.plan import Forecast
from gateway.model.reading import Interval

__all__ = ["forecast_load", "forecast_solar"]

METHOD = "ridge, similar days and the usual day, weighted by their past errors"
FIRST_DAY_W = 350.0
"""Mean load assumed before anything was measured: 3 000 kWh a year."""


def forecast_load(
    intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, *, hours: int = 48, model: LoadModel | None = None
) -> Forecast:  # fmt: skip
    """The load of the next `hours` in W per quarter hour, from the quarter hour that holds `now`, with 10/90 % quantiles.

    `intervals` are the load's history in any order; 63 days are used, and `model` is what was learned of all days before
    (learned of those 63 when not given). With few days it is close to the usual day, with none the
    shipped "morning and evening" shape with a wide band. Never outside the range this home has shown.
    """
    count = hours * 3600 // STEP_S
    return forecast_blocks(to_blocks(intervals, now, tz, targets_of(count)), tz, count, model)


def targets_of(count: int) -> int:
    """Blocks to forecast for `count` quarter hours: one more, as the local clock may run an hour ahead of real time."""
    return -(-count // SLOTS) + 1


def forecast_blocks(blocks: Blocks, tz: ZoneInfo, count: int, model: LoadModel | None = None) -> Forecast:
    """`forecast_load` of a history that is in blocks already, for `count` quarter hours."""
    targets = targets_of(count)
    where = np.clip(local_slot_offset(blocks.start, tz, count), 0, targets * SLOTS - 1)
    if np.isnan(known(blocks.power_w)).all():
        return _first_day(blocks.start, tz, count)
    quarter = local_quarter(blocks.start, tz)
    if model is None or not len(model.memory_w):
        before = at_midnight(blocks, quarter)
        model = fit(before, before.start.astimezone(tz).toordinal() - 1)
    mean, low, high = _predict(model, blocks, targets, quarter)
    return Forecast(
        "load", blocks.start, STEP_S, _tuple(mean[where]), _tuple(low[where]), _tuple(high[where]), "W", METHOD
    )


def _predict(model: LoadModel, blocks: Blocks, targets: int, quarter: int) -> tuple[Array, Array, Array]:
    """Mean, low and high of `targets` blocks; each day after the first stands on the forecast of the one before."""
    power = known(blocks.power_w)
    whole = filled(power, blocks.weekend)
    floor, cap = min(0.0, float(np.nanmin(power))), float(np.nanmax(power))
    past = Blocks(blocks.start, whole, blocks.weekend)
    shares, ahead = model.shares, whole
    for target in range(1, targets + 1):
        mean = shares @ day_ahead(model, ahead, past, quarter, target)
        ahead = np.vstack([ahead, np.clip(mean, floor, cap)[None, :]])
    means = ahead[len(whole) :]
    low, high = band_of(model, power, whole, blocks.weekend, quarter, means)
    return means.ravel(), np.clip(low, floor, means).ravel(), np.clip(high, means, cap).ravel()


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
