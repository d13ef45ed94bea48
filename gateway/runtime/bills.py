"""The owner's bills: what each month costs by the tariff, and how far a supplier's bill is from that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from gateway.core.metering.resample import local_day
from gateway.model.bill import BillGap, BillMonth, RealBill
from gateway.model.errors import WishRefused
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.series import Series
from gateway.model.site import Role, Site
from gateway.model.tariff import Bill, Tariff
from gateway.ports import Clock, FactStore, IntervalStore

KEY = "real_bills"
FIRST_YEAR = 1971
MOST_BILLS, MOST_DAYS = 500, 400
MOST_MICRO, MOST_WH = 10**12, 1e9
MISSING_ALLOWED = timedelta(hours=1)
"""A day of which more is missing counts as one without data."""


class BillStore(IntervalStore, FactStore, Protocol):
    """Interval data and small documents."""


Spot = Callable[[datetime, datetime], Awaitable[Series | None]]
"""The spot prices told for [start, end), None where no source tells them."""


async def no_spot(start: datetime, end: datetime) -> Series | None:
    """Of a home without a price source: the tariff's typical price stands in."""
    return None


@dataclass(slots=True)
class Bills:
    """Counts bills from the main meter's interval data; keeps the real ones."""

    site: Site
    clock: Clock
    store: BillStore
    tariff: Tariff
    spot: Spot = no_spot
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def months(self, year: int) -> tuple[BillMonth, ...]:
        """The months of a year that have data, in order, the running one until now."""
        starts = [date(year, month, 1) for month in range(1, 13)]
        found = [await self._month(first) for first in starts if first <= self.today()]
        return tuple(month for month in found if month is not None)

    async def gaps(self, year: int | None = None) -> tuple[BillGap, ...]:
        """The real bills with a day in that year (None: all) beside what is counted, the newest days first."""
        real = sorted(await self._real(), key=lambda bill: (bill.start, bill.number), reverse=True)
        asked = [bill for bill in real if year is None or bill.start.year <= year <= bill.last_day.year]
        return tuple([await self._gap(bill) for bill in asked])

    async def enter(self, bill: RealBill) -> BillGap:
        """Keep a real bill, committed before this returns; raises WishRefused and StoreError."""
        self._check(bill)
        async with self._writing:
            kept = await self._real()
            if any(replace(other, number=0, note="") == replace(bill, number=0, note="") for other in kept):
                raise WishRefused("This bill is there already: the same days, amount and energy.")
            if len(kept) >= MOST_BILLS:
                raise WishRefused(f"There are {MOST_BILLS} bills already. Delete the oldest first.")
            entered = replace(bill, number=await self._last() + 1)
            await self._keep([*kept, entered], entered.number)
        return await self._gap(entered)

    async def delete(self, number: int) -> RealBill:
        """Forget a real bill, committed before this returns; raises WishRefused where there is none such."""
        async with self._writing:
            kept = await self._real()
            found = next((bill for bill in kept if bill.number == number), None)
            if found is None:
                raise WishRefused(f"There is no bill number {number}. It may have been deleted already.")
            await self._keep([bill for bill in kept if bill is not found], await self._last())
        return found

    def today(self) -> date:
        """The local day of the tariff."""
        return self.clock.now().astimezone(self.tariff.timezone).date()

    def _check(self, bill: RealBill) -> None:
        if bill.end <= bill.start:
            raise WishRefused("The last day of the bill lies before the first. Swap them.")
        if bill.days > MOST_DAYS:
            raise WishRefused(f"A bill of {bill.days} days is longer than {MOST_DAYS}. Enter it in parts.")
        if bill.start.year < FIRST_YEAR or bill.end > self.today() + timedelta(days=1):
            raise WishRefused("The days of the bill must have passed. Look at its dates.")
        if abs(bill.amount_micro) > MOST_MICRO:
            raise WishRefused(f"The amount is more than {MOST_MICRO // 10**6:,}. Look for the decimal point.")
        if any(wh is not None and not 0 <= wh <= MOST_WH for wh in (bill.import_wh, bill.export_wh)):
            raise WishRefused("An energy of the bill is below 0 or above 1,000,000 kWh. Look for the decimal point.")

    async def _gap(self, bill: RealBill) -> BillGap:
        rows, start, end = await self._rows(bill.start, bill.end)
        spot = await self._told(start, end)
        counted = await asyncio.to_thread(_bill, self.tariff, filled(rows, start, end), spot)
        return BillGap(bill, counted, self._days_with_data(rows))

    async def _month(self, first: date) -> BillMonth | None:
        rows, start, end = await self._rows(first, (first + timedelta(days=31)).replace(day=1))
        if all(row.net_wh is None for row in rows):
            return None
        spot = await self._told(start, end)
        counted = await asyncio.to_thread(_bill, self.tariff, filled(rows, start, end), spot)
        highest = max((r for r in rows if r.import_wh), key=_mean_w, default=None)
        days = (end - timedelta(microseconds=1)).astimezone(self.tariff.timezone).date().day
        peak_w, peak_at = (_mean_w(highest), highest.start) if highest else (None, None)
        return BillMonth(first, counted, days, self._days_with_data(rows), peak_w, peak_at)

    async def _rows(self, first: date, after: date) -> tuple[list[Interval], datetime, datetime]:
        """The main meter's intervals of the local days from `first` until before `after`, and that span until now."""
        start, end = (local_day(day, self.tariff.timezone)[0] for day in (first, after))
        end = max(start, min(end, self.clock.now()))
        meter = next((device.id for device in self.site.of_role(Role.MAIN_METER)), "")
        return await self.store.intervals(meter, start, end), start, end

    async def _told(self, start: datetime, end: datetime) -> Series | None:
        return await self.spot(start, end) if self.tariff.needs_spot else None

    def _days_with_data(self, rows: Sequence[Interval]) -> int:
        known: dict[date, timedelta] = {}
        for row in rows:
            if row.net_wh is not None:
                day = row.start.astimezone(self.tariff.timezone).date()
                known[day] = known.get(day, timedelta()) + timedelta(seconds=row.duration_s)
        return sum(length >= _length(day, self.tariff) - MISSING_ALLOWED for day, length in known.items())

    # ---- kept as one document, so that each change is one committed write

    async def _real(self) -> list[RealBill]:
        document = await self.store.get(KEY) or {}
        return [_bill_from(entry) for entry in document.get("bills", [])]

    async def _last(self) -> int:
        """The last number given; one that was deleted is never given again, or an old page would delete another's."""
        return int((await self.store.get(KEY) or {}).get("last", 0))

    async def _keep(self, bills: Sequence[RealBill], last: int) -> None:
        await self.store.put(KEY, {"bills": [_document(bill) for bill in bills], "last": last})


