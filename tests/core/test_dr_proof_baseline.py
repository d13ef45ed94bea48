"""Baselines by numbers worked by hand, on odd days, and for homes that feed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.methods import METHODS, WORDS
from gateway.core.demand_response.baseline.rows import Baseline
from gateway.model.reading import Interval, IntervalQuality

BRUSSELS = ZoneInfo("Europe/Brussels")
START = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # a Friday; all days before are told in UTC
END = START + timedelta(hours=2)
TODAY = START.date()

# Quarter-hour energy in the event's hours of the ten working days before, Wh.
HAND = {
    date(2026, 11, 19): 100, date(2026, 11, 18): 120, date(2026, 11, 17): 90, date(2026, 11, 16): 110,
    date(2026, 11, 13): 130, date(2026, 11, 12): 80, date(2026, 11, 11): 100, date(2026, 11, 10): 105,
    date(2026, 11, 9): 115, date(2026, 11, 6): 150,
}  # fmt: skip


def intervals(usual: Callable[[datetime], float], days: int, end: datetime = END) -> list[Interval]:
    """Quarter hours of `days` days up to `end`; negative energy is fed in."""
    found = []
    for number in range(days * 96):
        start = end - timedelta(days=days) + timedelta(minutes=15 * number)
        wh = usual(start)
        found.append(Interval("m", start, 900, max(wh, 0.0), max(-wh, 0.0), IntervalQuality.VALID, "counter"))
    return found


def by_hand(began_wh: float) -> Callable[[datetime], float]:
    """The table in the event's hours, 50 Wh before them, `began_wh` before them on the event day."""

    def usual(when: datetime) -> float:
        if when.hour in (17, 18):
            return HAND.get(when.date(), 999)
        return began_wh if when.date() == TODAY else 50.0

    return usual


def made(method: str, found: list[Interval], **more) -> Baseline:
    return METHODS[method](History(found, **more), START, END)


def test_ten_in_ten_worked_by_hand():
    """(100+120+90+110+130+80+100+105+115+150)/10 = 110 Wh a quarter, 8 of them 880; 12 x 55 / 12 x 50 = 1.1: 968 Wh."""
    found = made("10-in-10", intervals(by_hand(55), 40))
    assert found.energy_wh == pytest.approx(968.0) and found.adjustment == pytest.approx(1.1)
    assert set(found.days) == set(HAND) and [row.energy_wh for row in found.rows] == pytest.approx([121.0] * 8)


def test_five_in_ten_worked_by_hand():
    """Highest five of ten: (150+130+120+115+110)/5 = 125 Wh, 8 of them 1000; 80/50 = 1.6, at most 1.4: 1400 Wh."""
    found = made("5-in-10", intervals(by_hand(80), 40))
    assert found.energy_wh == pytest.approx(1400.0) and found.adjustment == pytest.approx(1.4)
    assert sorted(day.day for day in found.days) == [6, 9, 13, 16, 18]


@pytest.mark.parametrize(("method", "wh"), [("10-in-10", 880 * 1.2), ("10-in-10-wide", 880 * 1.4)])
def test_the_same_day_adjustment_is_capped(method, wh):
    assert made(method, intervals(by_hand(500), 40)).energy_wh == pytest.approx(wh)


def test_ten_in_ten_looks_at_four_hours_to_one_before_and_never_at_the_last():
    """13:00 to 16:00 count; what happens from 16:00 on, when the home may know of the event, does not."""
    found = intervals(lambda t: 500.0 if t.date() == TODAY and t.hour in (12, 16) else by_hand(50)(t), 40)
    assert made("10-in-10", found).adjustment == 1.0


def test_an_event_day_is_left_out_and_an_older_one_taken():
    """Without the 6th (150): the 5th stands in with 999 Wh: (1100 - 150 + 999)/10 = 194.9 Wh a quarter."""
    found = made("10-in-10", intervals(by_hand(50), 40), excluded_days={date(2026, 11, 6)})
    assert found.energy_wh == pytest.approx(8 * 194.9) and date(2026, 11, 5) in found.days


def test_a_holiday_stands_with_the_weekends():
    """11 November: not for a Friday, but for a Saturday, which takes four days of its kind."""
    holiday = {date(2026, 11, 11)}
    assert date(2026, 11, 11) not in made("10-in-10", intervals(by_hand(50), 40), holidays=holiday).days
    start = START + timedelta(days=1)
    history = History(intervals(by_hand(50), 40, END + timedelta(days=1)), holidays=holiday)
    saturday = METHODS["10-in-10"](history, start, start + timedelta(hours=2))
    assert [day.day for day in saturday.days] == [15, 14, 11, 8]
    assert [day.day for day in METHODS["5-in-10"](history, start, start + timedelta(hours=2)).days] == [15, 14, 8]


