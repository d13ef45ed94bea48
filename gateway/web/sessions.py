"""The ledger of charging sessions: the page Sessions, and the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from gateway.model.site import Role
from gateway.web.api import span_of
from gateway.web.pages import Pages
from gateway.web.session_words import (
    REASON_WORDS,
    Row,
    Wish,
    asked,
    columns,
    days_of,
    line_of,
    month_beside,
    month_of,
    sentence,
    totals_of,
    why_words,
)
from gateway.web.view import HomeView
from gateway.web.wire import Instant, Out
from gateway.web.words import watt_hours

LONG_SPAN, CSV_SPAN = timedelta(days=400), timedelta(days=3660)
PIECE = timedelta(days=31)
Time = Annotated[Instant | None, Query(description="Aware ISO 8601 time, e.g. 2026-11-21T18:00:00Z.")]
COLUMNS = (
    "transaction", "charger", "start", "end", "energy_wh", "stop_reason", "connector", "tag", "cost", "currency",
    "co2_g", "solar_wh", "battery_wh", "grid_wh", "why",
    "refused_register_wh", "register_doubted",
)  # fmt: skip


class ReasonOut(Out):
    """Energy that flowed for one reason, Wh."""

    reason: str
    words: str
    energy_wh: float


class SessionOut(Out):
    """One session; energies in Wh, cost in micro-units of the site's currency. None: not accounted yet."""

    transaction: int
    charger: str
    connector: int
    start: datetime
    end: datetime | None
    energy_wh: float
    stop_reason: str
    tag: str
    cost_micro: int | None
    co2_g: float | None
    solar_wh: float | None
    battery_wh: float | None
    grid_wh: float | None
    settled: bool
    """Whether it has ended and closed interval data stand behind its parts."""
    why: list[ReasonOut]
    refused_register_wh: float | None
    """The register told at its end, where that cannot be true: `energy_wh` is what was seen before, and not sure."""
    register_doubted: bool
    """Whether its register rose at the end by more than its samples told, though the charger can give it: not sure."""


def session_routes(home: HomeView, pages: Pages) -> APIRouter:
    """The page /sessions and the paths /api/v1/sessions and /api/v1/sessions.csv."""
    router = APIRouter()
    _add_page(router, home, pages)
    _add_api(router, home)
    return router


def _add_page(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.get("/sessions", include_in_schema=False)
    async def sessions(request: Request, month: str = "", charger: str = "", tag: str = "") -> HTMLResponse:
        zone, now = home.site.timezone, home.clock.now()
        wish = asked(home, month, charger, tag)
        start, after = month_of(wish.month, zone)
        found = [r for r in await home.ledger.rows(start, after) if start <= r.session.start < after]
        rows = [row for row in found if wish.fits(row.session)]
        this_month = now.astimezone(zone).date().replace(day=1)
        return pages.page(
            request,
            "sessions.html",
            headline=sentence(rows, wish, home.site.currency),
            wish=wish,
            lines=[line_of(home, row, now) for row in reversed(rows)],
            totals=totals_of(rows, home.site.currency),
            plot=columns(rows, wish.month, zone),
            most=watt_hours(max((sum(day) for day in days_of(rows, wish.month, zone).values()), default=None)),
            before=month_beside(wish.month, -1),
            after=month_beside(wish.month, 1) if wish.month < this_month else None,
            last_month=f"{this_month:%Y-%m}",
            chargers=[(d.id, d.name) for d in home.site.of_role(Role.EV_CHARGER)],
            tags=sorted({row.session.tag for row in found if row.session.tag} | ({wish.tag} if wish.tag else set())),
            csv_address=_csv_address(wish, start, after),
        )


def _add_api(router: APIRouter, home: HomeView) -> None:
    @router.get("/api/v1/sessions")
    async def sessions(start: Time = None, end: Time = None) -> list[SessionOut]:
        """Charging sessions that overlap [start, end), the last 30 days when not said."""
        since, until = span_of(home, start, end, timedelta(days=30), LONG_SPAN)
        return [out_of(row) for row in await home.ledger.rows(since, until)]

    @router.get("/api/v1/sessions.csv", response_class=Response)
    async def sessions_csv(start: Time = None, end: Time = None, charger: str = "", tag: str = "") -> Response:
        """The same as a table, energies in Wh, times in UTC, cost in the currency; at most ten years."""
        since, until = span_of(home, start, end, LONG_SPAN, CSV_SPAN)
        wish, text = Wish(since.date(), charger, tag), io.StringIO()
        table = csv.writer(text)
        table.writerow(COLUMNS)
        told: set[int] = set()
        for first, last in _pieces(since, until):
            rows = [r for r in await home.ledger.rows(first, last) if r.session.transaction not in told]
            told.update(row.session.transaction for row in rows)
            table.writerows(csv_row(row, home.site.currency) for row in rows if wish.fits(row.session))
        name = "attachment; filename=charging-sessions.csv"
        return Response(text.getvalue(), media_type="text/csv", headers={"content-disposition": name})


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Months one by one: years of slices at once would hold up the tick."""
    while start < end:
        yield start, min(start + PIECE, end)
        start += PIECE


def _csv_address(wish: Wish, start: datetime, end: datetime) -> str:
    asked = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}", "charger": wish.charger}
    return "/api/v1/sessions.csv?" + urlencode({**asked, "tag": wish.tag})


# ---- as data


def out_of(row: Row) -> SessionOut:
    """One session as JSON."""
    session, kept = row.session, row.account
    reasons = kept.reasons if kept else ()
    return SessionOut(
        transaction=session.transaction,
        charger=session.charger,
        connector=session.connector,
        start=session.start,
        end=session.end,
        energy_wh=_tenth(session.energy_wh),
        stop_reason=session.stop_reason,
        tag=session.tag,
        cost_micro=kept.cost_micro if kept else None,
        co2_g=kept.co2_g if kept else None,
        solar_wh=_tenth(kept.solar_wh) if kept else None,
        battery_wh=_tenth(kept.battery_wh) if kept else None,
        grid_wh=_tenth(kept.grid_wh) if kept else None,
        settled=kept.settled if kept else False,
        why=[ReasonOut(reason=r.value, words=REASON_WORDS[r], energy_wh=_tenth(wh)) for r, wh in reasons],
        refused_register_wh=session.meter_refused_wh,
        register_doubted=session.meter_doubted,
    )


def _tenth(energy_wh: float) -> float:
    """To 0.1 Wh, the finest that chargers count."""
    return round(energy_wh, 1)


def csv_row(row: Row, currency: str) -> list[Any]:
    """One session as a row of the table; the first columns are those there always were."""
    session, kept = row.session, row.account
    ended = session.end.isoformat() if session.end else ""
    first = [session.transaction, session.charger, session.start.isoformat(), ended, f"{session.energy_wh:.0f}"]
    rest: list[Any] = [""] * 6
    if kept is not None:
        parts = (kept.co2_g, kept.solar_wh, kept.battery_wh, kept.grid_wh)
        rest = [f"{kept.cost_micro / 1e6:.6f}", currency, *(f"{part:.0f}" for part in parts)]
    why = why_words(kept) if kept else ""
    refused = "" if session.meter_refused_wh is None else f"{session.meter_refused_wh:.0f}"
    told = [harmless(session.stop_reason), session.connector, harmless(session.tag)]
    return [*first, *told, *rest, why, refused, "yes" if session.meter_doubted else ""]


def harmless(text: str) -> str:
    """A text that no spreadsheet runs as a formula, whatever a charger sent: such ones get a leading apostrophe."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n") else text
