"""Services that tell prices, carbon intensity and weather, in the shapes of real ones, on loopback.

aWATTar, Energy-Charts (prices and CO2), Octopus Energy and Open-Meteo; written from their own documentation.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.http_process import serving
from firmware_sim.physics.replay import Replay, load_data
from firmware_sim.process import run_process
from firmware_sim.sources_faults import KINDS, FaultLayer, Faults
from firmware_sim.sources_world import DAY, HOUR, World, hours, published_until

TARIFF = "/v1/products/{product}/electricity-tariffs/{tariff}/standard-unit-rates/"
POUNDS_PER_EUR, VAT = 0.85, 1.05


class Services:
    """All services of one world; what they tell ends where a real one's would."""

    def __init__(self, clock: SimClock, world: World) -> None:
        self._clock, self._world = clock, world
        self.faults = Faults()
        self.asked: list[str] = []

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/v1/marketdata", self.awattar),
            Route("/price", self.energy_charts_price),
            Route("/co2eq", self.energy_charts_co2),
            Route("/v1/forecast", self.open_meteo),
            Route(TARIFF, self.octopus),
            Route("/sim/fault", self.fault, methods=["POST"]),
            Route("/sim/state", self.state),
        ]
        return Starlette(routes=routes, middleware=[Middleware(FaultLayer, faults=self.faults)])

    async def awattar(self, request: Request) -> Response:
        """GET /v1/marketdata?start&end in ms: hourly prices; without them the next 24 h."""
        now = self._now(request)
        start = _at(request, "start", now, 1000)
        end = min(_at(request, "end", start + DAY, 1000), published_until(now))
        rows = [
            {
                "start_timestamp": int(hour.timestamp() * 1000),
                "end_timestamp": int((hour + HOUR).timestamp() * 1000),
                "marketprice": self._price(hour),
                "unit": "Eur/kWh" if self.faults.active("lies") else "Eur/MWh",
            }
            for hour in hours(start, end)
        ]
        return JSONResponse({"object": "list", "data": rows, "url": "/v1/marketdata"})

    async def energy_charts_price(self, request: Request) -> Response:
        """GET /price?bzn&start&end: lists of times and prices."""
        now = self._now(request)
        start = _at(request, "start", now)
        told = hours(start, min(_at(request, "end", start + DAY), published_until(now)))
        return JSONResponse(
            {
                "license_info": "simulated",
                "unix_seconds": [int(hour.timestamp()) for hour in told],
                "price": [self._price(hour) for hour in told],
                "unit": "GBP / MWh" if self.faults.active("lies") else "EUR / MWh",
                "deprecated": False,
            }
        )

    async def energy_charts_co2(self, request: Request) -> Response:
        """GET /co2eq?country: quarter hours of today, measured up to now and forecast from then on."""
        now = self._now(request)
        first = now.replace(hour=0, minute=0, second=0, microsecond=0)
        quarters = [first + timedelta(minutes=15 * i) for i in range(96)]
        values = [self._world.carbon_g_kwh(q.replace(minute=0)) for q in quarters]
        return JSONResponse(
            {
                "unix_seconds": [int(q.timestamp()) for q in quarters],
                "co2eq": [v if q <= now else None for q, v in zip(quarters, values, strict=True)],
                "co2eq_forecast": [None if q <= now else v for q, v in zip(quarters, values, strict=True)],
                "substitute": False,
                "deprecated": False,
            }
        )

    async def octopus(self, request: Request) -> Response:
        """GET standard-unit-rates: half hours in pence, newest first, in pages."""
        now = self._now(request)
        start = _at(request, "period_from", now)
        end = min(_at(request, "period_to", start + DAY), published_until(now))
        halves = [hour + timedelta(minutes=m) for hour in hours(start, end) for m in (0, 30)]
        size = min(int(request.query_params.get("page_size", 100)), 1500)
        rows = [self._half(half) for half in reversed(halves)][:size]
        return JSONResponse({"count": len(halves), "next": None, "previous": None, "results": rows})

    async def open_meteo(self, request: Request) -> Response:
        """GET /v1/forecast: hourly lists from midnight UTC; the irradiance of the hour before each time."""
        now = self._now(request)
        query = request.query_params
        first = now.replace(hour=0, minute=0, second=0, microsecond=0) - int(query.get("past_days", 0)) * DAY
        count = 24 * (int(query.get("past_days", 0)) + min(int(query.get("forecast_days", 7)), 16))
        told = [first + i * HOUR for i in range(count)]
        known: dict[str, tuple[str, list[Any]]] = {
            "temperature_2m": ("°C", [self._world.temperature_c(hour, now) for hour in told]),
            "shortwave_radiation": ("W/m²", [self._world.irradiance_w_m2(hour - HOUR) for hour in told]),
            "cloud_cover": ("%", [self._world.cloud_percent(hour) for hour in told]),
        }
        wanted = [name for name in query.get("hourly", "").split(",") if name in known]
        units = {"time": "iso8601"} | {name: known[name][0] for name in wanted}
        if self.faults.active("lies"):
            units["temperature_2m"] = "°F"
        hourly = {"time": [f"{hour:%Y-%m-%dT%H:%M}" for hour in told]} | {name: known[name][1] for name in wanted}
        return JSONResponse({"utc_offset_seconds": 0, "timezone": "GMT", "hourly_units": units, "hourly": hourly})

    async def fault(self, request: Request) -> Response:
        """POST /sim/fault {kind, for_s}."""
        wish = await request.json()
        if wish.get("kind") not in KINDS:
            return JSONResponse({"detail": f"kind is one of {', '.join(KINDS)}"}, 400)
        self.faults.start(wish["kind"], float(wish.get("for_s", 60)))
        return JSONResponse({"active": [kind for kind in KINDS if self.faults.active(kind)]})

    async def state(self, request: Request) -> Response:
        """The paths that were asked, oldest first."""
        return JSONResponse({"asked": self.asked[-200:]})

    def _now(self, request: Request) -> datetime:
        self.asked = [*self.asked[-500:], request.url.path]
        return self._clock.now()

    def _price(self, hour: datetime) -> float:
        return self._world.price_eur_mwh(hour)

    def _half(self, half: datetime) -> dict[str, Any]:
        pence = round(self._price(half.replace(minute=0)) / 10 * POUNDS_PER_EUR, 4)
        return {
            "value_exc_vat": pence,
            "value_inc_vat": round(pence * VAT, 4),
            "valid_from": f"{half:%Y-%m-%dT%H:%M:%SZ}",
            "valid_to": f"{half + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
            "payment_method": None,
        }


def _at(request: Request, name: str, default: datetime, divisor: int = 1) -> datetime:
    """A time of the query: Unix (of 1/divisor s) or ISO 8601."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / divisor, UTC)
    when = datetime.fromisoformat(text.replace(" ", "+"))
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim sources", description=__doc__)
    add_clock_arguments(options)
    options.add_argument("--port", type=int, default=0, help="TCP port, 0 for any free one")
    options.add_argument("--seed", type=int, default=1, help="the same seed tells the same prices and weather")
    return options


async def serve(args: argparse.Namespace) -> None:
    """Serve until cancelled."""
    services = Services(clock_from(args), World(args.seed, Replay(args.seed, load_data())))
    async with serving("sources", services.app(), args.port) as task:
        await asyncio.shield(task)


def main(argv: list[str]) -> None:
    """`python -m firmware_sim sources ...`"""
    run_process(serve(parser().parse_args(argv)))
