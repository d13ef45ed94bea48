"""What services answer, read by their tables; the samples have the shapes that each table's `source` documents."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.sources.answer import MAX_ROWS, Told, Unusable, decode
from adapters.sources.points import Row, plausible, to_points
from adapters.sources.profile import load_source, source_names
from adapters.sources.times import Instants
from gateway.model.errors import SiteFileError
from gateway.model.series import Point, SeriesKind

FOLDER = Path(__file__).resolve().parents[2] / "config" / "sources"
SPOT, CARBON, TEMPERATURE = SeriesKind.SPOT, SeriesKind.CARBON, SeriesKind.TEMPERATURE
IRRADIANCE, CLOUD = SeriesKind.IRRADIANCE, SeriesKind.CLOUD
PROFILES = {name: load_source(name, FOLDER) for name in source_names(FOLDER)}
EPOCH = 1_795_302_000  # 2026-11-21T23:00Z, midnight in Berlin


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(name: str, *documents: Any, **options: str) -> Told:
    profile = PROFILES[name]
    values = {key: option.default for key, option in profile.options.items()} | options
    return decode(documents, profile, values)


def awattar(*prices: Any, unit: str = "Eur/MWh") -> dict[str, Any]:
    hour = 3_600_000
    rows = [
        {"start_timestamp": EPOCH * 1000 + i * hour, "end_timestamp": EPOCH * 1000 + (i + 1) * hour, "marketprice": p}
        for i, p in enumerate(prices)
    ]
    return {"object": "list", "data": [row | {"unit": unit} for row in rows], "url": "/de/v1/marketdata"}


NORWAY = [
    {"NOK_per_kWh": 0.85, "EUR_per_kWh": 0.075, "EXR": 11.3, "time_start": "2026-11-22T00:00:00+01:00", "time_end": "2026-11-22T01:00:00+01:00"}
]  # fmt: skip
GRAPH = {"viewer": {"homes": [{"currentSubscription": {"priceInfo": {
    "current": {"currency": "NOK"},
    "today": [{"startsAt": "2026-11-21T23:30:00.000+01:00", "energy": 0.5}, {"startsAt": "2026-11-21T23:45:00.000+01:00", "energy": 0.6}],
    "tomorrow": [{"startsAt": "2026-11-22T00:00:00.000+01:00", "energy": -0.1}],
}}}]}}  # fmt: skip
AMBER = {"type": "ForecastInterval", "duration": 30, "startTime": "2026-11-21T23:00:01Z", "endTime": "2026-11-21T23:30:00Z", "perKwh": 24.33, "channelType": "general"}  # fmt: skip
MET = {"properties": {"meta": {"units": {"air_temperature": "celsius"}}, "timeseries": [
    {"time": "2026-11-21T23:00:00Z", "data": {"instant": {"details": {"air_temperature": 4.5, "cloud_area_fraction": 80.0}}}},
    {"time": "2026-11-22T00:00:00Z", "data": {"instant": {"details": {"air_temperature": 4.0, "cloud_area_fraction": 90.0}}}},
    {"time": "2026-11-22T06:00:00Z", "data": {"instant": {"details": {"air_temperature": 2.0, "cloud_area_fraction": 10.0}}}},
]}}  # fmt: skip
METEO = {"hourly_units": {"time": "iso8601", "temperature_2m": "°C"}, "hourly": {
    "time": ["2026-11-22T11:00", "2026-11-22T12:00"], "temperature_2m": [6.5, 7.0], "shortwave_radiation": [180.0, 220.0], "cloud_cover": [40, 20],
}}  # fmt: skip

ANSWERS: list[tuple[str, dict[str, str], list[Any], SeriesKind, str, int, float]] = [
    # profile, options, answers, kind, start of the first point, its minutes, its value in the kind's unit
    ("awattar_de", {}, [awattar(42.09, -5.12)], SPOT, "2026-11-21T23:00", 60, 42_090),
    ("awattar_at", {}, [awattar(-31.54)], SPOT, "2026-11-21T23:00", 60, -31_540),
    ("energy_charts", {}, [{"license_info": "", "unix_seconds": [EPOCH, EPOCH + 900], "price": [70.1, 60.0], "unit": "EUR / MWh", "deprecated": False}], SPOT, "2026-11-21T23:00", 15, 70_100),
    ("energy_charts_co2", {}, [{"unix_seconds": [EPOCH, EPOCH + 900], "co2eq": [491.5, None], "co2eq_forecast": [None, 505.0], "deprecated": False}], CARBON, "2026-11-21T23:00", 15, 491.5),
    ("octopus_agile", {"area": "C"}, [{"count": 1, "next": None, "results": [{"value_exc_vat": 23.4, "value_inc_vat": 24.57, "valid_from": "2026-11-21T23:30:00Z", "valid_to": "2026-11-22T00:00:00Z", "payment_method": None}]}], SPOT, "2026-11-21T23:30", 30, 234_000),
    ("energidataservice", {"area": "DK1"}, [{"records": [{"TimeUTC": "2026-11-21T23:00:00", "TimeDK": "2026-11-22T00:00:00", "PriceArea": "DK1", "DayAheadPriceEUR": 80.0, "DayAheadPriceDKK": 596.8}]}], SPOT, "2026-11-21T23:00", 15, 596_800),
    ("energidataservice_co2", {"area": "DK2"}, [{"records": [{"Minutes5UTC": "2026-11-21T23:00:00", "PriceArea": "DK2", "CO2Emission": 88.0}, {"Minutes5UTC": "2026-11-21T23:00:00", "PriceArea": "DK1", "CO2Emission": 11.0}]}], CARBON, "2026-11-21T23:00", 5, 88.0),
    ("elering", {"area": "lv"}, [{"success": True, "data": {"ee": [], "lv": [{"timestamp": EPOCH, "price": 55.5}]}}], SPOT, "2026-11-21T23:00", 60, 55_500),
    ("nord_pool", {"area": "SE3", "currency": "SEK"}, [{"currency": "SEK", "multiAreaEntries": [{"deliveryStart": "2026-11-21T23:00:00Z", "deliveryEnd": "2026-11-21T23:15:00Z", "entryPerArea": {"SE3": 512.3}}]}], SPOT, "2026-11-21T23:00", 15, 512_300),
    ("tibber", {"currency": "NOK"}, [{"data": GRAPH}], SPOT, "2026-11-21T22:30", 15, 500_000),
    ("hvakosterstrommen", {"area": "NO1"}, [NORWAY], SPOT, "2026-11-21T23:00", 60, 850_000),
    ("elprisetjustnu", {"area": "SE3"}, [[{"SEK_per_kWh": 0.05278, "EUR_per_kWh": 0.0048, "EXR": 11.0, "time_start": "2026-11-22T00:00:00+01:00", "time_end": "2026-11-22T00:15:00+01:00"}]], SPOT, "2026-11-21T23:00", 15, 52_780),
    ("spot_hinta", {}, [[{"Rank": 43, "DateTime": "2026-11-22T01:00:00+02:00", "PriceNoTax": 0.0349, "PriceWithTax": 0.0438}]], SPOT, "2026-11-21T23:00", 15, 34_900),
    ("amber", {"site": "01F"}, [[AMBER | {"channelType": "feedIn", "perKwh": -9.0}, AMBER]], SPOT, "2026-11-21T23:00", 30, 243_300),
    ("comed", {}, [[{"millisUTC": str((EPOCH + 300) * 1000), "price": "3.7"}, {"millisUTC": str(EPOCH * 1000), "price": "-1.2"}]], SPOT, "2026-11-21T23:00", 5, -12_000),
    ("carbon_intensity_gb", {}, [{"data": [{"from": "2026-11-21T23:00Z", "to": "2026-11-21T23:30Z", "intensity": {"forecast": 266, "actual": None, "index": "moderate"}}]}], CARBON, "2026-11-21T23:00", 30, 266.0),
    ("electricity_maps", {"area": "BE"}, [{"zone": "BE", "forecast": [{"carbonIntensity": 626, "datetime": "2026-11-21T23:00:00.000Z"}]}], CARBON, "2026-11-21T23:00", 60, 626.0),
    ("open_meteo", {}, [METEO], TEMPERATURE, "2026-11-22T11:00", 60, 6.5),
    ("open_meteo", {}, [METEO], IRRADIANCE, "2026-11-22T10:00", 60, 180.0),
    ("open_meteo", {}, [METEO], CLOUD, "2026-11-22T11:00", 60, 40.0),
    ("met_no", {"contact": "me@example.org"}, [MET], TEMPERATURE, "2026-11-21T23:00", 60, 4.5),
    ("met_no", {"contact": "me@example.org"}, [MET], CLOUD, "2026-11-21T23:00", 60, 80.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "answers", "kind", "start", "minutes", "value"),
    ANSWERS,
    ids=[f"{r[0]}-{r[3].value}" for r in ANSWERS],
)
def test_an_answer_of_each_service_becomes_points_in_our_units(
    name: str, options: dict[str, str], answers: list[Any], kind: SeriesKind, start: str, minutes: int, value: float
) -> None:
    found = told(name, *json.loads(json.dumps(answers)), **options)
    first = found.points[kind][0]
    assert (first.start, first.end - first.start) == (utc(start), timedelta(minutes=minutes))
    assert first.value == pytest.approx(value)
    assert found.dropped.count == 0


def test_every_shipped_source_has_an_answer_here_and_a_source_and_a_word_on_its_proof() -> None:
    assert {row[0] for row in ANSWERS} == set(PROFILES)
    for profile in PROFILES.values():
        assert profile.source.manual
        assert profile.verified is False or len(profile.verified) > 20
        assert profile.request.url.startswith("https://")
        assert "{token}" not in profile.request.url, "a key in an address ends in other people's logs"


@pytest.mark.parametrize(("area", "currency"), [("energy_charts", "EUR"), ("comed", "USD"), ("octopus_agile", "GBP")])
def test_prices_carry_their_currency(area: str, currency: str) -> None:
    row = next(row for row in ANSWERS if row[0] == area)
    assert told(area, *row[2], **row[1]).currency == currency


def test_a_forecast_whose_steps_grow_has_no_holes() -> None:
    points = told("met_no", MET).points[TEMPERATURE]
    assert [p.end - p.start for p in points] == [timedelta(hours=1), timedelta(hours=6), timedelta(hours=6)]
    assert points[1].end == points[2].start


def test_the_newest_real_time_price_stands_on_for_half_an_hour() -> None:
    row = next(row for row in ANSWERS if row[0] == "comed")
    assert told("comed", *row[2]).points[SPOT][-1].end == utc("2026-11-21T23:35")


def test_answers_for_two_days_are_one_series() -> None:
    tomorrow = [NORWAY[0] | {"time_start": "2026-11-23T00:00:00+01:00", "time_end": "2026-11-23T01:00:00+01:00"}]
    assert len(told("hvakosterstrommen", NORWAY, tomorrow, area="NO1").points[SPOT]) == 2


@pytest.mark.parametrize(
    "bad", [None, "n/a", True, [], {}, float("nan"), float("inf"), "nan", 1e300, 10**400, -1e12], ids=str
)
def test_one_bad_price_among_good_ones_is_left_out_and_counted(bad: Any) -> None:
    found = told("awattar_de", awattar(10.0, bad, 30.0))
    assert [p.value for p in found.points[SPOT]] == [10_000, 30_000]
    assert found.dropped.count == (0 if bad is None else 1), "a null says nothing; it is not wrong"


@pytest.mark.parametrize("when", [None, "", "soon", -5, 1e30, True, [1], "1795302000000x"], ids=str)
def test_a_row_of_no_time_is_left_out_and_counted(when: Any) -> None:
    document = awattar(10.0, 20.0)
    document["data"][1]["start_timestamp"] = when
    found = told("awattar_de", document)
    assert ([p.value for p in found.points[SPOT]], found.dropped.count) == ([10_000], 1)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (awattar("x", "y", "z", 1.0), "most of its rows"),
        (awattar(1.0, unit="Eur/kWh"), "should be Eur/MWh"),
        (awattar(1.0, unit="USD/MWh"), "should be Eur/MWh"),
        ({"data": {"a": 1}}, "does not hold the list"),
        ({}, "does not hold the list"),
        ([], "does not hold the list"),
        (None, "does not hold the list"),
        ("maintenance", "does not hold the list"),
        ({"data": [{"unit": "Eur/MWh"}] * (MAX_ROWS + 1)}, "more than"),
    ],
    ids=["mostly bad", "other unit", "other currency", "no list", "empty", "a list", "null", "text", "endless"],
)
def test_an_answer_of_another_shape_or_unit_is_refused(document: Any, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        told("awattar_de", document)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(Unusable, match="differ in length"):
        told("energy_charts", {"unix_seconds": [EPOCH, EPOCH + 900], "price": [1.0], "unit": "EUR / MWh"})


def test_a_service_that_changed_its_currency_is_refused() -> None:
    row = next(row for row in ANSWERS if row[0] == "nord_pool")
    with pytest.raises(Unusable, match="currency should be SEK"):
        told("nord_pool", row[2][0] | {"currency": "EUR"}, area="SE3", currency="SEK")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T02:00", "2026-10-25T03:00"], ["23:00", "00:00", "01:00", "02:00"]),
        (["2026-03-29T01:00", "2026-03-29T02:00", "2026-03-29T03:00"], ["00:00", None, "01:00"]),
    ],
    ids=["the hour that comes twice", "the hour that does not exist"],
)  # fmt: skip
def test_local_times_are_read_over_the_change_of_the_clocks(written: list[str], expected: list[str | None]) -> None:
    instants = Instants("iso", ZoneInfo("Europe/Berlin"))
    found = [instants.read(text) for text in written]
    assert [f"{when:%H:%M}" if when else None for when in found] == expected


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23)])
def test_days_of_25_and_23_hours_are_told_whole(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Oslo")
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    instants = [midnight + timedelta(hours=i) for i in range(hours + 1)]
    rows = [
        {
            "NOK_per_kWh": i / 10,
            "time_start": a.astimezone(zone).isoformat(),
            "time_end": b.astimezone(zone).isoformat(),
        }
        for i, (a, b) in enumerate(itertools.pairwise(instants))
    ]
    points = told("hvakosterstrommen", rows, area="NO1").points[SPOT]
    assert len(points) == hours
    assert all(a.end == b.start for a, b in itertools.pairwise(points))
    assert points[-1].end == (midnight + timedelta(days=1, hours=hours - 24))


def test_rows_in_any_order_with_repetitions_make_points_without_overlap() -> None:
    start = utc("2026-11-21T00:00")
    hour = timedelta(hours=1)
    rows = [Row(start + hour, start + 3 * hour, 2.0), Row(start, None, 1.0), Row(start + 2 * hour, None, 3.0)]
    rows.append(Row(start, None, 9.0))
    assert to_points(rows, 3600) == (
        Point(start, start + hour, 1.0),
        Point(start + hour, start + 2 * hour, 2.0),
        Point(start + 2 * hour, start + 3 * hour, 3.0),
    )


def write(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text)
    return folder


SOUND = """service: Mine
source: {manual: m, version: v, page: p}
verified: false
request: {url: "https://example.org/{area}"}
answer: {rows: [data], start: t, times: unix_s}
series: [{kind: spot, value: v, unit: EUR/MWh}]
options: {area: {words: where}}
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("unit: EUR/MWh", "unit: Euro", "is no unit of spot"),
        ("rows: [data]", "rows: []", "nowhere"),
        ("{area: {words: where}}", "{}", "nobody says what {area} is"),
        ("times: unix_s", "times: minutes", "unix_s"),
        ("verified: false", "verified: false\nzone: Mars/Base", "unknown time zone"),
        ("verified: false", "verify: false", "Did you mean verified"),
        ("value: v,", "value: v, scale: 0,", "scale of 0"),
        ("value: v,", "value: v, stamp: end,", "needs the row's length"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_place_and_remedy(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    load_source("mine", write(tmp_path, SOUND))
    with pytest.raises(SiteFileError) as caught:
        load_source("mine", write(tmp_path, SOUND.replace(old, new)))
    assert words in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_source_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(SiteFileError, match="Did you mean awattar_de"):
        load_source("awatar_de", FOLDER)


def _junk(dice: random.Random, depth: int = 0) -> Any:
    """A JSON value of any kind, bearing the names that the tables look for."""
    kind = dice.randrange(8 if depth < 4 else 5)
    if kind < 5:
        return dice.choice([None, True, -1, 10**25, 0.5, float("nan"), "", "x", "2026-11-22T00:00", "\x00", "9" * 500])
    if kind == 5:
        return [_junk(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice(WORDS): _junk(dice, depth + 1) for _ in range(dice.randrange(5))}


WORDS = sorted(
    {part for profile in PROFILES.values() for part in profile.answer.start.split(".")}
    | {"data", "hourly", "records", "results", "price", "unit", "forecast", "properties", "timeseries", "zone"}
)


@pytest.mark.parametrize("name", PROFILES)
def test_junk_of_any_shape_is_refused_or_read_but_never_breaks_the_reader(name: str) -> None:
    dice = random.Random(name)
    good = next(row for row in ANSWERS if row[0] == name)
    refused = 0
    for _ in range(150):
        document = _spoiled(good[2][0], dice) if dice.random() < 0.7 else _junk(dice)
        try:
            found = told(name, document, **good[1])
        except Unusable:
            refused += 1
            continue
        for kind, points in found.points.items():
            assert all(plausible(kind, p.value) and p.start < p.end for p in points)
            assert all(a.end <= b.start for a, b in itertools.pairwise(points))
    assert refused > 10


def _spoiled(tree: Any, dice: random.Random) -> Any:
    """The tree with some of its branches made junk."""
    if dice.random() < 0.12:
        return _junk(dice, 2)
    if isinstance(tree, dict):
        return {key: _spoiled(branch, dice) for key, branch in tree.items()}
    return [_spoiled(branch, dice) for branch in tree] if isinstance(tree, list) else tree
