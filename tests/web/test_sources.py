"""Where prices and weather come from, for pages and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader

from gateway.model.series import SeriesKind
from gateway.runtime.source_words import SourceState
from gateway.web.pages import STATIC
from gateway.web.sources import source_cards, source_routes
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
WELL = SourceState(
    "day_ahead", "aWATTar Germany", (SeriesKind.SPOT,), NOW - timedelta(hours=3), 10_800.0,
    datetime(2026, 11, 22, 23, 0, tzinfo=UTC), "", 0, "",
)  # fmt: skip
SILENT = SourceState(
    "sky", "Open-Meteo", (SeriesKind.TEMPERATURE, SeriesKind.IRRADIANCE), None, None, None,
    "no answer from https://api.open-meteo.com/v1/forecast within 20 s", 2, "The irradiance is missing.",
    "row 4, start: 'soon' is no time that we can read",
)  # fmt: skip


@dataclass
class Home:
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def source_states(self) -> list[SourceState]:
        return [WELL, SILENT]


async def test_the_api_tells_age_reach_and_error_of_each_source() -> None:
    app = FastAPI()
    app.include_router(source_routes(Home()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://home") as client:
        well, silent = (await client.get("/api/v1/sources")).json()
    assert (well["name"], well["kinds"], well["age_s"], well["until"]) == (
        "day_ahead", ["spot"], 10_800.0, "2026-11-22T23:00:00Z",
    )  # fmt: skip
    assert (silent["age_s"], silent["error"], silent["dropped"]) == (None, SILENT.error, 2)
    assert silent["dropped_why"] == SILENT.dropped_why


def test_the_page_shows_origin_age_and_what_stands_in() -> None:
    cards = source_cards(Home(), ZoneInfo("Europe/Brussels"))
    templates = Environment(loader=FileSystemLoader(STATIC.parent / "templates"), autoescape=True)
    page = templates.get_template("sources.html").render(sources=cards)
    assert "aWATTar Germany" in page
    assert "prices · <code>day_ahead</code> · 3 h old · up to Mon 00:00" in page
    assert "never heard" in page
    assert "The irradiance is missing." in page
    assert "2 values of its last answer could not be read: row 4, start: &#39;soon&#39; is no time" in page
    assert templates.get_template("sources.html").render(sources=[]).strip() == ""
