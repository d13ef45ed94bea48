"""How a home's daily energy follows the outdoor temperature: change points for heating and cooling, with their doubt.

    Wh |\\                       /
       | \\ heating            / cooling
       |  \\_____ base ______/
       +-------|-----------|--------> mean outdoor temperature of the day
             heat_below   cool_above

Each pair of change points is fitted by least squares; which parts are kept is told by the Bayesian information
criterion. The intervals of the slopes count with other change points, too, and widen where days resemble the days
before (autocorrelated residuals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model.targeting import TemperatureResponse

Array = NDArray[np.float64]
HEAT_C = tuple(range(8, 19))
COOL_C = tuple(range(16, 27))
LEAST_DAYS, LEAST_SIDE_DAYS, LEAST_SPREAD_K = 21, 7, 4.0
T80 = 1.2816
"""Standard errors on either side of an 80 % interval."""
SINGULAR = 1e-8
"""Columns that say the same to this share give no slopes of their own."""
CLEAR = 6.0
"""By how much the information criterion must fall for another part: "strong" evidence (Kass and Raftery 1995)."""


def temperature_response(
    energy_wh: Sequence[float] | Array, outdoor_c: Sequence[float] | Array
) -> TemperatureResponse | None:
    """The response of days (NaN where not known); None with fewer than 21 days or less than 4 K between them."""
    energy, air = np.asarray(energy_wh, dtype=float), np.asarray(outdoor_c, dtype=float)
    known = np.isfinite(energy) & np.isfinite(air)
    energy, air = energy[known], air[known]
    if energy.size < LEAST_DAYS or np.ptp(air) < LEAST_SPREAD_K:
        return None
    heats = [None, *(t for t in HEAT_C if _enough(air < t))]
    cools = [None, *(t for t in COOL_C if _enough(air > t))]
    fits = [_fit(energy, air, h, c) for h in heats for c in cools if h is None or c is None or h <= c]
    possible = [found for found in fits if found is not None]
    best = min(possible, key=lambda found: found.score)
    return _averaged(best, [found for found in possible if found.sides == best.sides])


@dataclass(frozen=True, slots=True)
class _Fit:
    """One pair of change points: criterion (lower is better), base, RMSE, and slope with standard error of each side."""

    score: float
    heat_c: float | None
    cool_c: float | None
    base: float
    rmse: float
    days: int
    heating: tuple[float, float] | None
    cooling: tuple[float, float] | None

    @property
    def sides(self) -> tuple[bool, bool]:
        """Whether it has heating, and cooling."""
        return self.heat_c is not None, self.cool_c is not None


def _averaged(best: _Fit, alike: Sequence[_Fit]) -> TemperatureResponse:
    """The best fit, its slopes averaged over the change points by how likely each is: where they lie is in doubt, too."""
    weights = np.exp(-0.5 * (np.array([fit.score for fit in alike]) - best.score))
    weights /= weights.sum()
    none = (None, None, None)
    heating = _slope(weights, [fit.heating for fit in alike if fit.heating]) if best.heating else none
    cooling = _slope(weights, [fit.cooling for fit in alike if fit.cooling]) if best.cooling else none
    return TemperatureResponse(
        base_wh=best.base,
        days=best.days,
        error_wh=best.rmse,
        heat_below_c=best.heat_c,
        heating_wh_per_k=heating[0],
        heating_low=heating[1],
        heating_high=heating[2],
        cool_above_c=best.cool_c,
        cooling_wh_per_k=cooling[0],
        cooling_low=cooling[1],
        cooling_high=cooling[2],
    )


def _slope(weights: Array, slopes: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Mean and 80 % interval of a mixture of slopes, each with its standard error."""
    value, error = np.array(slopes).T
    mean = float(weights @ value)
    spread = T80 * float(np.sqrt(weights @ (error**2 + (value - mean) ** 2)))
    return mean, max(0.0, mean - spread), mean + spread


def _enough(days: NDArray[np.bool_]) -> bool:
    return int(days.sum()) >= LEAST_SIDE_DAYS


def _fit(energy: Array, air: Array, heat_c: float | None, cool_c: float | None) -> _Fit | None:
    """Least squares with these change points; None where a slope is not above zero."""
    sides = [np.maximum(heat_c - air, 0)] if heat_c is not None else []
    sides += [np.maximum(air - cool_c, 0)] if cool_c is not None else []
    table = np.stack([np.ones_like(air), *sides], axis=1)
    square = table.T @ table
    if np.linalg.det(square) < SINGULAR * float(np.prod(np.diag(square))):
        return None
    inverse = np.linalg.inv(square)
    found = inverse @ (table.T @ energy)
    if np.any(found[1:] <= 0):
        return None
    rest = energy - table @ found
    n, k = table.shape
    noise = max(float(rest @ rest), 1e-9)
    # A change point is a parameter, too: each side has two.
    score = n * np.log(noise / n) + (1 + 2 * len(sides)) * np.log(n) + CLEAR * len(sides)
    errors = np.sqrt(np.diag(inverse) * noise / max(1, n - k) * _repeat(rest))
    slopes = [(float(slope), float(error)) for slope, error in zip(found, errors, strict=True)]
    return _Fit(
        score=float(score),
        heat_c=heat_c,
        cool_c=cool_c,
        base=float(found[0]),
        rmse=float(np.sqrt(noise / n)),
        days=n,
        heating=slopes[1] if heat_c is not None else None,
        cooling=slopes[-1] if cool_c is not None else None,
    )


def _repeat(rest: Array) -> float:
    """How many days count as one, since neighbours err alike: (1 + r) / (1 - r) of the lag-1 correlation."""
    spread = float(rest @ rest)
    r = float(rest[1:] @ rest[:-1]) / spread if spread > 0 else 0.0
    r = min(0.9, max(0.0, r))
    return (1 + r) / (1 - r)
