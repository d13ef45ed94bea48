"""The bills a supplier really sent, and how far the home's own count is from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.model.tariff import Bill


@dataclass(frozen=True, slots=True)
class RealBill:
    """A bill from a supplier over the local days from `start` until before `end`.

    `amount_micro` in micro-units of the site's currency, negative where it is a credit; energies in Wh >= 0, None
    where the bill does not tell them. `number` is its own in this home, 0 before it is kept.
    """

    start: date
    end: date
    amount_micro: int
    import_wh: float | None = None
    export_wh: float | None = None
    note: str = ""
    number: int = 0

    @property
    def last_day(self) -> date:
        """The last local day billed."""
        return self.end - timedelta(days=1)

    @property
    def days(self) -> int:
        """Local days billed."""
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class BillGap:
    """A real bill beside what the home counts for the same days; gaps are positive where the real one is higher.

    `days_with_data` are those of which at most an hour of the main meter's interval data is missing; the energy of
    what is missing is in none of the figures counted.
    """

    real: RealBill
    counted: Bill
    days_with_data: int

    @property
    def micro(self) -> int:
        """Real amount minus the one counted, micro-units."""
        return self.real.amount_micro - self.counted.micro

    @property
    def percent(self) -> float | None:
        """The same in percent of the size of what was counted; None where nothing was."""
        return 100 * self.micro / abs(self.counted.micro) if self.counted.micro else None

    @property
    def import_gap_wh(self) -> float | None:
        """Energy taken by the real bill minus that of the meter, Wh; None where the bill does not tell."""
        return None if self.real.import_wh is None else self.real.import_wh - self.counted.import_wh

    @property
    def export_gap_wh(self) -> float | None:
        """Energy given by the real bill minus that of the meter, Wh; None where the bill does not tell."""
        return None if self.real.export_wh is None else self.real.export_wh - self.counted.export_wh


@dataclass(frozen=True, slots=True)
class BillMonth:
    """What a local month costs (until now, where it runs): the bill, its data, and its highest interval.

    `peak_w` is the highest mean import of one stored interval, W, and `peak_at` its start; None without import. A
    demand charge may count another one, which its line of the bill tells.
    """

    month: date
    counted: Bill
    days: int
    """Local days touched so far."""
    days_with_data: int
    peak_w: float | None
    peak_at: datetime | None
