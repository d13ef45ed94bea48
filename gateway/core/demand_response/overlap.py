"""Which of several overlapping claims holds when: one sweep over their edges."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
Rank = tuple[float, ...]


class Claim(NamedTuple, Generic[T]):
    """`item` claims the half-open [start, end) (`end` None: for ever) with `rank`; the lowest rank wins."""

    start: datetime
    end: datetime | None
    rank: Rank
    item: T


class Held(NamedTuple, Generic[T]):
    """`item` holds over the half-open [start, end); `end` None: for ever."""

    start: datetime
    end: datetime | None
    item: T


def resolve(claims: Sequence[Claim[T]]) -> list[Held[T]]:
    """The winners in order of time, without overlap; a displaced claim resumes when its better one ends.

    claim rank 5   |-----------------------------|
    claim rank 1            |--------|
    held           |== 5 ==|== 1 ===|==== 5 =====|
    """
    waiting = sorted(_best(claims), key=_START)
    edges = sorted({edge for c in waiting for edge in (c.start, c.end) if edge is not None})
    active: list[tuple[Rank, int]] = []
    held: list[Held[T]] = []
    upcoming = 0
    for position, edge in enumerate(edges):
        while upcoming < len(waiting) and waiting[upcoming].start <= edge:
            heapq.heappush(active, (waiting[upcoming].rank, upcoming))
            upcoming += 1
        while active and _ended(waiting[active[0][1]], edge):
            heapq.heappop(active)
        if active:
            until = edges[position + 1] if position + 1 < len(edges) else None
            _hold(held, Held(edge, until, waiting[active[0][1]].item))
    return held


def repair(held: Sequence[Held[T]], claims: Iterable[Claim[T]], start: datetime, end: datetime | None) -> list[Held[T]]:
    """`held` with [start, end) resolved anew from all `claims`; what lies outside is taken over as it is.

    held before     |== a ==|= b =|====== a =======|== c ==|
    changed                       start |...| end
    repaired        |== a ==|= b =|= a =|=d=|= a ==|== c ==|
    """
    near = [c for c in claims if (end is None or c.start < end) and (c.end is None or c.end > start)]
    parts = [*_cut(held, None, start), *_cut(resolve(near), start, end)]
    if end is not None:
        parts += _cut(held, end, None)
    repaired: list[Held[T]] = []
    for part in parts:
        _hold(repaired, part)
    return repaired


_START = attrgetter("start")


def _best(claims: Iterable[Claim[T]]) -> Iterable[Claim[T]]:
    """Of claims over the same time only the best can ever hold; hourly prices of many events are mostly such."""
    best: dict[tuple[datetime, datetime | None], Claim[T]] = {}
    for claim in claims:
        when = claim[:2]
        known = best.get(when)
        if known is None or claim.rank < known.rank:
            best[when] = claim
    return (claim for claim in best.values() if claim.end is None or claim.end > claim.start)


def _ended(claim: Claim[T], edge: datetime) -> bool:
    return claim.end is not None and claim.end <= edge


def _hold(held: list[Held[T]], found: Held[T]) -> None:
    if held and held[-1].item is found.item and held[-1].end == found.start:
        held[-1] = Held(held[-1].start, found.end, found.item)
    else:
        held.append(found)


def _cut(held: Iterable[Held[T]], since: datetime | None, until: datetime | None) -> Iterator[Held[T]]:
    """What lies within [since, until), whole objects where they lie within."""
    for part in held:
        start = part.start if since is None else max(part.start, since)
        end = part.end if until is None or (part.end is not None and part.end <= until) else until
        if end is None or start < end:
            yield part if start is part.start and end is part.end else Held(start, end, part.item)
