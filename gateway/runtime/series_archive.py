"""Past prices and carbon intensities: one document a UTC day and kind, so that last year's bill can be counted anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from gateway.model.errors import StoreError
from gateway.model.series import Point, Series, SeriesKind
from gateway.ports import Clock, FactStore
from gateway.runtime.series import clipped, overlay
from gateway.runtime.source_documents import from_document, to_document

log = logging.getLogger(__name__)

ARCHIVED = (SeriesKind.SPOT, SeriesKind.CARBON)
DAY = timedelta(days=1)
TOGETHER = 31
"""So many days are read at a time: a year's bill does not wait for each of them by itself."""
EVERYBODY = "archive"
"""The days belong to the home, whichever source told of them."""


class SeriesArchive:
    """What was told of prices and carbon, day by day, for as long as the database lives (10 kB a day at 15 minutes)."""

    def __init__(self, clock: Clock, store: FactStore) -> None:
        self._clock, self._store = clock, store
        self._written: dict[tuple[SeriesKind, date], tuple[Point, ...]] = {}

    async def keep(self, series: Series) -> None:
        """Add what is told to its days; what is told later of the same time replaces. A full disk costs the archive only."""
        if series.kind not in ARCHIVED or not series.points:
            return
        days = _days(series.points[0].start, series.points[-1].end)
        self._written = {key: told for key, told in self._written.items() if key[1] >= days[0]}
        for day in days:
            try:
                await self._keep_day(series, day)
            except StoreError as error:
                log.error("the %s of %s is not archived: %s", series.kind.value, day, error)
                return

    async def between(self, kind: SeriesKind, start: datetime, end: datetime) -> Series | None:
        """What was told of [start, end), oldest first; None where nothing was."""
        there = set(await self._store.keys(_key(kind)))
        asked = [day for day in _days(start, end) if _key(kind, day) in there] if start < end else []
        days: list[Series] = []
        for first in range(0, len(asked), TOGETHER):
            days += await asyncio.gather(*(self._read(kind, day) for day in asked[first : first + TOGETHER]))
        found = clipped((point for day in days for point in day.points), start, end)
        currency = next((day.currency for day in days if day.currency), "")
        return Series(kind, found, EVERYBODY, self._clock.now(), currency) if found else None

    async def _keep_day(self, series: Series, day: date) -> None:
        low, high = _edges(day)
        points = clipped(series.points, low, high)
        if not points or self._written.get((series.kind, day)) == points:
            return
        kept = await self._read(series.kind, day)
        merged = overlay(points, kept.points)
        document = to_document(
            {series.kind: Series(series.kind, merged, EVERYBODY, series.fetched_at, series.currency)}, EVERYBODY
        )
        await self._store.put(_key(series.kind, day), document, later=True)
        self._written[series.kind, day] = points

    async def _read(self, kind: SeriesKind, day: date) -> Series:
        document = await self._store.get(_key(kind, day))
        found = from_document(document, EVERYBODY, EVERYBODY).get(kind) if document is not None else None
        return found if found is not None else Series(kind, (), EVERYBODY, self._clock.now())


def _days(start: datetime, end: datetime) -> Sequence[date]:
    first, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + index * DAY for index in range((last - first).days + 1)]


def _edges(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + DAY


def _key(kind: SeriesKind, day: date | None = None) -> str:
    """The key of a day; without one what the keys of all days begin with."""
    return f"archive {kind.value} {day.isoformat() if day is not None else ''}"
