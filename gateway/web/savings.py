"""The page Savings: each day of a month held against the stated baseline; and the same as an API."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from gateway.model.errors import WishRefused
from gateway.model.savings import BASELINE, SETTLED, Savings
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.savings_book import SavingsView
from gateway.web.savings_words import about_wear, day_row, month_sentence, picture, wear_words, why_none
from gateway.web.view import HomeView
from gateway.web.wire_savings import SavingsDayOut, SavingsMonthOut, SavingsOut
from gateway.web.words import money

FIRST_YEAR = 1971


def savings_routes(home: HomeView, pages: Pages, savings: SavingsView) -> APIRouter:
    """The page /savings, and /api/v1/savings."""
    router = APIRouter()

    @router.get("/savings", include_in_schema=False)
    async def page(request: Request, month: str = "") -> HTMLResponse:
        first = month_of(month, savings.today())
        return await _page(request, home, pages, savings, first)

    @router.get("/api/v1/savings")
    async def read(
        first: Annotated[date | None, Query(alias="from", description="First local day.")] = None,
        last: Annotated[date | None, Query(alias="to", description="Last local day, included.")] = None,
    ) -> SavingsOut:
        """What Hearth saved day by day against the stated baseline; this month when no days are said."""
        until = last or savings.today()
        since = first or until.replace(day=1)
        if not FIRST_YEAR <= since.year <= until.year <= savings.today().year + 1:
            raise Problem(422, f"from, to: must lie between {FIRST_YEAR} and today. Ask for other days.")
        try:
            found = await savings.between(since, until)
        except WishRefused as refused:
            raise Problem(422, str(refused)) from refused
        return savings_out(found, since, until, home.site.currency)

    return router


async def _page(
    request: Request, home: HomeView, pages: Pages, savings: SavingsView, first: date
) -> HTMLResponse:  # fmt: skip
    currency, today = home.site.currency, savings.today()
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    found = await savings.between(first, last)
    before, after = (first - timedelta(days=1)).replace(day=1), last + timedelta(days=1)
    running = first == today.replace(day=1)
    return pages.page(
        request, "savings.html",
        headline=month_sentence(found, first, currency, running=running),
        name=f"{first:%B %Y}", picture=picture(found, first, currency) if found.counted else None, why_none=why_none(found),
        rows=[day_row(day, currency) for day in reversed(found.days)] if found.counted else [],
        before=before if before.year >= FIRST_YEAR else None, after=after if after <= today else None,
        baseline=BASELINE, settled=SETTLED, saved=money(found.saved_micro, currency),
        doubt=money(found.uncertain_micro, currency), counted=len(found.counted), left=len(found.days) - len(found.counted),
        lost=found.lost, wear=wear_words(found, home.site, currency), about_wear=about_wear(home.site), peaks=money(sum(m.saved_micro for m in found.months), currency) if found.months else "",
    )  # fmt: skip


def month_of(text: str, today: date) -> date:
    """The month in an address, "2026-11", as its first day; this one for what cannot be read or has not begun."""
    this = today.replace(day=1)
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return this
    return min(max(first, date(FIRST_YEAR, 1, 1)), this)


def savings_out(found: Savings, first: date, last: date, currency: str) -> SavingsOut:
    """The savings of a span as JSON."""
    return SavingsOut(
        first=first,
        last=last,
        currency=currency,
        baseline=BASELINE,
        settled=SETTLED,
        saved_micro=found.saved_micro,
        uncertain_micro=found.uncertain_micro,
        more_wear_micro=found.more_wear_micro,
        days_counted=len(found.counted),
        days_lost=found.lost,
        days=[SavingsDayOut.model_validate(day) for day in found.days],
        months=[SavingsMonthOut.model_validate(month) for month in found.months],
    )
