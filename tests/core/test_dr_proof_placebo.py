"""The error a method showed on days without an event: what is chosen by it, and the interval that is stated."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.placebo import Placebo, Score, assessed, choose, interval, placebos
from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow
from gateway.core.demand_response.delivered import delivered
from tests.core.test_dr_proof_baseline import END, START, by_hand, intervals


def score(miss_wh: float, days: int = 20) -> Score:
    """A method that always misses by so much of 1000 Wh."""
    return Score(tuple(Placebo(date(2026, 1, 1) + timedelta(days=i), 1000.0, 1000.0 + miss_wh) for i in range(days)))


CHOICES = {
    "the better one": (score(100), score(50), "10-in-10", "ridge"),
    "a little better is not enough": (score(100), score(90), "10-in-10", "10-in-10"),
    "nor to go back": (score(90), score(100), "ridge", "ridge"),
    "far worse than the default": (score(50), score(100), "ridge", "10-in-10"),
    "too few days": (score(100, 9), score(50, 9), "10-in-10", "10-in-10"),
    "the one in use has lost its days": (score(100), score(50, 5), "ridge", "10-in-10"),
    "one in use that is unknown": (score(100), score(100), "gone", "10-in-10"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_choice_does_not_flip_with_every_day(name):
    default, ridge, current, chosen = CHOICES[name]
    assert choose({"10-in-10": default, "ridge": ridge}, current) == chosen


def test_only_days_that_both_were_tried_on_count():
    """The other method was tried on the ten easy days only, where the default missed as little."""
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(20)]
    default = Score(tuple(Placebo(day, 1000.0, 1100.0 if i < 10 else 1010.0) for i, day in enumerate(days)))
    other = Score(tuple(Placebo(day, 1000.0, 1010.0) for day in days[10:]))
    assert choose({"10-in-10": default, "ridge": other}) == "10-in-10"


def test_a_placebo_day_uses_nothing_that_came_after_it():
    """Until a week ago the home used 100 Wh, then 300: the days before must be expected at 100."""
    changed = START - timedelta(days=7)
    tried = placebos(History(intervals(lambda t: 300.0 if t >= changed else 100.0, 90)), START, END, "10-in-10-wide")
    before = [p for p in tried.placebos if p.day < changed.date()]
    assert len(before) > 20 and all(p.expected_wh == pytest.approx(p.actual_wh) for p in before)


def test_placebos_leave_out_event_days_and_other_kinds_of_day():
    yesterday = START.date() - timedelta(days=1)
    tried = placebos(History(intervals(by_hand(50), 90), excluded_days={yesterday}), START, END, "10-in-10")
    days = {p.day for p in tried.placebos}
    assert days and yesterday not in days and all(day.weekday() < 5 for day in days)


def test_the_interval_holds_in_about_four_of_five_events():
    dice, inside = random.Random(7), 0
    for _ in range(400):
        tried = [Placebo(date(2026, 1, 1), 1000.0, dice.gauss(1050, 200)) for _ in range(30)]
        low, high = interval(tried, 1000.0) or (0.0, 0.0)
        inside += low <= dice.gauss(1050, 200) <= high
    assert 0.75 <= inside / 400 <= 0.9


def test_a_larger_event_has_a_larger_interval_but_not_in_proportion():
    tried = [Placebo(date(2026, 1, 1), 1000.0, 1000.0 + miss) for miss in range(-150, 160, 10)]
    (low, high), (lower, higher) = interval(tried, 1000.0) or (0, 0), interval(tried, 4000.0) or (0, 0)
    assert higher - lower == pytest.approx(2 * (high - low)) and interval(tried[:2], 1000.0) is None


def test_a_home_ruled_by_the_weather_gets_a_method_that_knows_it_and_others_the_plain_rule():
    dice = random.Random(3)
    cold = {START.date() - timedelta(days=i): dice.uniform(-5, 14) for i in range(110)}
    hours = [END - timedelta(hours=i) for i in range(24 * 108)]
    outdoor = {int(when.timestamp()) // 3600: cold[when.date()] for when in hours}
    warm = lambda t: 100.0 + (20 * (16 - cold[t.date()]) if t.hour in (17, 18) else 0.0)  # noqa: E731
    home = assessed(History(intervals(warm, 107), temperature_c=outdoor), START, END)
    assert home.method in ("ridge", "weather") and home.error_percent is not None and home.error_percent < 15
    assert home.energy_wh == pytest.approx(8 * warm(START), rel=0.15)
    flat = assessed(History(intervals(lambda t: 100.0, 107)), START, END)
    assert flat.method == "10-in-10" and flat.placebos == 30


def test_a_method_that_finds_nothing_gives_way_to_ten_in_ten():
    found = assessed(History(intervals(by_hand(50), 60)), START, END, method="weather")
    assert found.method == "10-in-10" and found.energy_wh == pytest.approx(880.0)


def test_a_young_home_states_no_interval():
    found = assessed(History(intervals(lambda t: 100.0, 3)), START, END)
    assert found.energy_wh == pytest.approx(800.0) and (found.low_wh, found.error_percent) == (None, None)


def test_what_is_known_otherwise_moves_the_interval_along():
    house = Baseline((BaselineRow(START, 900, 100.0),), low_wh=80.0, high_wh=130.0)
    whole = house.plus([BaselineRow(START - timedelta(minutes=15), 1800, 2000.0)])
    assert (whole.energy_wh, whole.low_wh, whole.high_wh) == (1100.0, 1080.0, 1130.0)


def test_the_errors_of_house_and_devices_add_as_squares_around_the_middle():
    """Baseline 1000 (900 to 1160) + a car of 3000 with 10 %; 400 measured: middle 3630, half = sqrt(130^2 + 300^2)."""
    house = Baseline((BaselineRow(START, 900, 1000.0),), low_wh=900.0, high_wh=1160.0, method="mean", placebos=30)
    car = (BaselineRow(START, 900, 3000.0),)
    used = [x for x in intervals(lambda t: 400.0, 1, START + timedelta(minutes=15)) if x.start == START]
    found = delivered({"car": car}, {"car": used}, home=house.plus(car), home_measured=used)
    assert found.home_wh == pytest.approx(3600.0) and found.energy_wh == pytest.approx(2600.0)
    assert found.home_low_wh == pytest.approx(3630 - 326.96, abs=0.1)
    assert (found.method, found.placebos) == ("mean", 30)
