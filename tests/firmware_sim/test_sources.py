"""The simulated services, asked by the product over real HTTP: the shapes fit, and what they do wrong is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from firmware_sim.clock import SimClock
from firmware_sim.physics.replay import Replay, load_data
from firmware_sim.sources import Services
from firmware_sim.sources_world import World
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerUnreachable
from gateway.model.series import Series, SeriesKind
from tests.adapters.sources_lab import source
from tests.core.homes import SITE
from tests.fakes import FakeClock

NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)  # in Berlin
MIDNIGHT = datetime(2026, 6, 20, 22, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WORLD = World(7, Replay(7, load_data()))


class Quiet(uvicorn.Server):
    """Signals belong to the tests, not to a server inside them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def services() -> AsyncIterator[tuple[Services, str]]:
    """The services at noon, with their address."""
    made = Services(SimClock(NOON, 0.0, 0.0), WORLD)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Quiet(uvicorn.Config(made.app(), log_level="critical", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield made, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


async def told(kind: str, url: str, *, now: datetime = NOON, currency: str = "EUR", **settings: Any) -> list[Series]:
    made = source(kind, replace(SITE, currency=currency), FakeClock(now), url=url, **settings)
    try:
        return await made.fetch(MIDNIGHT - DAY, MIDNIGHT + 3 * DAY)
    finally:
        await made.close()


SHAPES = [
    ("prices", {"profile": "awattar_de"}, SeriesKind.SPOT, HOUR, MIDNIGHT + DAY),
    ("prices", {"profile": "energy_charts"}, SeriesKind.SPOT, HOUR, MIDNIGHT + DAY),
    ("prices", {"profile": "octopus_agile", "area": "C", "currency": "GBP"}, SeriesKind.SPOT, HOUR / 2, MIDNIGHT + DAY),
    ("carbon", {"profile": "energy_charts_co2"}, SeriesKind.CARBON, HOUR / 4, MIDNIGHT + DAY + 2 * HOUR),
    ("weather", {"profile": "open_meteo"}, SeriesKind.TEMPERATURE, HOUR, MIDNIGHT + 4 * DAY + 2 * HOUR),
]


@pytest.mark.parametrize(("kind", "settings", "first", "step", "end"), SHAPES, ids=[s[1]["profile"] for s in SHAPES])
async def test_each_simulated_service_is_read_by_its_shipped_table(
    services: tuple[Services, str],
    kind: str,
    settings: dict[str, str],
    first: SeriesKind,
    step: timedelta,
    end: datetime,
) -> None:
    series = (await told(kind, services[1], **settings))[0]
    assert series.kind is first
    assert {p.end - p.start for p in series.points} == {step}
    assert series.end == end, "what is not out yet is not told"


async def test_two_services_of_one_market_tell_the_same_price(services: tuple[Services, str]) -> None:
    (awattar,) = await told("prices", services[1], profile="awattar_de")
    (charts,) = await told("prices", services[1], profile="energy_charts")
    assert awattar.points == charts.points
    assert awattar.at(NOON) == pytest.approx(WORLD.price_eur_mwh(NOON) * 1000)


async def test_the_forecast_irradiance_is_that_of_the_simulated_sky(services: tuple[Services, str]) -> None:
    found = {s.kind: s for s in await told("weather", services[1], profile="open_meteo")}
    assert set(found) == {SeriesKind.TEMPERATURE, SeriesKind.IRRADIANCE, SeriesKind.CLOUD}
    assert found[SeriesKind.IRRADIANCE].at(NOON) == WORLD.irradiance_w_m2(NOON)
    assert found[SeriesKind.TEMPERATURE].at(NOON - DAY) == pytest.approx(WORLD.weather.outdoor_c(NOON - DAY), abs=0.06)


@pytest.mark.slow
def test_a_seed_tells_the_same_prices_again_and_prices_sink_below_zero_in_a_strong_sun() -> None:
    hours = [MIDNIGHT + i * HOUR for i in range(24 * 12)]
    again = World(7, Replay(7, load_data()))
    assert [WORLD.price_eur_mwh(h) for h in hours[:48]] == [again.price_eur_mwh(h) for h in hours[:48]]
    prices = [WORLD.price_eur_mwh(h) for h in hours]
    assert min(prices) < 0 < max(prices) < 400


FAULTS = [
    ("429", ServerUnreachable, "429"),
    ("500", ServerUnreachable, "500"),
    ("nonsense", ServerAnswerWrong, "not JSON"),
    ("short", ServerUnreachable, "cannot be reached"),
    ("empty", ServerAnswerWrong, "does not hold"),
    ("lies", ServerAnswerWrong, "should be"),
]


@pytest.mark.parametrize(("kind", "error", "words"), FAULTS, ids=[f[0] for f in FAULTS])
async def test_what_it_does_wrong_is_told_by_the_product(
    services: tuple[Services, str], kind: str, error: type[ServerError], words: str
) -> None:
    async with httpx.AsyncClient() as client:
        await client.post(f"{services[1]}/sim/fault", json={"kind": kind, "for_s": 60})
        with pytest.raises(error, match=words) as caught:
            await told("prices", services[1], profile="awattar_de")
        await client.post(f"{services[1]}/sim/fault", json={"kind": kind, "for_s": 0})
    if kind == "429":
        assert isinstance(caught.value, ServerUnreachable)
        assert caught.value.retry_after_s == 1800
    assert await told("prices", services[1], profile="awattar_de")
