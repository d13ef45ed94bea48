"""From rows (start, end where told, value) to the points of a series: in order, without overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

from gateway.model.series import Point, SeriesKind

LEAST_MOST = {
    SeriesKind.SPOT: (-1e10, 1e10),
    SeriesKind.CARBON: (0.0, 5000.0),
    SeriesKind.TEMPERATURE: (-90.0, 65.0),
    SeriesKind.IRRADIANCE: (0.0, 1600.0),
    SeriesKind.CLOUD: (0.0, 100.0),
}
"""In the kind's own unit; what lies outside was never measured on earth. Prices: 10,000 currency units per kWh."""
HIGHEST_PRICE = {
    **dict.fromkeys(("EUR", "USD", "GBP", "CHF", "CAD"), 5.0), **dict.fromkeys(("AUD", "NZD"), 25.0),
    **dict.fromkeys(("SEK", "NOK", "DKK"), 60.0), **dict.fromkeys(("PLN", "RON", "BGN"), 25.0),
    "CZK": 125.0, "HUF": 2000.0, "ISK": 750.0, "JPY": 600.0,
}  # fmt: skip
"""What a kWh can cost at most, by currency: 5 EUR is above the ceiling of the European day-ahead auction (4,000 EUR/MWh
since 10 May 2022), 25 AUD above the Australian market's. Beyond it a price is cents, or per MWh, or a lie."""
EDGE, DAY = timedelta(hours=1), timedelta(days=1)
ALIKE = 0.9
"""From this share of equal steps on, rows stand at a regular distance and a longer one is a gap."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value; `end` None where it is not told, `value` None where the row says nothing from its start on."""

    start: datetime
    end: datetime | None
    value: float | None


@dataclass(slots=True)
class Dropped:
    """Rows that were left out: how many, how many of them because their value cannot be, and the first one in words."""

    count: int = 0
    strange: int = 0
    first: str = ""

    def add(self, words: str, *, strange: bool = False) -> None:
        """One more."""
        self.count += 1
        self.strange += strange
        self.first = self.first or words

    def join(self, other: Dropped) -> None:
        """Those of another kind."""
        self.count, self.strange = self.count + other.count, self.strange + other.strange
        self.first = self.first or other.first

    def too_many(self, good: int) -> str:
        """Why all of it must be refused, in words; empty while the good rows can be believed.

        Where prices are cents, those of the cheapest hours look like prices: one in ten is enough to doubt them all.
        """
        rows = good + self.count
        if self.count > max(1, good):
            return f"most of its rows cannot be read ({self.count} of {rows}): {self.first}"
        if self.strange > max(1, rows // 10):
            return f"{self.strange} of its {rows} values cannot be: {self.first}"
        return ""


def plausible(kind: SeriesKind, value: float, currency: str = "") -> bool:
    """Whether such a value can be; not for NaN. `currency` of prices; one that is not known is bounded loosely."""
    low, high = LEAST_MOST[kind]
    if kind is SeriesKind.SPOT and currency in HIGHEST_PRICE:
        high = HIGHEST_PRICE[currency] * 1e6
        low = -high
    return low <= value <= high


def strange_words(kind: SeriesKind, value: float, currency: str) -> str:
    """What is wrong with a value that is not plausible; of prices in micro-units."""
    if kind is SeriesKind.SPOT:
        return f"{value / 1e6:.6g} {currency} per kWh is no price; are these cents, or prices per MWh?"
    return f"{value:.6g} cannot be a {kind.value}"


def to_points(rows: Sequence[Row], longest_s: float, last_lasts_s: float | None = None) -> tuple[Point, ...]:
    """Points of the rows in any order; of several with one start the first counts.

    A row without an end lasts to the next one, at most `longest_s`; the last one as long as the one before it. What
    reaches into the next row is cut. `last_lasts_s` makes the newest value stand for so long.
    """
    first: dict[datetime, Row] = {}
    for row in rows:
        first.setdefault(row.start, row)
    ordered = [(first[start], first[start].value) for start in sorted(first)]
    longest = timedelta(seconds=longest_s)
    points: list[Point] = []
    for index, (row, value) in enumerate(ordered):
        following = ordered[index + 1][0].start if index + 1 < len(ordered) else None
        if value is not None:
            points.append(Point(row.start, _end(row, following, longest, points), round(value, 3)))
    if points and last_lasts_s is not None:
        last = points[-1]
        points[-1] = Point(last.start, max(last.end, last.start + timedelta(seconds=last_lasts_s)), last.value)
    return tuple(points)


def spaced(rows: Sequence[Row]) -> tuple[Point, ...]:
    """Points of a file's rows in any order, whose distance says how long one holds; of several with one start the first.

    Rows at a regular distance hold for that long, so that a missing row leaves a gap; others (day and night, say) hold
    until the next one, at most a day. The last row holds for the usual distance, a row all alone for an hour.
    """
    first: dict[datetime, Row] = {}
    for row in rows:
        first.setdefault(row.start, row)
    ordered = [first[start] for start in sorted(first)]
    lengths = _lengths([row.start for row in ordered])
    points = []
    for index, row in enumerate(ordered):
        if row.value is None:
            continue
        end = row.start + lengths[index]
        if row.end is not None and row.end > row.start:
            end = min(row.end, ordered[index + 1].start) if index + 1 < len(ordered) else row.end
        points.append(Point(row.start, end, round(row.value, 3)))
    return tuple(points)


def _lengths(starts: Sequence[datetime]) -> list[timedelta]:
    """How long each row holds by the distances alone."""
    steps = [b - a for a, b in pairwise(starts)]
    usual = min(median_low(steps), DAY) if steps else EDGE
    regular = bool(steps) and Counter(steps).most_common(1)[0][1] >= ALIKE * len(steps)

    def holds(index: int) -> timedelta:
        step = steps[index]
        # Where the distance itself changed, from hours to quarters, say, a long one has its like beside it.
        repeated = step in steps[max(index - 1, 0) : index] + steps[index + 1 : index + 2]
        return usual if regular and step > usual and not repeated else min(step, DAY)

    return [*(holds(index) for index in range(len(steps))), usual]


def _end(row: Row, following: datetime | None, longest: timedelta, before: Sequence[Point]) -> datetime:
    if row.end is not None and row.end > row.start:
        return min(row.end, following) if following is not None else row.end
    if following is not None:
        return min(following, row.start + longest)
    return row.start + (before[-1].end - before[-1].start if before else min(longest, EDGE))
