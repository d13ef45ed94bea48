"""What one event claims: the pieces of its schedule as values of each kind, ranked against other events' claims.

    PRICE (0.17, 0.03, 0.11) over PT3H      |- 0.17 -|- 0.03 -|- 0.11 -|     several values share the interval (7.3-1)
    the same, cut by event.duration PT90M   |- 0.17 -|- 0.|                  their lengths stay
    SIMPLE 1 over PT4H, SIMPLE 2 in it      |-- 1 --|-- 2 --|-- 1 --|        within one event the later start holds

Interpretations, where OpenADR 3.1 leaves it open:
- Where intervals of one event overlap, the one that starts later holds; the earlier resumes.
- A value that says nothing of its kind (none at all, SIMPLE 7, a capacity of "x") never displaces one that does.
- An endless interval cannot be shared: its first value holds.
- A test event never displaces a real one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import NamedTuple

from gateway.core.demand_response.overlap import Claim, Rank, resolve
from gateway.core.demand_response.schedule import CAPACITY_LIMITS, Piece, schedule
from gateway.model.authority import Authority
from gateway.model.dr import DrProgram, EventRecord, Payload, Signal

SPLIT = frozenset({"PRICE", "EXPORT_PRICE", "PRICE_ALTERNATE", "GHG"})
"""Kinds whose several values share their interval equally (User Guide 7.3)."""
_W_PER = {"W": 1.0, "KW": 1e3, "MW": 1e6}
_SPEAKING = frozenset({"SIMPLE"}) | CAPACITY_LIMITS | SPLIT


class Said(NamedTuple):
    """What an event says of one kind in one interval; `about` is the signal without its times and values."""

    about: Signal
    values: tuple[float | str | bool, ...]
    interval: int

    def signal(self, start: datetime, end: datetime | None) -> Signal:
        """The signal over the half-open [start, end)."""
        return replace(self.about, values=self.values, interval=self.interval, start=start, end=end)


Claims = list[Claim[Said]]
LOWEST = 2**53
"""Priorities beyond are alike: what is ranked must be a number."""


def claims_of(
    record: EventRecord, program: DrProgram | None, binding: bool, zone: tzinfo, since: datetime, until: datetime
) -> dict[str, Claims]:
    """By kind, the event's claims in order of start, without overlap; as far as `schedule` lays them out."""
    kinds = {payload.type for interval in record.event.intervals for payload in interval.payloads}
    hard = kinds & CAPACITY_LIMITS if any(record.shifts_s) else frozenset()
    abouts = {kind: _about(record, program, binding, kind) for kind in kinds}
    recency = _recency(record)
    found: dict[str, Claims] = {}
    for strict, mine in ((False, kinds - hard), (True, hard)):
        for piece in schedule(record, zone, since=since, until=until, hard=strict) if mine else ():
            for payload in piece.interval.payloads:
                if payload.type in mine:
                    found.setdefault(payload.type, []).extend(_values(abouts[payload.type], recency, piece, payload))
    return {kind: _alone(claims) for kind, claims in found.items()}


def _about(record: EventRecord, program: DrProgram | None, binding: bool, kind: str) -> Signal:
    event = record.event
    bound = binding or kind in CAPACITY_LIMITS
    return Signal(
        kind=kind,
        values=(),
        unit=event.units.get(kind) or (program.units.get(kind, "") if program else ""),
        start=record.first_seen,
        end=None,
        event=event.key,
        program=event.program_key,
        interval=0,
        priority=event.priority,
        authority=Authority.BINDING_LIMIT if bound else Authority.DEMAND_RESPONSE,
        targets=event.targets,
        test=event.test,
        currency=event.currencies.get(kind) or (program.currencies.get(kind, "") if program else ""),
        released=() if bound else record.overridden_devices,
        name=event.name,
    )


def _values(about: Signal, recency: float, piece: Piece, payload: Payload) -> Iterator[Claim[Said]]:
    """One claim, or one for each value of a split payload."""
    count = len(payload.values)
    if about.kind not in SPLIT or count < 2 or piece.whole is None:
        values = payload.values[:1] if about.kind in SPLIT else payload.values
        yield _claim(Said(about, values, piece.interval.id), recency, piece.start, piece.end)
        return
    step = (piece.whole - piece.start) / count
    for number, value in enumerate(payload.values):
        start = piece.start + step * number
        end = piece.end if number == count - 1 else piece.start + step * (number + 1)
        end = end if piece.end is None or (end is not None and end < piece.end) else piece.end
        if end is None or start < end:
            yield _claim(Said(about, (value,), piece.interval.id), recency, start, end)


def _claim(said: Said, recency: float, start: datetime, end: datetime | None) -> Claim[Said]:
    return Claim(start, end, _rank(said, recency, start), said)


def _rank(said: Said, recency: float, start: datetime) -> Rank:
    """Lower wins: it says something, authority, no test, priority, the more restrictive, the more recent, the later."""
    about, leniency = said.about, _leniency(said.about, said.values)
    return (
        float(leniency is None),
        float(about.authority),
        float(about.test),
        math.inf if about.priority is None else float(min(about.priority, LOWEST)),
        leniency or 0.0,
        -recency,
        -start.timestamp(),
    )


def _leniency(about: Signal, values: Sequence[float | str | bool]) -> float | None:
    """Lower is more restrictive (a smaller capacity, a higher level); None for a value that says nothing of its kind."""
    value = values[0] if values else None
    if about.kind not in _SPEAKING:
        return None if value is None and not about.kind.startswith("ALERT_") else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if about.kind in CAPACITY_LIMITS:
        watts = _W_PER.get((about.unit or "KW").upper())
        return None if watts is None or value < 0 else float(value) * watts
    if about.kind == "SIMPLE":
        return -float(value) if value in (0, 1, 2, 3) else None
    return 0.0


def _alone(claims: Claims) -> Claims:
    """The claims of one event and kind, in order of start, where they overlap cut to those that hold."""
    claims.sort(key=_start)
    if all(a.end is not None and a.end <= b.start for a, b in pairwise(claims)):
        return claims
    own = [Claim(c.start, c.end, (c.rank[0], c.rank[-1], *c.rank[:-1]), c) for c in claims]
    return [held.item._replace(start=held.start, end=held.end) for held in resolve(own)]


def _start(claim: Claim[Said]) -> datetime:
    return claim.start


def _recency(record: EventRecord) -> float:
    """The server's modification time when it can be read as one, else our first receipt; seconds."""
    try:
        modified = datetime.fromisoformat(record.event.modified)
    except ValueError:
        return record.first_seen.timestamp()
    return (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).timestamp()
