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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tells nothing: its columns should be start and spot or value"),
        ("time,price\n2026-11-22T00:00,0.1\n", "tells nothing"),
        ("start,value\na,1\nb,2\nc,3\n", "most of its rows"),
        ("[1, 2", "neither CSV"),
        ("[" * 100_000, "neither CSV"),
        ("start,value\n" + "2026-11-22T00:00,0.1\n" * 6001, "more than 6000 rows"),
        ("start,value\n" + "x" * 2_000_001, "longer than 2 MB"),
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
    with pytest.raises(ServerAnswerWrong, match="neither CSV"):
        await made.fetch(NOW, NOW)


async def test_numbers_of_json_may_be_numbers(tmp_path: Path) -> None:
    text = json.dumps([{"start": "2026-11-22T00:00Z", "end": "2026-11-22T00:30Z", "value": 120}])
    (series,) = await read(tmp_path, text, "carbon", "told.json")
    assert (series.points[0].value, series.points[0].end) == (120.0, datetime(2026, 11, 22, 0, 30, tzinfo=UTC))
