"""Load shapes, day by day: the shape counts and not the size, and nothing a meter does throws it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.learning.home_shapes import UNKNOWN, HomeShapes
from gateway.core.learning.hours import hourly, summed
from gateway.core.learning.shape_day import day_numbers
from gateway.model.learned import DayShape
from gateway.model.reading import Interval, IntervalQuality
from tests.core.shape_days import BOTH, BY_NAME, EVENING, FLAT, MONDAY, SUNNY, live, shipped

BRUSSELS = ZoneInfo("Europe/Brussels")


def classed(hours: list[float | None], day: date = MONDAY) -> DayShape:
    """The class on the first day of a home."""
    return HomeShapes(shipped()).step(day, hours)


def test_the_shipped_dictionary_has_the_nine_names_with_shares_of_one_day():
    typical = shipped().typical()
    assert set(typical) == set(BY_NAME)
    for name, shares in typical.items():
        assert len(shares) == 24 and min(shares) >= 0, name
        assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "size"),
    # Only for "away" the size counts: 6 kWh of it may as well be somebody's flat day.
    [(name, size) for name in BY_NAME for size in (0.5, 1.0, 3.0) if (name, size) != ("away", 3.0)],
)
def test_a_plain_day_has_its_name_on_the_first_day_of_a_home(name, size):
    shape = classed([wh * size for wh in BY_NAME[name]])
    assert shape.shape == name
    assert sum(shape.profile) == pytest.approx(1.0) and min(shape.profile) >= 0
    assert shape.energy_wh == pytest.approx(size * sum(BY_NAME[name]))


def test_one_hundred_homes_that_differ_only_in_size_are_one_shape():
    usual = set()
    for number in range(100):
        state = HomeShapes(shipped())
        live(state, MONDAY, *[[wh * 10 ** (number / 33 - 1.5) for wh in BOTH]] * 7, seed=number)
        usual.add(state.home().shape)
    assert usual == {"morning and evening"}


def test_the_reason_names_the_hours_and_their_part():
    assert classed([200.0] * 17 + [1500.0] * 6 + [200.0]).why == "71 % of the day's energy falls between 17 and 23 h."
    assert classed(SUNNY).why == "Between 11 and 15 h the home feeds into the grid."


def test_feeding_in_more_than_is_used_keeps_a_shape_and_a_profile_of_what_is_taken():
    shape = classed(SUNNY)
    assert sum(SUNNY) < 0 and shape.energy_wh == pytest.approx(sum(SUNNY))
    assert shape.shape == "solar dip" and shape.profile[12] == 0.0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([-3000, 0, 1]).flatmap(lambda low: st.lists(st.integers(low, 5000), min_size=24, max_size=24)))
def test_the_profile_is_each_hour_s_part_of_what_is_taken_from_the_grid(hours):
    taken = [max(wh, 0) for wh in hours]
    expected = [wh / sum(taken) for wh in taken] if any(taken) else [1 / 24] * 24
    assert day_numbers([float(wh) for wh in hours]).profile() == pytest.approx(tuple(expected))


def test_chances_and_alternatives_share_one():
    shape = classed([(a + b) / 2 for a, b in zip(EVENING, BOTH, strict=True)])
    assert shape.confidence < 0.75 < classed(EVENING).confidence
    assert shape.alternatives[0][0] in {"evening peak", "morning and evening"}
    assert shape.confidence + sum(p for _, p in shape.alternatives) <= 1.0 + 1e-3


@pytest.mark.parametrize("hours", [[], [None] * 24, [100.0] * 10 + [None] * 14, [0.0] * 24, [float("nan")] * 24])
def test_a_day_not_measured_or_without_use_is_unknown_and_harmless(hours):
    state = HomeShapes(shipped())
    live(state, MONDAY, *[EVENING] * 5)
    before = state.home()
    shape = state.step(MONDAY + timedelta(days=5), hours)
    assert (shape.shape, shape.confidence, shape.profile) == (UNKNOWN, 0.0, ())
    assert state.home() == before


def test_a_gap_lowers_the_confidence_and_is_told():
    holed: list[float | None] = list(EVENING)
    holed[2:6] = [None] * 4
    shape = classed(holed)
    assert shape.shape == "evening peak" and shape.coverage == pytest.approx(20 / 24)
    assert shape.confidence < classed(EVENING).confidence


@pytest.mark.parametrize("jump", [-4.0e6, 4.0e6])
def test_a_meter_reset_is_a_gap_and_no_energy(jump):
    reset: list[float | None] = list(EVENING)
    reset[3] = jump
    shape = classed(reset)
    assert shape.shape == "evening peak" and shape.coverage == pytest.approx(23 / 24)
    assert abs(shape.energy_wh) < sum(EVENING)


@pytest.mark.parametrize(("local", "count"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (MONDAY, 24)])
def test_days_of_23_and_25_hours_keep_every_hour_and_their_class(local, count):
    first = datetime(local.year, local.month, local.day, tzinfo=BRUSSELS).astimezone(UTC)
    quarters = [first + timedelta(minutes=15 * n) for n in range(-8, count * 4 + 8)]
    rows = [
        Interval("house", at, 900, EVENING[at.astimezone(BRUSSELS).hour] / 4, 0.0, IntervalQuality.VALID, "counter")
        for at in quarters
    ]
    hours = hourly(rows, local, BRUSSELS)
    assert len(hours) == count and None not in hours
    # The dial puts 18 h on 18 h whatever the night did.
    assert day_numbers(hours).hours_wh == pytest.approx(EVENING)
    assert classed(hours, local).shape == "evening peak"


def test_an_hour_is_scaled_from_half_of_it_and_unknown_from_less():
    first = datetime(2026, 6, 1, tzinfo=UTC)
    rows = [
        Interval("house", first + timedelta(minutes=m), 900, 50.0, 0.0, IntervalQuality.VALID, "counter")
        for m in (0, 15, 60)
    ]
    assert hourly(rows, date(2026, 6, 1), ZoneInfo("UTC"))[:3] == [200.0, None, None]


def test_parts_are_added_where_known_and_the_main_series_decides():
    assert summed([100.0, None, 50.0], [[10.0, 10.0, None], [1.0, 1.0, 1.0]]) == [111.0, None, 51.0]


def test_a_day_out_of_order_is_refused_by_its_date():
    state = HomeShapes(shipped())
    live(state, MONDAY, EVENING)
    with pytest.raises(ValueError, match=f"{MONDAY} is not after {MONDAY}"):
        state.step(MONDAY, EVENING)


def test_a_small_flat_day_is_away_only_where_the_home_usually_uses_more():
    state = HomeShapes(shipped())
    live(state, MONDAY, *[EVENING] * 20)
    quiet = [sum(EVENING) * 0.25 / 24 * (0.97 + 0.02 * (h % 3)) for h in range(24)]
    assert state.step(MONDAY + timedelta(days=20), quiet).shape == "away"
    assert live(HomeShapes(shipped()), MONDAY, *[FLAT] * 3)[-1].shape == "flat"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.floats(-5e3, 5e4), min_size=23, max_size=25), st.floats(0.2, 5.0))
def test_any_day_gets_a_name_chances_and_a_reason_and_twice_as_much_is_the_same_shape(hours, size):
    shape = classed(hours)
    assert 0.0 <= shape.confidence <= 1.0 and shape.why
    assert shape.shape in {*shipped().names, UNKNOWN}
    one = day_numbers(hours)
    other = day_numbers([None if wh is None else wh * size for wh in hours])
    if one.coverage == other.coverage and one.turned_wh > 1:
        assert np.allclose(one.shares, other.shares)
