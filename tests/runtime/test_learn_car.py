"""The habits of cars and people are learned after midnight, a car's also after a session, and of the store alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.habits import EvHabit, Occupancy
from gateway.model.learned import NotLearned
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.session import EvSession
from gateway.runtime.learn_car import HabitLearning
from tests.core.homes import SITE
from tests.fakes import FakeStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def session(day: int, *, ended: bool = True) -> EvSession:
    start = NOW + timedelta(days=day, hours=5)
    end = start + timedelta(hours=12) if ended else None
    return EvSession(100 + day, f"{day}", "car", 1, "", start, 0.0, 9000.0, end, 9000.0 if ended else None)


async def store_of(first: int) -> FakeStore:
    store = FakeStore()
    for day in range(first, -1):
        await store.save_session(session(day))
    return store


def house(days: int) -> list[Interval]:
    """600 W in the evening, 100 W at other times."""
    start = NOW - timedelta(days=days)
    hours = [start + timedelta(hours=hour) for hour in range(24 * days)]
    return [
        Interval("house", at, 3600, 600 if 17 <= at.hour < 22 else 100, 0, IntervalQuality.VALID, "") for at in hours
    ]


async def test_cars_and_people_are_learned_from_what_the_store_holds():
    habits = HabitLearning(SITE, await store_of(-20))
    await habits.refresh(house(20), NOW)
    assert isinstance(habits.cars["car"], EvHabit) and isinstance(habits.people, Occupancy)
    assert habits.people.home[1][20] > 0.8 > 0.3 > habits.people.home[1][13]


async def test_a_session_that_ends_is_learned_at_once_and_nothing_is_read_anew_without_one():
    store = await store_of(-20)
    habits = HabitLearning(SITE, store)
    await habits.refresh([], NOW)
    before = habits.cars["car"]
    await habits.refresh([], NOW + timedelta(minutes=15))
    assert habits.cars["car"] is before
    await store.save_session(session(-1))
    await habits.refresh([], NOW + timedelta(minutes=30))
    after = habits.cars["car"]
    assert isinstance(before, EvHabit) and isinstance(after, EvHabit) and after.stays == before.stays + 1


async def test_after_midnight_all_is_learned_anew():
    habits = HabitLearning(SITE, await store_of(-20))
    await habits.refresh(house(3), NOW)
    assert isinstance(habits.people, NotLearned)
    await habits.refresh(house(20), NOW)
    assert isinstance(habits.people, NotLearned)
    await habits.refresh(house(20), NOW + timedelta(days=1))
    assert isinstance(habits.people, Occupancy)


async def test_a_charger_without_history_says_what_is_missing():
    habits = HabitLearning(SITE, FakeStore())
    await habits.refresh([], NOW)
    assert habits.cars["car"] == NotLearned("0 of 5 stays at the charger on 0 of 7 days are known so far.")
