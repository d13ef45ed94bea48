"""The plan's archive as a page part and as an API; and the exact cost of every block's alternative."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from gateway.model.archive import ArchivedDay
from gateway.model.errors import WishRefused
from gateway.model.plan import Block, Plan
from gateway.web.archive_words import day_sentence, error_sentences, hours, pairs
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.savings_book import ArchiveView
from gateway.web.view import HomeView
from gateway.web.wire import BlockOut, Instant
from gateway.web.wire_savings import AlternativeOut, ArchivedDayOut, ArchivedQuarterOut, MissOut

FIRST_DAY = date(1971, 1, 1)


def archive_routes(home: HomeView, pages: Pages, archive: ArchiveView) -> APIRouter:
    """The page /plan/archive, /api/v1/plan/archive and /api/v1/plan/blocks."""
    router = APIRouter()
    _add_archive(router, home, pages, archive)
    _add_blocks(router, home)
    return router


def _add_archive(router: APIRouter, home: HomeView, pages: Pages, archive: ArchiveView) -> None:
    @router.get("/plan/archive", include_in_schema=False)
    async def page(request: Request, day: str = "") -> HTMLResponse:
        today = _today(home)
        wanted = _day(day, today)
        found = await archive.day(wanted)
        return pages.page(
            request, "archive.html",
            path="/plan", headline=day_sentence(found, today), notes=error_sentences(found), day=wanted,
            pairs=pairs(home.site, found), hours=hours(found, home.site),
            before=wanted - timedelta(days=1), after=wanted + timedelta(days=1) if wanted < today else None,
        )  # fmt: skip

    @router.get("/api/v1/plan/archive")
    async def read(day: date | None = None) -> ArchivedDayOut:
        """What the plan in force said of each quarter hour of a local day, and what was measured; yesterday's when not said."""
        today = _today(home)
        wanted = today - timedelta(days=1) if day is None else day
        if not FIRST_DAY <= wanted <= today:
            raise Problem(422, f"day: must lie between {FIRST_DAY} and today. The last 400 days are kept.")
        return archived_out(await archive.day(wanted), today)


def _add_blocks(router: APIRouter, home: HomeView) -> None:
    @router.get("/api/v1/plan/blocks")
    async def blocks(device: str = "") -> list[BlockOut]:
        """The blocks of the plan in force, of one device or of all."""
        return [BlockOut.model_validate(b) for b in _plan(home).blocks if device in ("", b.device)]

    @router.get("/api/v1/plan/blocks/{device}")
    async def alternative(
        device: str, start: Annotated[Instant | None, Query(description="Its start; now when not said.")] = None
    ) -> AlternativeOut:
        """Why one block is planned, and exactly what its alternative would cost more; solved anew."""
        block = _block(home, device, start)
        if not block.alternative:
            words = f"{block.reason} There is no other way to weigh it against."
            return AlternativeOut(block=BlockOut.model_validate(block), cost_micro=None, co2_g=None, words=words)
        try:
            micro, co2_g, words = await home.counterfactual(device, block.start)
        except WishRefused as refused:
            raise Problem(409, f"{refused} GET /api/v1/plan/blocks lists its blocks.") from refused
        out = BlockOut.model_validate(block)
        return AlternativeOut(block=out, cost_micro=micro, co2_g=co2_g, words=f"{block.reason} {words}")


def _plan(home: HomeView) -> Plan:
    found = home.plan()
    if found is None:
        raise Problem(404, "There is no plan yet. The first is made within a minute of the first meter reading.")
    return found


def _block(home: HomeView, device: str, start: datetime | None) -> Block:
    """The block of that start, or else the one that holds it; raises Problem (404)."""
    plan, at = _plan(home), start or home.clock.now()
    exact = next((b for b in plan.blocks if b.device == device and b.start == at), None)
    found = exact or plan.block(device, at)
    if found is None:
        raise Problem(
            404, f"Nothing is planned for '{device[:100]}' at {at.isoformat()}. GET /api/v1/plan/blocks lists what is."
        )
    return found


def _today(home: HomeView) -> date:
    return home.clock.now().astimezone(home.site.timezone).date()


def _day(text: str, today: date) -> date:
    """The day in an address; yesterday for what cannot be read."""
    try:
        return min(max(date.fromisoformat(text), FIRST_DAY), today)
    except ValueError:
        return today - timedelta(days=1)


def archived_out(found: ArchivedDay, today: date) -> ArchivedDayOut:
    """One day as JSON."""
    names = sorted({name for quarter in found.quarters if quarter.planned for name in quarter.planned.power_w})
    misses = [miss for name in names if (miss := found.miss(name)) is not None]
    return ArchivedDayOut(
        day=found.day,
        start=found.start,
        end=found.end,
        words=" ".join([day_sentence(found, today), *error_sentences(found)]),
        quarters=[ArchivedQuarterOut.model_validate(quarter) for quarter in found.quarters],
        misses=[MissOut.model_validate(miss) for miss in misses],
    )
