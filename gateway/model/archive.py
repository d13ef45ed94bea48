"""The plan archive: what the plan in force said of each quarter hour, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

GRID, HOUSE, SUN = "grid", "house", "pv"
"""Series that are no device, by the names plans use."""


@dataclass(frozen=True, slots=True)
class PlannedQuarter:
    """What was planned for one quarter hour: mean powers in W by device id and "grid", "house", "pv" (sign rule).

    `soc_percent` is the battery's at its end; the price is micro-units per kWh.
    """

    start: datetime
    power_w: Mapping[str, float]
    soc_percent: float | None
    price_micro_per_kwh: int


@dataclass(frozen=True, slots=True)
class ArchivedQuarter:
    """One quarter hour, planned (None where no plan was in force) and measured; powers in W by the sign rule."""

    start: datetime
    planned: PlannedQuarter | None
    measured_w: Mapping[str, float] = field(default_factory=dict)
    """By the same names; what was not measured is not there."""
    measured_soc_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """One series over the quarter hours that have both: sums in Wh, and the mean of the quarters' errors in W."""

    name: str
    planned_wh: float
    measured_wh: float
    mean_error_w: float


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """One local day [start, end): every quarter hour that has passed."""

    day: date
    start: datetime
    end: datetime
    quarters: tuple[ArchivedQuarter, ...]

    def miss(self, name: str, sign: int = 0) -> Miss | None:
        """How far the plan was from what happened with one series; None where no quarter hour has both.

        With `sign` 1 only what was taken counts, with -1 only what was given, as a positive amount.
        """
        both = [
            (_part(quarter.planned.power_w[name], sign), _part(quarter.measured_w[name], sign))
            for quarter in self.quarters
            if quarter.planned is not None and name in quarter.planned.power_w and name in quarter.measured_w
        ]
        if not both:
            return None
        planned, measured = (sum(each) / 4 for each in zip(*both, strict=True))
        return Miss(name, planned, measured, sum(abs(a - b) for a, b in both) / len(both))

    @property
    def planned(self) -> int:
        """How many quarter hours had a plan in force."""
        return sum(quarter.planned is not None for quarter in self.quarters)


def _part(power_w: float, sign: int) -> float:
    return max(0.0, sign * power_w) if sign else power_w
