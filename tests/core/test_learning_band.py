"""The band of a forecast: as wide as the home's own errors, and wider after it was missed."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.learning.band import band, held_quantiles

NO_WEEKENDS = np.zeros((64, 96), dtype=bool)


def homes_days(days: int, seed: int = 0, spread_w: float = 200.0) -> np.ndarray:
    return 1000 + np.random.default_rng(seed).normal(0, spread_w, (days, 96))


def held(power: np.ndarray, from_day: int) -> float:
    inside = []
    for day in range(from_day, len(power)):
        low, high = band(power[:day], NO_WEEKENDS[: day + 1], 1)
        inside.append(((power[day] >= low) & (power[day] <= high)).mean())
    return float(np.mean(inside))


@pytest.mark.slow
def test_a_steady_home_is_held_on_four_days_of_five():
    assert held(homes_days(40), 20) == pytest.approx(0.8, abs=0.03)


def restless_days() -> np.ndarray:
    """Fifty days of which each is a little less even than the one before."""
    return 1000 + np.random.default_rng(3).normal(0, 1, (50, 96)) * np.geomspace(20, 900, 50)[:, None]


@pytest.mark.slow
def test_a_home_that_becomes_less_even_from_day_to_day_is_still_held():
    """Wrong before: quantiles of all days alike held such a home in one hour of three."""
    assert 0.75 <= held(restless_days(), 25) <= 0.85


def test_a_home_that_calms_down_gets_a_narrower_band():
    wild, calm = homes_days(20, spread_w=600), homes_days(20, seed=1, spread_w=60)
    power = np.vstack([wild, calm])
    low, high = band(power, NO_WEEKENDS[:41], 1)
    before_low, before_high = band(wild, NO_WEEKENDS[:21], 1)
    assert (high - low).mean() < 0.6 * (before_high - before_low).mean()


def test_slots_without_any_value_take_the_whole_day_s_quantiles():
    left = np.random.default_rng(0).normal(0, 1, (30, 96))
    left[:, 40:60] = np.nan
    low, high = held_quantiles(left, (-2, 0, 2))
    assert np.isfinite(low).all() and np.isfinite(high).all()
    assert low[50] == low[51] < -0.8 and high[50] > 0.8


@pytest.mark.parametrize("days", [1, 2, 3])
def test_in_the_first_days_the_band_is_wide(days):
    low, high = band(homes_days(days), NO_WEEKENDS[: days + 2], 2)
    assert len(low) == 192 and (high - low).mean() > 1000
