"""Alerts: what stands above the home's own band is seen, what is usual in it is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.alerts.always_on import always_on_rise
from gateway.core.learning.alerts.days import by_day
from gateway.core.learning.alerts.episode import Episode
from gateway.core.learning.alerts.house import excess, quiet_levels, usual
from gateway.core.learning.alerts.panels import panels_drop, yields
from gateway.core.learning.alerts.usual import Sustained, sustained, thermal
from gateway.core.learning.alerts.week import week_against_past
from gateway.model.alert import AlertKind
from gateway.model.reading import Interval, IntervalQuality

MILD = np.full((1, 96), 19.0)


def home_days(count: int, seed: int = 1) -> np.ndarray:
    """Refrigerators, an evening and some chance; W."""
    dice = np.random.default_rng(seed)
    days = 120.0 + 60 * (dice.random((count, 96)) < 0.4)
    days[:, 72:84] += dice.uniform(600, 1500, (count, 1))
    return days * dice.normal(1, 0.03, days.shape)


def judged(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Excess of the day after 42 usual ones, with `change` W added to yesterday and today."""
    days = home_days(44)
    known = usual(days[:42], np.repeat(MILD, 42, axis=0))
    assert known is not None
    found = excess(known, days[42:] + change.reshape(2, 96), np.repeat(MILD, 2, axis=0))
    return found.spike, found.left_on


def test_a_usual_day_gives_no_sign() -> None:
    spike, left_on = judged(np.zeros(192))
    assert spike.max() < 0 and left_on.max() < 0


def test_two_kilowatts_at_night_are_a_spike_two_hours_after_they_began_and_not_before() -> None:
    change = np.zeros(192)
    change[96 + 8 : 96 + 20] = 2000
    spike, left_on = judged(change)
    assert np.flatnonzero(spike > 0)[0] == 8 + 7
    assert left_on.max() < 0


def test_a_small_load_that_never_ends_is_left_on_and_no_spike() -> None:
    change = np.zeros(192)
    change[90:] = 300
    spike, left_on = judged(change)
    assert (left_on > 0).any() and spike.max() < 0
    assert 60 <= np.flatnonzero(left_on > 0)[0] < 80, (
        "once hardly a quarter of 24 hours, the evening apart, is without it"
    )


def test_a_heater_left_on_is_told_after_eight_hours() -> None:
    change = np.zeros(192)
    change[96 + 8 :] = 1500
    left_on = judged(change)[1]
    assert 8 + 29 <= np.flatnonzero(left_on > 0)[0] <= 8 + 32


def test_a_car_of_five_hours_is_not_left_on() -> None:
    change = np.zeros(192)
    change[96 + 8 : 96 + 28] = 3700
    assert judged(change)[1].max() < 0


def test_the_evening_that_is_there_every_day_is_usual() -> None:
    change = np.zeros(192)
    change[96 + 74 : 96 + 83] = 200
    assert judged(change)[0].max() < 0


def test_what_is_missing_makes_no_alert() -> None:
    change = np.zeros(192)
    change[96:] = np.nan
    spike, left_on = judged(change)
    assert not (spike > 0).any() and not (left_on > 0).any()


def test_two_weeks_must_be_known() -> None:
    assert usual(home_days(13), np.repeat(MILD, 13, axis=0)) is None


def test_heat_is_taken_off_by_the_weather_of_the_home() -> None:
    dice = np.random.default_rng(2)
    air = np.repeat(dice.uniform(15, 35, (42, 1)), 96, axis=1)
    days = home_days(42) + 100 * np.maximum(air - 22, 0)
    assert thermal(days, air).slopes[0] == pytest.approx(100, rel=0.15)
    assert thermal(days, np.full_like(air, np.nan)).slopes.max() == 0


def test_long_evenings_of_cold_days_hide_nothing_that_is_left_on_at_night() -> None:
    dice = np.random.default_rng(6)
    air = np.repeat(dice.uniform(2, 14, (44, 1)), 96, axis=1)
    days = home_days(44)
    days[:, 64:92] += np.where(air[:, :1] < 8, 1500, 0)
    air[43], air[42] = -4, -4
    known = usual(days[:42], air[:42])
    assert known is not None
    days[42:].ravel()[90:] += 300
    assert excess(known, days[42:], air[42:]).left_on[-8:].max() > 0, "evenings are no heating at night"


