"""When the intervals of one event happen (OpenADR 3.1 User Guide 7.3, 7.4).

    event.start                                   now
        |-- 0: PT1H --|-- 1: PT2H (own duration) --|-- 2: PT1H --|          start of i = end of i - 1
        |<------------------- cycle 0 ------------------------->|<-- cycle 1 ...   event.duration P9999Y: a loop
        |<----------- event.duration PT2H ---->|                           event.duration shorter: truncated

Interpretations, where the text leaves it open:
- "now" (0001-01-01) and a start that is nowhere stated are the first receipt of the event, which is kept.
- A duration that is nowhere stated lasts until the event ends, else until the event is withdrawn.
- event.duration PT0S is the schema's default, so "not stated"; it cancels only together with a "now" start.
- A loop repeats the whole set: its period is the sum of the durations, or the set's span when an interval states its
  own start. Absolute starts move by whole periods.
- Where intervals of one event overlap, the one that starts later holds; the earlier resumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from gateway.core.demand_response.durations import FOREVER, ZERO, is_zero, later, rough_s, times, total
from gateway.model.dr import DrEvent, DrInterval, Duration, EventRecord

MAX_PIECES = 2000
"""Most pieces laid out of one event; a loop of very short intervals is continued at the next rebuild."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One interval of one cycle over the half-open [start, end); `index` is its place in the event's list."""

    index: int
    cycle: int
    interval: DrInterval
    start: datetime
    end: datetime | None


def schedule(
    record: EventRecord, zone: tzinfo, *, since: datetime, until: datetime, hard: bool = False
) -> tuple[Piece, ...]:
    """The pieces that end after `since`; cycles of a loop only as far as they start before `until`.

    With the drawn shifts; `hard` is for capacity limits: the draw moves the first start only, never an end.

        stated       |----- 0 -----|----- 1 -----|
        shifted +s      |----- 0 -----|----- 1 -----|
        hard    +s      |-- 0 -----|----- 1 -----|
    """
    event = record.event
    if not event.intervals or cancelled_by_form(event):
        return ()
    stated = list(_cycles(record, zone, since, until))
    pieces = _hardened(stated, record) if hard else _shifted(stated, record)
    return tuple(p for p in pieces if (p.end is None or p.end > since) and (p.end is None or p.end > p.start))


def event_span(record: EventRecord, zone: tzinfo) -> tuple[datetime, datetime | None] | None:
    """First start and last end of an event, joined or not (end None: open); None when it has no intervals."""
    event = record.event
    if not event.intervals or cancelled_by_form(event):
        return None
    pieces = _shifted(_cycle(record, zone, ZERO, 0), record)
    if not pieces:
        return None
    start = min(piece.start for piece in pieces)
    if _loops(event, zone, pieces):
        stop = later(start, event.duration or FOREVER, zone)
        return start, stop
    ends = [piece.end for piece in pieces]
    known = [end for end in ends if end is not None]
    return start, (max(known) if len(known) == len(ends) else None)


def cancelled_by_form(event: DrEvent) -> bool:
    """Whether the event says of itself that it is cancelled: start 0001-01-01 with PT0S (User Guide 7.9)."""
    period = event.period
    if period is None or not period.start_now:
        return False
    if period.duration is not None:
        return is_zero(period.duration)
    return is_zero(event.duration) and not any(x.period and x.period.duration for x in event.intervals)


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


def _cycles(record: EventRecord, zone: tzinfo, since: datetime, until: datetime) -> Iterator[Piece]:
    first = _cycle(record, zone, ZERO, 0)
    if not _loops(record.event, zone, first):
        yield from first
        return
    period = _period(record.event, first)
    stop = later(first[0].start, record.event.duration or FOREVER, zone)
    number = max(0, int((since - first[0].start).total_seconds() // rough_s(period)) - 2)
    count = 0
    while count < MAX_PIECES:
        pieces = _cycle(record, zone, times(period, number), number) if number else first
        if not pieces or (number and pieces[0].start >= until) or (stop is not None and pieces[0].start >= stop):
            return
        yield from _cut(pieces, stop)
        count += len(pieces)
        number += 1


def _cycle(record: EventRecord, zone: tzinfo, offset: Duration, number: int) -> list[Piece]:
    """One round of the event's intervals, `offset` after the first, cut by event.duration.

    Starts are sums from the last stated start, not from the piece before: twelve months from 31 January end on a 31st.
    """
    event = record.event
    base, elapsed = first_start(record), offset
    pieces: list[Piece] = []
    for index, interval in enumerate(event.intervals):
        if interval.period is not None and interval.period.start is not None:
            base, elapsed = interval.period.start, offset
        start = later(base, elapsed, zone)
        elapsed = total((elapsed, _duration(event, interval)))
        if start is not None:
            pieces.append(Piece(index, number, interval, start, later(base, elapsed, zone)))
    stop = _stop(event, pieces, zone) if not number else None
    return list(_cut(pieces, stop))


def _duration(event: DrEvent, interval: DrInterval) -> Duration:
    if interval.period is not None and interval.period.duration is not None:
        return interval.period.duration
    if event.period is not None and event.period.duration is not None:
        return event.period.duration
    return FOREVER


def _stated_duration(event: DrEvent) -> Duration | None:
    return None if event.duration is None or is_zero(event.duration) else event.duration


def _stop(event: DrEvent, pieces: list[Piece], zone: tzinfo) -> datetime | None:
    stated = _stated_duration(event)
    return later(pieces[0].start, stated, zone) if stated is not None and pieces else None


def _period(event: DrEvent, first: list[Piece]) -> Duration:
    if not any(x.period is not None and x.period.start is not None for x in event.intervals[1:]):
        return total(_duration(event, interval) for interval in event.intervals)
    ends = [piece.end for piece in first if piece.end is not None]
    if len(ends) < len(event.intervals):
        return FOREVER
    return Duration(seconds=(max(ends) - first[0].start).total_seconds())


def _loops(event: DrEvent, zone: tzinfo, first: list[Piece]) -> bool:
    stated = _stated_duration(event)
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
    if not any(record.shifts_s) or not stated or stated[0].cycle or stated[0].index:
        return stated
    first = stated[0]
    start = first.start + _shift(record, 0)
    return [replace(first, start=start if first.end is None else min(start, first.end)), *stated[1:]]


def _moved(piece: Piece, shift: timedelta) -> Piece:
    return replace(piece, start=piece.start + shift, end=None if piece.end is None else piece.end + shift)


def _shift(record: EventRecord, index: int) -> timedelta:
    """An event that grew after its draw: the new intervals follow the last one drawn."""
    shifts = record.shifts_s
    return timedelta(seconds=shifts[min(index, len(shifts) - 1)])
