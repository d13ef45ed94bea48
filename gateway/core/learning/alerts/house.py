"""Spikes and loads left on: how far the house stands above its own usual band, at each quarter of a day.

A spike is seen when more than every usual level of the time of day lasted for two hours; what was left on is seen when
even the quietest tenth of the last 24 hours is above what it usually is, and a large load already after eight hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.alerts.always_on import GAP_DAYS, PAST_DAYS, RECENT_DAYS
from gateway.core.learning.alerts.usual import (
    LATELY_DAYS,
    LEAST_DAYS,
    QUARTERS,
    Band,
    Floats,
    Sustained,
    Thermal,
    band,
    degrees,
    sustained,
    thermal,
)

SPIKE = Sustained(8, 0)
LEFT_ON = Sustained(96, 9)
PLAIN = Sustained(32, 2)
"""What stays on for eight hours far beyond the usual needs no whole day: no oven and hardly a car lasts so long."""
SPIKE_LEAST_W, LEFT_ON_LEAST_W, PLAIN_LEAST_W = 750.0, 125.0, 1000.0
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
    spike: Band
    left_on: Band
    plain: Band
    mean_w: Floats
    base_w: float
    """The usual quietest tenth of a day, weather taken off."""
    days: int
    cold: float = float("inf")
    """The mean degrees below COLD_C of the LEFT_ON_RANK-th coldest past day; inf where the air is not known."""


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
    quiet = sustained(lately.ravel(), LEFT_ON)
    more_w = NEW_MORE_W if len(days) < NEW_DAYS else 0.0
    return Usual(
        slopes,
        band(_rows(sustained(plain.ravel(), SPIKE)), SPIKE_RANK, SPIKE_LEAST_W + more_w, SPIKE_NEAR),
        band(_rows(quiet), LEFT_ON_RANK, LEFT_ON_LEAST_W, LEFT_ON_NEAR),
        band(_rows(sustained(plain.ravel(), PLAIN)), PLAIN_RANK, PLAIN_LEAST_W, SPIKE_NEAR),
        np.where(known, lately, 0.0).sum(axis=0) / count,
        float(np.median(quiet[np.isfinite(quiet)])) if np.isfinite(quiet).any() else 0.0,
        len(days),
        _cold(air),
    )


def excess(known: Usual, two_days: Floats, air: Floats) -> Excess:
    """Yesterday and today, 2 x 96, against the usual; what today has not brought yet is nan and gives no alert."""
    plain = (two_days - known.thermal.load(air)).ravel()
    heating = _may_heat(known, air)
    slow, soon = _beyond(plain, LEFT_ON, known.left_on) - heating, _beyond(plain, PLAIN, known.plain) - heating
    return Excess(_beyond(plain, SPIKE, known.spike), np.maximum(slow, soon), soon)


def may_heat_lately(known: Usual, air: Floats) -> float:
    """W that heating may draw in the last days beyond what the home has shown of it, as they are colder than those before."""
    days = np.where(np.isfinite(air).mean(axis=1) > 0.7, degrees(air)[1].mean(axis=1), np.nan)
    now, past = days[-RECENT_DAYS:], days[-(RECENT_DAYS + GAP_DAYS + PAST_DAYS) : -(RECENT_DAYS + GAP_DAYS)]
    if not np.isfinite(now).any() or not np.isfinite(past).any():
        return 0.0
    return HEATING_W_PER_K * known.thermal.doubt * max(float(np.nanmedian(now) - np.nanmedian(past)), 0.0)


def _beyond(plain: Floats, kind: Sustained, usual_band: Band) -> Floats:
    return sustained(plain, kind)[QUARTERS:] - usual_band.top - usual_band.margin_w


def _cold(air: Floats) -> float:
    days = np.sort(degrees(air)[1][np.isfinite(air).mean(axis=1) > 0.7].mean(axis=1))
    return float(days[-min(LEFT_ON_RANK, days.size)]) if days.size else float("inf")


def _may_heat(known: Usual, air: Floats) -> Floats:
    """W at each quarter of today that heating may draw beyond what the past days have shown of it, as it is colder."""
    total = np.cumsum(degrees(air)[1].ravel())
    cold = (total[QUARTERS:] - total[:-QUARTERS]) / QUARTERS
    return HEATING_W_PER_K * known.thermal.doubt * np.maximum(cold - known.cold, 0.0)


def _rows(series: Floats) -> Floats:
    return series.reshape(-1, QUARTERS)
