"""How sure the forecasts are of themselves, over the slots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots, sample
from gateway.model.plan import Forecast

SOON_H = 1.0
"""What comes so soon is as it is measured now."""


def doubt_w(request: PlanRequest, slots: Slots) -> Array:
    """How much more the house may draw, or the sun give less, than expected: 90 % quantile above the mean, W."""
    return np.where(slots.ahead_h < SOON_H, 0.0, band_w(request, slots))


def band_w(request: PlanRequest, slots: Slots) -> Array:
    """The same of the next hour too, W: a kettle comes unannounced."""
    return np.hypot(_above(request.load, slots), _above(request.solar, slots))


def brighter_w(request: PlanRequest, slots: Slots) -> Array:
    """How much less the house may draw, or the sun give more, than expected: 10 % quantile below the mean, W."""
    load, sun = _below(request.load, slots), _below(request.solar, slots)
    return np.where(slots.ahead_h < SOON_H, 0.0, np.hypot(load, sun))


def _above(forecast: Forecast, slots: Slots) -> Array:
    """By the sign rule the sun is negative: its 90 % quantile is the darker day."""
    return np.maximum(0.0, _quantile(forecast, forecast.high, slots) - sample(forecast, slots, 0.0))


def _below(forecast: Forecast, slots: Slots) -> Array:
    return np.maximum(0.0, sample(forecast, slots, 0.0) - _quantile(forecast, forecast.low, slots))


def _quantile(forecast: Forecast, values: tuple[float, ...], slots: Slots) -> Array:
    """A quantile over the slots, W; the mean where the forecast has none."""
    known = values if len(values) == len(forecast.mean) else forecast.mean
    return sample(replace(forecast, mean=known), slots, 0.0)
