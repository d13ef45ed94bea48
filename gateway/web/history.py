"""The API of interval data: any length, as JSON, CSV and Green Button; where it came from; corrections."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from gateway.model.reading import Interval
from gateway.web.api import LONG_SPAN, Time, check_series, span_of
from gateway.web.problems import Problem
from gateway.web.view import HomeView
from gateway.web.wire import IntervalOut, IntervalsOut, SaidOut
from gateway.web.wire_energy import EditIn, EnergyDayOut, UndoIn

FIVE_MINUTES_S = 300
FINE_SPAN = timedelta(days=31)
Length = Annotated[
    Literal["300", "900", "1800", "3600", "86400"],
    Query(description="Length of the intervals, s; 86400 gives local days of 23, 24 or 25 hours."),
]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def history_routes(home: HomeView) -> APIRouter:
    """Interval data below /api/v1."""
    router = APIRouter(prefix="/api/v1")
    _add_intervals(router, home)
    _add_files(router, home)
    _add_day(router, home)
    _add_edits(router, home)
    return router


def _add_intervals(router: APIRouter, home: HomeView) -> None:
    @router.get("/intervals")
    async def intervals(
        device: str, start: Time = None, end: Time = None, resolution_s: Length = "900"
    ) -> IntervalsOut:
        """Intervals of one device, a side of a hybrid ("<id>/pv"), "house" or "solar", with start in [start, end).

        The last day when not said; at most 400 days, 31 days of 5 minutes.
        """
        since, until = _asked(home, device, start, end, resolution_s, timedelta(days=1))
        rows = await home.resampled(device, since, until, int(resolution_s))
        return IntervalsOut(device=device, intervals=[IntervalOut.model_validate(row) for row in rows])

    @router.get("/intervals/history")
    async def history(device: str, start: Time) -> IntervalsOut:
        """Every version kept of the 15-minute interval that starts at `start`, the one in force last."""
        check_series(home, device)
        if start is None:
            raise Problem(422, "start: state the interval's start.")
        rows = await home.interval_history(device, start)
        return IntervalsOut(device=device, intervals=[IntervalOut.model_validate(row) for row in rows])


def _asked(
    home: HomeView, device: str, start: datetime | None, end: datetime | None, resolution_s: str, default: timedelta
) -> tuple[datetime, datetime]:
    check_series(home, device)
    return span_of(home, start, end, default, FINE_SPAN if int(resolution_s) == FIVE_MINUTES_S else LONG_SPAN)


def _add_files(router: APIRouter, home: HomeView) -> None:
    @router.get("/intervals.csv", response_class=Response)
    async def table(device: str, start: Time = None, end: Time = None, resolution_s: Length = "900") -> Response:
        """The same as a table, with quality and method; energies in Wh, the last 31 days when not said."""
        since, until = _asked(home, device, start, end, resolution_s, FINE_SPAN)
        rows = await home.resampled(device, since, until, int(resolution_s))
        # A year of rows would hold up the tick.
        text = await asyncio.to_thread(interval_table, rows, home.site.timezone)
        return Response(text, media_type="text/csv", headers=_attached(device, since, "csv"))

    @router.get("/intervals.xml", response_class=StreamingResponse)
    async def green_button(device: str, start: Time = None, end: Time = None, resolution_s: Length = "900") -> Response:
        """The same as Green Button (NAESB REQ.21 ESPI, an Atom feed); the last 31 days when not said."""
        since, until = _asked(home, device, start, end, resolution_s, FINE_SPAN)
        pieces = await home.green_button(device, since, until, int(resolution_s))
        headers = _attached(device, since, "xml")
        return StreamingResponse(pieces, media_type="application/atom+xml", headers=headers)


def interval_table(rows: Iterable[Interval], zone: ZoneInfo) -> str:
    """Intervals as CSV, times in UTC and in the home's own; what is missing is empty."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        ["start", "device", "import_wh", "export_wh", "duration_s", "quality", "method", "local_start"]
    )  # fmt: skip
    for row in rows:
        # A leading apostrophe keeps a spreadsheet from running what a person wrote as a formula.
        method = f"'{row.method}" if row.method.startswith(FORMULA) else row.method
        local = row.start.astimezone(zone).isoformat()
        energies = [_number(row.import_wh), _number(row.export_wh)]
        table.writerow([row.start.isoformat(), row.device, *energies, row.duration_s, row.quality.value, method, local])
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _attached(device: str, since: datetime, kind: str) -> dict[str, str]:
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in device)
    return {"content-disposition": f'attachment; filename="{name}-{since:%Y%m%d}.{kind}"'}


def _add_day(router: APIRouter, home: HomeView) -> None:
    @router.get("/attribution")
    async def attribution(day: date | None = None) -> EnergyDayOut:
        """Where the energy of a local day came from: each consumer's Wh by sun, battery and grid; today when not said.

        "house" is what no device measures, "battery" what charged it, "grid" what was fed in.
        """
        wanted = day or home.clock.now().astimezone(home.site.timezone).date()
        return EnergyDayOut.model_validate(await home.energy_day(_usable(wanted)))


def _usable(day: date) -> date:
    if not 1970 < day.year < 9000:
        raise Problem(422, f"day: {day} is no day of this home. Write YYYY-MM-DD.")
    return day


def _add_edits(router: APIRouter, home: HomeView) -> None:
    @router.post("/intervals/edits")
    async def correct(wish: EditIn, request: Request) -> SaidOut:
        """Correct a span of one device's intervals; the old values stay in the history."""
        said = await home.correct(
            wish.device,
            wish.start,
            wish.end,
            wish.import_wh,
            wish.export_wh,
            evenly=wish.spread == "evenly",
            reason=wish.reason,
            who=request.state.who,
        )
        return SaidOut(text=said)

    @router.post("/intervals/edits/undo")
    async def undo(wish: UndoIn, request: Request) -> SaidOut:
        """Put in force again what the corrections in [start, end) set aside."""
        return SaidOut(text=await home.undo_edits(wish.device, wish.start, wish.end, request.state.who))
