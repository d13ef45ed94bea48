"""The page Bills: what each month costs, a form for the supplier's bill and its gap; and the same as an API."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.bill import BillGap, BillMonth, RealBill
from gateway.model.errors import WishRefused
from gateway.model.tariff import BillKind
from gateway.web.amounts import money
from gateway.web.bill_book import BillBook
from gateway.web.bill_words import gap_words, month_words, real_words, tariff_words, year_sentence
from gateway.web.form_fields import fields_of, maybe_figure, refusal_words
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.view import HomeView
from gateway.web.wire import SaidOut
from gateway.web.wire_bills import BillIn, BillLineOut, BillMonthOut, BillsOut, RealBillOut

FIRST_YEAR = 1971
FIELDS = ("first_day", "last_day", "amount", "import_kwh", "export_kwh", "note")


def bill_routes(home: HomeView, pages: Pages, bills: BillBook) -> APIRouter:
    """The page /bills with its forms, and /api/v1/bills."""
    router = APIRouter()
    _add_page(router, home, pages, bills)
    _add_api(router, home, bills)
    return router


def _add_page(router: APIRouter, home: HomeView, pages: Pages, bills: BillBook) -> None:
    async def show(
        request: Request, year: int, wrong: str = "", typed: dict[str, str] | None = None
    ) -> HTMLResponse:  # fmt: skip
        currency, zone, today = home.site.currency, bills.tariff.timezone, bills.today()
        months = await bills.months(year)
        most = max((month.counted.micro for month in months), default=0)
        return pages.page(
            request, "bills.html", 422 if wrong else 200,
            path="/bills", headline=year_sentence(year, months, currency, running=year == today.year),
            year=year, before=year - 1 if year > FIRST_YEAR else None, after=year + 1 if year < today.year else None,
            months=[month_words(month, most, currency, zone) for month in reversed(months)],
            tariff=tariff_words(bills.tariff), real=[real_words(gap, currency) for gap in await bills.gaps(year)],
            last_day=today.isoformat(), wrong=wrong,
            values={key: (typed or {}).get(key, "") for key in FIELDS},
        )  # fmt: skip

    @router.get("/bills", include_in_schema=False)
    async def page(request: Request, year: str = "") -> HTMLResponse:
        return await show(request, _year(year, bills))

    @router.post("/do/bill", include_in_schema=False)
    async def enter(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            gap = await bills.enter(_typed(fields, home.site.currency).to_model())
        except (WishRefused, ValidationError, ValueError) as refused:
            # What was typed stays in the form.
            return await show(request, bills.today().year, refusal_words(refused), fields)
        pages.say(request, f"Kept. {gap_words(gap, home.site.currency)}")
        return RedirectResponse(f"/bills?year={gap.real.start.year}#real", 303)

    @router.post("/do/bill-delete", include_in_schema=False)
    async def delete(request: Request) -> Response:
        fields, _ = await fields_of(request)
        number = fields.get("number", "")
        try:
            gone = await bills.delete(int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0)
        except WishRefused as refused:
            pages.say(request, str(refused), refused=True)
            return RedirectResponse("/bills#real", 303)
        pages.say(request, f"Deleted: {real_amount(gone, home.site.currency)}.")
        return RedirectResponse(f"/bills?year={gone.start.year}#real", 303)


def _add_api(router: APIRouter, home: HomeView, bills: BillBook) -> None:
    @router.get("/api/v1/bills")
    async def read(year: int | None = None) -> BillsOut:
        """What each month of a year costs (this year when not said), and its real bills with their gaps."""
        asked = bills.today().year if year is None else year
        if not FIRST_YEAR <= asked <= bills.today().year:
            raise Problem(422, f"year: must lie between {FIRST_YEAR} and {bills.today().year}. Ask for another.")
        months = [month_out(month) for month in await bills.months(asked)]
        real = [real_out(gap, home.site.currency) for gap in await bills.gaps(asked)]
        return BillsOut(
            year=asked, currency=home.site.currency, tariff=bills.tariff.id, months=months, real=real
        )  # fmt: skip

    @router.post("/api/v1/bills")
    async def enter(wish: BillIn) -> RealBillOut:
        """Keep a supplier's bill; answers, once it is on disk, how far it is from what is counted."""
        return real_out(await bills.enter(wish.to_model()), home.site.currency)

    @router.delete("/api/v1/bills/{number}")
    async def delete(number: int) -> SaidOut:
        """Forget a supplier's bill; 404 where there is none of this number."""
        try:
            gone = await bills.delete(number)
        except WishRefused as refused:
            raise Problem(404, f"{refused} GET /api/v1/bills lists them.") from refused
        return SaidOut(text=f"Deleted: {real_amount(gone, home.site.currency)}.")


def _year(text: str, bills: BillBook) -> int:
    """The year in an address; this one for what cannot be read."""
    this = bills.today().year
    year = int(text) if len(text) == 4 and text.isascii() and text.isdigit() else this
    return min(max(year, FIRST_YEAR), this)


def _typed(fields: dict[str, str], currency: str) -> BillIn:
    """What the form's texts mean; raises WishRefused, ValueError and ValidationError."""
    taken, given = (maybe_figure(fields.get(key, "")) for key in ("import_kwh", "export_kwh"))
    return BillIn(
        first_day=date.fromisoformat(fields.get("first_day", "")),
        last_day=date.fromisoformat(fields.get("last_day", "")),
        amount_micro=round(money(fields.get("amount", ""), currency) * 1e6),
        import_wh=None if taken is None else taken * 1000,
        export_wh=None if given is None else given * 1000,
        note=fields.get("note", ""),
    )


def real_amount(bill: RealBill, currency: str) -> str:
    """The bill's amount and days, as it is spoken of."""
    return f"the bill of {bill.amount_micro / 1e6:.2f} {currency} for {bill.start} to {bill.last_day}"


# ---- as data


def month_out(month: BillMonth) -> BillMonthOut:
    """One month as JSON."""
    counted = month.counted
    return BillMonthOut(
        month=f"{month.month:%Y-%m}",
        cost_micro=counted.micro,
        import_wh=round(counted.import_wh, 1),
        export_wh=round(counted.export_wh, 1),
        fixed_micro=counted.of(BillKind.FIXED) + counted.of(BillKind.CONTRACTED),
        vat_micro=counted.of(BillKind.VAT),
        peak_w=month.peak_w,
        peak_at=month.peak_at,
        days=month.days,
        days_with_data=month.days_with_data,
        missing_s=counted.missing_s,
        lines=[BillLineOut.model_validate(line) for line in counted.lines],
    )


def real_out(gap: BillGap, currency: str) -> RealBillOut:
    """One real bill as JSON."""
    real, counted = gap.real, gap.counted
    return RealBillOut(
        number=real.number,
        first_day=real.start,
        last_day=real.last_day,
        amount_micro=real.amount_micro,
        import_wh=real.import_wh,
        export_wh=real.export_wh,
        note=real.note,
        counted_micro=counted.micro,
        counted_import_wh=round(counted.import_wh, 1),
        counted_export_wh=round(counted.export_wh, 1),
        gap_micro=gap.micro,
        gap_percent=gap.percent,
        days=real.days,
        days_with_data=gap.days_with_data,
        words=gap_words(gap, currency),
    )
