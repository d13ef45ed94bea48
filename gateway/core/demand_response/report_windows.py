"""Which of an event's intervals a report covers, and when it is made (OpenADR 3.1 User Guide 7.5, 8.7, 8.8).

    interval        |-- 0 --|-- 1 --|-- 2 --|-- 3 --|
    defaults                                        ^ one report of 0-3
    start 1, number 2, frequency 2, repeat 2
                                    ^ 0-1           ^ 2-3
    historical false, the same      ^ 1-2 (made as interval 1 begins)  ^ 3-
    covered                                 ^ 1-2           (start is the first covered)

Interpretations: startInterval is the interval at whose end a report is made; the User Guide draws it both ways, so
`covered` makes it the first that is covered. A forecast is made as its first interval begins (8.8 says so, the drawing
of rolling reports does not). frequency 0 ("ad hoc") is answered once. Periods that were over before the event arrived
are not made up for, except the last; of forecasts only the newest that is due is made, as the others tell the past.
An event that was withdrawn gets one last report of what it covered until then. An event without intervals implies them by its period, as many as are asked for; without a usable period it is answered
once, at receipt, with what is known then. Implied and open intervals bear our own numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.core.demand_response.durations import FOREVER, is_zero
from gateway.core.demand_response.schedule import Piece, schedule
from gateway.model.dr import DrInterval, EventRecord, ReportDescriptor
from gateway.model.reading import INTERVAL_S

CATCH_UP = timedelta(days=7)
AT_ONCE_S = float(INTERVAL_S)
"""A report that is answered at receipt tells of the quarter hour before."""
FORECASTS = frozenset({"USAGE_FORECAST", "STORAGE_DISPATCH_FORECAST"})
AHEAD = frozenset({
    "LOAD_SHED_DELTA_AVAILABLE", "GENERATION_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE", "DOWN_REGULATION_AVAILABLE",
    "IMPORT_RESERVATION_CAPACITY", "EXPORT_RESERVATION_CAPACITY",
})  # fmt: skip
"""What can only be told of the time to come; made as its first interval begins, whatever `historical` says."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row to come of a report: its interval's id and the half-open [start, end)."""

    id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """One report to come: what it covers, and when it is due."""

    pieces: tuple[Piece, ...]
    due: datetime
    implied: bool = False

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return self.pieces[0].start

    def cells(self, how: str, momentary: bool) -> Iterator[Cell]:
        """The rows: INTERVALS as the event's, SUB_INTERVALS quarter hours under its ids, OPEN_INTERVALS our own.

        A momentary value is told once of an interval: it has no quarter hours.
        """
        number = 0
        for piece in self.pieces:
            end = piece.end or piece.start
            for start, until in (
                [(piece.start, end)] if momentary or how == "INTERVALS" else _quarters(piece.start, end)
            ):
                own = self.implied or how == "OPEN_INTERVALS"
                yield Cell(number if own else piece.interval.id, start, until)
                number += 1


def ahead(descriptor: ReportDescriptor) -> bool:
    """Whether the descriptor asks for the time to come."""
    kind = descriptor.payload_type
    return not descriptor.historical or kind in FORECASTS | AHEAD or descriptor.reading_type == "FORECAST"


def due_windows(
    record: EventRecord, descriptor: ReportDescriptor, now: datetime, zone: tzinfo, covered: bool = False
) -> list[Window]:
    """The windows whose report is due at `now`, oldest first."""
    due = [window for window in windows(record, descriptor, now, zone, covered) if window.due <= now]
    if ahead(descriptor):
        return due[-1:]
    missed = [window for window in due if window.due <= record.first_seen]
    return [window for window in due if window not in missed[:-1]]


