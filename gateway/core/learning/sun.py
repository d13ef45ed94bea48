"""The solar forecast: the irradiance that is told, or the clear sky, scaled by what this home's panels made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.band import held_quantiles
from gateway.core.learning.blocks import MAX_BLOCKS, SLOTS, STEP_S, Array, slot_start
from gateway.core.learning.sky import clear_sky_w_m2
from gateway.core.learning.told import Told, quarters_told, shaped
from gateway.model.plan import Forecast
from gateway.model.reading import Interval
from gateway.model.series import Series

__all__ = ["clear_sky_w_m2", "forecast_made", "forecast_solar"]

RECENT = 21
HALF_LIFE = 6.0
DIM_W_M2 = 40.0
"""Below this clear-sky irradiance a ratio says nothing."""
RIDGE = 0.02
"""Weight of the whole day's ratio in each slot's, as a share of the mean light of a slot."""
TOLD_HALF_LIFE = 14.0
LEAST_TOLD_DAYS = 5
"""With fewer days of which both are known the clear sky stands in."""
MOST_OVER, SMALL = 1.2, 0.03
"""Of the highest power seen: a sunnier hour than any so far may come; and what counts as next to nothing."""
PERSISTENCE = 0.25
"""How far tomorrow resembles today beyond the recent mean."""
UNKNOWN_SHARES = (0.2, 1.6)
"""The band before anything is known of this home."""
MOST_SHARE = 20.0
"""After a week of snow the expectation is next to nothing: one day's share is bounded."""
AROUND = (-12, -8, -4, 0, 4, 8, 12)
"""The error of a cloudy hour is much the same some hours around it."""


@dataclass(frozen=True, slots=True)
class ToldSun:
    """Irradiance by quarter hour, W/m2, NaN where nobody told: of the days before now as blocks of 24 h, and ahead."""

    past: Array
    """As it was told half a day before; rows as in the history of what was made."""
    ahead: Array
    source: str


def forecast_solar(
    intervals: Sequence[Interval], now: datetime, tz: ZoneInfo, lat: float, lon: float, *, hours: int = 48,
    told: Series | None = None, kept: Told | None = None,
) -> Forecast:  # fmt: skip
    """Solar power of the next `hours` in W per quarter hour (production: zero or negative), with 10/90 % quantiles.

    `low` is numerically low, that is much sun. Roof direction and shade are in the ratio of each hour of the day to
    the irradiance `told` for it, learned of what was `kept`; where that is not known, to the clear sky. Without any
    history the forecast is 0. `tz` does not matter: the sun keeps no local time.
    """
    start, count = slot_start(now), hours * 3600 // STEP_S
    made = _history(intervals, start)
    if told is None or kept is None:
        return forecast_made(made, start, lat, lon, count)
    first = start - timedelta(seconds=STEP_S * made.size)
    past = shaped(kept.quarters(first, made.size), first, lat, lon).reshape(made.shape)
    ahead = shaped(quarters_told(told, start, count), start, lat, lon)
    return forecast_made(made, start, lat, lon, count, ToldSun(past, ahead, told.source))


def forecast_made(
    made: Array, start: datetime, lat: float, lon: float, count: int, told: ToldSun | None = None
) -> Forecast:  # fmt: skip
    """`forecast_solar` of what was made before `start`: W (>= 0) by block of 24 h and quarter hour, NaN where not known."""
    first = start.timestamp()
    past = clear_sky_w_m2(first + (np.arange(-made.size, 0) + 0.5) * STEP_S, lat, lon).reshape(made.shape)
    ahead = clear_sky_w_m2(first + (np.arange(count) + 0.5) * STEP_S, lat, lon)
    if np.isnan(made).all() or np.nanmax(made) <= 0:
        zeros = (0.0,) * count
        return Forecast("solar", start, STEP_S, zeros, zeros, zeros, "W", "no solar history")
    mean, dull, bright = _by_clear_sky(made, past, ahead)
    method = "clear sky scaled by recent days"
    if told is not None and _days_known(made, told.past) >= LEAST_TOLD_DAYS and not np.isnan(told.ahead).all():
        with_told = _by_irradiance(made, told)
        mean, dull, bright = (
            np.where(np.isnan(told.ahead), clear, own)
            for clear, own in zip((mean, dull, bright), with_told, strict=True)
        )
        method = f"irradiance told by {told.source}, scaled by what the panels made of it"
    return Forecast("solar", start, STEP_S, _negative(mean), _negative(bright), _negative(dull), "W", method)


