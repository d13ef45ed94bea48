"""Services asked over real HTTP: what is sent, what may come back, and what never leaves in words."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.sources import web
from adapters.sources.settings import PricesSettings
from gateway.model.errors import Finding, ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable
from gateway.model.series import SeriesKind
from tests.adapters.sources_lab import Service, serving, source
from tests.core.homes import SITE
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
TOKEN = "very-secret/key+1"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        running.body = prices(1.0, 2.0)
        yield running


def prices(*values: float) -> dict[str, Any]:
    first, hour = int(TODAY.timestamp() * 1000), 3_600_000
    rows = [
        {
            "start_timestamp": first + i * hour,
            "end_timestamp": first + (i + 1) * hour,
            "marketprice": v,
            "unit": "Eur/MWh",
        }
        for i, v in enumerate(values)
    ]
    return {"object": "list", "data": rows}


def awattar(service: Service, **more: Any) -> Any:
    return source("prices", SITE, FakeClock(NOW), profile="awattar_de", url=service.url, **more)


async def asked(made: Any) -> Any:
    try:
        return await made.fetch(TODAY, TODAY + timedelta(days=3))
    finally:
        await made.close()


async def test_prices_are_asked_for_a_span_and_told_with_name_time_and_currency(service: Service) -> None:
    (series,) = await asked(awattar(service, name="day_ahead"))
    assert (series.kind, series.source, series.currency, series.fetched_at) == (
        SeriesKind.SPOT,
        "day_ahead",
        "EUR",
        NOW,
    )
    assert [p.value for p in series.points] == [1_000, 2_000]
    start, end = (int(t.timestamp()) * 1000 for t in (TODAY, TODAY + timedelta(days=3)))
    assert service.asked[0][0] == f"/v1/marketdata?start={start}&end={end}"


async def test_the_weather_is_asked_at_a_hundredth_of_a_degree(service: Service) -> None:
    service.body = {
        "hourly_units": {"temperature_2m": "°C"},
        "hourly": {"time": ["2026-11-21T11:00"], "temperature_2m": [6.5]},
    }
    exact = replace(SITE, latitude=50.846557, longitude=-4.351697)
    found = await asked(source("weather", exact, FakeClock(NOW), profile="open_meteo", url=service.url))
    assert [s.kind for s in found] == [SeriesKind.TEMPERATURE]
    assert "latitude=50.85&longitude=-4.35&" in service.asked[0][0]


async def test_days_are_asked_one_by_one_and_tomorrow_only_once_it_is_out(service: Service) -> None:
    def day(date: str) -> list[dict[str, Any]]:
        return [{"SEK_per_kWh": 0.5, "time_start": f"{date}T00:00:00+01:00", "time_end": f"{date}T01:00:00+01:00"}]

    site = replace(SITE, currency="SEK")
    service.answers = {
        "/api/v1/prices/2026/11-21_SE3.json": (200, {}, day("2026-11-21")),
        "/api/v1/prices/2026/11-22_SE3.json": (404, {}, b"not yet"),
    }
    for now, expected in ((NOW, 1), (NOW + timedelta(hours=3), 2)):
        service.asked.clear()
        made = source("prices", site, FakeClock(now), profile="elprisetjustnu", area="SE3", url=service.url)
        (series,) = await asked(made)
        assert (len(service.asked), len(series.points)) == (expected, 1)


async def test_a_graph_query_is_posted_with_the_key_in_a_header(service: Service) -> None:
    info = {
        "current": {"currency": "EUR"},
        "today": [{"startsAt": "2026-11-21T12:00:00+01:00", "energy": 0.1}],
        "tomorrow": [],
    }
    service.body = {"data": {"viewer": {"homes": [{"currentSubscription": {"priceInfo": info}}]}}}
    (series,) = await asked(source("prices", SITE, FakeClock(NOW), profile="tibber", token=TOKEN, url=service.url))
    path, headers, body = service.asked[0]
    assert (path, headers["authorization"]) == ("/v1-beta/gql", f"Bearer {TOKEN}")
    assert "QUARTER_HOURLY" in json.loads(body)["query"]
    assert series.points[0].value == 100_000


async def test_a_packed_answer_is_unpacked(service: Service) -> None:
    service.headers, service.body = {"Content-Encoding": "gzip"}, gzip.compress(json.dumps(prices(5.0)).encode())
    (series,) = await asked(awattar(service))
    assert series.points[0].value == 5_000


LONG = b"[" + b"0," * 1_100_000 + b"0]"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"status": 500}, ServerUnreachable, "answered with 500"),
        ({"status": 429, "headers": {"Retry-After": "120"}}, ServerUnreachable, "answered with 429"),
        ({"status": 401}, ServerRefused, "Check the token"),
        ({"status": 404}, ServerRefused, "Check area"),
        ({"body": b"<html>maintenance</html>"}, ServerAnswerWrong, "is not JSON"),
        ({"body": b""}, ServerAnswerWrong, "is not JSON"),
        ({"body": b'{"data": [' + b"[" * 100_000}, ServerAnswerWrong, "is not JSON"),
        ({"body": b"\xff\xfe\x00"}, ServerAnswerWrong, "is not JSON"),
        ({"body": LONG}, ServerAnswerWrong, "more than 2 MB"),
        (
            {"body": gzip.compress(b" " * 50_000_000), "headers": {"Content-Encoding": "gzip"}},
            ServerAnswerWrong,
            "2 MB",
        ),
        ({"body": b"junk", "headers": {"Content-Encoding": "gzip"}}, ServerAnswerWrong, "cannot be unpacked"),
        ({"body": gzip.compress(b"[]")[:-6], "headers": {"Content-Encoding": "gzip"}}, ServerUnreachable, "cut short"),
        ({"body": b"[]", "headers": {"Content-Encoding": "br"}}, ServerAnswerWrong, "unknown way"),
        ({"promised": 500}, ServerUnreachable, "cannot be reached"),
        ({"body": prices()}, ServerAnswerWrong, "told nothing"),
        ({"body": prices(1.0) | {"data": 7}}, ServerAnswerWrong, "does not hold the list"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_a_service_does_wrong_becomes_one_of_our_errors(
    service: Service, change: dict[str, Any], kind: type[ServerError], words: str
) -> None:
    for name, value in change.items():
        setattr(service, name, value)
    with pytest.raises(kind, match=words):
        await asked(awattar(service))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_the_service_may_say_when_to_come_again(
    service: Service, headers: dict[str, str], seconds: float | None
) -> None:
    service.status, service.headers = 503, headers
    with pytest.raises(ServerUnreachable) as caught:
        await asked(awattar(service))
    assert caught.value.retry_after_s == seconds


async def test_a_service_that_stalls_is_left_in_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.hang = threading.Event()
    monkeypatch.setattr(web, "TIMEOUT_S", 0.05)
    with pytest.raises(ServerUnreachable, match="no answer from"):
        await asked(awattar(service))


async def test_a_service_that_is_not_there_is_told_as_such() -> None:
    with serving() as gone:
        pass
    with pytest.raises(ServerUnreachable, match="cannot be reached"):
        await asked(awattar(gone))


async def test_it_follows_to_another_path_but_never_to_another_server(service: Service) -> None:
    there = {"/v1/marketdata": (307, {"Location": "/v2/marketdata?x=1"}, b"")}
    service.answers = there
    assert await asked(awattar(service))
    assert service.asked[-1][0] == "/v2/marketdata?x=1"
    with serving() as other:
        service.answers = {"/v1/marketdata": (302, {"Location": f"{other.url}/steal"}, b"")}
        with pytest.raises(ServerRefused, match="another server"):
            await asked(awattar(service))
        assert other.asked == []
    service.answers = {"/v1/marketdata": (302, {"Location": "/v1/marketdata"}, b"")}
    with pytest.raises(ServerRefused, match="in a circle"):
        await asked(awattar(service))


@pytest.mark.parametrize("status", [200, 401, 404, 500], ids=str)
async def test_a_key_is_in_no_log_no_error_and_no_name(
    service: Service, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.status, service.body = status, {"error": f"bad key {TOKEN}", "zone": TOKEN, "forecast": [1, 2, 3]}
    made = source("carbon", SITE, FakeClock(NOW), profile="electricity_maps", area="BE", token=TOKEN, url=service.url)
    with pytest.raises(ServerError) as caught:
        await asked(made)
    assert service.asked[0][1]["auth-token"] == TOKEN, "the service itself is told"
    everything = f"{caught.value} {caught.value.reason} {made.identity} {made!r} {caplog.text}"
    assert TOKEN not in everything
    assert "zone=" not in everything, "no query in words"
    assert TOKEN not in repr(PricesSettings(kind="prices", profile="tibber", token=TOKEN))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either a profile"),
        ({"profile": "awattar_de", "file": "x.csv"}, "either a profile"),
        ({"profile": "awattar_de", "url": "http://prices.example.com"}, "plain http"),
        ({"profile": "awattar_de", "url": "ftp://prices.example.com"}, "is not a web address"),
        ({"profile": "awattar_de", "url": "http://[::1"}, "is not a web address"),
        ({"profile": "awattar_de", "url": "https://me:pw@prices.example.com"}, "use token"),
        ({"profile": "tibber", "token": "a b"}, "token"),
        ({"profile": "tibber", "token": "a\r\nX: y"}, "token"),
        ({"profile": "elering", "area": "ee&x=1"}, "area"),
        ({"profile": "elering", "every_s": 1}, "every_s"),
        ({"file": "x.csv", "unit": "ct"}, "unit"),
        ({"profil": "awattar_de"}, "profil"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PricesSettings.model_validate({"kind": "prices", **settings})


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost", "http://192.168.1.5/api", "http://[::1]:8"])
def test_plain_http_is_allowed_inside_the_house(url: str) -> None:
    assert PricesSettings(kind="prices", profile="awattar_de", url=url).url == url


def test_a_mistake_beside_a_key_does_not_show_the_key() -> None:
    with pytest.raises(ValidationError) as caught:
        PricesSettings.model_validate({"kind": "prices", "profile": "tibber", "file": "x.csv", "token": TOKEN})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("prices", {"profile": "elering"}, "area: is missing: country"),
        ("prices", {"profile": "elering", "area": "se"}, "not known to Elering"),
        ("prices", {"profile": "awattar_de", "area": "DE"}, "has no such option"),
        ("prices", {"profile": "hvakosterstrommen", "area": "NO1"}, "in NOK, but the site's currency is EUR"),
        ("prices", {"profile": "tibber"}, "answers only to an account"),
        ("prices", {"profile": "open_meteo"}, "tells cloud, irradiance, temperature only"),
        ("prices", {"file": "p.csv", "unit": "SEK/kWh"}, "in SEK, but"),
        ("weather", {"profile": "met_no"}, "contact: is missing"),
    ],
)
def test_what_does_not_fit_the_home_is_said_with_its_remedy(kind: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(Finding, match=words):
        source(kind, SITE, FakeClock(NOW), **settings)


def test_prices_of_tomorrow_are_expected_two_hours_after_they_should_be_out() -> None:
    made = source("prices", SITE, FakeClock(NOW), profile="awattar_de")
    tonight, tomorrow_night = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    assert made.expected(NOW) == tonight
    assert made.expected(NOW + timedelta(hours=3)) == tonight, "15:00 in Berlin: out since 14:00, not late yet"
    assert made.expected(NOW + timedelta(hours=4)) == tomorrow_night
    two = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
    assert made.next_news(NOW, tonight) == two
    assert made.next_news(two + timedelta(hours=1), tonight) == two, "late"
    assert made.next_news(NOW, tomorrow_night) == two + timedelta(days=1)


def test_a_relative_file_lies_beside_the_site_file(tmp_path: Path) -> None:
    made = source("prices", SITE, FakeClock(NOW), tmp_path, file="prices.csv")
    assert str(tmp_path / "prices.csv") in made.identity


KEY = "AZfu-3kwQ0" * 6


@pytest.mark.parametrize(
    "echoed",
    ["Bearer {key}", "Bearer {half}", "{tail} is no currency", "x" * 35 + "{key}", "\x1b[31m{half}\n"],
    ids=["whole", "cut by the server", "its end", "over our own cut", "among control characters"],
)
async def test_no_part_of_a_key_that_a_service_echoes_reaches_an_error(service: Service, echoed: str) -> None:
    currency = echoed.format(key=KEY, half=KEY[:33], tail=KEY[20:])
    row = {"startsAt": "2026-11-21T00:00:00+01:00", "energy": 0.1}
    info = {"current": {"currency": currency}, "today": [row], "tomorrow": []}
    service.body = {"data": {"viewer": {"homes": [{"currentSubscription": {"priceInfo": info}}]}}}
    made = source("prices", SITE, FakeClock(NOW), profile="tibber", token=KEY, url=service.url)
    with pytest.raises(ServerAnswerWrong, match=r"\*\*\*") as caught:
        await asked(made)
    words = str(caught.value)
    assert not any(KEY[at : at + 8] in words for at in range(len(KEY) - 8))
    assert words.isprintable() and len(words) < 250


async def test_an_error_names_the_port_of_a_server_of_ones_own(service: Service) -> None:
    service.status = 404
    with pytest.raises(ServerRefused, match=service.url + "/v1/marketdata was answered with 404"):
        await asked(awattar(service))


async def test_prices_that_cannot_be_are_refused_and_a_single_one_is_left_out_with_its_reason(service: Service) -> None:
    service.body = prices(9_900_000.0, 9_900_000.0)
    with pytest.raises(ServerAnswerWrong, match="9900 EUR per kWh is no price"):
        await asked(awattar(service))
    service.body = prices(80.0, 9_900_000.0, 90.0)
    made = awattar(service)
    (series,) = await asked(made)
    assert [point.value for point in series.points] == [80_000, 90_000]
    assert (made.dropped, made.dropped_why[:38]) == (1, "row 2: 9900 EUR per kWh is no price; a")
