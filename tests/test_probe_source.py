"""`hearth probe source`: each source of a site file asked once, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.sources.settings import PricesSettings, SourceSettings, WeatherSettings
from gateway.config import SiteFile
from gateway.probing_sources import probe_sources
from tests.adapters.sources_lab import CONFIG, serving
from tests.core.homes import SITE
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


async def said(folder: Path, connections: dict[str, SourceSettings], only: str = "") -> list[str]:
    site = replace(SITE, timezone=ZoneInfo("Europe/Berlin"))
    held = SiteFile(
        folder / "home.yaml", site, "t", "default", connections, (), PricesSettings(kind="prices", file="x")
    )
    return [line async for line in probe_sources(held, CONFIG, FakeClock(NOW), only)]


async def test_what_came_is_told_with_reach_and_the_value_of_now(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("start,value\n2026-11-21T12:00,0.2134\n2026-11-21T13:00,0.2\nsoon,1\n")
    prices = PricesSettings(kind="prices", file="p.csv")
    assert await said(tmp_path, {"mine": prices}) == [
        "mine (p.csv): prices, 2 values from Sat 12:00 to Sat 14:00, now 0.2134 EUR/kWh",
        "mine: 1 values could not be read: row 4, start: 'soon' is no time that we can read",
    ]


async def test_one_that_fails_says_why_and_the_others_are_asked(tmp_path: Path) -> None:
    with serving() as service:
        service.body = {
            "hourly_units": {"temperature_2m": "°C"},
            "hourly": {"time": ["2026-11-21T11:00"], "temperature_2m": [6.5]},
        }
        connections = {
            "none": PricesSettings(kind="prices", file="none.csv"),
            "where": PricesSettings(kind="prices", profile="elering"),
            "sky": WeatherSettings(kind="weather", profile="open_meteo", url=service.url),
        }
        missing, where, sky = await said(tmp_path, connections)
    assert missing == "none: none.csv cannot be read (No such file or directory)"
    assert where == "where: area: is missing: country. Add it: ee, lv, lt, fi."
    assert sky == "sky (Open-Meteo): temperature, 1 value from Sat 12:00 to Sat 13:00, now 6.5 °C"
    assert await said(tmp_path, {}, "sky") == [
        f"{tmp_path}/home.yaml has no source named sky: see docs/how-to/prices-and-weather.md"
    ]
