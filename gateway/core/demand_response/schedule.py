"""When the intervals of one event happen (OpenADR 3.1 User Guide 7.3, 7.4).

    event.start                                   now
        |-- 0: PT1H --|-- 1: PT2H (own duration) --|-- 2: PT1H --|          start of i = end of i - 1
        |<------------------- cycle 0 ------------------------->|<-- cycle 1 ...   event.duration P9999Y: a loop
        |<----------- event.duration PT2H ---->|                           event.duration shorter: truncated

Interpretations, where the text leaves it open:
- "now" (0001-01-01) and a start that is nowhere stated are the first receipt of the event, which is kept.
- A duration that is nowhere stated lasts until the event ends, else until the event is withdrawn.
- event.duration PT0S is the schema's default, so "not stated"; it cancels only together with a "now" start.
- An event is cancelled by its form when it says "now" and no interval lasts: an interval with a duration of its own
  takes precedence over the event's PT0S (7.3, and example 8.10.2-5).
- event.duration counts from the earliest start.
- A loop repeats the whole set: its period is the sum of the durations, or the set's span when an interval states its
  own start. Absolute starts move by whole periods.
- Days and months of intervals that follow each other add up before they meet the calendar: twelve months from 31
  January end on a 31st. After an interval stated in hours they count from its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from operator import attrgetter

from gateway.core.demand_response.durations import FOREVER, ZERO, is_zero, later, moved_by, plus, rough_s, times, total
from gateway.model.dr import DrEvent, DrInterval, Duration, EventRecord

CAPACITY_LIMITS = frozenset({"IMPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_LIMIT"})
"""Hard limits: a draw never moves their ends."""
MAX_PIECES = 2000
"""Most pieces laid out of one event; a loop of very short intervals is continued at the next rebuild."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One interval of one cycle over the half-open [start, end); `index` is its place in the event's list.

    `whole` is where it would end uncut: its several values share [start, whole). None: without end.
    """

    index: int
    cycle: int
    interval: DrInterval
    start: datetime
    end: datetime | None
    whole: datetime | None = None


def schedule(
    record: EventRecord, zone: tzinfo, *, since: datetime, until: datetime, hard: bool = False
) -> tuple[Piece, ...]:
    """The pieces that end after `since`; cycles of a loop only as far as they start before `until`, at most MAX_PIECES.

    With the drawn shifts; `hard` is for capacity limits: the draw moves the first start only, never an end.

        stated       |----- 0 -----|----- 1 -----|
        shifted +s      |----- 0 -----|----- 1 -----|
        hard    +s      |-- 0 -----|----- 1 -----|
    """
    event = record.event
    if not event.intervals or cancelled_by_form(event):
        return ()
    stated = [piece for piece in _cycles(record, zone, since, until) if piece.end != piece.start]
    pieces = _hardened(stated, record) if hard else _shifted(stated, record)
    return tuple(p for p in pieces if p.end is None or p.end > max(since, p.start))


def event_span(record: EventRecord, zone: tzinfo) -> tuple[datetime, datetime | None] | None:
    """First start and last end of an event, joined or not (end None: open); None when it has no intervals.

    An event of no length starts and ends at its stated start; one beyond all calendars has no span.
    """
    if not record.event.intervals or cancelled_by_form(record.event):
        return None
    try:
        return _span(record, zone)
    except (ArithmeticError, ValueError):
        return None


def _span(record: EventRecord, zone: tzinfo) -> tuple[datetime, datetime | None] | None:
    event = record.event
    first = _cycle(record, zone, ZERO, 0)
    if not first:
        return None
    stated = [piece for piece in first if piece.end != piece.start]
    drawn = _drawn(stated, record)
    if stated and _loops(event, zone, first):
        return min(piece.start for piece in drawn or stated), _last_end(record, zone, first)
    if not drawn:
        return first[0].start, first[0].start
    ends = [piece.end for piece in drawn]
    known = [end for end in ends if end is not None]
    return min(piece.start for piece in drawn), (max(known) if len(known) == len(ends) else None)


def cancelled_by_form(event: DrEvent) -> bool:
    """Whether the event says of itself that it is cancelled: start 0001-01-01 with PT0S (User Guide 7.9)."""
    period, own = event.period, event.intervals[0].period if event.intervals else None
    stated = period if period is not None and (period.start_now or period.start is not None) else own
    if stated is None or not stated.start_now:
        return False
    return all(is_zero(_stated(event, interval) or event.duration) for interval in event.intervals)


def first_start(record: EventRecord) -> datetime:
    """Where the set of intervals starts, before any shift: stated, or "now" anchored at first receipt."""
    period = record.event.period
    if period is not None and period.start is not None:
        return period.start
    if period is None or not period.start_now:
        own = record.event.intervals[0].period if record.event.intervals else None
        if own is not None and own.start is not None:
            return own.start
    return record.first_seen


def beat_s(record: EventRecord, zone: tzinfo) -> float | None:
    """How long a piece of a loop lasts in the mean, s; None for an event that does not repeat."""
    if _stated_length(record.event) is None or not record.event.intervals:
        return None
    first = _cycle(record, zone, ZERO, 0)
    return rough_s(_period(record.event, first)) / len(first) if _loops(record.event, zone, first) else None


def _moves(event: DrEvent) -> tuple[bool, bool]:
    """Whether it says something whose ends a draw moves, and whether something whose ends it does not."""
    kinds = {payload.type for interval in event.intervals for payload in interval.payloads}
    return not kinds or not kinds <= CAPACITY_LIMITS, bool(kinds & CAPACITY_LIMITS)


def _drawn(stated: list[Piece], record: EventRecord) -> list[Piece]:
    soft, hard = _moves(record.event)
    return [*(_shifted(stated, record) if soft else ()), *(_hardened(stated, record) if hard else ())]


def _last_end(record: EventRecord, zone: tzinfo, first: list[Piece]) -> datetime | None:
    """Where a loop ends."""
    stop = later(first[0].start, record.event.duration or FOREVER, zone)
    soft, hard = _moves(record.event)
    moved = _shift(record, first[-1].index) if soft else timedelta(0)
    return None if stop is None else moved_by(stop, max(moved, timedelta(0) if hard else moved))


def _cycles(record: EventRecord, zone: tzinfo, since: datetime, until: datetime) -> Iterator[Piece]:
    first = _cycle(record, zone, ZERO, 0)
    if not _loops(record.event, zone, first):
        yield from first
        return
    period = _period(record.event, first)
    stop = later(first[0].start, record.event.duration or FOREVER, zone)
    reach = timedelta(seconds=max(map(abs, record.shifts_s), default=0.0))
    number = max(0, int((since - reach - first[0].start).total_seconds() // rough_s(period)) - 2)
    count = 0
    while count < MAX_PIECES:
        pieces = _again(record, zone, first, period, number)
        if not pieces or (number and moved_by(pieces[0].start, _shift(record, 0)) >= until):
            return
        if stop is not None and pieces[0].start >= stop:
            return
        yield from _cut(pieces, stop)
        count += len(pieces)
        number += 1


def _again(record: EventRecord, zone: tzinfo, first: list[Piece], period: Duration, number: int) -> list[Piece]:
    if not number:
        return first
    if period.days or period.months:
        return _cycle(record, zone, times(period, number), number)
    try:
        offset = timedelta(seconds=period.seconds * number)
        return [_moved(piece, offset, number) for piece in first]
    except OverflowError:
        return []


def _cycle(record: EventRecord, zone: tzinfo, offset: Duration, number: int) -> list[Piece]:
    """One round of the event's intervals in order of start, `offset` after the first, cut by event.duration."""
    event = record.event
    base, elapsed = first_start(record), offset
    start = later(base, elapsed, zone)
    pieces: list[Piece] = []
    for index, interval in enumerate(event.intervals):
        if interval.period is not None and interval.period.start is not None:
            base, elapsed = interval.period.start, offset
            start = later(base, elapsed, zone)
        length = _duration(event, interval)
        elapsed = plus(elapsed, length)
        end = later(base, elapsed, zone)
        if start is not None:
            pieces.append(Piece(index, number, interval, start, end, end))
        start = end
        if length.seconds and end is not None:
            base, elapsed = end, ZERO
    pieces.sort(key=_START)
    stated = _stated_length(event)
    stop = later(pieces[0].start, stated, zone) if pieces and stated is not None and not number else None
    return [_until_stopped(event, piece) for piece in _cut(pieces, stop)]


