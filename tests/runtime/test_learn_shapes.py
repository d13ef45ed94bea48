"""Every midnight a class, kept over a restart; what changed is told once; what stood before stays readable."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.shapes import DriftKind
from gateway.runtime.learn_shapes import KEY, ShapeLearning, cause
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.core.homes import SITE
from tests.core.shape_days import AWAY, CAR, EVENING, shipped
from tests.fakes import START, FakeClock, FakeStore

TODAY = START.astimezone(SITE.timezone).date()


def rows(day: date, hours: list[float], name: str = "house") -> list[Interval]:
    first = datetime(day.year, day.month, day.day, tzinfo=SITE.timezone)
    return [
        Interval(name, first + timedelta(minutes=15 * n), 900, max(w := hours[n // 4] / 4, 0.0), max(-w, 0.0),
                 IntervalQuality.VALID, "counter")
        for n in range(96)
    ]  # fmt: skip


async def store_of(*days: list[float]) -> FakeStore:
    """Days that end before today."""
    store = FakeStore()
    for number, hours in enumerate(days):
        await store.save_intervals(rows(TODAY - timedelta(days=len(days) - number), hours))
    return store


def learning(store: FakeStore, dictionary: bool = True) -> ShapeLearning:
    return ShapeLearning(SITE, store, shipped() if dictionary else None, Notices(store, FakeClock(), Changes()))


async def test_the_days_are_classed_once_and_the_home_is_known_after_a_restart():
    store = await store_of(*[EVENING] * 10)
    before = learning(store)
    await before.refresh(START)
    assert [shape.shape for shape in before.days] == ["evening peak"] * 10
    after = learning(store)
    await after.resume()
    assert after.days == before.days and after.home() == before.home()
    written = dict(store.shape_rows)
    await after.refresh(START)
    assert store.shape_rows == written
    tomorrow = after.chances(TODAY + timedelta(days=1))
    assert tomorrow is not None and tomorrow.chances[0][0] == "evening peak"


async def test_the_sun_and_a_charger_belong_to_the_day_of_the_home():
    store = await store_of(*[EVENING] * 2)
    charger = next(device.id for device in SITE.devices if device.role.value == "ev_charger")
    yesterday, before = TODAY - timedelta(days=1), TODAY - timedelta(days=2)
    await store.save_intervals(rows(before, [c - 150 if h < 5 else 0.0 for h, c in enumerate(CAR)], charger))
    await store.save_intervals(rows(yesterday, [0.0] * 9 + [-2500.0] * 7 + [0.0] * 8, "solar"))
    learned = learning(store)
    await learned.refresh(START)
    assert [shape.shape for shape in learned.days] == ["EV night", "solar dip"]


async def test_a_change_is_told_once_and_ended_when_it_is_over():
    learned = learning(await store_of(*[EVENING] * 30, *[AWAY] * 4))
    await learned.refresh(START)
    assert learned.notices is not None
    told = learned.notices.open[cause(DriftKind.VACATION)]
    assert told.text.startswith("Nobody seems to be at home") and told.level == "info"
    await learned.store.save_intervals(rows(TODAY, AWAY))
    await learned.refresh(START + timedelta(days=1))
    assert learned.notices.open[cause(DriftKind.VACATION)] is told
    await learned.store.save_intervals(rows(TODAY + timedelta(days=1), EVENING))
    await learned.refresh(START + timedelta(days=2))
    assert not learned.notices.open


async def test_in_quiet_hours_a_change_waits_and_is_told_when_they_end():
    learned = learning(await store_of(*[EVENING] * 30, *[AWAY] * 4))
    midnight = datetime.combine(TODAY, time(0, 2), SITE.timezone)
    await learned.refresh(midnight)
    assert learned.notices is not None and learned.home().drift is not None and not learned.notices.open
    await learned.refresh(midnight.replace(hour=6, minute=58))
    assert not learned.notices.open
    await learned.refresh(midnight.replace(hour=7))
    assert cause(DriftKind.VACATION) in learned.notices.open


async def test_what_changed_long_ago_in_imported_history_is_no_news():
    learned = learning(await store_of(*[EVENING] * 30, *[CAR] * 9))
    await learned.refresh(START)
    home = learned.home()
    assert home is not None and home.drift is not None and home.drift.kind is DriftKind.NEW_EV
    assert learned.notices is not None and not learned.notices.open


async def test_days_of_the_former_dictionary_stay_readable_beside_the_new_ones():
    store = await store_of(*[EVENING] * 3)
    old = DayShape(TODAY - timedelta(days=80), "late evening", 0.7, 9000.0, (1 / 24,) * 24, "why", (("night", 0.2),))
    await store.save_day_shapes([old])
    learned = learning(store)
    await learned.resume()
    await learned.refresh(START)
    assert learned.days[0] == old and [shape.shape for shape in learned.days[1:]] == ["evening peak"] * 3


async def test_the_state_of_another_dictionary_is_learned_anew():
    store = await store_of(*[EVENING] * 5)
    await store.put(KEY, {"kind": "hearth home shapes", "version": 1, "names": ["one", "two"]})
    learned = learning(store)
    await learned.resume()
    await learned.refresh(START)
    home = learned.home()
    assert home is not None and home.days == 5


async def test_without_a_dictionary_or_history_nothing_is_classed():
    for learned in (learning(await store_of(*[EVENING] * 5), dictionary=False), learning(FakeStore())):
        await learned.refresh(START)
        assert learned.days == [] and learned.home() is None


async def test_a_day_that_could_not_be_kept_is_taken_again():
    store = await store_of(*[EVENING] * 5)
    learned, sound = learning(store), store.save_day_shapes

    async def full(shapes):
        raise StoreError("disk full")

    store.save_day_shapes = full
    with pytest.raises(StoreError):
        await learned.refresh(START)
    store.save_day_shapes = sound
    await learned.refresh(START)
    assert len(learned.days) == 5 and learned.home().days == 5


async def test_a_day_without_any_interval_is_unknown_and_the_next_is_classed():
    store = await store_of(*[EVENING] * 2)
    await store.save_intervals([replace(row) for row in rows(TODAY - timedelta(days=5), EVENING)])
    learned = learning(store)
    await learned.refresh(START)
    assert [shape.shape for shape in learned.days] == ["evening peak", *["unknown"] * 2, *["evening peak"] * 2]