def test_weather_matching_takes_the_four_days_of_the_nearest_highest_temperature():
    """It was 5 degrees warmer every other working day; today was warm, and warm days use 200 Wh, cold ones 300."""
    warm = lambda day: day.toordinal() % 2 == TODAY.toordinal() % 2  # noqa: E731
    hours = {int((END - timedelta(hours=i)).timestamp()) // 3600: END - timedelta(hours=i) for i in range(1, 24 * 60)}
    outdoor = {hour: (15.0 if warm(when.date()) else 10.0) for hour, when in hours.items()}
    found = made("weather", intervals(lambda t: 200.0 if warm(t.date()) else 300.0, 60), temperature_c=outdoor)
    assert found.energy_wh == pytest.approx(1600.0) and len(found.days) == 4 and all(warm(day) for day in found.days)
    assert made("weather", intervals(by_hand(50), 40)).rows == ()


def test_the_regression_finds_what_temperature_and_the_day_s_beginning_do():
    """400 Wh at 0 degrees, 10 Wh less a degree: at 6 degrees 340 Wh a quarter, 8 of them 2720, within a few percent."""
    cold = lambda day: float(day.toordinal() % 13)  # noqa: E731
    hours = {int((END - timedelta(hours=i)).timestamp()) // 3600: END - timedelta(hours=i) for i in range(24 * 62)}
    outdoor = {hour: (6.0 if when.date() == TODAY else cold(when.date())) for hour, when in hours.items()}
    usual = lambda t: 400.0 - 10 * (6.0 if t.date() == TODAY else cold(t.date())) + t.hour * 0  # noqa: E731
    found = made("ridge", intervals(usual, 61), temperature_c=outdoor)
    assert found.energy_wh == pytest.approx(2720.0, rel=0.03)
    assert made("ridge", intervals(usual, 10)).rows == ()


def test_the_regression_promises_nothing_that_was_never_seen():
    """Wrong in a first trial of others: a feature that never varied made a thousandfold forecast on the day it did."""
    found = made("ridge", intervals(lambda t: 9000.0 if t.date() == TODAY and t.hour < 17 else 100.0, 61))
    assert found.energy_wh == pytest.approx(800.0)


def test_the_mean_lies_between_its_two_methods():
    history = intervals(by_hand(60), 61)
    one, other, both = (made(name, history).energy_wh or 0 for name in ("ridge", "10-in-10-wide", "mean"))
    assert both == pytest.approx((one + other) / 2)


@pytest.mark.parametrize("method", ["10-in-10", "5-in-10", "ridge", "mean"])
def test_a_home_that_feeds_in_has_a_negative_baseline_without_a_factor(method):
    found = made(method, intervals(lambda t: -200.0, 61))
    assert found.energy_wh == pytest.approx(-1600.0) and found.adjustment == 1.0


def test_the_local_evening_is_kept_across_the_change_of_time():
    start = datetime(2026, 10, 27, 17, 0, tzinfo=UTC)  # 18:00, two days after the change
    end = start + timedelta(hours=1)
    usual = intervals(lambda t: 200.0 if t.astimezone(BRUSSELS).hour == 18 else 100.0, 50, end)
    assert METHODS["10-in-10"](History(usual, BRUSSELS), start, end).energy_wh == pytest.approx(800.0)


def test_the_hour_that_comes_twice_is_compared_with_the_one_hour_of_other_days():
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 summer time; two hours until 03:00
    history = History(intervals(lambda t: 100.0, 50, start + timedelta(hours=2)), BRUSSELS)
    found = METHODS["10-in-10"](history, start, start + timedelta(hours=2))
    assert [row.energy_wh for row in found.rows] == pytest.approx([100.0] * 8)


def test_the_day_without_the_hour_is_not_asked_for_it():
    start = datetime(2026, 4, 5, 0, 15, tzinfo=UTC)  # Sunday, 02:15; on 29 March there was no such time
    history = History(intervals(lambda t: 100.0, 50, start + timedelta(minutes=30)), BRUSSELS)
    found = METHODS["10-in-10"](history, start, start + timedelta(minutes=30))
    assert found.energy_wh == pytest.approx(200.0) and date(2026, 3, 29) not in found.days and len(found.days) == 4


def test_an_event_that_starts_within_a_quarter_hour_counts_its_part():
    history = History(intervals(lambda t: 90.0, 40))
    found = METHODS["10-in-10"](history, START + timedelta(minutes=5), START + timedelta(minutes=20))
    assert [row.energy_wh for row in found.rows] == pytest.approx([60.0, 30.0])


def test_an_event_of_two_days_is_never_compared_with_itself():
    """Wrong else: the day before, laid over the first hours, would hold the event's own."""
    end = START + timedelta(hours=40)
    found = METHODS["10-in-10"](History(intervals(lambda t: 0.0 if t >= START else 100.0, 60, end)), START, end)
    assert found.energy_wh == pytest.approx(160 * 100.0)


def test_an_unknown_home_has_no_baseline_and_every_method_has_words():
    assert all(method(History([]), START, END).energy_wh is None for method in METHODS.values())
    assert set(WORDS) == set(METHODS)
