"""When a car comes, goes and what it takes, from sessions that were lived by a known habit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.core.learning.ev_habit import clock_spread, learn_ev, spread, stays_of
from gateway.model.habits import EvHabit
from gateway.model.learned import NotLearned
from gateway.model.session import EvSession

ZONE = ZoneInfo("Europe/Brussels")
NOW = datetime(2026, 4, 20, 1, tzinfo=ZONE).astimezone(UTC)
"""A Monday, three weeks after the clocks changed."""


def session(number: int, start: datetime, hours: float, wh: float, *, ended: bool = True) -> EvSession:
    end = start + timedelta(hours=hours)
    return EvSession(number, f"{number}", "car", 1, "", start, 0.0, wh, end if ended else None, wh if ended else None)


def commuter(days: int, seed: int = 1, now: datetime = NOW) -> list[EvSession]:
    """Home at 17:30 +- 20 min on working days, off at 07:30 the next morning; away at weekends from Saturday 10:00."""
    draw, found = np.random.default_rng(seed), []
    for back in range(days, 0, -1):
        day = (now.astimezone(ZONE) - timedelta(days=back)).replace(hour=17, minute=30)
        if day.weekday() < 5:
            came = day + timedelta(minutes=float(draw.normal(0, 20)))
            hours = 14.0 if day.weekday() < 4 else 16.5
            found.append(session(back, came.astimezone(UTC), hours, float(draw.gamma(9, 1000))))
    return found


def learned(days: int = 56) -> EvHabit:
    habit = learn_ev("car", commuter(days), NOW, ZONE)
    assert isinstance(habit, EvHabit)
    return habit


def test_a_commuter_s_car_is_plugged_in_on_working_nights_and_gone_on_saturday_night():
    plugged = learned().plugged
    assert min(plugged[1][hour] for hour in (0, 3, 6, 19, 22)) > 0.85
    assert max(plugged[1][hour] for hour in (9, 12, 16)) < 0.1
    assert max(plugged[5][22], plugged[6][12]) < 0.2 < 0.6 < plugged[5][3]


def test_nothing_is_ever_certain():
    chances = np.array(learned().plugged)
    assert chances.min() > 0 and chances.max() < 1


def test_arrival_and_departure_are_told_by_the_clock_on_the_wall_also_across_its_change():
    day = learned().workday
    assert day.arrival_h.mid == pytest.approx(17.5, abs=0.25)
    assert 0.3 < day.arrival_h.high - day.arrival_h.low < 1.6
    assert day.departure_h.mid == pytest.approx(7.5, abs=0.35)
    assert day.arrives > 0.9 > 0.1 > learned().weekend.arrives


def test_the_band_of_the_energy_holds_four_stays_of_five_that_come_after():
    held = []
    for seed in range(20):
        stays = commuter(84, seed)
        habit = learn_ev(
            "car", [s for s in stays if s.start < NOW - timedelta(days=28)], NOW - timedelta(days=28), ZONE
        )
        assert isinstance(habit, EvHabit)
        low, _, high = habit.workday.energy_wh
        held += [low <= s.energy_wh <= high for s in stays if s.start >= NOW - timedelta(days=28)]
    assert 0.74 < np.mean(held) < 0.88


def test_few_stays_teach_nothing_and_say_so():
    found = learn_ev("car", commuter(4), NOW, ZONE)
    assert isinstance(found, NotLearned) and "of 5 stays" in found.reason


def test_a_stay_that_the_charger_broke_in_two_is_one_and_a_failed_try_is_none():
    start = NOW - timedelta(days=1)
    parts = [session(1, start, 1, 2000), session(2, start + timedelta(hours=1.2), 2, 3000)]
    tried = session(3, start + timedelta(hours=9), 0.02, 0)
    [stay] = stays_of([tried, *parts], NOW)
    assert (stay.start, stay.end, stay.energy_wh) == (start, start + timedelta(hours=3.2), 5000)


def test_arrivals_around_midnight_are_not_spread_over_the_day():
    low, mid, high = clock_spread(np.array([23.0, 23.5, 23.8, 0.2, 0.5, 1.0] * 3), np.ones(18))
    assert low >= 23 and high <= 1 and (mid > 23 or mid < 1)


def test_few_values_make_a_band_as_wide_as_they_are():
    assert spread(np.array([5.0, 1.0, 3.0]), np.ones(3)) == (1.0, 3.0, 5.0)


def test_a_car_that_stands_there_now_counts_as_plugged_in():
    hour = (NOW - timedelta(hours=20)).astimezone(ZONE).hour
    open_one = session(999, NOW - timedelta(hours=22), 1, 0, ended=False)
    habit = learn_ev("car", [*commuter(56), open_one], NOW, ZONE)
    assert isinstance(habit, EvHabit) and habit.plugged[6][hour] > learned().plugged[6][hour]
