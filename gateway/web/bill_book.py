"""What the page Bills needs of the home."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from gateway.model.bill import BillGap, BillMonth, RealBill
from gateway.model.tariff import Tariff


class BillBook(Protocol):
    """The home's bills; gateway/runtime/bills.py is it."""

    @property
    def tariff(self) -> Tariff: ...
    def today(self) -> date:
        """The local day of the tariff."""
        ...

    async def months(self, year: int) -> Sequence[BillMonth]:
        """The months of a year that have data, in order."""
        ...

    async def gaps(self, year: int | None = None) -> Sequence[BillGap]:
        """The real bills with a day in that year (None: all) beside what is counted, newest first."""
        ...

    async def enter(self, bill: RealBill) -> BillGap:
        """Keep a real bill; raises WishRefused."""
        ...

    async def delete(self, number: int) -> RealBill:
        """Forget a real bill; raises WishRefused."""
        ...
