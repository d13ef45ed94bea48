"""Programs: what the owner agreed with each, and the servers behind them; as API and as a page that works without scripts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.model.agreement import Shared
from gateway.model.errors import WishRefused
from gateway.runtime.dr_desk import ProgramState, ServerState
from gateway.runtime.words import local_time
from gateway.web.dr_view import DrHome
from gateway.web.form_fields import fields_of, refusal_words
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.program_words import (
    POLICY_WORDS,
    SHARED_WORDS,
    STANDINGS,
    agreement_from,
    binding_warning,
    pays_words,
    server_sentence,
    standing_of,
)
from gateway.web.targeting import rated
from gateway.web.wire_dr import AgreementModel, ProgramOut, ServerOut


@dataclass(frozen=True, slots=True)
class ProgramCard:
    """One program for the page: who, what was agreed, and what may be changed."""

    key: str
    name: str
    server: str
    health: str
    ok: bool
    binding: bool
    pays: str
    live: int
    standing: str
    share: frozenset[str]
    until: str
    ended: str
    since: str


@dataclass(frozen=True, slots=True)
class ServerCard:
    """One server for the page, in words."""

    name: str
    ok: bool
    words: str
    push: str
    groups: str
    devices: str
    unreadable: tuple[str, ...]


def program_routes(home: DrHome, pages: Pages) -> APIRouter:
    """GET /api/v1/dr/programs and .../servers, PUT .../agreement, and the page /programs."""
    router = APIRouter()
    _add_api(router, home)
    _add_page(router, home, pages)
    return router


def _add_api(router: APIRouter, home: DrHome) -> None:
    @router.get("/api/v1/dr/programs")
    async def programs() -> list[ProgramOut]:
        """Every program the utilities offer, with what the owner agreed."""
        return [_program_out(home, state) for state in home.desk.programs()]

    @router.put("/api/v1/dr/programs/{key:path}/agreement")
    async def agree(key: str, word: AgreementModel, request: Request) -> ProgramOut:
        """The owner's word about one program (its key, "server:id"); events not yet decided one by one follow it."""
        if home.desk.program(key) is None:
            raise Problem(404, f"There is no program '{key[:200]}'. GET /api/v1/dr/programs lists them by key.")
        return _program_out(home, await home.desk.agree(key, word.to_model(), request.state.who))

    @router.get("/api/v1/dr/servers")
    async def servers() -> list[ServerOut]:
        """The utilities' servers and how they fare."""
        return [_server_out(home, state) for state in home.desk.servers()]


def _program_out(home: DrHome, state: ProgramState) -> ProgramOut:
    program, until = state.program, state.agreement.until
    return ProgramOut(
        key=program.key,
        id=program.id,
        name=program.name,
        server=program.server,
        server_ok=state.server_ok,
        binding=program.binding,
        agreement=AgreementModel.model_validate(state.agreement),
        ended=until is not None and until <= home.clock.now(),
        pays_per_kwh=state.pays.per_kwh,
        pays_per_event=state.pays.per_event,
        currency=home.site.currency,
        live=list(state.live),
    )


def _server_out(home: DrHome, state: ServerState) -> ServerOut:
    facts = state.facts
    return ServerOut(
        name=state.name,
        ok=state.ok,
        error=state.error,
        last_heard=state.heard,
        silent_since=state.silent_since,
        version=facts.version,
        ven=facts.ven,
        groups=list(facts.groups),
        resources=list(facts.resources),
        events=facts.events,
        clock_difference_s=facts.clock_skew_s,
        push=facts.push,
        pushes=facts.pushes,
        unreadable=list(facts.unreadable),
        words=server_sentence(state, home.clock.now(), home.site.timezone),
    )


