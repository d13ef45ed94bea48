"""The solar forecast: clear-sky geometry scaled by what this home's panels made on recent days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import MAX_BLOCKS, SLOTS, STEP_S, Array, slot_start
from gateway.core.metering.sun import sun_height
from gateway.model.plan import Forecast
from gateway.model.reading import Interval

RECENT = 21
HALF_LIFE = 6.0
DIM_W_M2 = 40.0
"""Below this clear-sky irradiance a ratio says nothing."""
PERSISTENCE = 0.25
"""How far tomorrow resembles today beyond the recent mean."""
BAND = (0.10, 0.90)


def clear_sky_w_m2(at_s: NDArray[np.floating[Any]], latitude: float, longitude: float) -> Array:
    """Global horizontal irradiance under a clear sky, W/m2, at times in seconds since 1970 (Haurwitz 1945)."""
    height = sun_height(at_s, latitude, longitude)
    up = np.maximum(height, 1e-6)
    result: Array = np.where(height > 0, 1098.0 * up * np.exp(-0.057 / up), 0.0)
    return result


def forecast_solar(
    intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, lat: float, lon: float, *, hours: int = 48
) -> Forecast:  # fmt: skip
    """Solar power of the next `hours` in W per quarter hour (production: zero or negative), with 10/90 % quantiles.

    `low` is numerically low, that is much sun. Roof direction and shade are in the ratio of each hour of the day to
    the clear sky; without any history the forecast is 0. `tz` does not matter: the sun keeps no local time.
    """
    start = slot_start(now)
    count = hours * 3600 // STEP_S
    made = _history(intervals, start)
    first = start.timestamp()
    past = clear_sky_w_m2(first + (np.arange(-made.size, 0) + 0.5) * STEP_S, lat, lon).reshape(made.shape)
    ahead = clear_sky_w_m2(first + (np.arange(count) + 0.5) * STEP_S, lat, lon)
    if np.isnan(made).all() or np.nanmax(made) <= 0:
        zeros = (0.0,) * count
        return Forecast("solar", start, STEP_S, zeros, zeros, zeros, "W", "no solar history")
    ratio = _ratio_by_slot(made, past)
    slots = np.arange(count) % SLOTS
    usual = np.where(past > DIM_W_M2, past * ratio, np.nan)
    mean = ahead * ratio[slots] * _today(made, usual)
    spread = (made / np.where(usual > 0, usual, np.nan))[-RECENT:]
    spread = spread[~np.isnan(spread)]
    little, much = np.quantile(spread, BAND) if spread.size >= SLOTS else (0.2, 1.6)
    cap = float(np.nanmax(made))
    mean = np.clip(mean, 0.0, cap)
    dull, bright = np.clip(np.minimum(ahead * ratio[slots] * little, mean), 0, cap), ahead * ratio[slots] * much
    bright = np.clip(np.maximum(bright, mean), 0.0, cap)
    method = "clear sky scaled by recent days"
    return Forecast("solar", start, STEP_S, _negative(mean), _negative(bright), _negative(dull), "W", method)


def _history(intervals: Sequence[Interval], start: datetime) -> Array:
    """Production in W (>= 0) by block of 24 h before `start` and slot, NaN where not known; at least one block."""
    first = start.timestamp()
    made = np.full(MAX_BLOCKS * SLOTS, np.nan)
    for interval in intervals:
        net = interval.net_wh
        index = made.size + int((interval.start.timestamp() - first) // STEP_S)
        if net is not None and 0 <= index < made.size and interval.end <= start:
            made[index : index + max(1, interval.duration_s // STEP_S)] = max(0.0, -net) * 3600 / interval.duration_s
    return made.reshape(MAX_BLOCKS, SLOTS)[-RECENT - 7 :]


def _ratio_by_slot(made: Array, sky: Array) -> Array:
    """Production per clear-sky W/m2 for each slot, over the hour around it, younger days counting more."""
    weight = 0.5 ** (np.arange(len(made))[::-1, None] / HALF_LIFE) * ~np.isnan(made)
    top, bottom = (weight * np.nan_to_num(made)).sum(axis=0), (weight * sky).sum(axis=0)
    reach = range(-3, 4)
    top, bottom = (np.sum([np.roll(row, shift) for shift in reach], axis=0) for row in (top, bottom))
    result: Array = np.where(bottom > 1e-6, top / np.maximum(bottom, 1e-6), 0.0)
    return result


def _today(made: Array, usual: Array) -> float:
    """How the last 24 hours compare with the usual, damped: weather persists a little."""
    known = ~np.isnan(made[-1]) & ~np.isnan(usual[-1])
    expected = float(usual[-1][known].sum())
    if expected <= 0:
        return 1.0
    seen = float(made[-1][known].sum()) / expected
    return 1.0 + PERSISTENCE * (min(2.0, max(0.0, seen)) - 1.0)


def _negative(values: Array) -> tuple[float, ...]:
    return tuple((0.0 - values).tolist())
