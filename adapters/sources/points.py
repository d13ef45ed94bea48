"""From rows (start, end where told, value) to the points of a series: in order, without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.series import Point, SeriesKind

LEAST_MOST = {
    SeriesKind.SPOT: (-1e10, 1e10),
    SeriesKind.CARBON: (0.0, 5000.0),
    SeriesKind.TEMPERATURE: (-90.0, 65.0),
    SeriesKind.IRRADIANCE: (0.0, 1600.0),
    SeriesKind.CLOUD: (0.0, 100.0),
}
"""In the kind's own unit; what lies outside was never measured on earth. Prices: 10,000 currency units per kWh."""
EDGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One value; `end` None where it is not told."""

    start: datetime
    end: datetime | None
    value: float


def plausible(kind: SeriesKind, value: float) -> bool:
    """Whether such a value can be; not for NaN."""
    low, high = LEAST_MOST[kind]
    return low <= value <= high


def to_points(rows: Sequence[Row], longest_s: float, last_lasts_s: float | None = None) -> tuple[Point, ...]:
    """Points of the rows in any order; of several with one start the first counts.

    A row without an end lasts to the next one, at most `longest_s`; the last one as long as the one before it. What
    reaches into the next row is cut. `last_lasts_s` makes the newest value stand for so long.
    """
    first: dict[datetime, Row] = {}
    for row in rows:
        first.setdefault(row.start, row)
    ordered = [first[start] for start in sorted(first)]
    longest = timedelta(seconds=longest_s)
    points: list[Point] = []
    for index, row in enumerate(ordered):
        following = ordered[index + 1].start if index + 1 < len(ordered) else None
        points.append(Point(row.start, _end(row, following, longest, points), round(row.value, 3)))
    if points and last_lasts_s is not None:
        last = points[-1]
        points[-1] = Point(last.start, max(last.end, last.start + timedelta(seconds=last_lasts_s)), last.value)
    return tuple(points)


def _end(row: Row, following: datetime | None, longest: timedelta, before: Sequence[Point]) -> datetime:
    if row.end is not None and row.end > row.start:
        return min(row.end, following) if following is not None else row.end
    if following is not None:
        return min(following, row.start + longest)
    return row.start + (before[-1].end - before[-1].start if before else min(longest, EDGE))
