"""The timeline against an oracle that asks, minute by minute, what the User Guide says of each event.

The oracle shares nothing with the engine: it counts whole minutes, unrolls every loop, and looks at one minute at a
time. Times are minutes after T0; the engine is given the same events as dates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.timeline import Laid, build_timeline
from gateway.model.dr import DrEvent, DrInterval, Duration, EventRecord, IntervalPeriod, OptState, Payload

T0 = datetime(2026, 11, 21, tzinfo=UTC)
LOOKED_AT = range(-40, 300, 3)
NEVER = 10**6
LIMIT = "IMPORT_CAPACITY_LIMIT"


@dataclass(frozen=True)
class Small:
    """An event in minutes: `length` and `own` lengths None = not stated, NEVER = P9999Y; `start` None = now."""

    name: str
    kind: str
    start: int | None
    length: int | None
    steps: tuple[tuple[int | None, int | None, tuple[int, ...]], ...]
    """(own start, own length, values) of each interval."""
    duration: int | None
    seen: int
    priority: int | None
    binding: bool
    shift: int


lengths = st.none() | st.sampled_from([0, NEVER]) | st.sampled_from([6, 12, 18, 30, 60])
starts = st.none() | st.none() | st.integers(0, 120)
values = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
smalls = st.builds(
    Small, st.sampled_from("abcdefgh"), st.sampled_from(["SIMPLE", "PRICE", LIMIT]), starts, lengths,
    st.lists(st.tuples(starts, lengths, values), min_size=1, max_size=4).map(tuple),
    lengths | st.integers(1, 200), st.integers(0, 60), st.none() | st.integers(0, 2), st.booleans(),
    st.sampled_from([0, 0, 0, -7, 5, 40]),
)  # fmt: skip


def period(start: int | None, length: int | None, now: bool = False) -> IntervalPeriod:
    when = None if start is None else T0 + timedelta(minutes=start)
    return IntervalPeriod(when, start_now=now and when is None, duration=lasting(length))


def lasting(length: int | None) -> Duration | None:
    if length is None:
        return None
    return Duration(infinite=True) if length == NEVER else Duration(seconds=length * 60.0)


def record_of(small: Small) -> EventRecord:
    intervals = tuple(
        DrInterval(number, (Payload(small.kind, said),), period(start, length))
        for number, (start, length, said) in enumerate(small.steps)
    )
    event = DrEvent(
        small.name, "vtn", "p", small.name, intervals, period(small.start, small.length, now=True),
        lasting(small.duration), small.priority,
    )  # fmt: skip
    return EventRecord(
        event, T0 + timedelta(minutes=small.seen), (small.shift * 60.0,) * len(intervals),
        OptState.BINDING if small.binding else OptState.JOINED,
    )  # fmt: skip


def spans(small: Small) -> list[tuple[int, int, int | None, tuple[int, ...]]]:
    """(start, end, length its values share, values) of each interval, loops unrolled, cut by the event's duration."""
    cursor, found = small.seen if small.start is None else small.start, []
    for own, mine, said in small.steps:
        cursor = own if own is not None else cursor
        length = mine if mine is not None else small.length
        if cursor < NEVER:
            found.append([cursor, min(cursor + (NEVER if length is None else length), NEVER), length, said])
        cursor = min(cursor + (NEVER if length is None else length), NEVER)
    first, last = min(start for start, *_ in found), max(end for _, end, *_ in found)
    absolute = any(own is not None for own, *_ in small.steps[1:])
    round_ = last - first if absolute else sum(min(NEVER, NEVER if x is None else x) for _, _, x, _ in found)
    if small.duration:
        stop = first + small.duration
        if 0 < round_ < small.duration and last < NEVER:
            once, turn = list(found), 1
            while first + turn * round_ < min(stop, 400):
                found += [[start + turn * round_, end + turn * round_, x, y] for start, end, x, y in once]
                turn += 1
        for span in found:
            if span[2] is None and span[1] >= NEVER:
                span[2] = stop - span[0]
            span[1] = min(span[1], stop)
    found = sorted((span for span in found if span[0] < span[1]), key=lambda span: span[0])
    if small.kind == LIMIT:
        if found:
            found[0][0] = min(found[0][0] + small.shift, found[0][1])
    else:
        found = [[start + small.shift, end + small.shift if end < NEVER else end, x, y] for start, end, x, y in found]
    return [tuple(span) for span in found]


def shares(small: Small) -> list[tuple[Fraction | int, Fraction | int, int]]:
    """(start, end, value): a price interval is shared equally by its values, for other kinds the first counts."""
    found = []
    for start, end, length, said in spans(small):
        if small.kind != "PRICE" or length in (None, NEVER):
            found.append((start, end, said[0]))
            continue
        for number, value in enumerate(said):
            sooner, later = (start + Fraction(length * part, len(said)) for part in (number, number + 1))
            found.append((sooner, min(later, end), value))
    return [share for share in found if share[0] < share[1]]


