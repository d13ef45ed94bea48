"""What the pages Savings, Plan and Charging need of the home: savings, the plan's archive, and the price of impatience."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from gateway.model.archive import ArchivedDay
from gateway.model.savings import Savings


class SavingsView(Protocol):
    """The home's savings; gateway/runtime/savings.py is it."""

    def today(self) -> date:
        """The local day."""
        ...

    async def between(self, first: date, last: date) -> Savings:
        """What was counted from `first` to `last`, both included; raises WishRefused."""
        ...


class ArchiveView(Protocol):
    """The plan's archive; gateway/runtime/archive.py is it."""

    async def day(self, day: date) -> ArchivedDay:
        """One local day, planned against actual, as far as it has passed."""
        ...


class PlansView(Protocol):
    """The plan in force; gateway/runtime/planning.py is it."""

    async def charge_now(self, device: str) -> tuple[int, float] | None:
        """What charging this car from now on costs more than the plan (micro-units, g CO2); None without a plan."""
        ...
