"""Spikes and loads left on: how far the house stands above its own usual band, at each quarter of a day.

A spike is seen when more than every usual level of the time of day lasted for two hours; what was left on is seen when
even the quietest tenth of the last 24 hours is above what it usually is, and a large load already after eight hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.alerts.always_on import GAP_DAYS, PAST_DAYS, RECENT_DAYS, quiet_level
from gateway.core.learning.alerts.usual import (
    LATELY_DAYS,
    LEAST_AIR,
    LEAST_DAYS,
    QUARTERS,
    Band,
    Floats,
    QuietThermal,
    Sustained,
    Thermal,
    band,
    degrees,
    mildest_degrees,
    quiet_thermal,
    sustained,
    thermal,
)

SPIKE = Sustained(8, 0)
LEFT_ON = Sustained(96, 9)
PLAIN = Sustained(32, 2)
"""What stays on for eight hours far beyond the usual needs no whole day: no oven and hardly a car lasts so long."""
SPIKE_LEAST_W, LEFT_ON_LEAST_W, PLAIN_LEAST_W = 750.0, 150.0, 1000.0
NEW_DAYS, NEW_MORE_W = 35, 200.0
"""A home of fewer days has not shown all its habits: a spike must be by so much higher."""
SPIKE_RANK, LEFT_ON_RANK, PLAIN_RANK = 2, 6, 2
"""Of the past days this many may stand higher without moving the band: a home has odd days that were never told."""
SPIKE_NEAR, LEFT_ON_NEAR = 3, 6
"""A habit may come so many quarters earlier or later."""
HEATING_W_PER_K = 200.0
"""A house that is heated by electricity alone may need so much."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in one home, learned from whole days; W by quarter of the local day where not said otherwise."""

    thermal: Thermal
    quiet: QuietThermal
    spike: Band
    left_on: Band
    plain: Band
    mean_w: Floats
    base_w: float
    """The usual quietest tenth of a day, weather taken off."""
    days: int
    cold: float = float("inf")
    """The mean degrees below COLD_C of the LEFT_ON_RANK-th coldest past day; inf where the air is not known."""
    quiet_cold: float = float("inf")
    """The same of the mildest tenth of each day."""


@dataclass(frozen=True, slots=True)
class Excess:
    """How far a day stands beyond the usual band, W by quarter: an alert where above 0."""

    spike: Floats
    left_on: Floats
    soon: Floats
    """Of left_on, what eight hours alone prove."""


def usual(days: Floats, air: Floats) -> Usual | None:
    """What is usual from days x 96, W and degC outside (nan: not known), newest last; None for less than two weeks."""
    if (np.isfinite(days).mean(axis=1) > 0.8).sum() < LEAST_DAYS:
        return None
    slopes = thermal(days[-LATELY_DAYS:], air[-LATELY_DAYS:])
    plain = days - slopes.load(air)
    lately, known = plain[-LATELY_DAYS:], np.isfinite(plain[-LATELY_DAYS:])
    count = np.maximum(known.sum(axis=0), 1)
    levels, mildest = _rows(sustained(days[-LATELY_DAYS:].ravel(), LEFT_ON)), mildest_degrees(air)
    still = quiet_thermal(np.where(_told(air)[-LATELY_DAYS:], levels[:, -1], np.nan), mildest[:, -LATELY_DAYS:, -1])
    quiet = levels - still.load(mildest[:, -LATELY_DAYS:])
    more_w = NEW_MORE_W if len(days) < NEW_DAYS else 0.0
    return Usual(
        slopes,
        still,
        band(_rows(sustained(plain.ravel(), SPIKE)), SPIKE_RANK, SPIKE_LEAST_W + more_w, SPIKE_NEAR),
        band(quiet, LEFT_ON_RANK, LEFT_ON_LEAST_W, LEFT_ON_NEAR),
        band(_rows(sustained(plain.ravel(), PLAIN)), PLAIN_RANK, PLAIN_LEAST_W, SPIKE_NEAR),
        np.where(known, lately, 0.0).sum(axis=0) / count,
        float(np.median(quiet[np.isfinite(quiet)])) if np.isfinite(quiet).any() else 0.0,
        len(days),
        _coldest(degrees(air)[1].mean(axis=1)[_told(air)]),
        _coldest(mildest[1, _told(air), -1]),
    )


def excess(known: Usual, two_days: Floats, air: Floats) -> Excess:
    """Yesterday and today, 2 x 96, against the usual; what today has not brought yet is nan and gives no alert."""
    plain = (two_days - known.thermal.load(air)).ravel()
    mildest = mildest_degrees(air)
    lows = _rows(sustained(two_days.ravel(), LEFT_ON)) - known.quiet.load(mildest)
    slow = lows[1] - known.left_on.top - known.left_on.margin_w
    slow -= _may_heat(known.quiet.doubt, mildest[1, 1] - known.quiet_cold)
    soon = _beyond(plain, PLAIN, known.plain) - _may_heat(known.thermal.doubt, _last_day(degrees(air)[1]) - known.cold)
    return Excess(_beyond(plain, SPIKE, known.spike), np.maximum(slow, soon), soon)


def quiet_levels(known: Usual | None, days: Floats, air: Floats) -> Floats:
    """The quiet level of each day, W, the weather taken off as far as the home is known; nan where too little is known."""
    levels = np.array([quiet_level(day) for day in days])
    if known is None:
        return levels
    return levels - known.quiet.load(mildest_degrees(air)[:, :, -1])


def may_heat_lately(known: Usual, air: Floats) -> float:
    """W that heating may draw in the last quiet hours beyond what the home has shown of it, as they are colder than before."""
    days = np.where(_told(air), mildest_degrees(air)[1, :, -1], np.nan)
    now, past = days[-RECENT_DAYS:], days[-(RECENT_DAYS + GAP_DAYS + PAST_DAYS) : -(RECENT_DAYS + GAP_DAYS)]
    if not np.isfinite(now).any() or not np.isfinite(past).any():
        return 0.0
    return float(_may_heat(known.quiet.doubt, np.nanmedian(now) - np.nanmedian(past)))


def _beyond(plain: Floats, kind: Sustained, usual_band: Band) -> Floats:
    return sustained(plain, kind)[QUARTERS:] - usual_band.top - usual_band.margin_w


def _told(air: Floats) -> NDArray[np.bool_]:
    """The days of which the air is known."""
    return np.asarray(np.isfinite(air).mean(axis=1) > LEAST_AIR)


def _coldest(days: Floats) -> float:
    """The LEFT_ON_RANK-th coldest of degrees below COLD_C; inf where there are none."""
    return float(np.sort(days)[-min(LEFT_ON_RANK, days.size)]) if days.size else float("inf")


def _last_day(cold: Floats) -> Floats:
    """The mean of the 24 hours that end with each quarter of the second day."""
    total = np.cumsum(cold.ravel())
    return np.asarray((total[QUARTERS:] - total[:-QUARTERS]) / QUARTERS)


def _may_heat(doubt: float, colder: Floats) -> Floats:
    """W that heating may draw beyond what the past days have shown of it, as it is by so many degrees colder."""
    return np.asarray(HEATING_W_PER_K * doubt * np.maximum(colder, 0.0))


def _rows(series: Floats) -> Floats:
    return series.reshape(-1, QUARTERS)