def _add_page(router: APIRouter, home: DrHome, pages: Pages) -> None:
    def show(request: Request, wrong: str = "", typed: dict[str, str] | None = None) -> HTMLResponse:
        return pages.page(request, "programs.html", 422 if wrong else 200, **_values(home, typed or {}), wrong=wrong)

    @router.get("/programs", include_in_schema=False)
    async def programs(request: Request) -> HTMLResponse:
        return show(request)

    @router.post("/do/agreement", include_in_schema=False)
    async def agree(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            share = tuple(kind for kind in Shared if fields.get(f"share_{kind.value}") == "yes")
            word = agreement_from(fields.get("standing", ""), share, _until(home, fields.get("until", "")))
            state = await home.desk.agree(fields.get("program", ""), word, request.state.who)
        except (WishRefused, ValueError, OverflowError) as refused:
            return show(request, refusal_words(refused), fields)
        pages.say(request, f"{state.program.name}: kept. {_meaning(standing_of(state.agreement))}")
        return RedirectResponse("/programs", 303)


def _until(home: DrHome, day: str) -> datetime | None:
    """The end of a local day, so that the day named still counts."""
    if not day:
        return None
    return datetime.combine(datetime.fromisoformat(day).date(), time(23, 59), home.site.timezone).astimezone(UTC)


def _meaning(standing: str) -> str:
    words = {name: (text, more) for name, text, more in STANDINGS}[standing]
    return f"{words[0]}: {words[1]}."


def _values(home: DrHome, typed: dict[str, str]) -> dict[str, Any]:
    found, servers = home.desk.programs(), home.desk.servers()
    health = {state.name: state for state in servers}
    cards = [_program_card(home, state, health.get(state.program.server)) for state in found]
    return {
        "headline": _headline(found),
        "programs": [_retyped(card, typed) if card.key == typed.get("program") else card for card in cards],
        "servers": [_server_card(home, state) for state in servers],
        "standings": STANDINGS,
        "kinds": [(kind.value, *words) for kind, words in SHARED_WORDS.items()],
        "warning": binding_warning(),
        "rated": rated(home),
        "usual": POLICY_WORDS[home.preferences().dr_policy],
    }


def _retyped(card: ProgramCard, typed: dict[str, str]) -> ProgramCard:
    """A refused form's card with what was typed into it."""
    share = frozenset(kind.value for kind in Shared if typed.get(f"share_{kind.value}") == "yes")
    return replace(card, standing=typed.get("standing", ""), share=share, until=typed.get("until", ""))


def _headline(found: list[ProgramState]) -> str:
    if not found:
        return "No utility offers a program to this home yet."
    bound = sum(state.agreement.standing == "binding" for state in found)
    what = f"{len(found)} program{'' if len(found) == 1 else 's'}"
    return f"{what}, {bound or 'none'} of them binding."


def _program_card(home: DrHome, state: ProgramState, server: ServerState | None) -> ProgramCard:
    now, zone, word = home.clock.now(), home.site.timezone, state.agreement
    until = word.until.astimezone(zone) if word.until else None
    ended = word.until is not None and word.until <= now
    return ProgramCard(
        key=state.program.key,
        name=state.program.name or state.program.id,
        server=state.program.server,
        health=server_sentence(server, now, zone) if server else "It is no longer in the site file.",
        ok=server.ok if server else False,
        binding=state.program.binding,
        pays=pays_words(state, home.site.currency),
        live=len(state.live),
        standing=standing_of(word),
        share=frozenset(kind.value for kind in word.share),
        until=f"{until:%Y-%m-%d}" if until and not ended else "",
        ended=f"{until:%A %d %B %Y}" if until and ended else "",
        since=local_time(word.since, now, zone) if word.since else "",
    )


def _server_card(home: DrHome, state: ServerState) -> ServerCard:
    facts = state.facts
    return ServerCard(
        name=state.name,
        ok=state.ok,
        words=server_sentence(state, home.clock.now(), home.site.timezone),
        push=facts.push,
        groups=", ".join(facts.groups),
        devices=", ".join(facts.resources),
        unreadable=facts.unreadable,
    )
