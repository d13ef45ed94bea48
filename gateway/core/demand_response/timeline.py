"""Events of all servers become one timeline: per kind and target no two signals at once.

    event A (priority 5)   |---------- SIMPLE 1 ----------|
    event B (priority 1)            |-- SIMPLE 2 --|
    timeline               |== A ===|===== B ======|== A =|       A resumes
    event C                   |------- PRICE -------|             another kind: both hold

Interpretations, where OpenADR 3.1 leaves it open:
- Equal priorities (and two without): a higher authority, then the more restrictive, then the more recently modified.
- A binding event is never displaced by a voluntary one, whatever the numbers say: priorities of two utilities, or of a
  contract and an invitation, cannot be compared.
- Report-only events (no intervals, or empty payloads) make no signals, so they displace nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.core.demand_response.durations import rough_s
from gateway.core.demand_response.overlap import Claim, Rank, resolve
from gateway.core.demand_response.schedule import Piece, event_span, schedule
from gateway.model.authority import Authority
from gateway.model.dr import (
    DrEvent,
    DrProgram,
    Duration,
    EventPhase,
    EventRecord,
    OptState,
    Payload,
    Signal,
    Timeline,
)

CAPACITY_LIMITS = frozenset({"IMPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_LIMIT"})
SPLIT = frozenset({"PRICE", "EXPORT_PRICE", "PRICE_ALTERNATE", "GHG"})
"""Kinds whose several values share their interval equally (User Guide 7.3)."""
PAST_S = 86_400.0


def build_timeline(
    records: Sequence[EventRecord],
    programs: Mapping[str, DrProgram],
    now: datetime,
    *,
    horizon_s: float = 3 * 86_400.0,
    past_s: float = PAST_S,
    consents: Mapping[str, str] | None = None,
    timezone: tzinfo = UTC,
) -> Timeline:
    """The timeline of the events joined or binding, from `past_s` s before `now`; loops up to `horizon_s` s ahead.

    An event's own stated intervals appear whole, however far ahead. `consents` maps a program's key or id to "binding",
    "voluntary" or "none". Skipped, undecided and cancelled events take no part.
    """
    since, until = now - timedelta(seconds=past_s), now + timedelta(seconds=horizon_s)
    groups: dict[tuple[str, tuple[str, ...]], list[Claim[Signal]]] = {}
    for record in records:
        if not _takes_part(record):
            continue
        binding = _is_binding(record, consents or {})
        program = programs.get(record.event.program_key)
        recency = _recency(record)
        for signal in _signals(record, program, binding, timezone, since, until):
            key = (signal.kind, tuple(sorted(signal.targets)))
            claim = Claim(signal.start, signal.end, _rank(signal, recency), signal)
            groups.setdefault(key, []).append(claim)
    return Timeline(tuple(sorted(_winners(groups), key=lambda s: (s.start, s.kind, s.event))))


def draw_shifts(event: DrEvent, ven_id: str, first_seen: datetime) -> tuple[float, ...]:
    """The randomised shift of each interval, s: uniform in +-randomizeStart, one draw for the first interval.

    Followers keep it, unless an interval states its own randomizeStart, which draws anew (User Guide 7.3). The draw is
    a hash of home, event and first receipt: it survives a restart and a modification, and differs between homes.
    """
    default = event.period.randomize_start if event.period is not None else None
    shifts: list[float] = []
    for index, interval in enumerate(event.intervals):
        own = interval.period.randomize_start if interval.period is not None else None
        bound = own if own is not None else (default if index == 0 else None)
        if bound is None:
            shifts.append(shifts[-1] if shifts else 0.0)
        else:
            shifts.append(_bound_s(bound) * _uniform(ven_id, event.id, first_seen.isoformat(), str(index)))
    return tuple(shifts)


def phase_of(record: EventRecord, now: datetime, timezone: tzinfo = UTC) -> EventPhase:
    """Where the event stands at `now`, joined or not; one that never was or will be in force has ended."""
    span = event_span(record, timezone)
    if record.cancelled_at is not None or (span is None and record.event.intervals):
        return EventPhase.CANCELLED
    if span is None:
        return EventPhase.ENDED
    start, end = span
    if now < start:
        return EventPhase.UPCOMING
    return EventPhase.ACTIVE if end is None or now < end else EventPhase.ENDED


def _takes_part(record: EventRecord) -> bool:
    return record.cancelled_at is None and record.opt in (OptState.JOINED, OptState.BINDING)


def _is_binding(record: EventRecord, consents: Mapping[str, str]) -> bool:
    event = record.event
    found = consents.get(event.program_key) or consents.get(event.program)
    return record.opt is OptState.BINDING or found == "binding"


def _signals(
    record: EventRecord,
    program: DrProgram | None,
    binding: bool,
    zone: tzinfo,
    since: datetime,
    until: datetime,
) -> Iterator[Signal]:
    kinds = {payload.type for interval in record.event.intervals for payload in interval.payloads}
    if not kinds:
        return
    hard_kinds = kinds & CAPACITY_LIMITS if any(record.shifts_s) else frozenset()
    for piece in schedule(record, zone, since=since, until=until):
        for payload in piece.interval.payloads:
            if payload.type not in hard_kinds:
                yield from _values(record, program, binding, piece, payload)
    if hard_kinds:
        for piece in schedule(record, zone, since=since, until=until, hard=True):
            for payload in piece.interval.payloads:
                if payload.type in hard_kinds:
                    yield from _values(record, program, binding, piece, payload)


def _values(
    record: EventRecord, program: DrProgram | None, binding: bool, piece: Piece, payload: Payload
) -> Iterator[Signal]:
    """One signal, or one for each value of a split payload; an endless interval cannot be split: its first value."""
    event, kind = record.event, payload.type
    bound = binding or kind in CAPACITY_LIMITS
    signal = Signal(
        kind=kind,
        values=payload.values,
        unit=event.units.get(kind) or (program.units.get(kind, "") if program else ""),
        start=piece.start,
        end=piece.end,
        event=event.key,
        program=event.program_key,
        interval=piece.interval.id,
        priority=event.priority,
        authority=Authority.BINDING_LIMIT if bound else Authority.DEMAND_RESPONSE,
        targets=event.targets,
        test=event.test,
        currency=event.currencies.get(kind) or (program.currencies.get(kind, "") if program else ""),
        released=() if bound else record.overridden_devices,
        name=event.name,
    )
    count = len(payload.values)
    if kind not in SPLIT or count < 2 or piece.end is None:
        yield signal
        return
    step = (piece.end - piece.start) / count
    for number, value in enumerate(payload.values):
        end = piece.end if number == count - 1 else piece.start + step * (number + 1)
        yield replace(signal, values=(value,), start=piece.start + step * number, end=end)


def _rank(signal: Signal, recency: float) -> Rank:
    priority = float("inf") if signal.priority is None else float(signal.priority)
    return (float(signal.authority), priority, _leniency(signal), -recency, -signal.start.timestamp())


def _leniency(signal: Signal) -> float:
    """Lower is more restrictive: a smaller capacity, a higher level."""
    value = signal.values[0] if signal.values else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if signal.kind in CAPACITY_LIMITS:
        return float(value) * (1.0 if signal.unit == "W" else 1000.0)
    return -float(value) if signal.kind == "SIMPLE" else 0.0


def _recency(record: EventRecord) -> float:
    """The server's modification time when it can be read as one, else our first receipt; seconds."""
    try:
        modified = datetime.fromisoformat(record.event.modified)
    except ValueError:
        return record.first_seen.timestamp()
    return (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).timestamp()


def _winners(groups: Mapping[tuple[str, tuple[str, ...]], list[Claim[Signal]]]) -> Iterator[Signal]:
    for claims in groups.values():
        for held in resolve(claims):
            same = held.start == held.item.start and held.end == held.item.end
            yield held.item if same else replace(held.item, start=held.start, end=held.end)


def _bound_s(duration: Duration) -> float:
    return 0.0 if duration.infinite else abs(rough_s(duration))


def _uniform(*parts: str) -> float:
    """A number in [-1, 1) that is the same for the same parts."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**55 - 1.0
