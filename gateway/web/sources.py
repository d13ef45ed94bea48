"""Where prices, carbon intensity and weather come from: how old, up to when, and what counts where they are silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from gateway.ports import Clock
from gateway.runtime.source_words import SourceState
from gateway.runtime.words import local_time
from gateway.web.wire import Out
from gateway.web.words import age

KIND_WORDS = {
    "spot": "prices",
    "carbon": "carbon intensity",
    "temperature": "temperature",
    "irradiance": "irradiance",
    "cloud": "clouds",
}


class SourcesView(Protocol):
    """What this part needs of the home."""

    @property
    def clock(self) -> Clock: ...

    def source_states(self) -> Sequence[SourceState]:
        """Every source, in the order of the site file."""
        ...


class SourceOut(Out):
    """One source: `age_s` of its newest answer, `until` its values reach without a gap, `error` of the last question.

    `standing_in` says in words what is missing and what counts instead; `dropped` rows of the last answer were unreadable,
    the first of them as `dropped_why` says.
    """

    name: str
    title: str
    kinds: list[str]
    fetched_at: datetime | None
    age_s: float | None
    until: datetime | None
    error: str
    dropped: int
    standing_in: str
    dropped_why: str


@dataclass(frozen=True, slots=True)
class SourceCard:
    """One source for the page, in words."""

    name: str
    title: str
    brings: str
    age: str
    until: str
    error: str
    standing_in: str
    dropped: int
    dropped_why: str

    @property
    def well(self) -> bool:
        """Whether it answers and enough is told."""
        return not self.error and not self.standing_in


def source_routes(home: SourcesView) -> APIRouter:
    """GET /api/v1/sources."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/sources")
    async def sources() -> list[SourceOut]:
        """Where prices, carbon intensity and weather come from, and how old they are."""
        return [SourceOut.model_validate(state) for state in home.source_states()]

    return router


def source_cards(home: SourcesView, zone: ZoneInfo) -> list[SourceCard]:
    """Every source in words, in the order of the site file."""
    now = home.clock.now()
    return [
        SourceCard(
            state.name,
            state.title,
            ", ".join(KIND_WORDS[kind.value] for kind in state.kinds),
            age(state.age_s),
            local_time(state.until, now, zone) if state.until is not None else "",
            state.error,
            state.standing_in,
            state.dropped,
            state.dropped_why,
        )
        for state in home.source_states()
    ]
