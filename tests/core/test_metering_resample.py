"""Other lengths of interval data: whatever the length, the sums are those of the quarter hours, to the last bit."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.metering.intervals import IntervalBuilder
from gateway.core.metering.resample import aggregate, daily, five_minutes, local_day, quantities, resample
from gateway.core.metering.rollup import MinuteBuffer
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Interval, IntervalQuality, Reading, Rollup

T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BRUSSELS = ZoneInfo("Europe/Brussels")
VALID, ESTIMATED, MISSING = IntervalQuality.VALID, IntervalQuality.ESTIMATED, IntervalQuality.MISSING


def quarter(index: int, wh: float | None, quality: IntervalQuality = VALID, start: datetime = T0) -> Interval:
    known = (wh, 0.0) if wh is not None else (None, None)
    method = "counter" if quality is VALID else quality.value
    return Interval("meter", start + timedelta(minutes=15 * index), 900, *known, quality, method)


def measured(powers: list[float], seconds_each: int = 60) -> tuple[list[Interval], dict[Q, list[Rollup]], float]:
    """A meter read every 10 s whose power changes each minute: its intervals, its roll-ups, its counter's difference."""
    builder, buffer, found = IntervalBuilder("meter"), MinuteBuffer(), {}
    rollups: dict[Q, list[Rollup]] = defaultdict(list)
    register, at = 1000.0, 0
    # A minute before and after, so that the edges of the first and last quarter hour are known.
    for power in (0.0, *powers, 0.0):
        for _ in range(0, seconds_each, 10):
            when = T0 + timedelta(seconds=at - 60)
            for quantity, value in ((Q.POWER, power), (Q.ENERGY_IMPORT, register)):
                reading = Reading("meter", quantity, value, when)
                for row in buffer.add(reading):
                    rollups[row.quantity].append(row)
                for interval in builder.add(reading):
                    found[interval.start] = interval
            at, register = at + 10, register + power * 10 / 3600
    for row in buffer.flush():
        rollups[row.quantity].append(row)
    inside = [interval for start, interval in found.items() if start >= T0]
    return inside, rollups, sum(powers) * seconds_each / 3600


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=60, max_size=60))
def test_five_fifteen_and_sixty_minutes_and_the_counter_all_agree(powers: list[int]) -> None:
    quarters, rollups, counted = measured([float(power) for power in powers])
    fives, (hour,) = five_minutes(quarters, rollups), aggregate(quarters, 3600)
    total = sum(row.import_wh or 0 for row in quarters)
    assert sum(row.import_wh or 0 for row in fives) == total == hour.import_wh
    assert total == pytest.approx(counted, abs=0.01)
    assert len(fives) == 12 and hour.quality is VALID


def test_five_minutes_follow_the_counter_of_the_minutes() -> None:
    quarters, rollups, _ = measured([600.0] * 5 + [6000.0] * 5 + [1200.0] * 5)
    fives = five_minutes(quarters, rollups)
    assert [row.import_wh for row in fives] == pytest.approx([50.0, 500.0, 100.0], abs=15)
    assert {(row.quality, row.method, row.duration_s) for row in fives} == {(VALID, quarters[0].method, 300)}
    assert [row.start for row in fives] == [T0 + timedelta(minutes=n) for n in (0, 5, 10)]


def test_without_counter_five_minutes_follow_the_power_and_an_edited_total_is_kept() -> None:
    _, rollups, _ = measured([600.0] * 5 + [6000.0] * 5 + [1200.0] * 5)
    edited = quarter(0, 1300.0, IntervalQuality.EDITED)
    fives = five_minutes([edited], {Q.POWER: rollups[Q.POWER]})
    assert [row.import_wh for row in fives] == pytest.approx([100.0, 1000.0, 200.0], abs=1)
    assert {row.quality for row in fives} == {IntervalQuality.EDITED}


