"""What a kWh costs at an instant and over slots: the rate in force, the spot price where it follows it, and the VAT.

Energy's own price only: what tiers, peaks and contracted power add is in tiers.py, peaks.py and limits.py; the whole
of it in bill.py.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING

from gateway.core.tariff.parse import parse_tariff
from gateway.core.tariff.versions import changes, spans
from gateway.core.tariff.windows import fits, local_edges
from gateway.model.reading import Interval
from gateway.model.series import Point, Series
from gateway.model.tariff import Bill, Rate, Tariff

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["bill", "parse_tariff", "price_at", "price_edges", "prices"]


def price_at(tariff: Tariff, when: datetime, spot: Series | None = None) -> Rate:
    """The rate in force at `when` (aware): the first that fits its local time; raises ValueError when none does.

    Its prices are what a kWh costs and earns then: the spot price is added (the rate's typical one where nobody tells
    it) and the VAT is in the import price; its own factors are therefore 0.
    """
    tariff = tariff.at(when)
    return _priced(tariff, rate_at(tariff, when), told_spot(tariff, spot), when)


def rate_at(tariff: Tariff, when: datetime) -> Rate:
    """The rate in force at `when` as the tariff states it; raises ValueError when none fits."""
    tariff = tariff.at(when)
    local = when.astimezone(tariff.timezone)
    rate = next((rate for rate in tariff.rates if fits(tariff, rate, local)), None)
    if rate is None:
        raise ValueError(f"tariff {tariff.id}: no rate fits {local.isoformat()}")
    return rate


def told_spot(tariff: Tariff, spot: Series | None) -> Series | None:
    """The spot series if it says something about this tariff: another currency is no price at all."""
    if spot is None or not tariff.needs_spot or (spot.currency and spot.currency != tariff.currency):
        return None
    return spot


def vat_factor(tariff: Tariff) -> float:
    """By what everything that is paid is multiplied."""
    return 1 + tariff.vat_percent / 100


def _priced(tariff: Tariff, rate: Rate, spot: Series | None, when: datetime) -> Rate:
    if not (rate.spot_factor or rate.export_spot_factor or tariff.vat_percent):
        return rate
    told = spot.at(when) if spot is not None else None
    value = rate.spot_typical_micro_per_kwh if told is None or not isfinite(told) else told
    return replace(
        rate,
        import_micro_per_kwh=round((rate.import_micro_per_kwh + rate.spot_factor * value) * vat_factor(tariff)),
        export_micro_per_kwh=round(rate.export_micro_per_kwh + rate.export_spot_factor * value),
        spot_factor=0.0,
        export_spot_factor=0.0,
    )


def price_edges(tariff: Tariff, start: datetime, end: datetime, spot: Series | None = None) -> list[datetime]:
    """The instants inside (start, end) at which another price may begin, aware UTC, sorted."""
    if tariff.others:
        inside = [price_edges(each, a, b, spot) for a, b, each in spans(tariff, start, end)]
        return sorted({*(edge for edges in inside for edge in edges), *(m for m in changes(tariff) if start < m < end)})
    edges = local_edges(tariff, tariff.rates, start, end)
    series = told_spot(tariff, spot)
    if series is None:
        return edges
    marks = {mark for point in points_between(series, start, end) for mark in (point.start, point.end)}
    return sorted({*edges, *(mark for mark in marks if start < mark < end)})


def points_between(series: Series, start: datetime, end: datetime) -> tuple[Point, ...]:
    """The points of a series that may touch [start, end)."""
    first = max(bisect_right(series.points, start, key=lambda point: point.start) - 1, 0)
    return series.points[first : bisect_left(series.points, end, key=lambda point: point.start)]


def prices(
    tariff: Tariff, starts: Sequence[datetime], durations: Sequence[float], spot: Series | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Import (with VAT) and export price of each slot, micro-units per kWh, as the time-weighted mean over the slot.

    `starts` are aware, `durations` in s (> 0). The spot price is in both.
    """
    import numpy as np

    from gateway.core.tariff.pieces import cut, piece_prices

    if not starts:
        return np.zeros(0), np.zeros(0)
    if tariff.others:
        return _prices_of_all(tariff, starts, durations, spot)
    begin = np.array([start.timestamp() for start in starts])
    end = begin + np.asarray(durations, dtype=float)
    edges = price_edges(tariff, min(starts), max(starts) + timedelta(seconds=float(max(durations))), spot)
    pieces = cut(begin, end, edges)
    bought, sold, _ = piece_prices(tariff, pieces, spot)
    weights = pieces.seconds / (end - begin)[pieces.source]
    count = len(starts)
    paid = np.bincount(pieces.source, weights * bought, count) * vat_factor(tariff)
    return np.asarray(paid, dtype=np.float64), np.asarray(np.bincount(pieces.source, weights * sold, count), np.float64)


def _prices_of_all(
    tariff: Tariff, starts: Sequence[datetime], durations: Sequence[float], spot: Series | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `prices`, each part of a slot by the tariff in force then."""
    import numpy as np

    whole = [(start, start + timedelta(seconds=float(length))) for start, length in zip(starts, durations, strict=True)]
    paid, earned = np.zeros(len(whole)), np.zeros(len(whole))
    for begin, end, held in spans(tariff, min(starts), max(end for _, end in whole)):
        parts = [(n, max(a, begin), min(b, end)) for n, (a, b) in enumerate(whole) if a < end and b > begin]
        if not parts:
            continue
        seconds = [(b - a).total_seconds() for _, a, b in parts]
        bought, sold = prices(held, [a for _, a, _ in parts], seconds, spot)
        share = np.array(seconds) / np.array([(whole[n][1] - whole[n][0]).total_seconds() for n, _, _ in parts])
        index = [n for n, _, _ in parts]
        paid[index] += bought * share
        earned[index] += sold * share
    return paid, earned


def bill(tariff: Tariff, intervals: Iterable[Interval], spot: Series | None = None) -> Bill:
    """The bill of metered intervals, as of gateway.core.tariff.bill."""
    from gateway.core.tariff.bill import bill as whole

    return whole(tariff, intervals, spot)
