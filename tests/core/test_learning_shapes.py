"""Load shapes: the shape counts, not the size, and the reason is a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.learning.shapes import UNKNOWN, classify_day, hourly, typical_shapes
from gateway.model.reading import Interval, IntervalQuality

DAY = date(2026, 3, 10)
BRUSSELS = ZoneInfo("Europe/Brussels")


def test_every_shipped_shape_is_24_shares_of_one_day():
    for name, shares in typical_shapes().items():
        assert len(shares) == 24, name
        assert sum(shares) == pytest.approx(1.0)
        assert min(shares) >= 0


@pytest.mark.parametrize("name", typical_shapes())
@pytest.mark.parametrize("size_wh", [3_000.0, 90_000.0])
def test_a_day_of_a_shipped_shape_is_named_so_whatever_its_size(name, size_wh):
    shape = classify_day(DAY, [share * size_wh for share in typical_shapes()[name]])
    assert shape.shape == name
    assert shape.energy_wh == pytest.approx(size_wh)
    assert sum(shape.profile) == pytest.approx(1.0)


def test_one_hundred_homes_of_one_shape_are_one_shape():
    shares = np.array(typical_shapes()["evening peak"])
    draw = np.random.default_rng(7)
    days = [
        classify_day(DAY, (shares * size * draw.gamma(9, 1 / 9, 24)).tolist()) for size in range(3_000, 103_000, 1_000)
    ]
    assert sum(day.shape == "evening peak" for day in days) >= 95


def test_the_reason_is_a_sentence_with_the_share_and_the_hours():
    hours = [200.0] * 17 + [1500.0] * 5 + [200.0] * 2
    shape = classify_day(DAY, hours)
    assert shape.shape == "evening peak"
    assert shape.why == "66 % of the day's energy falls between 17 and 22 h."


def test_a_quiet_flat_day_is_away_and_a_busy_one_is_flat():
    assert classify_day(DAY, [40.0] * 24).shape == "away"
    assert classify_day(DAY, [400.0] * 24).shape == "flat"


def test_an_ambiguous_day_is_less_sure_and_names_the_alternatives():
    shapes = typical_shapes()
    clear = classify_day(DAY, [9000 * a for a in shapes["evening peak"]])
    mixed = classify_day(
        DAY, [4500 * (a + b) for a, b in zip(shapes["evening peak"], shapes["late evening"], strict=True)]
    )
    assert mixed.confidence < 0.7 < clear.confidence
    assert {mixed.shape, mixed.alternatives[0][0]} == {"evening peak", "late evening"}


@pytest.mark.parametrize("hours", [[], [None] * 24, [100.0] * 10 + [None] * 14, [0.0] * 24])
def test_a_day_not_measured_or_without_use_is_unknown(hours):
    shape = classify_day(DAY, hours)
    assert (shape.shape, shape.confidence, shape.profile) == (UNKNOWN, 0.0, ())


def test_a_gap_lowers_the_confidence_and_is_told():
    hours: list[float | None] = [9000 * a for a in typical_shapes()["evening peak"]]
    whole = classify_day(DAY, hours)
    hours[2:6] = [None] * 4
    holed = classify_day(DAY, hours)
    assert holed.shape == "evening peak"
    assert holed.coverage == pytest.approx(20 / 24)
    assert holed.confidence < whole.confidence


@pytest.mark.slow
@given(st.lists(st.none() | st.floats(-5e3, 5e4), min_size=23, max_size=25))
def test_any_day_gets_a_name_and_a_confidence(hours):
    shape = classify_day(DAY, hours)
    assert 0.0 <= shape.confidence <= 1.0
    assert shape.why


@pytest.mark.parametrize(("day", "count"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_days_of_23_and_25_hours_keep_every_hour_and_a_class(day, count):
    local = date(*day)
    first = datetime(local.year, local.month, local.day, tzinfo=BRUSSELS).astimezone(UTC)
    intervals = [quarter(first + timedelta(minutes=15 * n), 50.0) for n in range(-8, count * 4 + 8)]
    hours = hourly(intervals, local, BRUSSELS)
    assert hours == [200.0] * count
    assert classify_day(local, hours).shape == "flat"
    assert len(classify_day(local, hours).profile) == 24


def test_an_hour_is_scaled_from_half_of_it_and_unknown_from_less():
    first = datetime(2026, 6, 1, tzinfo=UTC)
    intervals = [
        quarter(first, 50.0),
        quarter(first + timedelta(minutes=15), 50.0),
        quarter(first + timedelta(hours=1), 50.0),
    ]
    assert hourly(intervals, date(2026, 6, 1), ZoneInfo("UTC"))[:3] == [200.0, None, None]


def quarter(start: datetime, wh: float) -> Interval:
    return Interval("house", start, 900, wh, 0.0, IntervalQuality.VALID, "counter")
