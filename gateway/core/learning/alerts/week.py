"""This week against the home's own past at the same weather: change-point degree-day regression of daily energy.

    kWh of a day = base + heating x max(T_h - air, 0) + cooling x max(air - T_c, 0)

The two temperatures are those, of a few, that fit the past days best; no slope is below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.alerts.usual import Floats

LEAST_DAYS = 21
HEATING_C, COOLING_C = (12.0, 14.0, 16.0, 18.0), (20.0, 22.0, 24.0)
SPREADS = 1.28
"""80 of 100 weeks lie within so many spreads."""


@dataclass(frozen=True, slots=True)
class WeekAgainstPast:
    """Wh of the last days (seven where not said otherwise), what the home's past lets expect at their weather; half the 80 % band."""

    used_wh: float
    expected_wh: float
    within_wh: float
    heating_wh_per_degree: float
    cooling_wh_per_degree: float
    days: int

    @property
    def unusual(self) -> bool:
        """Whether the week lies outside the band."""
        return abs(self.used_wh - self.expected_wh) > self.within_wh


def week_against_past(energy_wh: Floats, air_c: Floats) -> WeekAgainstPast | None:
    """From daily energy and mean air (nan: not known), the last seven being the week; None for too few days."""
    return against_past(energy_wh, air_c, 7)


def against_past(energy_wh: Floats, air_c: Floats, recent: int) -> WeekAgainstPast | None:
    """The same of the last `recent` days, of which 5 in 7 must be known."""
    known = np.isfinite(energy_wh) & np.isfinite(air_c)
    past, week = known.copy(), known.copy()
    past[-recent:] = False
    week[:-recent] = False
    if past.sum() < LEAST_DAYS or week.sum() < recent * 5 / 7:
        return None
    best: tuple[float, Floats, Floats] | None = None
    for heat in HEATING_C:
        for cool in COOLING_C:
            terms = _terms(air_c, heat, cool)
            factors = _fit(terms[past], energy_wh[past])
            error = float(np.square(energy_wh[past] - terms[past] @ factors).sum())
            if best is None or error < best[0]:
                best = (error, factors, terms)
    assert best is not None
    error, factors, terms = best
    spread = float(np.sqrt(error / max(int(past.sum()) - 3, 1)))
    count = int(week.sum())
    # The mean of the past is itself only known to spread / sqrt(days); days in a row are not independent: doubled.
    within = SPREADS * spread * np.sqrt(2 * count + count**2 / past.sum())
    return WeekAgainstPast(
        float(energy_wh[week].sum()), float((terms[week] @ factors).sum()), float(within),
        float(factors[1]), float(factors[2]), int(past.sum()),
    )  # fmt: skip


def _terms(air: Floats, heat: float, cool: float) -> Floats:
    filled = np.where(np.isfinite(air), air, 20.0)
    return np.stack([np.ones_like(filled), np.maximum(heat - filled, 0), np.maximum(filled - cool, 0)], axis=1)


def _fit(terms: Floats, energy: Floats) -> Floats:
    """Least squares without negative slopes: a slope below 0 is taken out and the rest fitted anew."""
    used = [0, 1, 2]
    while True:
        found = np.zeros(3)
        found[used] = np.linalg.lstsq(terms[:, used], energy, rcond=None)[0]
        worst = min(used[1:], key=lambda k: found[k], default=0)
        if worst == 0 or found[worst] >= 0:
            return found
        used.remove(worst)
