"""Times in wishes: what lies beyond any meaning is refused, and brought back within where it was stored before."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from gateway.core.control.car import departures
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargingPreference, ComfortSpan, Departure, Preferences
from gateway.model.site import ApplianceSpec, Device, Role, WaterHeaterSpec
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.wish_check import check
from gateway.runtime.wish_documents import preferences_document
from gateway.runtime.wishes import PREFERENCES, OwnerWishes
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore

LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12)))
"""The last instant there is, in the zone where it is latest: it has no UTC."""
FIRST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12)))
SUMMER_TIME = time(22, tzinfo=UTC)


def charging(**wish: object) -> Preferences:
    return Preferences(charging={"car": replace(ChargingPreference(), **wish)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Preferences(vacation_until=LAST), "vacation can end at most 400 days ahead"),
        (Preferences(storm_until=LAST), "storm hold can end at most 400 days ahead"),
        (Preferences(vacation_until=START + timedelta(days=401)), "at most 400 days"),
        (Preferences(vacation_until=FIRST), "before the year 2000"),
        (Preferences(storm_until=START.replace(tzinfo=None)), "needs its time zone"),
        (charging(ready_by=SUMMER_TIME), "ready by names a time zone"),
        (charging(departures=(Departure(SUMMER_TIME),)), "A departure names a time zone"),
        (Preferences(comfort_schedule=(ComfortSpan(SUMMER_TIME, time(6), 17, 20),)), "comfort schedule names a time zone"),
        (Preferences(comfort_schedule=(ComfortSpan(time(20), SUMMER_TIME, 17, 20),)), "local time without one"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_meant_is_refused_in_words(wish: Preferences, words: str) -> None:
    with pytest.raises(WishRefused, match=words):
        check(wish, SITE, START)


@pytest.mark.parametrize(("key", "what"), [("storm_until", "The storm hold"), ("vacation_until", "The vacation")])
async def test_what_is_over_already_is_refused_when_it_is_newly_asked(key: str, what: str) -> None:
    """Wrong before: a vacation in the past was taken without a word, and nobody was away."""
    clock = FakeClock()
    wishes = OwnerWishes(SITE, clock, FakeStore(), lambda what: None)
    past = rf"{what} would end in the past, .*2026, 16:30, and it is .* \({key}\)\. Choose a later time, or none"
    with pytest.raises(WishRefused, match=past):
        await wishes.set_preferences(Preferences(**{key: START - timedelta(hours=1)}), "owner")  # type: ignore[arg-type]
    held = Preferences(**{key: clock.now() + timedelta(seconds=90)})  # type: ignore[arg-type]
    await wishes.set_preferences(held, "owner")
    ended = clock.now() - timedelta(seconds=30)
    wishes.preferences = replace(held, **{key: ended})  # type: ignore[arg-type]
    # What has ended since is no reason to refuse another wish, nor is a form's rounding to minutes.
    for until in (ended, clock.now() - timedelta(seconds=60), None):
        again = replace(held, comfort_low_c=18.0, **{key: until})  # type: ignore[arg-type]
        await wishes.set_preferences(again, "owner")


@pytest.mark.parametrize(
    ("begins", "until", "words"),
    [
        (2, None, "a beginning and no end"),
        (4, 3, "would end before it begins"),
        (3, 3, "would end before it begins"),
        (-5, 3, ""),
        (2, 3, ""),
    ],
)
def test_a_storm_begins_before_it_ends(begins: float, until: float | None, words: str) -> None:
    ends = None if until is None else START + timedelta(hours=until)
    wish = Preferences(storm_from=START + timedelta(hours=begins), storm_until=ends)
    if not words:
        return check(wish, SITE, START)
    with pytest.raises(WishRefused, match=words):
        check(wish, SITE, START)
    return None


@pytest.mark.parametrize("days", [-400, 0, 400])
def test_a_vacation_of_any_sensible_end_is_taken(days: int) -> None:
    check(Preferences(vacation_until=START + timedelta(days=days)), SITE, START)


@pytest.mark.parametrize(
    ("stored", "holds", "words"),
    [
        (Preferences(vacation_until=LAST), Preferences(vacation_until=START + timedelta(days=400)), "the vacation was 9999"),
        (Preferences(storm_until=FIRST), Preferences(), "the storm hold was 0001"),
        (charging(ready_by=SUMMER_TIME, departures=(Departure(SUMMER_TIME),)),
         charging(ready_by=time(22), departures=(Departure(time(22)),)), "count as local time"),
        (Preferences(comfort_schedule=(ComfortSpan(SUMMER_TIME, time(6), 17.0, 20.0),)),
         Preferences(comfort_schedule=(ComfortSpan(time(22), time(6), 17.0, 20.0),)), "count as local time"),
        (Preferences(vacation_until=START), Preferences(vacation_until=START), ""),
    ],
    ids=["away for ever", "storm before our era", "departure with a zone", "schedule with a zone", "sound"],
)  # fmt: skip
async def test_stored_times_out_of_bounds_are_bounded_when_read_and_told(
    stored: Preferences, holds: Preferences, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong before: "away until 9999-12-31" was kept, and each tick died of it, after a restart too."""
    store = FakeStore()
    await store.put(PREFERENCES, preferences_document(stored))
    wishes = OwnerWishes(SITE, FakeClock(), store, lambda what: None)
    with caplog.at_level(logging.WARNING):
        await wishes.resume()
    assert wishes.preferences == holds
    assert words in caplog.text if words else not caplog.text


def test_departures_stay_in_the_calendar_however_long_the_vacation() -> None:
    found = departures(START, ChargingPreference(), SITE.timezone, LAST)
    assert found and START < found[0][0] < START + timedelta(days=409)


@pytest.mark.parametrize(("c", "days", "refused"), [(60.0, 7, True), (55.0, 7, False), (70.0, 0, False)])
async def test_hygiene_above_the_thermostat_of_a_tank_is_refused_when_it_is_newly_asked(
    c: float, days: int, refused: bool
) -> None:
    tank = Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2000.0, 150.0, max_temperature_c=55.0))
    wishes = OwnerWishes(replace(SITE, devices=(tank,)), FakeClock(), FakeStore(), lambda what: None)
    wishes.preferences = Preferences(hygiene_c=50.0)
    asked = Preferences(hygiene_c=c, hygiene_days=days)
    if not refused:
        return await wishes.set_preferences(asked, "owner")
    with pytest.raises(WishRefused, match="stops at 55 °C: it cannot be heated to 60 °C against legionella"):
        await wishes.set_preferences(asked, "owner")
    # The default that held already hinders no other wish.
    wishes.preferences = Preferences()
    await wishes.set_preferences(Preferences(comfort_low_c=18.0), "owner")
    return None


async def test_a_run_that_may_begin_only_at_the_end_of_time_is_refused() -> None:
    """Wrong before: its length was added to that, which no calendar holds."""
    machine = Device("wash", "Washing machine", Role.APPLIANCE, ApplianceSpec((2000.0, 200.0)))
    desk = ApplianceWishes(replace(SITE, devices=(machine,)), FakeClock(), FakeStore(), lambda what: None)
    with pytest.raises(WishRefused, match="lies after the time by which"):
        await desk.ask("wash", LAST, START + timedelta(days=1), "owner")
