"""What Hearth saved: each local day's real cost beside that of a stated baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

BASELINE = (
    "The same house and the same sun, with the car charged on arrival at full power, hot water and heating on plain "
    "thermostats at the same least comfort, and the battery in its own self-consumption; everything else as it ran."
)
"""What is compared with, in one sentence."""
WEAR = (
    "The sum is the bill's money. What the battery's discharge wears off, by the price per kWh that the site file states "
    "for it, is shown beside it and not taken off."
)
"""How wear stands to the savings."""
SETTLED = (
    "What the home has more or less in its battery, tank, rooms and cars than the baseline at midnight counts at the "
    "mean price of the following day."
)


@dataclass(frozen=True, slots=True)
class StoredMore:
    """How much more the home has stored than the baseline at a midnight: Wh of electricity, by device id."""

    wh: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_wh(self) -> float:
        """All of it, Wh; negative where the baseline has more."""
        return sum(self.wh.values())


@dataclass(frozen=True, slots=True)
class SavingsDay:
    """One local day; money in micro-units: energy and its VAT, without fixed parts and peaks.

    A day that is not `counted` says `why` and its figures are zero. `settled_micro` is what the day's change of
    `stored` is worth (positive: the home has more than the baseline). `uncertain_micro` is one standard deviation of
    what had to be assumed. `notes` say what was estimated.
    """

    day: date
    counted: bool
    why: str = ""
    cost_micro: int = 0
    baseline_micro: int = 0
    settled_micro: int = 0
    uncertain_micro: int = 0
    import_wh: float = 0.0
    baseline_import_wh: float = 0.0
    notes: tuple[str, ...] = ()
    stored: StoredMore = StoredMore()
    """At the end of the day."""
    wear_micro: int | None = None
    """What the batteries' discharge wore off, by the price the site file states; None where it was not counted."""
    baseline_wear_micro: int | None = None
    """The same of the batteries in their own self-consumption."""

    @property
    def more_wear_micro(self) -> int:
        """What the batteries wore off more than in the baseline: not part of what was saved, and to be held against it."""
        return (self.wear_micro or 0) - (self.baseline_wear_micro or 0)

    @property
    def saved_micro(self) -> int:
        """What the day cost less than the baseline; negative on a day that lost."""
        return self.baseline_micro - self.cost_micro + self.settled_micro


@dataclass(frozen=True, slots=True)
class SavingsMonth:
    """What one local month's peaks and tiers cost less than the baseline's, micro-units; only of counted days."""

    month: date
    cost_micro: int
    baseline_micro: int

    @property
    def saved_micro(self) -> int:
        """Negative where the baseline's would have been cheaper."""
        return self.baseline_micro - self.cost_micro


@dataclass(frozen=True, slots=True)
class Savings:
    """The days of a span, in order, with what months as a whole add; money that events earned is not counted."""

    days: tuple[SavingsDay, ...]
    months: tuple[SavingsMonth, ...] = ()

    @property
    def counted(self) -> tuple[SavingsDay, ...]:
        """The days that count."""
        return tuple(day for day in self.days if day.counted)

    @property
    def saved_micro(self) -> int:
        """The sum over days and months."""
        return sum(day.saved_micro for day in self.counted) + sum(month.saved_micro for month in self.months)

    @property
    def uncertain_micro(self) -> int:
        """One standard deviation of the sum: an assumption that is wrong is wrong on every day, so they add up."""
        return sum(day.uncertain_micro for day in self.counted)

    @property
    def more_wear_micro(self) -> int:
        """What the batteries wore off more than in the baseline; negative where Hearth spared them."""
        return sum(day.more_wear_micro for day in self.counted)

    @property
    def wear_micro(self) -> int:
        """What the batteries wore off in all, on the days on which it was counted."""
        return sum(day.wear_micro or 0 for day in self.counted)

    @property
    def lost(self) -> int:
        """How many of the counted days cost more than the baseline."""
        return sum(day.saved_micro < 0 for day in self.counted)
