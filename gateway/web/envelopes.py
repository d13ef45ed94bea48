"""The grid operator's limits at the house: what holds, and the door through which a bridge tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Request
from pydantic import Field

from gateway.runtime.envelopes import Envelopes
from gateway.runtime.words import local_time
from gateway.web.problems import Problem
from gateway.web.view import HomeView
from gateway.web.wire import In, Out, SaidOut


class EnvelopeOut(Out):
    """One envelope: `phase` init, unlimited, limited, failsafe or autonomous; magnitudes in W, null while not limited."""

    id: str
    name: str
    phase: str
    words: str
    import_w: float | None
    export_w: float | None
    since: datetime | None
    heard: datetime | None
    ends: datetime | None


class EnvelopeIn(In):
    """All that the grid operator says now, and a sign of life; active without a power means the site file's limit."""

    active: bool = Field(description="Whether a limit holds")
    import_w: float | None = Field(None, ge=0, le=1e6, description="The most that may be drawn, W")
    export_w: float | None = Field(None, ge=0, le=1e6, description="The most that may be fed in, W, a magnitude")
    duration_s: float | None = Field(
        None, gt=0, le=604_800, description="Ends by itself after so long, s; absent: never"
    )


class EnvelopeHome(Protocol):
    """What this part needs of the home."""

    @property
    def envelopes(self) -> Envelopes: ...


@dataclass(frozen=True, slots=True)
class EnvelopeCard:
    """One envelope for the page, in words."""

    name: str
    words: str
    limit: str
    since: str
    held: bool


def envelope_routes(home: EnvelopeHome) -> APIRouter:
    """GET /api/v1/envelopes and POST /api/v1/envelopes/{id}."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/envelopes")
    async def envelopes() -> list[EnvelopeOut]:
        """The grid operator's limits at the house, by contact or bridge."""
        return [_out(home.envelopes, device.id, device.name) for device in home.envelopes.devices()]

    @router.post("/envelopes/{name}")
    async def tell(name: str, said: EnvelopeIn, request: Request) -> SaidOut:
        """What a bridge heard of the grid operator; with its device's token as a bearer, or logged in."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not request.state.who and not home.envelopes.admits(name, token):
            detail = "The token is not this envelope's. It stands in the site file, at the device of role grid_limit."
            raise Problem(403, detail)
        held = await home.envelopes.tell(
            name, active=said.active, import_w=said.import_w, export_w=said.export_w, duration_s=said.duration_s
        )
        return SaidOut(text=held)

    return router


def envelope_cards(home: HomeView) -> list[EnvelopeCard]:
    """Every envelope in words, those that hold first."""
    now, zone = home.clock.now(), home.site.timezone
    found = []
    for device in home.envelopes.devices():
        state = home.envelopes.states.get(device.id)
        parts = []
        if state is not None and state.import_w is not None:
            parts.append(f"draw at most {state.import_w / 1000:g} kW")
        if state is not None and state.export_w is not None:
            parts.append(f"feed in at most {state.export_w / 1000:g} kW")
        since = local_time(state.since, now, zone) if state is not None else ""
        found.append(EnvelopeCard(device.name, home.envelopes.words(device), ", ".join(parts), since, bool(parts)))
    return sorted(found, key=lambda card: not card.held)


def _out(envelopes: Envelopes, name: str, title: str) -> EnvelopeOut:
    state = envelopes.states.get(name)
    device = next(device for device in envelopes.devices() if device.id == name)
    return EnvelopeOut(
        id=name,
        name=title,
        phase=state.phase.value if state else "init",
        words=envelopes.words(device),
        import_w=state.import_w if state else None,
        export_w=state.export_w if state else None,
        since=state.since if state else None,
        heard=state.heard if state else None,
        ends=state.ends if state else None,
    )