def filled(rows: Sequence[Interval], start: datetime, end: datetime) -> list[Interval]:
    """The intervals with one without data for each gap in [start, end): its days are billed, its energy is not."""
    found: list[Interval] = []
    at = start
    for row in rows:
        if row.start > at:
            found.append(_nothing(row.device, at, row.start))
        found.append(row)
        at = max(at, row.end)
    if at < end:
        found.append(_nothing("", at, end))
    return found


def _nothing(device: str, start: datetime, end: datetime) -> Interval:
    seconds = int((end - start).total_seconds())
    return Interval(device, start, seconds, None, None, IntervalQuality.MISSING, "no data")


def _bill(tariff: Tariff, rows: Sequence[Interval], spot: Series | None) -> Bill:
    # It brings numpy, which a home that nobody asks for bills need not load.
    from gateway.core.tariff.bill import bill

    return bill(tariff, [row for row in rows if row.duration_s > 0], spot)


def _mean_w(row: Interval) -> float:
    return (row.import_wh or 0.0) * 3600 / row.duration_s


def _length(day: date, tariff: Tariff) -> timedelta:
    start, end = local_day(day, tariff.timezone)
    return end.astimezone(UTC) - start.astimezone(UTC)


def _document(bill: RealBill) -> dict[str, Any]:
    return asdict(bill) | {"start": bill.start.isoformat(), "end": bill.end.isoformat()}


def _bill_from(entry: dict[str, Any]) -> RealBill:
    energies = {key: entry[key] for key in ("import_wh", "export_wh") if entry.get(key) is not None}
    return RealBill(
        date.fromisoformat(entry["start"]),
        date.fromisoformat(entry["end"]),
        int(entry["amount_micro"]),
        note=str(entry.get("note", "")),
        number=int(entry["number"]),
        **{key: float(value) for key, value in energies.items()},
    )
