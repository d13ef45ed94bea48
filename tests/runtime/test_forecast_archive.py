"""The archive of forecasts: one a local day, kept at its midnight, judged by what was measured."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.model.plan import Forecast
from gateway.model.reading import Interval, IntervalQuality
from gateway.runtime.forecast_archive import ForecastArchive
from tests.core.homes import SITE
from tests.fakes import FakeStore

DAY = date(2026, 6, 10)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SITE.timezone).astimezone(UTC)


def forecast(start: datetime, power_w: float = 500.0) -> Forecast:
    return Forecast("load", start, 900, (power_w,) * 192, (power_w - 100,) * 192, (power_w + 100,) * 192)


@pytest.mark.parametrize(
    ("day", "quarters"),
    [(DAY, 96), (date(2026, 3, 29), 92), (date(2026, 10, 25), 100)],
    ids=["usual", "spring", "autumn"],
)
async def test_a_day_is_kept_once_at_its_midnight_whatever_its_length(day: date, quarters: int) -> None:
    store, start = FakeStore(), midnight(day)
    archive = ForecastArchive(SITE, store)
    assert await archive.keep(forecast(start), start)
    assert not await archive.keep(forecast(start + timedelta(minutes=15), 900.0), start + timedelta(minutes=16))
    kept = await archive.day(day)
    assert kept is not None and len(kept.mean) == len(kept.low) == quarters
    assert set(kept.mean) == {500.0}


async def test_a_forecast_made_in_the_middle_of_a_day_is_not_one_of_that_day() -> None:
    archive, noon = ForecastArchive(SITE, FakeStore()), midnight(DAY) + timedelta(hours=12)
    assert not await archive.keep(forecast(noon), noon)
    assert await archive.day(DAY) is None


async def test_the_days_kept_and_measured_are_judged() -> None:
    store = FakeStore()
    archive, start = ForecastArchive(SITE, store), midnight(DAY)
    await archive.keep(forecast(start), start)
    await archive.keep(forecast(midnight(DAY + timedelta(days=1))), midnight(DAY + timedelta(days=1)))
    at = [start + timedelta(minutes=15 * n) for n in range(96)]
    await store.save_intervals([Interval("house", t, 900, 140.0, 0.0, IntervalQuality.VALID, "counter") for t in at])
    found = await archive.accuracy(DAY - timedelta(days=3), DAY + timedelta(days=3))
    assert [(row.day, row.mae_w, row.bias_w, row.coverage) for row in found] == [(DAY, 60.0, -60.0, 1.0)]


async def test_what_came_stands_beside_what_was_told_and_a_gap_is_not_a_number() -> None:
    store = FakeStore()
    archive, start = ForecastArchive(SITE, store), midnight(DAY)
    assert await archive.beside(DAY) is None
    await archive.keep(forecast(start), start)
    await store.save_intervals([Interval("house", start, 900, 140.0, 0.0, IntervalQuality.VALID, "counter")])
    found = await archive.beside(DAY)
    assert found is not None and found[0].mean[0] == 500.0
    assert found[1][0] == 560.0 and len(found[1]) == 96 and all(math.isnan(value) for value in found[1][1:])


async def test_a_year_later_another_day_s_document_is_not_taken_for_this_one() -> None:
    store = FakeStore()
    archive, start = ForecastArchive(SITE, store), midnight(DAY)
    await archive.keep(forecast(start), start)
    assert await archive.day(DAY + timedelta(days=400)) is None
