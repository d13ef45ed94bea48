"""Interval history from CSV: strict for each row; a bad row is a finding, the others are taken."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.model.errors import Finding
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

COLUMNS = ["start", "device", "import_wh", "export_wh"]
LENGTH_COLUMN = "minutes"
"""The fifth column of what is exported in another length than quarter hours: such a file is not taken in."""
IMPORTED = "imported"
"""The method of an interval that came from a file."""
MAX_WH = 50_000.0
"""More than 200 kW for a quarter of an hour is not a home (usually kWh and Wh were mixed up)."""
FINE_S = 300
"""The grid of the shortest rows that are read, seconds."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MANY = 8
"""So many intervals of one device, none beside another, are of another length."""
_DEVICE = re.compile(r"[\w./-]{1,64}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def parse_interval_csv(
    lines: Iterable[str], now: datetime, known: Collection[str] = ()
) -> Iterator[Interval | Finding]:
    """Quarter-hour intervals from lines `start,device,import_wh,export_wh`, header first.

    `start` is ISO 8601 with a zone on a quarter hour from 2000 on that is over at `now`; energies are Wh >= 0, empty
    when unknown (not both); `known` are the series there are, all when empty. Rows become intervals of quality valid
    with the method "imported"; one that is not so, or tells of an interval again, becomes a Finding with its line.
    """
    records = _records(lines)
    _, header = next(records, ("", []))
    names = [name.strip().lower() for name in header] if isinstance(header, list) else []
    if names != COLUMNS:
        yield _header_finding(names)
        return
    rows = _Rows(now, known)
    for where, row in records:
        if row:
            yield rows.take(row, where) if isinstance(row, list) else row


class EnergyRow(NamedTuple):
    """Energy of one series from `start` on, over a time that the row itself does not tell; net with the one sign rule."""

    where: str
    """Its line."""
    device: str
    start: datetime
    import_wh: float | None
    export_wh: float | None

    @property
    def net_wh(self) -> float:
        """Import minus export, Wh."""
        return (self.import_wh or 0.0) - (self.export_wh or 0.0)


def parse_energy_csv(lines: Iterable[str], now: datetime) -> Iterator[EnergyRow | Finding]:
    """The same columns with rows of any length that begin on 5 minutes; a fifth column with their minutes is passed over.

    For who needs the hours of a day and no bill; rows that come twice are the caller's to see.
    """
    records = _records(lines)
    _, header = next(records, ("", []))
    names = [name.strip().lower() for name in header] if isinstance(header, list) else []
    if names not in (COLUMNS, [*COLUMNS, LENGTH_COLUMN]):
        yield _header_finding(names)
        return
    for where, row in records:
        try:
            if isinstance(row, Finding):
                raise row
            if row:
                if len(row) != len(names):
                    raise Finding(where, f"has {len(row)} columns", f"Give {len(names)}: {','.join(names)}.")
                found = _energy_row(row[: len(COLUMNS)], where, FINE_S)
                _check_time(found.start, row[0].strip(), where, now - timedelta(seconds=FINE_S))
                yield found
        except Finding as finding:
            yield finding


def _records(lines: Iterable[str]) -> Iterator[tuple[str, list[str] | Finding]]:
    """Each record with its line."""
    reader = csv.reader(lines)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"line {reader.line_num}"
            yield where, Finding(where, f"is not CSV ({error})", "Check the quotes of this line.")
        else:
            yield f"line {reader.line_num}", row


class Steps:
    """How far apart the intervals of each device lie: tells a file of hours or days, which is none of quarter hours."""

    def __init__(self) -> None:
        self._shortest: dict[str, tuple[datetime, timedelta, int]] = {}

    def add(self, interval: Interval) -> None:
        """Take the next interval of the file."""
        before, shortest, count = self._shortest.get(interval.device, (interval.start, timedelta.max, 0))
        step = abs(interval.start - before) or timedelta.max
        self._shortest[interval.device] = (interval.start, min(shortest, step), count + 1)

    def finding(self) -> Finding | None:
        """What is wrong when a device's intervals are never beside one another; None when they are."""
        for device, (_, shortest, count) in self._shortest.items():
            if count >= MANY and shortest > timedelta(seconds=INTERVAL_S):
                what = f"the rows of '{device}' are {shortest / timedelta(minutes=1):.0f} minutes or more apart"
                return Finding("the file", what, _ONLY_QUARTERS)
        return None


