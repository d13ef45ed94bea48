"""Intervals cut where prices change: the arrays beneath prices and bills.

intervals   |-------- a --------|-------- b --------|
edges                  ^                   ^     ^
pieces      |--- a ----|-- a ---|--- b ----|--b--|b-|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gateway.core.tariff.rates import points_between, rate_at, told_spot
from gateway.core.tariff.windows import Timed, clock_changes, fits, local_edges, midnight, offset
from gateway.model.series import Series
from gateway.model.tariff import Tariff

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of intervals in order: `source` the interval's number, `start` and `end` s since 1970."""

    source: Ints
    start: Floats
    end: Floats

    @property
    def seconds(self) -> Floats:
        """Length of each piece, s."""
        return np.asarray(self.end - self.start)


def cut(start: Floats, end: Floats, edges: Sequence[datetime] | Floats) -> Pieces:
    """Intervals [start, end) in s since 1970, cut at sorted edges; empty intervals vanish."""
    marks = edges if isinstance(edges, np.ndarray) else stamps(edges)
    low = np.searchsorted(marks, start, side="right")
    high = np.maximum(np.searchsorted(marks, end, side="left"), low)
    counts = np.where(end > start, high - low + 1, 0)
    source = np.repeat(np.arange(len(start)), counts)
    nth = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = low[source] + nth
    padded = np.concatenate(([-np.inf], marks, [np.inf]))
    return Pieces(source, np.maximum(padded[at], start[source]), np.minimum(padded[at + 1], end[source]))


def stamps(instants: Sequence[datetime]) -> Floats:
    """Aware instants as s since 1970."""
    return np.array([instant.timestamp() for instant in instants], dtype=float)


def instant(seconds: float) -> datetime:
    """S since 1970 as aware UTC."""
    return datetime.fromtimestamp(float(seconds), UTC)


def piece_prices(tariff: Tariff, pieces: Pieces, spot: Series | None) -> tuple[Floats, Floats, Ints]:
    """Import and export price without VAT, micro-units per kWh, and the number of the rate of each piece.

    The pieces are in order of time at least roughly: what counts is that they are cut at `price_edges`.
    """
    if not len(pieces.source):
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    which = _rates(tariff, pieces)
    value = _spot(tariff, pieces, spot, which)
    rates = tariff.rates
    bought = np.array([rate.import_micro_per_kwh for rate in rates], dtype=float)[which]
    sold = np.array([rate.export_micro_per_kwh for rate in rates], dtype=float)[which]
    bought += np.array([rate.spot_factor for rate in rates])[which] * value
    sold += np.array([rate.export_spot_factor for rate in rates])[which] * value
    return bought, sold, which


def _rates(tariff: Tariff, pieces: Pieces) -> Ints:
    """The number of the rate each piece begins in: one look per stretch between two edges, not per piece."""
    first, last = instant(pieces.start.min()), instant(pieces.end.max())
    edges = [first, *local_edges(tariff, tariff.rates, first, last)]
    numbers = {rate: number for number, rate in reversed(list(enumerate(tariff.rates)))}
    held = np.array([numbers[rate_at(tariff, edge)] for edge in edges], dtype=np.int64)
    return np.asarray(held[np.searchsorted(stamps(edges), pieces.start, side="right") - 1])


def _spot(tariff: Tariff, pieces: Pieces, spot: Series | None, which: Ints) -> Floats:
    """The spot price of each piece, micro-units per kWh; the rate's typical one where nobody tells it."""
    typical = np.array([rate.spot_typical_micro_per_kwh for rate in tariff.rates], dtype=float)[which]
    series = told_spot(tariff, spot)
    if series is None:
        return typical
    points = points_between(series, instant(pieces.start.min()), instant(pieces.end.max()))
    if not points:
        return typical
    ends = stamps([point.end for point in points])
    values = np.array([point.value for point in points], dtype=float)
    at = np.searchsorted(stamps([point.start for point in points]), pieces.start, side="right") - 1
    told = (at >= 0) & (pieces.start < ends[at]) & np.isfinite(values[at])
    return np.where(told, values[at], typical)


def local_days(tariff: Tariff, at: Floats) -> NDArray[np.datetime64]:
    """The local calendar day of each instant (s since 1970)."""
    return np.asarray(np.floor(local_seconds(tariff, at) / DAY_S).astype(np.int64).astype("datetime64[D]"))


def local_seconds(tariff: Tariff, at: Floats) -> Floats:
    """What the local clock shows, as s since 1970-01-01 00:00 of that clock."""
    if not len(at):
        return at
    first, last = instant(at.min()), instant(at.max())
    changes = clock_changes(tariff, first, last)
    begin = [midnight(tariff, first.astimezone(tariff.timezone).date() - timedelta(days=1)), *changes]
    ahead = np.array([offset(tariff, each).total_seconds() for each in begin])
    return np.asarray(at + ahead[np.searchsorted(stamps(begin), at, side="right") - 1])


def holds(tariff: Tariff, window: Timed, at: Floats) -> NDArray[np.bool_]:
    """Whether a window of local time holds at each instant (s since 1970): one look per stretch between its edges."""
    if not len(at):
        return np.zeros(0, dtype=bool)
    first = instant(at.min())
    edges = [first, *local_edges(tariff, [window], first, instant(at.max() + 1))]
    held = np.array([fits(tariff, window, edge.astimezone(tariff.timezone)) for edge in edges])
    return np.asarray(held[np.searchsorted(stamps(edges), at, side="right") - 1])
