"""Past prices stay, day by day, whatever the sources tell afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.model.series import Point, Series, SeriesKind
from gateway.runtime.series_archive import SeriesArchive
from tests.fakes import START, FakeClock, FakeStore

HOUR = timedelta(hours=1)


def told(first: datetime, *values: float) -> Series:
    points = tuple(Point(first + n * HOUR, first + (n + 1) * HOUR, value) for n, value in enumerate(values))
    return Series(SeriesKind.SPOT, points, "day_ahead", first, "EUR")


async def test_prices_of_past_days_are_there_for_the_bill_after_the_source_has_forgotten_them() -> None:
    store, midnight = FakeStore(), START.replace(hour=0, minute=0, second=0, microsecond=0)
    archive = SeriesArchive(FakeClock(), store)
    await archive.keep(told(midnight, *range(48)))
    await archive.keep(told(midnight + 48 * HOUR, *range(100, 124)))
    again = SeriesArchive(FakeClock(), store)
    found = await again.between(SeriesKind.SPOT, midnight + 23 * HOUR, midnight + 49 * HOUR)
    assert found is not None and found.currency == "EUR"
    assert [point.value for point in found.points] == [*range(23, 48), 100]
    assert found.points[0].start == midnight + 23 * HOUR and found.end == midnight + 49 * HOUR


async def test_a_corrected_price_replaces_the_one_told_before_and_the_others_stay() -> None:
    store, midnight = FakeStore(), START.replace(hour=0, minute=0, second=0, microsecond=0)
    archive = SeriesArchive(FakeClock(), store)
    await archive.keep(told(midnight, 1, 2, 3))
    await archive.keep(told(midnight + HOUR, 20))
    found = await archive.between(SeriesKind.SPOT, midnight, midnight + 24 * HOUR)
    assert found is not None and [point.value for point in found.points] == [1, 20, 3]


async def test_a_store_that_fails_costs_the_archive_only() -> None:
    store = FakeStore()
    store.broken = True
    archive = SeriesArchive(FakeClock(), store)
    await archive.keep(told(START, 1, 2))
    store.broken = False
    await archive.keep(told(START, 1, 2))
    assert await archive.between(SeriesKind.SPOT, START, START + HOUR) is not None, (
        "what was not written is tried again"
    )


async def test_the_weather_is_not_archived_and_nothing_told_is_none() -> None:
    store = FakeStore()
    archive = SeriesArchive(FakeClock(), store)
    await archive.keep(Series(SeriesKind.TEMPERATURE, told(START, 8).points, "sky", START))
    assert await archive.between(SeriesKind.TEMPERATURE, START, START + HOUR) is None
    assert not await store.keys("archive")