_START = attrgetter("start")


def _until_stopped(event: DrEvent, piece: Piece) -> Piece:
    """An interval without any stated duration is as long as the event lets it be."""
    unstated = piece.whole is None and piece.end is not None and _stated(event, piece.interval) is None
    return replace(piece, whole=piece.end) if unstated else piece


def _stated(event: DrEvent, interval: DrInterval) -> Duration | None:
    if interval.period is not None and interval.period.duration is not None:
        return interval.period.duration
    return event.period.duration if event.period is not None else None


def _duration(event: DrEvent, interval: DrInterval) -> Duration:
    return _stated(event, interval) or FOREVER


def _stated_length(event: DrEvent) -> Duration | None:
    return None if event.duration is None or is_zero(event.duration) else event.duration


def _period(event: DrEvent, first: list[Piece]) -> Duration:
    if not any(x.period is not None and x.period.start is not None for x in event.intervals[1:]):
        return total(_duration(event, interval) for interval in event.intervals)
    ends = [piece.end for piece in first if piece.end is not None]
    if len(ends) < len(event.intervals):
        return FOREVER
    return Duration(seconds=(max(ends) - first[0].start).total_seconds())


def _loops(event: DrEvent, zone: tzinfo, first: list[Piece]) -> bool:
    """Whether event.duration outlasts the set of intervals; `first` is its first cycle, before any shift."""
    stated = _stated_length(event)
    if stated is None or not first:
        return False
    period = _period(event, first)
    if period.infinite or rough_s(period) <= 0:
        return False
    stop, end = later(first[0].start, stated, zone), later(first[0].start, period, zone)
    return end is not None and (stop is None or stop > end)