def windows(
    record: EventRecord, descriptor: ReportDescriptor, now: datetime, zone: tzinfo, covered: bool = False
) -> Iterator[Window]:
    """The groups of intervals of each report, from a week ago to a week ahead."""
    implied = not record.event.intervals
    if implied and not _has_period(record):
        yield _at_once(record)
        return
    full = _implied(record, descriptor) if implied else record
    count = len(full.event.intervals)
    pieces = schedule(full, zone, since=now - CATCH_UP, until=now + CATCH_UP)
    by_number = {piece.cycle * count + piece.index: piece for piece in pieces}
    reach = _Reach.of(descriptor, count, covered)
    for number in sorted(by_number):
        members = [by_number[i] for i in reach.members(number, descriptor.repeat) if i in by_number]
        members, withdrawn = _until(members, record.cancelled_at)
        if members:
            due = members[0].start if reach.forward and not covered else members[-1].end
            due = members[0].start if ahead(descriptor) else due
            due = record.cancelled_at if withdrawn else due
            yield Window(tuple(members), due or datetime.max.replace(tzinfo=UTC), implied)
        if withdrawn:
            return


@dataclass(frozen=True, slots=True)
class _Reach:
    """The numbers of the intervals that a report covers: `span` of them up to or from each `every`-th after `first`."""

    first: int
    span: int
    every: int
    forward: bool

    @classmethod
    def of(cls, descriptor: ReportDescriptor, count: int, covered: bool) -> _Reach:
        """As a descriptor asks of an event of `count` intervals."""
        forward = covered or ahead(descriptor)
        stated, number = descriptor.start_interval, descriptor.num_intervals
        first = stated if stated >= 0 else (0 if forward else count - 1)
        whole = max(1, count - first) if forward else first + 1
        every = next((n for n in (descriptor.frequency, number, count) if n > 0), 1)
        return cls(first, number if number > 0 else whole, every, forward)

    def members(self, number: int, repeat: int) -> range:
        """What the report that `number` stands for covers; empty when it stands for none."""
        turn, rest = divmod(number - self.first, self.every)
        if number < self.first or rest or (0 <= max(1, repeat) <= turn and repeat >= 0):
            return range(0)
        return range(number, number + self.span) if self.forward else range(number - self.span + 1, number + 1)


def _until(members: list[Piece], withdrawn: datetime | None) -> tuple[list[Piece], bool]:
    """What of them lies before the withdrawal, and whether some does not: then no later report covers anything."""
    if withdrawn is None or (members and members[-1].end is not None and members[-1].end <= withdrawn):
        return members, False
    kept = [piece for piece in members if piece.start < withdrawn]
    return [replace(p, end=withdrawn if p.end is None else min(p.end, withdrawn)) for p in kept], bool(members)


def _has_period(record: EventRecord) -> bool:
    period = record.event.period
    return period is not None and period.duration is not None and not is_zero(period.duration)


def _at_once(record: EventRecord) -> Window:
    """Asked for without any time: one row of the quarter hour before the event was received."""
    seen = record.first_seen
    end = datetime.fromtimestamp(seen.timestamp() // INTERVAL_S * INTERVAL_S, UTC)
    piece = Piece(0, 0, DrInterval(0, ()), end - timedelta(seconds=AT_ONCE_S), end)
    return Window((piece,), seen, implied=True)


def _implied(record: EventRecord, descriptor: ReportDescriptor) -> EventRecord:
    """A report-only event without intervals: its period repeated implies them (User Guide 8.7)."""
    many = descriptor.repeat != 1 or descriptor.num_intervals > 1 or descriptor.start_interval > 0
    stated = record.event.duration
    loop = FOREVER if many and (stated is None or is_zero(stated)) else stated
    return replace(record, event=replace(record.event, intervals=(DrInterval(0, ()),), duration=loop))


def _quarters(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    cursor = start
    while cursor < end:
        edge = datetime.fromtimestamp((cursor.timestamp() // INTERVAL_S + 1) * INTERVAL_S, UTC)
        yield cursor, min(edge, end)
        cursor = edge
