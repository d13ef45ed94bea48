"""Alerts that need weeks: each with and without its fault, on histories made here."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.learning.alerts.battery import battery_loss, weekly
from gateway.core.learning.alerts.clear_panels import clear_drop, clear_ratio, dead_days, far_below, highest_ratio
from gateway.core.learning.alerts.duty import heat_drift, pump_drift
from gateway.core.learning.alerts.meter_trouble import flat_quarters, quiet_drop, short_of_parts


def battery(days: int, seed: int, lost_from: int | None = None, share: float = 0.88, worse: float = 0.75) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Wh taken and given a day: 5 to 10 kWh by season, 300 Wh of standing loss, some of it still inside at midnight."""
    dice = np.random.default_rng(seed)
    took = 7500 + 2500 * np.sin(np.arange(days) / 58) + dice.normal(0, 1200, days)
    inside = np.diff(dice.uniform(0, 3000, days + 1))
    round_trip = np.where(np.arange(days) >= (days if lost_from is None else lost_from), worse, share)
    return took, np.maximum(round_trip * (took - 300 - inside), 0)


def test_a_battery_that_began_to_lose_more_is_told_with_both_figures() -> None:
    found = [battery_loss(*battery(119, seed, lost_from=98)) for seed in range(20)]
    told = [each for each in found if each is not None]
    assert len(told) >= 18, "three weeks of 75 % instead of 88 %"
    assert np.median([each.usual_percent - each.now_percent for each in told]) == pytest.approx(13, abs=3)
    assert np.median([each.extra_wh_a_day for each in told]) == pytest.approx(0.13 * 7500, rel=0.4)


def test_a_battery_as_ever_and_one_in_a_dark_season_are_not_told() -> None:
    assert [battery_loss(*battery(119, seed)) for seed in range(100)].count(None) >= 99
    took, gave = battery(119, 1)
    took[-28:] *= 0.2
    gave[-28:] = np.maximum(0.88 * (took[-28:] - 300), 0)
    assert battery_loss(took, gave) is None, "its standing loss weighs more; that is no fault"


def test_a_week_with_two_missing_days_is_not_counted() -> None:
    days = np.ones(14)
    days[[8, 9]] = np.nan
    assert weekly(days)[0] == 7 and np.isnan(weekly(days)[1])