def test_a_heat_pump_that_never_stops_is_taken_off_the_quiet_hours_by_the_weather() -> None:
    dice = np.random.default_rng(7)
    air = np.repeat(dice.uniform(-2, 14, (44, 1)), 96, axis=1)
    air[42:] = -4
    days = home_days(44) + 60 * np.maximum(16 - air, 0)
    known = usual(days[:42], air[:42])
    assert known is not None and known.quiet.cold == pytest.approx(60, rel=0.1) and known.quiet.warm == 0
    assert excess(known, days[42:], air[42:]).left_on.max() < 0
    levels = quiet_levels(known, days, air)
    assert np.ptp(levels) < 60 < np.ptp(quiet_levels(None, days, air))
    days[42:].ravel()[90:] += 400
    assert excess(known, days[42:], air[42:]).left_on[-8:].max() > 0


def test_a_level_with_a_gap_lasts_only_if_so_many_may_lack() -> None:
    series = np.array([5.0, 6, np.nan, 7, 8])
    assert sustained(series, Sustained(3, 0))[-1] == -np.inf
    assert sustained(series, Sustained(3, 1))[-1] == 7


def test_growth_of_what_is_always_on_is_told_after_weeks_and_a_week_of_it_is_not() -> None:
    levels = 100 + np.random.default_rng(3).normal(0, 3, 56)
    assert always_on_rise(levels) == 0
    week = levels.copy()
    week[-5:] += 120
    assert always_on_rise(week) == 0
    levels[-13:] += 120
    assert always_on_rise(levels) == pytest.approx(120, abs=10)


def test_a_lost_string_is_told_and_dark_weeks_are_not() -> None:
    dice = np.random.default_rng(4)
    clear = np.tile(np.maximum(np.sin(np.linspace(-np.pi / 2, 3 * np.pi / 2, 96)), 0) * 900, (70, 1))
    share = np.where(dice.random((70, 1)) < 0.6, 1.0, dice.uniform(0.2, 0.8, (70, 1)))
    light, roof = clear * share, 1.8 * clear
    made = 4.0 * np.where(share == 1, roof, light) * dice.normal(1, 0.03, (70, 1))
    assert panels_drop(yields(made, light, clear, roof)) == 0
    made[-8:] *= 0.6
    assert panels_drop(yields(made, light, clear, roof)) == pytest.approx(0.4, abs=0.06)
    made[-8:] /= 0.6
    light[-8:] *= 0.25
    made[-8:] = 4.0 * light[-8:]
    assert panels_drop(yields(made, light, clear, roof)) == 0, "a dull week makes less of the light on a tilted roof"
    assert np.isnan(yields(made, 0.6 * clear, clear, roof)).all(), "a day between clear and dull is not judged"


def test_a_week_is_held_against_the_same_weather() -> None:
    dice = np.random.default_rng(5)
    air = dice.uniform(0, 15, 60)
    energy = 8000 + 900 * np.maximum(16 - air, 0) + dice.normal(0, 500, 60)
    found = week_against_past(energy, air)
    assert found is not None and not found.unusual
    assert found.heating_wh_per_degree == pytest.approx(900, rel=0.1) and found.cooling_wh_per_degree >= 0
    energy[-7:] += 3000
    worse = week_against_past(energy, air)
    assert worse is not None and worse.unusual
    assert worse.used_wh - worse.expected_wh == pytest.approx(21000, rel=0.2)
    assert week_against_past(energy[:20], air[:20]) is None


def test_one_cause_is_told_once_until_it_was_quiet_for_long() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    first = Episode(AlertKind.SPIKE).step(True, at)
    again = first.step(False, at + timedelta(hours=2)).step(True, at + timedelta(hours=3))
    assert again.begun == at
    assert again.step(False, at + timedelta(hours=10)).begun is None


def test_days_of_23_and_25_hours_and_a_reset_keep_their_place() -> None:
    zone = ZoneInfo("Europe/Brussels")
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)
    rows = [
        Interval("house", start + timedelta(minutes=15 * k), 900, 25.0, 0.0, IntervalQuality.VALID, "t")
        for k in range(92)
    ]
    rows[5] = Interval("house", rows[5].start, 900, 9e9, 0.0, IntervalQuality.VALID, "t")
    day = by_day(rows, date(2026, 3, 29), 1, zone)[0]
    assert np.isnan(day[8:12]).all() and np.isnan(day[5])
    assert np.nansum(day) == 91 * 100
