"""CSV history: a bad row is named with its line, the others are taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.metering.csv_rows import Steps, parse_interval_csv
from gateway.model.errors import Finding
from gateway.model.reading import Interval, IntervalQuality

HEADER = "start,device,import_wh,export_wh"
NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)


def test_good_rows_become_valid_intervals_in_utc():
    rows = list(
        parse_interval_csv(
            [HEADER, "2026-10-25T02:15:00+02:00,house,120.5,0", "", "2026-01-01T00:00:00Z,solar,,80"], NOW
        )
    )
    assert rows == [
        Interval(
            "house", datetime(2026, 10, 25, 0, 15, tzinfo=UTC), 900, 120.5, 0.0, IntervalQuality.VALID, "imported"
        ),
        Interval("solar", datetime(2026, 1, 1, tzinfo=UTC), 900, None, 80.0, IntervalQuality.VALID, "imported"),
    ]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("2026-01-01T00:00:00,house,1,1", "no zone"),
        ("yesterday,house,1,1", "not a time"),
        ("0001-01-01T00:00:00+14:00,house,1,1", "not a time"),
        ("2026-01-01T00:10:00Z,house,1,1", "quarter hour"),
        ("2026-01-01T00:00:00Z,,1,1", "not an id"),
        ("2026-01-01T00:00:00Z,house,-1,1", "-1"),
        ("2026-01-01T00:00:00Z,house,nan,1", "nan"),
        ("2026-01-01T00:00:00Z,house,1e9,1", "unit"),
        ('2026-01-01T00:00:00Z,house,"1,5",1', "not a number"),
        ("2026-01-01T00:00:00Z,house,,", "no energy"),
        ("2026-01-01T00:00:00Z,house,1", "3 columns"),
        ("2026-01-01T00:00:00Z,house,1_000,1", "not a number"),
        ("2026-01-01T00:00:00Z,house,\uff11\uff10,1", "not a number"),
        ("2026-01-01T00:00:00Z,house,infinity,1", "not a number"),
        ("2026-01-01T00:00:00Z,house,0x10,1", "not a number"),
        ("2026-01-01T00:00:00Z,house,1e999,1", "unit"),
        ("1999-12-31T23:45:00Z,house,1,1", "before 2000"),
        ("2026-11-21T16:30:00Z,house,1,1", "not over yet"),
        ("2030-01-01T00:00:00Z,house,1,1", "not over yet"),
    ],
)
def test_a_bad_row_is_a_finding_with_its_line_and_the_next_row_is_taken(line, word):
    finding, good = parse_interval_csv([HEADER, line, "2026-01-01T00:00:00Z,house,1,0"], NOW)
    assert isinstance(finding, Finding) and isinstance(good, Interval)
    assert finding.where == "line 2"
    assert word in str(finding)


@pytest.mark.parametrize("lines", [[], ["time;wh"], ["2026-01-01T00:00:00Z,house,1,1"]])
def test_a_file_without_the_header_is_one_finding(lines):
    (finding,) = parse_interval_csv(lines, NOW)
    assert isinstance(finding, Finding) and finding.where == "line 1"


@pytest.mark.parametrize(
    ("text", "value"), [("1e3", 1000.0), ("1.5E-1", 0.15), (".5", 0.5), ("+7.", 7.0), (" 2 ", 2.0)]
)
def test_energies_are_plain_decimal_numbers(text, value):
    (row,) = parse_interval_csv([HEADER, f"2026-01-01T00:00:00Z,house,{text},0"], NOW)
    assert isinstance(row, Interval) and row.import_wh == value


def test_a_quarter_hour_that_is_told_twice_is_refused_the_second_time():
    lines = ["2026-01-01T00:00:00Z,house,1,0", "2026-01-01T00:00:00Z,solar,0,1", "2026-01-01T01:00:00+01:00,house,2,0"]
    first, other, again = parse_interval_csv([HEADER, *lines], NOW)
    assert isinstance(first, Interval) and isinstance(other, Interval)
    assert isinstance(again, Finding) and again.where == "line 4" and "already" in again.what


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset():
    lines = [f"2025-10-26T02:{minute:02d}:00+0{offset}:00,grid,1,0" for offset in (2, 1) for minute in (0, 15, 30, 45)]
    rows = [row for row in parse_interval_csv([HEADER, *lines], NOW) if isinstance(row, Interval)]
    assert [row.start.hour for row in rows] == [0] * 4 + [1] * 4


def test_a_device_that_is_not_in_the_site_file_is_refused_when_that_is_known():
    good, bad = parse_interval_csv(
        [HEADER, "2026-01-01T00:00:00Z,grid,1,0", "2026-01-01T00:00:00Z,gird,1,0"], NOW, ["grid", "house"]
    )
    assert isinstance(good, Interval)
    assert isinstance(bad, Finding) and "no device 'gird'" in bad.what and "grid, house" in bad.remedy


def test_intervals_of_another_length_are_refused_by_name():
    (finding,) = parse_interval_csv([HEADER + ",minutes", "2026-01-01T00:00:00Z,house,1,0,60"], NOW)
    assert isinstance(finding, Finding) and "not of 15 minutes" in finding.what


@pytest.mark.parametrize(
    ("minutes", "words"), [(15, ""), (30, "30 minutes"), (60, "60 minutes"), (1440, "1440 minutes")]
)
def test_a_file_of_longer_intervals_is_known_by_its_steps(minutes, words):
    steps = Steps()
    for index in range(10):
        for device in ("grid", "pv"):
            start = NOW + timedelta(minutes=minutes * index)
            steps.add(Interval(device, start, 900, 1.0, 0.0, IntervalQuality.VALID, "imported"))
    found = steps.finding()
    assert words in found.what if found else words == ""


def test_quarter_hours_with_a_hole_are_quarter_hours():
    steps = Steps()
    for index in (0, 4, 8, 12, 13, 20, 24, 28):
        start = NOW + timedelta(minutes=15 * index)
        steps.add(Interval("grid", start, 900, 1.0, 0.0, IntervalQuality.VALID, "imported"))
    assert steps.finding() is None
