"""The page of events: what waits for an answer first, then what is on, what comes and what was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.model.dr import EventPhase
from gateway.web import event_picture
from gateway.web.dr import event_time, is_information
from gateway.web.dr_view import DrHome
from gateway.web.envelopes import envelope_cards
from gateway.web.event_cards import EventCard, event_cards
from gateway.web.flexibility import offer_rows
from gateway.web.pages import Pages
from gateway.web.program_words import server_sentence

MARKS_SHOWN = 8
PAST_SHOWN = 20
"""So many past events are shown; the API has all."""


def event_routes(home: DrHome, pages: Pages) -> APIRouter:
    """The page /events."""
    router = APIRouter(include_in_schema=False)

    @router.get("/events")
    async def events(request: Request) -> HTMLResponse:
        found = event_cards(home)
        return pages.page(
            request,
            "events.html",
            headline=_sentence(found),
            groups=_groups(found),
            envelopes=envelope_cards(home),
            offers=offer_rows(home),
            marks=marks(home),
            hours=scale_hours(home),
            lanes=event_picture.lanes(home),
            lane_hours=event_picture.hours(home),
            silent=_silent(home),
            key=await home.chain.signed_with([record.key for record in reversed(home.event_records())][:PAST_SHOWN]),
        )

    return router


def _groups(found: list[EventCard]) -> list[tuple[str, list[EventCard]]]:
    waiting = [card for card in found if card.waits]
    rest = [card for card in found if not card.waits]
    groups = [
        ("Waiting for your answer", waiting),
        ("Now", [card for card in rest if card.phase == EventPhase.ACTIVE]),
        ("To come", [card for card in rest if card.phase == EventPhase.UPCOMING]),
        ("Past", [card for card in rest if card.phase in (EventPhase.ENDED, EventPhase.CANCELLED)][:PAST_SHOWN]),
    ]
    return [(title, cards) for title, cards in groups if cards]


def _sentence(found: list[EventCard]) -> str:
    asking = [c for c in found if not c.information]
    active = next((c for c in asking if c.phase == "active"), None)
    if active:
        return f"{active.name} is under way and {active.countdown or 'has no end stated'}."
    waiting = next((c for c in asking if c.waits), None)
    if waiting:
        return f"{waiting.name} {waiting.countdown or 'is announced'} and waits for your answer."
    coming = next((c for c in asking if c.phase == "upcoming"), None)
    if coming:
        return f"{coming.name} {coming.countdown or 'is announced'}."
    return "The utility asks for nothing at the moment."


def _silent(home: DrHome) -> list[tuple[str, str]]:
    """The servers that cannot be used, in words: what they would ask is not known."""
    now, zone = home.clock.now(), home.site.timezone
    return [(s.name, server_sentence(s, now, zone)) for s in home.desk.servers() if s.silent_since is not None]


def marks(home: DrHome) -> list[dict[str, Any]]:
    """Events as bars over the day before and the day ahead, percent of the width, one under the other."""
    now = home.clock.now()
    first, whole = now - timedelta(hours=12), timedelta(hours=36)
    found = []
    for record in home.event_records():
        when = event_time(home, record)
        if when.start is None or when.phase is EventPhase.CANCELLED:
            continue
        left = (when.start - first) / whole * 100
        right = ((when.end or first + whole) - first) / whole * 100
        if right > 0 and left < 100:
            left = max(0.0, left)
            mark = {"name": record.event.name, "left": left, "width": max(1.0, min(100.0, right) - left)}
            words = "information" if is_information(home, record) else when.phase.value
            found.append(mark | {"phase": words, "right": left > 60})
    found.sort(key=lambda mark: (mark["phase"] == "information", mark["left"]))
    return found[:MARKS_SHOWN]


def _hour_words(local: datetime) -> str:
    """A day begins with its name."""
    return f"{local:%a}" if local.hour == 0 else f"{local:%H:%M}"


def scale_hours(home: DrHome) -> list[tuple[float, str]]:
    """Local hours along the timeline: (percent of the width, words)."""
    now, zone = home.clock.now(), home.site.timezone
    first = (now - timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
    hours = [first + timedelta(hours=i) for i in range(1, 37)]
    marked = [hour for hour in hours if hour.astimezone(zone).hour % 6 == 0]
    return [
        (((hour - now) / timedelta(hours=1) + 12) / 36 * 100, _hour_words(hour.astimezone(zone))) for hour in marked
    ]