def strictness(kind: str, value: int) -> int:
    return {"SIMPLE": value, LIMIT: -value, "PRICE": 0}[kind]


def says(small: Small, minute: int) -> tuple[int, Fraction | int] | None:
    """(value, start) of the interval of an event that holds: the one that started last."""
    now = [
        (start, strictness(small.kind, value), value) for start, end, value in shares(small) if start <= minute < end
    ]
    if not now:
        return None
    start, _, value = max(now, key=lambda item: item[:2])
    return value, start


def expected(smalls_: list[Small], kind: str, minute: int) -> set[tuple[str, int]]:
    """Who may hold: (event, value); more than one where nothing tells them apart."""
    ranked = []
    for small in smalls_:
        found = says(small, minute) if small.kind == kind else None
        if found is not None:
            binding = small.binding or kind == LIMIT
            priority = NEVER if small.priority is None else small.priority
            rank = (not binding, priority, -strictness(kind, found[0]), -small.seen)
            ranked.append((rank, (small.name, found[0])))
    best = min((rank for rank, _ in ranked), default=None)
    return {who for rank, who in ranked if rank == best}


def distinct(found: list[Small]) -> list[Small]:
    return list({small.name: small for small in found}.values())


def cancelled(small: Small) -> bool:
    """User Guide 7.9: the event says now, and the durations that count for its intervals, else its own, are zero."""
    counts = (mine if mine is not None else small.length for _, mine, _ in small.steps)
    return small.start is None and all((small.duration if length is None else length) == 0 for length in counts)


@pytest.mark.slow
@given(st.lists(smalls, min_size=1, max_size=5).map(distinct))
@settings(max_examples=150, deadline=None)
def test_each_minute_is_held_by_whom_the_text_says(found):
    built = build_timeline([record_of(small) for small in found], {}, T0, horizon_s=6 * 3600.0)
    for minute in LOOKED_AT:
        holding = built.at(T0 + timedelta(minutes=minute))
        for kind in ("SIMPLE", "PRICE", LIMIT):
            mine = [(s.event.removeprefix("vtn:"), s.values[0]) for s in holding if s.kind == kind]
            may = expected([small for small in found if not cancelled(small)], kind, minute)
            assert len(mine) == min(1, len(may)) and set(mine) <= may, (kind, minute, mine, may)


@given(smalls)
@settings(max_examples=150, deadline=None)
def test_the_span_of_an_event_is_that_of_its_signals(small):
    """An event whose own duration is stated may outlast its last signal: a gap may come last."""
    assume(small.kind != LIMIT or small.shift <= 6)  # a draw may swallow a shorter limit
    record = record_of(small)
    signals = build_timeline([record], {}, T0, horizon_s=6 * 3600.0).signals
    span = event_span(record, UTC)
    if not signals:
        assert span is None or span[0] == span[1]
        return
    ends = [signal.end for signal in signals]
    last = None if None in ends else max(ends)
    assert span is not None and span[0] == min(s.start for s in signals)
    assert span[1] == last or (small.duration and (span[1] is None or (last is not None and span[1] > last)))


changes = st.lists(st.tuples(st.lists(smalls, max_size=4).map(distinct), st.integers(0, 90)), min_size=2, max_size=5)


@pytest.mark.slow
@given(changes)
@settings(max_examples=80, deadline=None)
def test_what_is_kept_from_the_last_rebuild_changes_nothing(steps):
    """Unchanged records stay the same objects, others come, go and change; time goes on."""
    laid, records, minute = Laid(), {}, 0
    for found, passed in steps:
        minute += passed
        if len(records) > 3:
            records.pop(min(records))
        records |= {small.name: record_of(small) for small in found}
        now = T0 + timedelta(minutes=minute)
        more = {"horizon_s": 4 * 3600.0, "past_s": 1800.0}
        kept = build_timeline(list(records.values()), {}, now, laid=laid, **more)
        assert kept == build_timeline(list(records.values()), {}, now, **more)


def test_a_skipped_event_gives_its_time_back_at_once():
    laid, one = Laid(), Small("a", "SIMPLE", 0, 60, ((None, None, (1,)),), None, 0, 5, False, 0)
    low, high = record_of(one), record_of(replace(one, name="b", priority=0, steps=((10, 10, (3,)),)))
    assert [s.values[0] for s in build_timeline([low, high], {}, T0, laid=laid).signals] == [1, 3, 1]
    skipped = high.with_opt(OptState.SKIPPED, "the owner chose to skip")
    assert [s.values[0] for s in build_timeline([low, skipped], {}, T0, laid=laid).signals] == [1]
