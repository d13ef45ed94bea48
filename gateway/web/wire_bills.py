"""The API's shapes for bills: what each month costs, and what the supplier billed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.model.bill import RealBill
from gateway.web.wire import In, Out


def _within_calendar(day: date) -> date:
    if not 1971 <= day.year <= 2200:
        raise ValueError("must lie between the years 1971 and 2200")
    return day


Day = Annotated[date, AfterValidator(_within_calendar)]


class BillLineOut(Out):
    """One line of a bill; money in micro-units without VAT, earned is negative; energy in Wh, peak in W."""

    kind: str
    name: str
    micro: int
    wh: float
    peak_w: float | None
    peak_at: datetime | None


class BillMonthOut(Out):
    """A local month, the running one until now; `peak_w` is its highest interval's mean import, W."""

    month: str
    cost_micro: int
    import_wh: float
    export_wh: float
    fixed_micro: int
    vat_micro: int
    peak_w: float | None
    peak_at: datetime | None
    days: int
    days_with_data: int
    missing_s: int
    lines: list[BillLineOut]


class RealBillOut(Out):
    """A supplier's bill over local days, both included, beside what is counted for them; gaps are real - counted."""

    number: int
    first_day: date
    last_day: date
    amount_micro: int
    import_wh: float | None
    export_wh: float | None
    note: str
    counted_micro: int
    counted_import_wh: float
    counted_export_wh: float
    gap_micro: int
    gap_percent: float | None
    days: int
    days_with_data: int
    words: str


class BillsOut(Out):
    """The months of one year that have data, and the real bills with a day in it, newest first."""

    year: int
    currency: str
    tariff: str
    months: list[BillMonthOut]
    real: list[RealBillOut]


class BillIn(In):
    """A supplier's bill: local days, both included; micro-units of the site's currency; energies in Wh or None."""

    first_day: Day
    last_day: Day
    amount_micro: int = Field(ge=-(10**12), le=10**12)
    import_wh: float | None = Field(None, ge=0, le=1e9)
    export_wh: float | None = Field(None, ge=0, le=1e9)
    note: str = Field("", max_length=200)

    def to_model(self) -> RealBill:
        """The same with the day after the last."""
        after = self.last_day + timedelta(days=1)
        return RealBill(self.first_day, after, self.amount_micro, self.import_wh, self.export_wh, self.note)