def heat_pump(days: int, seed: int, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Daily Wh and mean air: 600 Wh a degree below 16; the last 14 days times `factor`."""
    dice = np.random.default_rng(seed)
    air = 6 + dice.normal(0, 3, days)
    energy = (800 + 600 * np.maximum(16 - air, 0)) * dice.normal(1, 0.08, days)
    energy[-14:] *= factor
    return energy, air


def test_a_heat_pump_that_needs_more_at_the_same_weather_is_told() -> None:
    found = [heat_drift(*heat_pump(90, seed, 1.4)) for seed in range(20)]
    told = [each for each in found if each is not None]
    assert len(told) >= 18
    assert np.median([each.now_wh / each.expected_wh for each in told]) == pytest.approx(1.4, abs=0.08)
    assert all(heat_drift(*heat_pump(90, seed)) is None for seed in range(100))


def test_two_cold_weeks_are_weather_and_not_the_heat_pump() -> None:
    energy, air = heat_pump(90, 3)
    air[-14:] -= 4
    energy[-14:] = (800 + 600 * np.maximum(16 - air[-14:], 0)) * 1.02
    assert heat_drift(energy, air) is None
    air[-14:] -= 10
    energy[-14:] = (800 + 600 * np.maximum(16 - air[-14:], 0)) * 1.5
    assert heat_drift(energy, air) is None, "colder than nearly all before: its efficiency is not known there"


def pump(days: int, seed: int, quarters: int, watts: float) -> np.ndarray:
    dice = np.random.default_rng(seed)
    run = np.zeros((days, 96))
    run[:, 40:64] = 700 * dice.normal(1, 0.02, (days, 24))
    run[-14:] = 0
    run[-14:, 40 : 40 + quarters] = watts * dice.normal(1, 0.02, (14, quarters))
    return run


def test_a_pump_that_runs_longer_or_draws_more_is_told_and_which() -> None:
    longer, more = pump_drift(pump(60, 1, 36, 700)), pump_drift(pump(60, 1, 24, 950))
    assert longer is not None and longer.longer
    assert longer.hours[0] == pytest.approx(9, abs=0.1) and longer.hours[1] == pytest.approx(6, abs=0.1)
    assert more is not None and not more.longer and more.running_w[0] == pytest.approx(950, rel=0.03)
    assert pump_drift(pump(60, 1, 24, 700)) is None and pump_drift(pump(60, 1, 25, 720)) is None


def test_a_meter_below_its_parts_is_told_after_three_days_and_a_bad_reading_is_not() -> None:
    parts = np.full(10, 20_000.0)
    whole = parts + 3000
    assert short_of_parts(whole, parts) == 0
    whole[-1] = 15_000
    assert short_of_parts(whole, parts) == 0, "one day"
    whole[-3:] = 15_000
    assert short_of_parts(whole, parts) == 5000
    assert short_of_parts(parts - 600, parts) == 0, "two meters of one thing are never quite alike"


def test_a_register_that_stands_still_for_a_day_is_told_unless_that_is_usual() -> None:
    dice = np.random.default_rng(1)
    energy = dice.uniform(20, 400, 960)
    energy[-97:] = 55.0
    assert flat_quarters(energy) == 97
    assert flat_quarters(energy[:-10]) == 0, "not yet a day"
    energy[200:260] = 12.5
    assert flat_quarters(energy) == 0, "it stood still before"
    energy[-50] = np.nan
    assert flat_quarters(energy) == 0


def test_a_home_that_falls_silent_at_its_meter_is_told_and_a_vacation_is_not() -> None:
    dice = np.random.default_rng(2)
    load = 150 + 800 * (dice.random((60, 96)) < 0.2) + dice.normal(0, 10, (60, 96))
    away = load.copy()
    away[-7:] = 140 + dice.normal(0, 10, (7, 96))
    assert quiet_drop(load) == 0 and quiet_drop(away) == 0
    away[-5:] = 8 + dice.normal(0, 2, (5, 96))
    assert quiet_drop(away) == pytest.approx(130, abs=15)
    assert quiet_drop(away[:-1]) == 0, "four days"


def sun(days: int, seed: int, cloudy: float, weak_from: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """W made and clear-sky W/m2: a 5 kW roof, a share of the days cloudy (jumping or evenly dull), weak by half from a day."""
    dice = np.random.default_rng(seed)
    clear = np.tile(np.maximum(0, 850 * np.sin((np.arange(96) - 26) / 44 * np.pi)) * ((np.arange(96) > 26) & (np.arange(96) < 70)), (days, 1))  # fmt: skip
    sky = np.ones((days, 96))
    for day in np.flatnonzero(dice.random(days) < cloudy):
        sky[day] = dice.uniform(0.1, 1.0, 96) if dice.random() < 0.6 else dice.uniform(0.08, 0.25)
    made = 5 * clear * sky * dice.normal(1, 0.01, (days, 96))
    if weak_from is not None:
        made[weak_from:] *= 0.5
    return made, clear


def test_half_the_panels_lost_are_told_by_the_homes_own_clear_days_and_clouds_are_not() -> None:
    weak = [clear_drop(clear_ratio(*sun(74, seed, 0.5, weak_from=60))) for seed in range(20)]
    assert sum(drop > 0 for drop in weak) >= 18
    assert np.median([drop for drop in weak if drop > 0]) == pytest.approx(0.5, abs=0.05)
    assert all(clear_drop(clear_ratio(*sun(74, seed, 0.6))) == 0 for seed in range(50))
    made, clear = sun(74, 3, 0.3)
    made[60:] = 0.2 * 5 * clear[60:]
    assert clear_drop(clear_ratio(made, clear)) == 0, "two weeks under an even layer of cloud"


def test_weeks_of_dull_days_are_neither_dead_nor_far_below() -> None:
    for seed in range(100):
        made, clear = sun(88, seed, 0.4)
        dice = np.random.default_rng(seed)
        made[60:] = 5 * clear[60:] * dice.uniform(0.06, 0.3, (28, 1)) * dice.normal(1, 0.01, (28, 96))
        for day in range(60, 89):
            daily, highest = clear_ratio(made[:day], clear[:day]), highest_ratio(made[:day], clear[:day])
            assert dead_days(highest) == 0
            assert far_below(daily, highest) == (0.0, 0), "each day's cloud is of another thickness"
