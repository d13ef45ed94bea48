"""What was forecast of a day when it began, beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

LOAD, SOLAR = "load", "solar"


@dataclass(frozen=True, slots=True)
class ForetoldDay:
    """The forecast `name` of one local day as it was told at its midnight: W by quarter hour of real time (sign rule)."""

    day: date
    name: str
    start: datetime
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DayAccuracy:
    """How well a day was foretold, over the quarter hours that were measured.

    `bias_w` is forecast less measured (positive: too much was forecast). `coverage` is the share inside the 80 % band.
    `skill` is 1 - RMSE / RMSE of "the same as a week before": 0 no better, 1 perfect; None where that is not known.
    """

    day: date
    name: str
    quarters: int
    mae_w: float
    rmse_w: float
    bias_w: float
    coverage: float
    skill: float | None
    came_w: float
    """Mean of what was measured (sign rule)."""
