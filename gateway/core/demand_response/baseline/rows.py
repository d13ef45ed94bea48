"""Rows of energy over time: how a baseline is told, and energy cut out of rows and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from gateway.model.reading import INTERVAL_S, Interval


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """Energy over [start, start + duration_s), Wh, import positive."""

    start: datetime
    duration_s: float
    energy_wh: float

    @property
    def end(self) -> datetime:
        """The first instant after the row."""
        return self.start + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline of an event: no rows when nothing is known that it could be made of.

    `adjustment` is the same-day factor. `low_wh` and `high_wh` are the ends of the 80 % interval of the whole event's
    energy; `error_percent` is the root mean square error of the method on `placebos` days without an event, as a
    percentage of their mean energy. All three are None with too few of them.
    """

    rows: tuple[BaselineRow, ...] = ()
    adjustment: float = 1.0
    days: tuple[date, ...] = ()
    method: str = ""
    low_wh: float | None = None
    high_wh: float | None = None
    error_percent: float | None = None
    placebos: int = 0

    @property
    def energy_wh(self) -> float | None:
        """The whole event's energy, Wh; None when it is not known."""
        return sum(row.energy_wh for row in self.rows) if self.rows else None

    def plus(self, parts: Sequence[BaselineRow]) -> Baseline:
        """The same with the energy of parts that are known otherwise (devices, sun, battery) added to each row."""
        rows = tuple(replace(row, energy_wh=row.energy_wh + sum(_share(x, row) for x in parts)) for row in self.rows)
        more = sum(row.energy_wh for row in rows) - sum(row.energy_wh for row in self.rows)
        low = None if self.low_wh is None else self.low_wh + more
        return replace(self, rows=rows, low_wh=low, high_wh=None if self.high_wh is None else self.high_wh + more)


def slots(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """[start, end) cut at the quarter hours of the stored intervals, as (start, length in s)."""
    found = []
    cursor = start
    while cursor < end:
        edge = datetime.fromtimestamp((cursor.timestamp() // INTERVAL_S + 1) * INTERVAL_S, UTC)
        found.append((cursor, (min(edge, end) - cursor).total_seconds()))
        cursor = edge
    return found


def energy_in(intervals: Sequence[Interval], start: datetime, end: datetime) -> float | None:
    """Net energy over [start, end), Wh, intervals cut at its edges in proportion; None when part of it is missing."""
    known = [(x.start, x.end, x.net_wh) for x in intervals if x.net_wh is not None]
    return _cut(known, start, end)


def rows_energy(rows: Sequence[BaselineRow], start: datetime, end: datetime) -> float | None:
    """Energy of rows over [start, end), Wh, cut in proportion; None when part of it is missing."""
    return _cut([(row.start, row.end, row.energy_wh) for row in rows], start, end)


def _cut(parts: Sequence[tuple[datetime, datetime, float]], start: datetime, end: datetime) -> float | None:
    energy, covered = 0.0, 0.0
    for begin, until, wh in parts:
        overlap = (min(end, until) - max(start, begin)).total_seconds()
        if overlap > 0:
            energy += wh * overlap / (until - begin).total_seconds()
            covered += overlap
    return energy if covered > 0 and covered >= (end - start).total_seconds() - 1 else None


def _share(part: BaselineRow, row: BaselineRow) -> float:
    overlap = (min(part.end, row.end) - max(part.start, row.start)).total_seconds()
    return part.energy_wh * overlap / part.duration_s if overlap > 0 else 0.0
