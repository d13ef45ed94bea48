"""The learn loop: forecasts from what is stored, a class for every finished local day, once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.runtime.learn import Learn
from tests.core.homes import SITE
from tests.core.shape_days import shipped
from tests.fakes import START, FakeClock, FakeStore


def evening_home(days: int, until: datetime) -> list[Interval]:
    """Quarter hours of a home that cooks at 18 h local, flat otherwise."""
    first = (until - timedelta(days=days)).replace(hour=23, minute=0, second=0, microsecond=0)
    rows = []
    for index in range(int((until - first).total_seconds() // 900)):
        start = first + timedelta(seconds=900 * index)
        hour = start.astimezone(SITE.timezone).hour
        wh = 50 + 400 * math.exp(-((hour - 18) ** 2) / 2)
        rows.append(Interval("house", start, 900, wh, 0.0, IntervalQuality.VALID, "counter"))
    return rows


async def learned(days: int = 20) -> tuple[Learn, FakeStore]:
    clock, store = FakeClock(), FakeStore()
    await store.save_intervals(evening_home(days, START))
    learn = Learn(SITE, clock, store, dictionary=shipped())
    await learn.once()
    return learn, store


async def test_tomorrow_s_evening_peak_is_forecast_with_a_band_around_it() -> None:
    learn, _ = await learned()
    assert learn.load is not None
    evening = datetime(2026, 11, 22, 17, 15, tzinfo=UTC)
    night = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
    peak = learn.load.at(evening)
    assert peak is not None and peak > 3 * (learn.load.at(night) or 0.0)
    index = int((evening - learn.load.start).total_seconds() // 900)
    assert learn.load.low[index] <= peak <= learn.load.high[index]


async def test_every_finished_local_day_has_a_class_and_is_classed_once() -> None:
    learn, store = await learned(5)
    days = [shape.day for shape in learn.shapes]
    assert days == sorted(set(days)) and len(days) >= 4
    assert learn.shapes[-1].day == START.astimezone(SITE.timezone).date() - timedelta(days=1)
    assert learn.shapes[-1].shape == "evening peak" and learn.shapes[-1].confidence > 0.5
    before = dict(store.shape_rows)
    await learn.once()
    assert store.shape_rows == before


async def test_the_outdoor_temperature_of_the_last_day_comes_again_at_the_same_hour() -> None:
    clock, store = FakeClock(), FakeStore()
    rows = [
        Rollup("meter", Quantity.OUTDOOR_TEMPERATURE, START - timedelta(hours=h, minutes=-30), -float(h), 0, 0, 0, 1)
        for h in range(1, 25)
    ]
    await store.save_rollups(rows)
    learn = Learn(SITE, clock, store)
    await learn.once()
    assert learn.outdoor is not None
    assert learn.outdoor.mean[0] == -24.0 and learn.outdoor.mean[23] == -1.0 and learn.outdoor.mean[24] == -24.0


async def test_a_new_home_has_forecasts_on_its_first_day() -> None:
    learn = Learn(SITE, FakeClock(), FakeStore())
    await learn.once()
    assert learn.load is not None and len(learn.load.mean) >= 190
    assert learn.solar is not None and max(learn.solar.mean) <= 0.0
    assert learn.shapes == []


async def test_what_the_load_forecast_learned_is_kept_over_a_restart_and_grows_by_a_day() -> None:
    learn, store = await learned(30)
    yesterday = START.astimezone(SITE.timezone).date() - timedelta(days=1)
    assert learn.load_model.model.day == yesterday.toordinal()
    again = Learn(SITE, FakeClock(), store)
    await again.resume()
    assert again.load_model.model.to_document() == learn.load_model.model.to_document()
    house = evening_home(30, START)
    assert not await again.load_model.refresh(house, START), "the same day is learned once"
    before = again.load_model.model
    assert await again.load_model.refresh(evening_home(31, START + timedelta(days=1)), START + timedelta(days=1))
    assert again.load_model.model.day == before.day + 1
    assert len(again.load_model.model.memory_w) == len(before.memory_w) + 1


async def test_after_a_long_silence_or_a_clock_set_back_the_load_is_learned_anew() -> None:
    learn, _ = await learned(30)
    for days in (60, -5):
        now = START + timedelta(days=days)
        assert await learn.load_model.refresh(evening_home(30, START), now)
        assert learn.load_model.model.day == now.astimezone(SITE.timezone).date().toordinal() - 1