_ONLY_QUARTERS = "Only intervals of 15 minutes can be imported; longer ones do not tell how they divide."


def _header_finding(names: list[str]) -> Finding:
    if names == [*COLUMNS, LENGTH_COLUMN]:
        return Finding("line 1", "the intervals are not of 15 minutes", _ONLY_QUARTERS)
    return Finding("line 1", f"the header is not {','.join(COLUMNS)}", "Name exactly these columns, with commas.")


@dataclass(slots=True)
class _Rows:
    """The rows of one file, each checked by itself and against those before it."""

    now: datetime
    known: Collection[str]
    seen: dict[str, set[int]] = field(default_factory=dict)

    def take(self, row: list[str], where: str) -> Interval | Finding:
        try:
            interval = _interval(row, where)
            self._check(interval, row[0].strip(), where)
        except Finding as finding:
            return finding
        return interval

    def _check(self, interval: Interval, told: str, where: str) -> None:
        if self.known and interval.device not in self.known:
            what = f"there is no device '{interval.device}' in the site file"
            raise Finding(where, what, f"Known: {', '.join(self.known)}.")
        _check_time(interval.start, told, where, self.now - timedelta(seconds=INTERVAL_S))
        starts, start = self.seen.setdefault(interval.device, set()), int(interval.start.timestamp())
        if start in starts:
            what = f"start {told}: '{interval.device}' has this quarter hour already, in a line above"
            raise Finding(where, what, "Keep one; where the clock is set back, write the offset from UTC.")
        starts.add(start)


def _check_time(start: datetime, told: str, where: str, last: datetime) -> None:
    if start < EARLIEST:
        raise Finding(where, f"start {told} is before {EARLIEST.year}", "Check the year.")
    if start > last:
        raise Finding(where, f"start {told}: this interval is not over yet", "Check the date and its zone.")


def _interval(row: list[str], where: str) -> Interval:
    found = _energy_row(row, where, INTERVAL_S)
    return Interval(
        found.device, found.start, INTERVAL_S, found.import_wh, found.export_wh, IntervalQuality.VALID, IMPORTED
    )


def _energy_row(row: list[str], where: str, grid_s: int) -> EnergyRow:
    if len(row) != len(COLUMNS):
        raise Finding(where, f"has {len(row)} columns", f"Give {len(COLUMNS)}: {','.join(COLUMNS)}.")
    start = _start(row[0].strip(), where, grid_s)
    device = row[1].strip()
    if not _DEVICE.fullmatch(device):
        raise Finding(where, f"device {device!r} is not an id", "Use letters, digits, '_', '-', '.' and '/'.")
    taken, given = _energy(row[2].strip(), "import_wh", where), _energy(row[3].strip(), "export_wh", where)
    if taken is None and given is None:
        raise Finding(where, "states no energy", "Leave the row out: what is not measured is not 0.")
    return EnergyRow(where, device, start, taken, given)


def _start(text: str, where: str, grid_s: int) -> datetime:
    try:
        start = datetime.fromisoformat(text)
        if start.tzinfo is None:
            raise Finding(where, f"start {text!r} has no zone", "Write it with one: 2026-01-31T14:15:00+01:00.")
        start = start.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Finding(where, f"start {text!r} is not a time", "Write ISO 8601: 2026-01-31T14:15:00+01:00.") from error
    if start.microsecond or (start.minute * 60 + start.second) % grid_s:
        if grid_s == FINE_S:
            raise Finding(where, f"start {text} is not on 5 minutes", "Rows start at :00, :05, :10 and so on.")
        raise Finding(where, f"start {text} is not on a quarter hour", "Intervals start at :00, :15, :30 or :45.")
    return start


def _energy(text: str, column: str, where: str) -> float | None:
    if not text:
        return None
    # float() also takes 1_000, digits of other scripts and "infinity".
    if not _NUMBER.fullmatch(text):
        raise Finding(where, f"{column} {text!r} is not a number", "Write Wh with a decimal point.")
    value = float(text)
    if value < 0:
        raise Finding(where, f"{column} is {value:g}", "Energies are Wh >= 0; exports have their own column.")
    if value > MAX_WH:
        raise Finding(where, f"{column} is {value:g} Wh in one interval", "No home does that: check the unit (Wh).")
    return value