def _cut(pieces: list[Piece], stop: datetime | None) -> Iterator[Piece]:
    for piece in pieces:
        if stop is None or (piece.end is not None and piece.end <= stop):
            yield piece
        elif piece.start < stop:
            yield replace(piece, end=stop)


def _shifted(stated: list[Piece], record: EventRecord) -> list[Piece]:
    if not any(record.shifts_s):
        return stated
    moved = [_moved(piece, _shift(record, piece.index)) for piece in stated]
    for position in range(len(moved) - 1):
        if stated[position].end == stated[position + 1].start:
            moved[position] = replace(moved[position], end=moved[position + 1].start)
    return moved


def _hardened(stated: list[Piece], record: EventRecord) -> list[Piece]:
    if not any(record.shifts_s) or not stated or stated[0].cycle:
        return stated
    first = stated[0]
    start = moved_by(first.start, _shift(record, first.index))
    kept = [] if first.end is not None and start >= first.end else [replace(first, start=start)]
    return [*kept, *stated[1:]]


def _moved(piece: Piece, by: timedelta, cycle: int | None = None) -> Piece:
    end = None if piece.end is None else moved_by(piece.end, by)
    whole = end if piece.whole is piece.end else None if piece.whole is None else moved_by(piece.whole, by)
    number = piece.cycle if cycle is None else cycle
    return Piece(piece.index, number, piece.interval, moved_by(piece.start, by), end, whole)


def _shift(record: EventRecord, index: int) -> timedelta:
    """An event that grew after its draw: the new intervals follow the last one drawn."""
    shifts = record.shifts_s
    return timedelta(seconds=shifts[min(index, len(shifts) - 1)] if shifts else 0.0)
