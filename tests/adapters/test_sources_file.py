"""Series from files: CSV and JSON, local times, and what is wrong with them in words."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.model.errors import ServerAnswerWrong, ServerUnreachable
from gateway.model.series import Series, SeriesKind
from tests.adapters.sources_lab import source
from tests.core.homes import SITE
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
BERLIN = replace(SITE, timezone=ZoneInfo("Europe/Berlin"))


async def read(folder: Path, text: str, kind: str = "prices", name: str = "told.csv", **settings: str) -> list[Series]:
    (folder / name).write_text(text, encoding="utf-8")
    made = source(kind, BERLIN, FakeClock(NOW), folder, file=name, **settings)
    return await made.fetch(NOW, NOW + timedelta(days=2))


PRICES = [
    ("start,value\n2026-11-22T00:00,0.21\n2026-11-22T01:00,-0.05\n", ""),
    ("start;end;value\n2026-11-22T00:00+01:00;2026-11-22T01:00+01:00;0,21\n2026-11-22T01:00+01:00;;-0,05\n", ""),
    ("start, spot\n2026-11-21T23:00Z, 210\n2026-11-22T00:00Z, -50\n", "EUR/MWh"),
    ("\ufeffSTART,VALUE,remark\r\n2026-11-22 00:00,0.21,cold\r\n2026-11-22 01:00,-0.05,\r\n", ""),
    ('[{"start": "2026-11-22T00:00", "value": 0.21}, {"start": "2026-11-22T01:00", "value": "-0.05"}]', ""),
]


@pytest.mark.parametrize(("text", "unit"), PRICES, ids=["local", "semicolons", "per MWh", "from a sheet", "json"])
async def test_prices_are_read_as_people_write_them(tmp_path: Path, text: str, unit: str) -> None:
    (series,) = await read(tmp_path, text, unit=unit)
    assert (series.kind, series.currency) == (SeriesKind.SPOT, "EUR")
    assert [(p.start.isoformat()[:16], p.value) for p in series.points] == [
        ("2026-11-21T23:00", 210_000.0),
        ("2026-11-22T00:00", -50_000.0),
    ]
    assert series.points[0].end - series.points[0].start == timedelta(hours=1)


async def test_the_weather_has_a_column_for_each_kind(tmp_path: Path) -> None:
    text = "start,temperature,irradiance\n2026-11-22T11:00,4.5,310\n2026-11-22T12:00,5.0,\n"
    found = {series.kind: series.points for series in await read(tmp_path, text, "weather")}
    assert [p.value for p in found[SeriesKind.TEMPERATURE]] == [4.5, 5.0]
    assert [p.value for p in found[SeriesKind.IRRADIANCE]] == [310.0]
    assert SeriesKind.CLOUD not in found


async def test_the_day_of_25_hours_is_read_from_local_times(tmp_path: Path) -> None:
    hours = ["00", "01", "02", "02", *(f"{h:02d}" for h in range(3, 24))]
    rows = "".join(f"2026-10-25T{hour}:00,{index}\n" for index, hour in enumerate(hours))
    (series,) = await read(tmp_path, f"start,value\n{rows}", "carbon")
    assert [p.value for p in series.points] == list(range(25))
    assert all(p.end - p.start == timedelta(hours=1) for p in series.points)


async def test_a_changed_file_is_read_anew_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("start,value\n2026-11-22T00:00,0.1\n")
    made = source("prices", BERLIN, FakeClock(NOW), tmp_path, file="prices.csv")
    first = await made.fetch(NOW, NOW)
    assert await made.fetch(NOW, NOW) is first
    path.write_text("start,value\n2026-11-22T00:00,0.2\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    (series,) = await made.fetch(NOW, NOW)
    assert series.points[0].value == 200_000
    assert series.fetched_at == datetime.fromtimestamp(1_700_000_000, UTC), "as old as the file"


async def test_one_bad_row_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("start,value\n2026-11-22T00:00,0.1\nsoon,0.2\n2026-11-22T02:00,0.3\n")
    made = source("prices", BERLIN, FakeClock(NOW), tmp_path, file="p.csv")
    (series,) = await made.fetch(NOW, NOW)
    assert ([p.value for p in series.points], made.dropped) == ([100_000, 300_000], 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tells nothing: its columns should be start and spot or value"),
        ("hour,cost\n2026-11-22T00:00,0.1\n", "start and spot or value or price; its head is 'hour, cost'"),
        ("start,value\na,1\nb,2\nc,3\n", "most of its rows"),
        ("[1, 2", "neither CSV"),
        ("[" * 100_000, "neither CSV"),
        ("start,value\n" + "2026-11-22T00:00,0.1\n" * 40_001, "more than 40,000 rows"),
        ("start,value\n" + "x" * 5_000_001, "longer than 5 MB"),
    ],
    ids=["empty", "other names", "bad", "broken json", "deep json", "long", "large"],
)
async def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ServerAnswerWrong, match=words):
        await read(tmp_path, text)


async def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    made = source("prices", BERLIN, FakeClock(NOW), tmp_path, file="none.csv")
    with pytest.raises(ServerUnreachable, match="No such file"):
        await made.fetch(NOW, NOW)
    (tmp_path / "none.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ServerAnswerWrong, match="no UTF-8 text"):
        await made.fetch(NOW, NOW)


async def test_numbers_of_json_may_be_numbers(tmp_path: Path) -> None:
    text = json.dumps([{"start": "2026-11-22T00:00Z", "end": "2026-11-22T00:30Z", "value": 120}])
    (series,) = await read(tmp_path, text, "carbon", "told.json")
    assert (series.points[0].value, series.points[0].end) == (120.0, datetime(2026, 11, 22, 0, 30, tzinfo=UTC))


WRITTEN = [
    "# made by hand\n\nstart,value\n2026-11-22T00:00,0.21\n# changed\n2026-11-22T01:00,0.25\n",
    "time\tprice\n22.11.2026 0:00\t0,21\n22.11.2026 1:00\t0,25\n",
    "Timestamp;Price\n2026-11-22 0:00;0,21\n2026-11-22 1:00:00;0,25\n",
    "from,to,value\n2026-11-21 24:00,2026-11-22 1:00,0.21\n2026-11-22 1:00,2026-11-22 2:00,0.25\n",
    "start,value\n2026-11-22T00:00,0.21,\n2026-11-22T01:00,0.25,\n",
]


@pytest.mark.parametrize("text", WRITTEN, ids=["remarks", "tabs", "short hours", "24:00", "an empty column more"])
async def test_what_can_be_read_in_one_way_only_is_read(tmp_path: Path, text: str) -> None:
    (series,) = await read(tmp_path, text)
    assert [(p.start.isoformat()[5:16], p.end.isoformat()[5:16], p.value) for p in series.points] == [
        ("11-21T23:00", "11-22T00:00", 210_000.0),
        ("11-22T00:00", "11-22T01:00", 250_000.0),
    ]


REFUSED = [
    ("start,value\n2026-11-22T00:00,0,21\n2026-11-22T01:00,0,25\n", "row 2 has 3 fields .* decimal comma"),
    ("start,value,note\n2026-11-22T00:00,0,21,\n2026-11-22T01:00,0,25,\n", "row 2 has 4 fields .* decimal comma"),
    ('start,value\n2026-11-22T00:00,"0,21"\n2026-11-22T01:00,"0,25"\n', r"row 2, value: '0,21' \(write 0.21\)"),
    ("start,value\n11/12/2026 00:00,0.21\n", "row 2, start: '11/12/2026 00:00' is no time"),
    ("# head\nstart,value\n2026-11-22T00:00,1_0\n", "row 3, value: '1_0' is no number"),
    ("start,value\n2026-11-22T00:00,21.3\n", "21.3 EUR per kWh is no price; are these cents"),
    ("start,value\n2026-11-22T00:00,9900\n2026-11-22T01:00,9900\n", "9900 EUR per kWh is no price"),
    ("start,price,value\n" + "".join(f"2026-11-22T{h:02}:00,,{h * 0.9}\n" for h in range(24)), "18 of its 24 values|18 of 24"),
    ("start,value\n" + "".join(f"2026-11-22T{h:02}:00,{4 + h * 0.3}\n" for h in range(6)), "2 of its 6 values cannot be"),
    ('["2026-11-22T00:00", 0.21]', "row 1 is no object"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[row[1][:24] for row in REFUSED])
async def test_what_may_mean_another_price_is_refused_with_row_and_column(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ServerAnswerWrong, match=words):
        await read(tmp_path, text)


async def test_a_single_lie_is_left_out_and_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("start,value\n2026-11-22T00:00,0.1\n2026-11-22T01:00,9900\n2026-11-22T02:00,0.3\n")
    made = source("prices", BERLIN, FakeClock(NOW), tmp_path, file="p.csv")
    (series,) = await made.fetch(NOW, NOW)
    assert [(p.start.hour, p.end.hour, p.value) for p in series.points] == [(23, 0, 100_000), (1, 2, 300_000)]
    assert (made.dropped, made.dropped_why[:39]) == (1, "row 3: 9900 EUR per kWh is no price; ar")


@pytest.mark.parametrize(("currency", "price"), [("SEK", 45.0), ("JPY", 300.0), ("HUF", 1500.0), ("XTS", 700.0)])
async def test_the_bound_of_a_price_is_one_of_its_currency(tmp_path: Path, currency: str, price: float) -> None:
    (tmp_path / "p.csv").write_text(f"start,value\n2026-11-22T00:00,{price}\n")
    made = source("prices", replace(BERLIN, currency=currency), FakeClock(NOW), tmp_path, file="p.csv")
    (series,) = await made.fetch(NOW, NOW)
    assert series.points[0].value == price * 1e6


LENGTHS = [
    # hours of the rows' starts -> hours that each one holds
    ([0, 1, 2, 3], [1, 1, 1, 1]),
    ([0], [1]),
    ([0, 7, 22, 31], [7, 15, 9, 9]),
    ([*range(12), *range(15, 27)], [1] * 24),
    ([0, 40, 47], [24, 7, 7]),
    ([*range(24), 24, 24.25, 24.5, 24.75, *(25 + n / 4 for n in range(400))], [1] * 24 + [0.25] * 404),
]


@pytest.mark.parametrize(
    ("starts", "hours"), LENGTHS, ids=["hours", "alone", "day and night", "a gap", "days apart", "hours, then quarters"]
)
async def test_how_long_a_row_without_end_holds_is_told_by_the_rows_around_it(
    tmp_path: Path, starts: list[float], hours: list[float]
) -> None:
    first = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    rows = "".join(f"{(first + timedelta(hours=h)).isoformat()},0.2\n" for h in starts)
    (series,) = await read(tmp_path, f"start,value\n{rows}")
    assert [(p.end - p.start) / timedelta(hours=1) for p in series.points] == hours


@pytest.mark.slow
async def test_a_year_of_quarter_hours_is_read_and_only_the_days_around_today_are_kept(tmp_path: Path) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = "".join(f"{(first + timedelta(minutes=15 * n)):%Y-%m-%dT%H:%MZ},0.2\n" for n in range(35_040))
    (tmp_path / "year.csv").write_text(f"start,value\n{rows}")
    made = source("prices", BERLIN, FakeClock(NOW), tmp_path, file="year.csv")
    (series,) = await made.fetch(NOW, NOW + timedelta(days=4))
    assert (series.points[0].start, series.end) == (NOW - timedelta(days=2), NOW + timedelta(days=14))
    again = await made.fetch(NOW + timedelta(days=1), NOW + timedelta(days=5))
    assert again[0].end == NOW + timedelta(days=15), "the next day the window has moved on, though the file has not"


async def test_a_file_of_last_year_tells_its_last_rows_so_that_the_home_can_say_since_when(tmp_path: Path) -> None:
    rows = "".join(f"2025-03-{d:02}T{h:02}:00,0.2\n" for d in range(1, 29) for h in range(24))
    (series,) = await read(tmp_path, f"start,value\n{rows}")
    assert (len(series.points), series.end) == (48, datetime(2025, 3, 28, 23, 0, tzinfo=UTC))
