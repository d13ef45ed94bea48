"""The API's shapes for interval data: where the energy came from, corrections, and the counts of the rules."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from gateway.web.wire import In, Instant, Name, Out


class ConsumerOut(Out):
    """One consumer's energy over the day, Wh, and its parts by source, which sum to it."""

    device: str
    name: str
    energy_wh: float
    solar_wh: float
    battery_wh: float
    grid_wh: float
    unknown_wh: float


class EnergyDayOut(Out):
    """One local day [start, end); `quarters` have passed, of which some are missing, estimated or edited."""

    day: date
    start: datetime
    end: datetime
    consumers: list[ConsumerOut]
    solar_wh: float
    battery_wh: float
    grid_wh: float
    quarters: int
    missing: int
    estimated: int
    edited: int


class EditIn(In):
    """A correction of the intervals in [start, end): totals in Wh >= 0; None leaves that direction as it is."""

    device: Name
    start: Instant
    end: Instant
    import_wh: float | None = Field(None, ge=0)
    export_wh: float | None = Field(None, ge=0)
    spread: Literal["evenly", "proportionally"] = "proportionally"
    reason: str = Field(min_length=3, max_length=200)


class UndoIn(In):
    """Undo the corrections of the intervals that start in [start, end)."""

    device: Name
    start: Instant
    end: Instant
