"""Readings, their one-minute roll-ups, and interval data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.model.quantity import Quantity


class Quality(StrEnum):
    """How far a reading may be believed; a missing one carries no value."""

    VALID = "valid"
    SUSPECT = "suspect"
    MISSING = "missing"


class Rule(StrEnum):
    """The validation rules by name: why a reading or an interval is doubted, flagged or merely noted."""

    RANGE = "range"
    SPIKE = "spike"
    STUCK = "stuck"
    COUNTER_RESET = "counter_reset"
    COUNTER_JUMP = "counter_jump"
    ROLL_OVER = "roll_over"
    """A register that began again at its round end: noted, the reading is valid."""
    TIME_FUTURE = "time_future"
    TIME_LATE = "time_late"
    SUM_CHECK = "sum_check"
    WORD_ORDER = "word_order"
    """Numbers that fit nothing beside them, as words in the wrong order give."""
    ALL_ZERO = "all_zero"
    """A meter that answers and tells of no voltage at all."""
    REVERSE = "reverse"
    NIGHT_PRODUCTION = "night_production"
    COUNTER_AGAINST_POWER = "counter_against_power"
    BATTERY = "battery"
    HIGH_USAGE = "high_usage"
    LOW_USAGE = "low_usage"
    STALE_RETAINED = "stale_retained"
    SOURCE = "source"
    """Doubted by the device's adapter, which says why."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often one rule spoke about one device: the count, when last, and in which words."""

    device: str
    rule: Rule
    count: int
    last: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value of one device: `value` in the quantity's unit, None when missing; `time` aware UTC."""

    device: str
    quantity: Quantity
    value: float | None
    time: datetime
    quality: Quality = Quality.VALID
    reason: str = ""
    """Why it is suspect or missing, in words; empty when valid."""
    rule: Rule | None = None
    """Which validation rule spoke about it; None when none did."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One minute of one series: [start, start + 60 s).

    For counters `last` is the register at the end of the minute and mean, low and high are of the register
    too. `count` is how many readings it holds, `suspect` how many of those were not valid (and left out).
    """

    device: str
    quantity: Quantity
    start: datetime
    mean: float
    low: float
    high: float
    last: float
    count: int
    suspect: int = 0


class IntervalQuality(StrEnum):
    """How an interval's energy came about."""

    VALID = "valid"
    ESTIMATED = "estimated"
    EDITED = "edited"
    MISSING = "missing"


INTERVAL_S = 900
"""Length of the stored intervals, seconds (15 minutes), aligned to UTC."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Energy of one device over the half-open [start, start + duration_s).

    `import_wh` and `export_wh` are amounts >= 0 (consumed/charged and produced/discharged/exported); None when
    missing. `method` says how: "counter", "power", "counter spread by measured power", "imported", ...
    """

    device: str
    start: datetime
    duration_s: int
    import_wh: float | None
    export_wh: float | None
    quality: IntervalQuality
    method: str

    @property
    def end(self) -> datetime:
        """The first instant after the interval."""
        return self.start + timedelta(seconds=self.duration_s)

    @property
    def net_wh(self) -> float | None:
        """Energy with the one sign rule: import minus export, Wh; None when missing."""
        if self.import_wh is None and self.export_wh is None:
            return None
        return (self.import_wh or 0.0) - (self.export_wh or 0.0)
