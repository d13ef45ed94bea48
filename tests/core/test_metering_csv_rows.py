"""CSV history: a bad row is named with its line, the others are taken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.core.metering.csv_rows import parse_interval_csv
from gateway.model.errors import Finding
from gateway.model.reading import Interval, IntervalQuality

HEADER = "start,device,import_wh,export_wh"


def test_good_rows_become_valid_intervals_in_utc():
    rows = list(
        parse_interval_csv([HEADER, "2026-10-25T02:15:00+02:00,house,120.5,0", "", "2026-01-01T00:00:00Z,solar,,80"])
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
    ],
)
def test_a_bad_row_is_a_finding_with_its_line_and_the_next_row_is_taken(line, word):
    finding, good = parse_interval_csv([HEADER, line, "2026-01-01T00:00:00Z,house,1,0"])
    assert isinstance(finding, Finding) and isinstance(good, Interval)
    assert finding.where == "line 2"
    assert word in str(finding)


@pytest.mark.parametrize("lines", [[], ["time;wh"], ["2026-01-01T00:00:00Z,house,1,1"]])
def test_a_file_without_the_header_is_one_finding(lines):
    (finding,) = parse_interval_csv(lines)
    assert isinstance(finding, Finding) and finding.where == "line 1"
