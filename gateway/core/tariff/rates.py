"""What a kWh costs at an instant, over slots, and over a bill. The only place where tariffs meet local time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.core.tariff.parse import parse_tariff
from gateway.model.reading import Interval
from gateway.model.tariff import Rate, Tariff

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Bill", "BillLine", "bill", "parse_tariff", "price_at", "price_edges", "prices"]

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BillLine:
    """One rate's part of a bill: energies in Wh (>= 0), money in micro-units (income negative)."""

    rate: str
    import_wh: float
    export_wh: float
    micro: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What intervals cost, micro-units of the currency; `missing_s` is the time without data, billed as nothing."""

    micro: int
    fixed_micro: int
    lines: tuple[BillLine, ...]
    missing_s: int = 0


def price_at(tariff: Tariff, when: datetime) -> Rate:
    """The rate in force at `when` (aware): the first that fits its local time; raises ValueError when none does."""
    local = when.astimezone(tariff.timezone)
    rate = next((rate for rate in tariff.rates if _fits(rate, local)), None)
    if rate is None:
        raise ValueError(f"tariff {tariff.id}: no rate fits {local.isoformat()}")
    return rate


def price_edges(tariff: Tariff, start: datetime, end: datetime) -> list[datetime]:
    """The instants inside (start, end) at which another rate may begin, aware UTC, sorted."""
    times = {edge for rate in tariff.rates for edge in (rate.start, rate.end)} | {time(0)}
    day = start.astimezone(tariff.timezone).date() - DAY
    last = end.astimezone(tariff.timezone).date() + DAY
    edges: set[datetime] = set()
    while day <= last:
        edges |= {_instant(datetime.combine(day, at, tariff.timezone)) for at in times}
        # On the day the clocks change the offset itself changes what hour it is.
        edges |= _offset_changes(tariff, day)
        day += DAY
    return sorted(edge for edge in edges if start < edge < end)


def prices(
    tariff: Tariff, starts: Sequence[datetime], durations: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Import and export price of each slot, micro-units per kWh, as the time-weighted mean over the slot.

    `starts` are aware, `durations` in s. Slots cut at `price_edges` hold one rate each.
    """
    import numpy as np

    bought, sold = np.zeros(len(starts)), np.zeros(len(starts))
    ends = [start + timedelta(seconds=duration) for start, duration in zip(starts, durations, strict=True)]
    edges = price_edges(tariff, min(starts), max(ends)) if starts else []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for rate, share in _parts(tariff, start, end, edges):
            bought[index] += share * rate.import_micro_per_kwh
            sold[index] += share * rate.export_micro_per_kwh
    return bought, sold


def bill(tariff: Tariff, intervals: Iterable[Interval]) -> Bill:
    """The bill of metered intervals, micro-units; rounded once per rate, the fixed part per local day touched.

    An interval that crosses a price edge is shared by time.
    """
    energy: dict[str, list[float]] = {}
    days, missing = set(), 0
    for interval in intervals:
        days.add(interval.start.astimezone(tariff.timezone).date())
        if interval.import_wh is None and interval.export_wh is None:
            missing += interval.duration_s
            continue
        edges = price_edges(tariff, interval.start, interval.end)
        for rate, share in _parts(tariff, interval.start, interval.end, edges):
            line = energy.setdefault(rate.name, [0.0, 0.0, 0.0])
            bought, sold = share * (interval.import_wh or 0.0), share * (interval.export_wh or 0.0)
            line[0] += bought
            line[1] += sold
            line[2] += (bought * rate.import_micro_per_kwh - sold * rate.export_micro_per_kwh) / 1000
    lines = tuple(BillLine(name, line[0], line[1], round(line[2])) for name, line in energy.items())
    fixed = tariff.fixed_micro_per_day * len(days)
    return Bill(fixed + sum(line.micro for line in lines), fixed, lines, missing)


def _parts(tariff: Tariff, start: datetime, end: datetime, edges: list[datetime]) -> list[tuple[Rate, float]]:
    """The rates inside [start, end) with their share of its time; `edges` sorted, as of `price_edges`."""
    cuts = [start, *edges[bisect_right(edges, start) : bisect_left(edges, end)], end]
    total = (end - start).total_seconds()
    if total <= 0:
        return []
    return [(price_at(tariff, a), (b - a).total_seconds() / total) for a, b in pairwise(cuts)]


def _fits(rate: Rate, local: datetime) -> bool:
    """Whether a rate holds at a local time; after midnight a rate that began the day before belongs to that day."""
    clock = local.time()
    begun = local.date()
    if rate.start != rate.end:
        if rate.start < rate.end:
            if not rate.start <= clock < rate.end:
                return False
        elif clock < rate.end:
            begun -= DAY
        elif clock < rate.start:
            return False
    return (not rate.weekdays or begun.weekday() in rate.weekdays) and (not rate.months or begun.month in rate.months)


def _instant(local: datetime) -> datetime:
    return local.astimezone(UTC)


def _offset_changes(tariff: Tariff, day: date) -> set[datetime]:
    """The instant of a clock change during a local day, found by halving; empty on ordinary days."""
    start = datetime.combine(day, time(0), tariff.timezone).astimezone(UTC)
    low, high = start, start + DAY
    if _offset(tariff, low) == _offset(tariff, high):
        return set()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if _offset(tariff, middle) == _offset(tariff, low) else (low, middle)
    return {high.replace(microsecond=0)}


def _offset(tariff: Tariff, when: datetime) -> timedelta | None:
    return when.astimezone(tariff.timezone).utcoffset()
