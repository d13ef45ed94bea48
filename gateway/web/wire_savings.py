"""The API's shapes for savings, the plan's archive, the blocks' alternatives and charging now."""

from __future__ import annotations

from datetime import date, datetime

from gateway.web.wire import BlockOut, Out


class SavingsDayOut(Out):
    """One local day; money in micro-units: energy with VAT, without fixed parts and peaks. Not counted: all zero."""

    day: date
    counted: bool
    why: str
    cost_micro: int
    baseline_micro: int
    settled_micro: int
    saved_micro: int
    uncertain_micro: int
    import_wh: float
    baseline_import_wh: float
    notes: list[str]
    wear_micro: int | None = None
    """What the batteries' discharge wore off; no part of `saved_micro`. null where it was not counted."""
    baseline_wear_micro: int | None = None


class SavingsMonthOut(Out):
    """What the peaks and tiers of a month's counted days cost."""

    month: date
    cost_micro: int
    baseline_micro: int
    saved_micro: int


class SavingsOut(Out):
    """What was saved against the baseline stated; what events earned is not counted."""

    first: date
    last: date
    currency: str
    baseline: str
    settled: str
    saved_micro: int
    uncertain_micro: int
    more_wear_micro: int = 0
    """What the batteries wore off more than in the baseline; no part of `saved_micro`."""
    days_counted: int
    days_lost: int
    days: list[SavingsDayOut]
    months: list[SavingsMonthOut]


class PlannedOut(Out):
    """What the plan in force said; W by device id, "grid", "house", "pv"; micro-units per kWh."""

    power_w: dict[str, float]
    soc_percent: float | None
    price_micro_per_kwh: int


class ArchivedQuarterOut(Out):
    """A quarter hour, planned (null: no plan was in force) and measured, W."""

    start: datetime
    planned: PlannedOut | None
    measured_w: dict[str, float]
    measured_soc_percent: float | None


class MissOut(Out):
    """One series over the quarter hours that have both, Wh, and the mean error of a quarter hour, W."""

    name: str
    planned_wh: float
    measured_wh: float
    mean_error_w: float


class ArchivedDayOut(Out):
    """One local day [start, end), planned against actual."""

    day: date
    start: datetime
    end: datetime
    words: str
    quarters: list[ArchivedQuarterOut]
    misses: list[MissOut]


class AlternativeOut(Out):
    """One block of the plan and what its alternative costs more, solved anew; null where there is no other way."""

    block: BlockOut
    cost_micro: int | None
    co2_g: float | None
    words: str


class NowCostOut(Out):
    """What charging this car now costs more than the plan in force, until both have it ready."""

    charger: str
    more_micro: int
    more_co2_g: float
    ready: datetime
    words: str
