"""Which of several overlapping claims holds when: one sweep over their edges."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")
Rank = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """`item` claims the half-open [start, end) (`end` None: for ever) with `rank`; the lowest rank wins."""

    start: datetime
    end: datetime | None
    rank: Rank
    item: T


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
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
    waiting = sorted((claim for claim in claims if claim.end is None or claim.end > claim.start), key=_start)
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
            _hold(held, edge, until, waiting[active[0][1]].item)
    return held


def _start(claim: Claim[T]) -> datetime:
    return claim.start


def _ended(claim: Claim[T], edge: datetime) -> bool:
    return claim.end is not None and claim.end <= edge


def _hold(held: list[Held[T]], start: datetime, end: datetime | None, item: T) -> None:
    if held and held[-1].item is item and held[-1].end == start:
        held[-1] = Held(held[-1].start, end, item)
    else:
        held.append(Held(start, end, item))
