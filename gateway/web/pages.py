"""The pages: each opens with one sentence, then the picture, then the figures."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.model.errors import WishRefused
from gateway.runtime.edits import editable
from gateway.runtime.energy import device_name
from gateway.runtime.words import local_time
from gateway.web import cards, chart, devices, energy, sources
from gateway.web.appliance_cards import appliance_cards
from gateway.web.dr_view import DrHome
from gateway.web.envelopes import envelope_cards
from gateway.web.event_cards import event_cards
from gateway.web.guard import COOKIE
from gateway.web.loadshape import load_shape_values
from gateway.web.login import Login
from gateway.web.picture import cards_key, co2_words, live_document, picture, price_words
from gateway.web.state import state_of
from gateway.web.stream import Streams
from gateway.web.view import HomeView
from gateway.web.words import MODE_WORDS, co2, money, watt_hours, watts

HERE = Path(__file__).parent
STATIC = HERE / "static"
PAGES = (
    ("/", "Now"),
    ("/plan", "Plan"),
    ("/energy", "Energy"),
    ("/charging", "Charging"),
    ("/events", "Events"),
    ("/loadshape", "Load shape"),
)
SAID_KEPT = 100
LEAST_WH = 0.5
"""Less than this of unknown origin is not worth a colour in the legend, Wh."""


class Pages:
    """Renders templates with what every page shows: time, tick, who is there, what was just said."""

    def __init__(self, home: HomeView, login: Login) -> None:
        self.home = home
        self.login = login
        self.said: dict[str, tuple[str, bool]] = {}
        self.templates = _environment()

    def say(self, request: Request, text: str, *, refused: bool = False) -> None:
        """Keep one sentence for this visitor's next page."""
        while len(self.said) >= SAID_KEPT:
            del self.said[next(iter(self.said))]
        self.said[_visitor(request)] = (text, refused)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """One page as HTML."""
        home, now = self.home, self.home.clock.now()
        said, refused = self.said.pop(_visitor(request), ("", False))
        common = {
            "site": home.site,
            "path": request.url.path,
            "nav": PAGES,
            "who": getattr(request.state, "who", ""),
            "said": said,
            "said_refused": refused,
            "time": f"{now.astimezone(home.site.timezone):%H:%M}",
            "today": f"{now.astimezone(home.site.timezone):%a %d %b}",
            "simulated": home.simulated or home.clock.speed != 1,
            "speed": home.clock.speed,
            "tick_s": home.tick_s,
        }
        return HTMLResponse(self.templates.get_template(template).render(common | values), status)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """The templates, compiled once per process."""
    loader = FileSystemLoader(HERE / "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.globals.update(asset=asset, watts=watts, watt_hours=watt_hours, money=money, co2=co2, modes=MODE_WORDS)
    return made


def _visitor(request: Request) -> str:
    token = request.cookies.get(COOKIE, "")
    return hashlib.sha256(token.encode()).hexdigest() if token else getattr(request.state, "who", "")


@lru_cache
def asset(name: str) -> str:
    """The address of a static file, changing with its content so that it may be kept for ever."""
    mark = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={mark}"


def page_routes(home: DrHome, pages: Pages, streams: Streams) -> APIRouter:
    """The pages to read."""
    router = APIRouter(include_in_schema=False)
    _add_now(router, home, pages, streams)
    _add_plan(router, home, pages)
    _add_energy(router, home, pages)
    _add_rest(router, home, pages)
    return router


def _add_now(router: APIRouter, home: DrHome, pages: Pages, streams: Streams) -> None:
    @router.get("/")
    async def now(request: Request) -> HTMLResponse:
        state = state_of(home)
        active = [c for c in event_cards(home) if c.phase in ("active", "upcoming") and not c.information]
        zone, clock = home.site.timezone, home.clock.now()
        news = [(n, local_time(n.time, clock, zone)) for n in await home.notifications()]
        return pages.page(
            request,
            "now.html",
            headline=state.headline,
            nodes=picture(home, state),
            key=cards_key(home, state),
            price=price_words(state),
            co2_now=co2_words(state),
            rate=state.rate,
            change=cards.change_card(home),
            planned=home.plan() is not None,
            devices=cards.device_cards(home),
            appliances=appliance_cards(home, home.appliances),
            events=active[:2],
            envelopes=envelope_cards(home),
            open_news=[item for item in news if item[0].ended is None and item[0].level != "info"],
            past_news=[item for item in news if item[0].ended is not None or item[0].level == "info"][:6],
        )

    @router.get("/live")
    async def live() -> Response:
        return streams.open(live_document)


def _add_plan(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.get("/plan")
    async def plan(request: Request, device: str = "", start: str = "") -> HTMLResponse:
        found = home.plan()
        rows = chart.block_rows(home, found) if found else []
        soon = (home.clock.now() + chart.NEAR).isoformat()
        near = sum(row.start < soon for row in rows)
        asked = await _asked(home, rows, device, start)
        return pages.page(
            request,
            "plan.html",
            headline=cards.plan_sentence(home),
            plan=found,
            rows=rows,
            near=near,
            far=asked is not None and asked["row"] in rows[near:],
            asked=asked,
            hours=chart.hour_rows(home, found) if found else [],
            made=local_time(found.made_at, home.clock.now(), home.site.timezone) if found else "",
            document=await chart.chart_document(home, found),
        )


async def _asked(home: HomeView, rows: list[chart.BlockRow], device: str, start: str) -> dict[str, Any] | None:
    """The row that was touched, with its counterfactual solved anew."""
    # A block that runs begins anew with each plan; who looked at the one before asks by its old start.
    own = [r for r in rows if r.device == device]
    row = next((r for r in own if r.start == start), None) or next((r for r in own if r.now and start < r.start), None)
    if row is None:
        return None
    found = home.plan()
    block = (
        next((b for b in found.blocks if b.device == device and b.start.isoformat() == row.start), None)
        if found
        else None
    )
    try:
        _, _, sentence = await home.counterfactual(device, block.start) if block else (0, 0.0, "")
    except WishRefused as refused:
        sentence = str(refused)
    return {"row": row, "sentence": sentence}


def _add_energy(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.get("/energy")
    async def show_energy(
        request: Request, day: str = "", device: str = "", minutes: str = "", start: str = ""
    ) -> HTMLResponse:
        wish = energy.asked(home, day, device, minutes, start)
        return pages.page(request, "energy.html", **await _energy_values(home, wish))

    @router.get("/devices")
    async def show_devices(request: Request) -> HTMLResponse:
        panels = devices.device_panels(home)
        return pages.page(
            request,
            "devices.html",
            headline=devices.devices_sentence(panels),
            devices=panels,
            sources=sources.source_cards(home, home.site.timezone),
        )


async def _energy_values(home: HomeView, wish: energy.Asked) -> dict[str, Any]:
    """Everything the page Energy shows."""
    today = home.clock.now().astimezone(home.site.timezone).date()
    found = await home.energy_day(wish.day)
    starts, ends = energy.edges(home, wish, found)
    return {
        "headline": energy.sentence(found, today),
        "wish": wish,
        "day": found,
        "name": device_name(home.site, wish.device),
        "before": wish.day - timedelta(days=1),
        "after": wish.day + timedelta(days=1) if wish.day < today else None,
        "last_day": today,
        "bars": energy.bars(found),
        "unknown": any(consumer.unknown_wh >= LEAST_WH for consumer in found.consumers),
        "measured": energy.measured_words(found),
        "devices": energy.devices(home, wish),
        "lengths": energy.MINUTES,
        "rows": await energy.interval_rows(home, wish, found),
        "downloads": energy.downloads(wish, found),
        "correctable": wish.device in editable(home.site),
        "starts": starts,
        "ends": ends,
    }


def _add_rest(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.get("/loadshape")
    async def loadshape(request: Request) -> HTMLResponse:
        return pages.page(request, "loadshape.html", **await load_shape_values(home))