def _by_clear_sky(made: Array, past: Array, ahead: Array) -> tuple[Array, Array, Array]:
    """Mean, dull and bright, W (>= 0)."""
    ratio = _ratio_by_slot(made, past, HALF_LIFE)
    slots = np.arange(len(ahead)) % SLOTS
    usual = np.where(past > DIM_W_M2, past * ratio, np.nan)
    expected, cap = ahead * ratio[slots], float(np.nanmax(made))
    mean = np.clip(expected * _today(made, usual), 0.0, cap)
    little, much = _shares(made, past, HALF_LIFE, 0.0)
    return mean, np.clip(expected * little[slots], 0.0, mean), np.clip(expected * much[slots], mean, cap)


def _by_irradiance(made: Array, told: ToldSun) -> tuple[Array, Array, Array]:
    """The same from what is told; the day's own weather is in it already. NaN where nothing is told."""
    ratio = _ratio_by_slot(made, told.past, TOLD_HALF_LIFE)
    slots = np.arange(len(told.ahead)) % SLOTS
    cap = MOST_OVER * float(np.nanmax(made))
    floor = SMALL * cap
    mean = np.clip(told.ahead * ratio[slots], 0.0, cap)
    little, much = _shares(made, told.past, TOLD_HALF_LIFE, floor)
    night = told.ahead <= 0
    dull = np.clip((mean + floor) * little[slots] - floor, 0.0, mean)
    bright = np.where(night, mean, np.clip((mean + floor) * much[slots] - floor, mean, cap))
    return mean, dull, bright


def _days_known(made: Array, told: Array) -> int:
    """Days of which both are known in at least a quarter of the bright hours of the brightest day."""
    with np.errstate(invalid="ignore"):
        bright = ((told > DIM_W_M2) & ~np.isnan(made)).sum(axis=1)
    return int((bright >= max(4, bright.max() / 4)).sum())


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


def _ratio_by_slot(made: Array, sky: Array, half_life: float) -> Array:
    """Production per W/m2 for each slot, over the hour around it, younger days counting more.

    A slot of little light is drawn to the ratio of the whole day (ridge): its own would be mostly noise.
    """
    known = ~np.isnan(made) & ~np.isnan(sky)
    weight = 0.5 ** (np.arange(len(made))[::-1, None] / half_life) * known
    top, bottom = (weight * np.nan_to_num(made)).sum(axis=0), (weight * np.nan_to_num(sky)).sum(axis=0)
    reach = range(-3, 4)
    top, bottom = (np.sum([np.roll(row, shift) for shift in reach], axis=0) for row in (top, bottom))
    prior = RIDGE * float(bottom.mean())
    overall = float(top.sum()) / max(float(bottom.sum()), 1e-6)
    result: Array = np.where(bottom > 1e-6, (top + prior * overall) / np.maximum(bottom + prior, 1e-6), 0.0)
    return result


def _shares(made: Array, sky: Array, half_life: float, floor: float) -> tuple[Array, Array]:
    """The 10 and 90 % quantile of what past days made of what the days before them let expect, by slot.

    `floor` W are added to both, so that the share of a dark hour does not run away.
    """
    wide = np.full(SLOTS, UNKNOWN_SHARES[0]), np.full(SLOTS, UNKNOWN_SHARES[1])
    share = np.full((len(made), SLOTS), np.nan)
    for day in range(1, len(made)):
        expected = sky[day] * _ratio_by_slot(made[:day], sky[:day], half_life)
        with np.errstate(invalid="ignore"):
            bright = (sky[day] > DIM_W_M2) & (expected > 0)
        share[day, bright] = (made[day, bright] + floor) / (expected[bright] + floor)
    share = np.minimum(share[-RECENT:], MOST_SHARE)
    return held_quantiles(share, AROUND) if (~np.isnan(share)).sum() >= SLOTS else wide


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
