"""When hot water is drawn: hour by hour from the tank's own energy balance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from gateway.core.learning.draws import learn_draws
from gateway.model.learned import DrawPattern, NotLearned
from tests.core.watered_home import LITRES, START, TANK_LOSS_W_PER_K, ZONE, live

lived = cache(live)


def learned(water: np.ndarray, power: np.ndarray, start: datetime = START) -> DrawPattern | NotLearned:
    return learn_draws(water, power, start, ZONE, volume_l=LITRES, loss_w_per_k=TANK_LOSS_W_PER_K)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_two_weeks_show_the_day_s_hot_water_and_its_hours(seed):
    water, power, drawn = lived(14, seed)
    pattern = learned(water, power)
    assert isinstance(pattern, DrawPattern)
    truth = drawn.reshape(14, 24, 4).mean(axis=(0, 2))
    assert pattern.day_wh == pytest.approx(truth.sum(), rel=0.05)
    assert np.abs(np.array(pattern.workday_w) - truth).mean() < 0.25 * truth.mean()
    # Showers between half past six and nine, kitchen and bath between half past six and ten at night.
    assert {int(hour) for hour in np.argsort(pattern.workday_w)[-2:]} <= {6, 7, 20, 21}
    assert max(pattern.workday_w[:5]) < 60


@pytest.mark.slow
def test_the_high_end_is_reached_by_few_days_and_the_error_of_a_day_is_told():
    water, power, drawn = lived(28, 1)
    pattern = learned(water, power)
    assert isinstance(pattern, DrawPattern)
    hours = drawn.reshape(28, 24, 4).mean(axis=2)
    above = hours > np.array(pattern.workday_high_w) + 120
    assert 0.0 <= above.mean() < 0.15
    assert 0.5 * hours.sum(axis=1).std() < pattern.error_wh < 2 * hours.sum(axis=1).std()
    assert pattern.days == 28


def hours_apart(workday: int, weekend: int) -> tuple[np.ndarray, np.ndarray]:
    """Four weeks of a tank that heats exactly what is drawn, 2 kW in one hour, on weekends in another."""
    power = np.zeros(28 * 96)
    for day in range(28):
        hour = weekend if day % 7 >= 5 else workday
        power[day * 96 + hour * 4 : day * 96 + hour * 4 + 4] = 2000.0
    return np.full(28 * 96, 20.0), power


def test_weekends_have_hours_of_their_own():
    water, power = hours_apart(7, 10)
    pattern = learned(water, power)
    assert isinstance(pattern, DrawPattern)
    assert int(np.argmax(pattern.workday_w)) == 7 and int(np.argmax(pattern.weekend_w)) == 10
    saturday = datetime(2026, 11, 7, 9, 30, tzinfo=UTC).astimezone(ZONE)
    assert pattern.at(saturday) == pattern.weekend_w[10] > pattern.workday_w[10]
    assert pattern.day_wh == pytest.approx(2000, rel=0.02)


def test_over_the_change_of_the_clock_the_shower_stays_at_seven():
    start = datetime(2026, 10, 17, 22, 0, tzinfo=UTC)
    power = np.zeros(14 * 96)
    for quarter in range(14 * 96):
        if (start + timedelta(minutes=15 * quarter)).astimezone(ZONE).hour == 7:
            power[quarter] = 1500.0
    pattern = learned(np.full(14 * 96, 20.0), power, start)
    assert isinstance(pattern, DrawPattern)
    assert int(np.argmax(pattern.workday_w)) == 7
    assert sum(pattern.workday_w) == pytest.approx(pattern.workday_w[7])


@pytest.mark.parametrize(
    ("water", "power", "words"),
    [
        (np.full(5 * 96, 50.0), np.full(5 * 96, 100.0), "of 7 days"),
        (np.full(10 * 96, np.nan), np.full(10 * 96, 100.0), "0 of 7 days"),
        (np.full(10 * 96, 20.0), np.full(10 * 96, 9000.0), "does not add up"),
        (np.full(10 * 96, 20.0), np.zeros(10 * 96), "Hardly any"),
        (np.full(10 * 96, 90.0), np.zeros(10 * 96), "does not add up"),
    ],
    ids=["five days", "no sensor", "a sauna on the same meter", "nobody at home", "a tank heated by something else"],
)
def test_where_the_tank_shows_nothing_it_says_why(water, power, words):
    found = learned(water, power)
    assert isinstance(found, NotLearned) and words in found.reason
