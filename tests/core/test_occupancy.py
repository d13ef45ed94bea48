"""Whether somebody is at home, estimated from a load that was lived by a known household."""

from __future__ import annotations

import numpy as np

from gateway.core.learning.occupancy import learn_occupancy, levels, present
from gateway.model.habits import Occupancy
from gateway.model.learned import NotLearned

MONDAY = 0


def lived(days: int = 42, *, away: tuple[int, ...] = (), scale: float = 1.0, seed: int = 3) -> np.ndarray:
    """A base of 120 W with a refrigerator; on working days people are active 6-8 and 17-23, at weekends 8-23."""
    draw = np.random.default_rng(seed)
    load = 120 + 40 * draw.random((days, 24))
    for day in range(days):
        hours = range(8, 23) if day % 7 >= 5 else (6, 7, *range(17, 23))
        if day not in away:
            load[day, list(hours)] += draw.gamma(3, 150, len(hours)) + 60
    return scale * load


def test_working_hours_are_away_evenings_and_nights_at_home():
    found = learn_occupancy(lived(), MONDAY)
    assert isinstance(found, Occupancy)
    tuesday, saturday = found.home[1], found.home[5]
    assert max(tuesday[10:16]) < 0.15 and min(tuesday[18:22]) > 0.85 and min(tuesday[1:5]) > 0.85
    assert min(saturday[10:20]) > 0.75


def test_a_week_away_is_seen_hour_by_hour_and_lowers_the_chance():
    load = lived(away=tuple(range(35, 42)))
    _, above = levels(load)
    assert present(load, above)[36:42].sum() == 0
    found, always = learn_occupancy(load, MONDAY), learn_occupancy(lived(), MONDAY)
    assert isinstance(found, Occupancy) and isinstance(always, Occupancy)
    assert found.home[1][20] < always.home[1][20] - 0.1


def test_a_larger_home_of_the_same_habits_has_the_same_chances():
    small, large = learn_occupancy(lived(), MONDAY), learn_occupancy(lived(scale=3), MONDAY)
    assert isinstance(small, Occupancy) and isinstance(large, Occupancy)
    assert np.abs(np.array(small.home) - np.array(large.home)).max() < 0.1


def test_gaps_are_left_out_and_too_few_days_say_so():
    load = lived()
    load[3:10] = np.nan
    found = learn_occupancy(load, MONDAY)
    assert isinstance(found, Occupancy) and found.days == 35
    assert learn_occupancy(np.vstack([np.full((39, 24), np.nan), load[:3]]), MONDAY) == NotLearned(
        "3 of 7 days of the home's load are known so far."
    )
