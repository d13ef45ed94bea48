"""Joining what sources tell: one over another, without overlap; yesterday in place of what nobody tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from gateway.model.series import Point

DAY = timedelta(days=1)


def overlay(first: Sequence[Point], second: Sequence[Point]) -> tuple[Point, ...]:
    """The points of `first`, and of `second` what lies in the gaps; both in order and without overlap."""
    merged: list[Point] = list(first)
    index = 0
    for point in second:
        start = point.start
        while index < len(first) and first[index].end <= start:
            index += 1
        ahead = index
        while ahead < len(first) and first[ahead].start < point.end:
            if start < first[ahead].start:
                merged.append(Point(start, first[ahead].start, point.value))
            start = max(start, first[ahead].end)
            ahead += 1
        if start < point.end:
            merged.append(Point(start, point.end, point.value))
    return tuple(sorted(merged, key=lambda p: p.start))


def clipped(points: Iterable[Point], start: datetime, end: datetime) -> tuple[Point, ...]:
    """What of the points lies in [start, end)."""
    cut = (Point(max(p.start, start), min(p.end, end), p.value) for p in points if p.start < end and p.end > start)
    return tuple(point for point in cut if point.start < point.end)


def shifted(points: Iterable[Point], by: timedelta) -> tuple[Point, ...]:
    """The same values, later by `by`."""
    return tuple(Point(p.start + by, p.end + by, p.value) for p in points)


def with_yesterday(points: Sequence[Point], now: datetime, until: datetime) -> tuple[Point, ...]:
    """The points, with the same hour of the day before (or the one before that) in each gap of [now, until)."""
    filled = tuple(points)
    for days in (1, 2):
        filled = overlay(filled, clipped(shifted(points, days * DAY), now, until))
    return filled


def told_without_gap(points: Sequence[Point], now: datetime) -> datetime | None:
    """Up to when values are told from `now` on without a gap; None when even now is not told."""
    until: datetime | None = None
    for point in points:
        if (until is None and point.start <= now < point.end) or (until is not None and point.start == until):
            until = point.end
        elif until is not None and point.start > until:
            break
    return until