def test_a_quarter_hour_without_minutes_is_divided_evenly_and_says_so() -> None:
    fives = five_minutes([quarter(0, 90.0)], {})
    assert [(row.import_wh, row.quality, row.method) for row in fives] == [
        (30.0, ESTIMATED, "counter, divided evenly")
    ] * 3


def test_a_missing_quarter_hour_stays_missing_in_five_minutes() -> None:
    fives = five_minutes([quarter(0, None, MISSING)], {})
    assert [(row.net_wh, row.quality) for row in fives] == [(None, MISSING)] * 3


@pytest.mark.parametrize(
    ("parts", "total", "quality", "method"),
    [
        ([10.0, 20.0, 30.0, 40.0], 100.0, VALID, "counter"),
        ([10.0, 20.0, None, 40.0], 70.0, ESTIMATED, "counter; 15 minutes missing"),
        ([10.0, 20.0], 30.0, ESTIMATED, "counter; 30 minutes missing"),
        ([10.0, None, None, None], None, MISSING, "45 minutes missing"),
    ],
)
def test_an_hour_says_which_parts_it_lacks(
    parts: list[float | None], total: float | None, quality: IntervalQuality, method: str
) -> None:
    rows = [quarter(n, wh, MISSING if wh is None else VALID) for n, wh in enumerate(parts)]
    (hour,) = aggregate(rows, 3600)
    assert (hour.import_wh, hour.quality, hour.method, hour.duration_s) == (total, quality, method, 3600)


def test_the_quality_of_an_hour_is_the_worst_of_its_parts() -> None:
    qualities = [VALID, IntervalQuality.EDITED, ESTIMATED, VALID]
    (hour,) = aggregate([quarter(n, 1.0, quality) for n, quality in enumerate(qualities)], 3600)
    assert (hour.quality, hour.method) == (ESTIMATED, "counter, edited, estimated")


def test_half_hours_are_aligned_to_the_clock() -> None:
    halves = aggregate([quarter(n, 10.0) for n in (1, 2, 3)], 1800)
    assert [(row.start.minute, row.import_wh, row.quality) for row in halves] == [
        (0, 10.0, ESTIMATED),
        (30, 20.0, VALID),
    ]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 21), 24)]
)
def test_a_day_goes_from_local_midnight_to_local_midnight(day: date, hours: int) -> None:
    begin, end = local_day(day, BRUSSELS)
    rows = [quarter(n, 10.0, start=begin) for n in range(-4, hours * 4 + 4)]
    (whole,) = [row for row in daily(rows, BRUSSELS) if row.start == begin]
    assert (whole.duration_s, whole.end, whole.import_wh, whole.quality) == (hours * 3600, end, hours * 40.0, VALID)


@pytest.mark.parametrize(("length_s", "count"), [(300, 24), (900, 8), (1800, 4), (3600, 2), (86_400, 1)])
def test_one_door_leads_to_every_length(length_s: int, count: int) -> None:
    rows = resample([quarter(n, 12.0) for n in range(8)], length_s, BRUSSELS)
    assert len(rows) == count
    assert length_s == 86_400 or sum(row.import_wh or 0 for row in rows) == 96.0


def test_a_length_that_is_not_kept_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="300, 900, 1800, 3600, 86400"):
        resample([], 60, BRUSSELS)


def test_each_side_of_a_hybrid_is_divided_by_its_own_series() -> None:
    assert quantities("inv/pv") == (Q.PV_ENERGY, Q.PV_POWER) and quantities("meter")[-1] is Q.POWER
    interval = Interval("inv/pv", T0, 900, 0.0, 600.0, VALID, "counter")
    minutes = [
        Rollup("inv", Q.PV_ENERGY, T0 + timedelta(minutes=at), *[register] * 4, 6)
        for at, register in ((-1, 100.0), (4, 400.0), (9, 600.0), (14, 700.0))
    ]
    assert [row.export_wh for row in five_minutes([interval], {Q.PV_ENERGY: minutes})] == [300.0, 200.0, 100.0]
