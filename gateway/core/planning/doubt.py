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
    load, sun = _above(request.load, slots), _above(request.solar, slots)
    return np.where(slots.ahead_h < SOON_H, 0.0, np.hypot(load, sun))


def _above(forecast: Forecast, slots: Slots) -> Array:
    """By the sign rule the sun is negative: its 90 % quantile is the darker day."""
    if len(forecast.high) != len(forecast.mean):
        return np.zeros(slots.count)
    high = replace(forecast, mean=forecast.high)
    return np.maximum(0.0, sample(high, slots, 0.0) - sample(forecast, slots, 0.0))
