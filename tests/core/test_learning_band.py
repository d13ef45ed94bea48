"""The band of a forecast: as wide as the home's own errors, and wider after it was missed."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.learning.band import DayBand, Tails, held_quantiles

ALIKE = np.ones((42, 96), dtype=bool)


def days_w(days: int, seed: int = 0, spread_w: float = 200.0) -> np.ndarray:
    return 1000 + np.random.default_rng(seed).normal(0, spread_w, (days, 96))


def held(power: np.ndarray, from_day: int) -> tuple[float, Tails]:
    """The share of the slots inside the band that follows its own misses, of days that are expected to be 1000 W."""
    inside, tails, mean = [], Tails(), np.full(96, 1000.0)
    for day in range(42, len(power)):
        past = power[day - 42 : day]
        low, high = DayBand(past - 1000, past, tails).around(mean, ALIKE)
        tails = tails.after(float((power[day] < low).mean()), float((power[day] > high).mean()))
        inside += [((power[day] >= low) & (power[day] <= high)).mean()] if day >= from_day else []
    return float(np.mean(inside)), tails


def test_a_steady_home_is_held_on_four_slots_of_five():
    assert held(days_w(90), 60)[0] == pytest.approx(0.8, abs=0.02)


def test_a_home_that_becomes_less_even_from_day_to_day_is_still_held():
    """Wrong before: quantiles of all days alike held such a home in one hour of three."""
    restless = 1000 + np.random.default_rng(3).normal(0, 1, (120, 96)) * np.geomspace(20, 900, 120)[:, None]
    share, tails = held(restless, 70)
    assert share == pytest.approx(0.8, abs=0.03)
    assert max(tails.shares) < 0.1, "it reaches further than the past alone would let it"


def test_a_home_that_calms_down_gets_a_narrower_band():
    mean, wild, calm = np.full(96, 1000.0), days_w(42, spread_w=600), days_w(42, seed=1, spread_w=60)
    widths = [np.subtract(*DayBand(p - 1000, p, Tails()).around(mean, ALIKE)[::-1]).mean() for p in (wild, calm)]
    assert widths[1] < 0.2 * widths[0]


def test_days_of_another_kind_count_less():
    """Working days of 300 W and weekends of 1500 W, a weekend to come: its own kind decides where its band lies."""
    weekend = np.arange(42) % 7 >= 5
    power = np.where(weekend, 1500.0, 300.0)[:, None] + np.random.default_rng(0).normal(0, 20, (42, 96))
    left = power - np.where(weekend, 1500.0, 300.0)[:, None]
    alike = np.repeat(weekend[:, None], 96, axis=1)
    band = DayBand(left, power, Tails())
    of_weekends, of_working_days = (band.around(np.full(96, 1500.0), a)[1].mean() for a in (alike, ~alike))
    assert of_weekends > of_working_days


@pytest.mark.parametrize(("missed", "wider"), [(0.4, True), (0.0, False)])
def test_misses_above_move_the_upper_end_only(missed, wider):
    tails = Tails()
    for _ in range(5):
        tails = tails.after(0.1, missed)
    low, high = tails.shares
    assert low == pytest.approx(0.1)
    assert (high < 0.1) is wider and high != 0.1


def test_a_day_without_any_slot_known_within_the_past_is_no_error():
    power = days_w(42)
    power[10:20] = np.nan
    power[:, 30:40] = np.nan
    low, high = DayBand(power - 1000, power, Tails()).around(np.full(96, 1000.0), ALIKE)
    assert np.isfinite(low).all() and (high > low).all()


def test_slots_without_any_value_take_the_whole_day_s_quantiles():
    left = np.random.default_rng(0).normal(0, 1, (30, 96))
    left[:, 40:60] = np.nan
    low, high = held_quantiles(left, (-2, 0, 2))
    assert np.isfinite(low).all() and np.isfinite(high).all()
    assert low[50] == low[51] < -0.8 and high[50] > 0.8
