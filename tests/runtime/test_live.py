"""HomeState and Changes: only valid readings enter, and everybody who waits for a change is woken."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Rule
from gateway.runtime.live import Changes, HomeState
from tests.core.homes import SITE
from tests.fakes import FakeClock
from tests.runtime.fakes_devices import FakeCharger, reading

WISHES = Wishes(Preferences())


async def test_a_change_wakes_everybody_who_waits_for_a_newer_version() -> None:
    changes = Changes()
    waiting = [asyncio.create_task(changes.after(0)) for _ in range(3)]
    await asyncio.sleep(0)
    changes.touch()
    assert await asyncio.gather(*waiting) == [1, 1, 1]


async def test_who_asks_for_an_older_version_does_not_wait() -> None:
    changes = Changes()
    changes.touch()
    assert await changes.after(0) == 1


async def test_a_page_that_went_away_leaves_nothing_behind() -> None:
    changes = Changes()
    page = asyncio.create_task(changes.after(0))
    await asyncio.sleep(0)
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)
    changes.touch()
    assert changes.version == 1 and not changes._waiters


async def test_only_valid_readings_enter_the_state() -> None:
    clock = FakeClock()
    state = HomeState(SITE, clock)
    good = reading("meter", Quantity.POWER, 500.0, clock.now())
    state.take(good)
    state.take(replace(good, value=99_999.0, quality=Quality.SUSPECT, reason="a jump"))
    state.take(replace(good, value=None, quality=Quality.MISSING, reason="no number", rule=Rule.MISSING))
    assert state.freeze(WISHES, {}, frozenset()).grid_w() == 500.0


async def test_a_value_its_device_takes_back_is_gone_after_three_seconds() -> None:
    """Wrong before: "not available" left the last number on the page until it was stale, and counters for two minutes."""
    clock = FakeClock()
    state = HomeState(SITE, clock)
    good = reading("meter", Quantity.POWER, 500.0, clock.now())
    state.take(good)
    for _ in range(4):
        state.take(replace(good, value=None, quality=Quality.MISSING, reason="the device says null"))
        await clock.advance(1)
    assert state.freeze(WISHES, {}, frozenset()).grid_w() is None
    state.take(good)
    assert state.freeze(WISHES, {}, frozenset()).grid_w() == 500.0


@pytest.mark.parametrize(
    ("gaps", "usual"),
    [([1.0] * 5, 1.0), ([10.0, 10.0, 10.0], 10.0), ([10.0, 10.0], None), ([1.0, 1.0, 60.0, 1.0], 1.0)],
)
async def test_the_main_meters_usual_pace_is_known_after_a_few_words_and_unmoved_by_one_silence(gaps, usual) -> None:
    clock = FakeClock()
    state = HomeState(SITE, clock)
    for gap in [0.0, *gaps]:
        await clock.advance(gap)
        for quantity in (Quantity.POWER, Quantity.POWER_L1):
            state.take(reading("meter", quantity, 500.0, clock.now()))
    meter = state.freeze(WISHES, {}, frozenset()).main_meter()
    assert meter is not None and meter.pace_s == (usual and pytest.approx(usual))


async def test_a_doubt_is_shown_with_its_rule_until_a_valid_reading_of_the_same_quantity_comes() -> None:
    """Wrong before: the first doubt of a device was shown for ever."""
    clock = FakeClock()
    state = HomeState(SITE, clock)
    good = reading("meter", Quantity.POWER, 500.0, clock.now())
    state.take(replace(good, quality=Quality.SUSPECT, reason="a jump", rule=Rule.SPIKE))
    state.take(replace(good, quantity=Quantity.CURRENT_L1))
    meter = state.freeze(WISHES, {}, frozenset()).devices["meter"]
    assert meter.doubts == {Quantity.POWER: "spike: a jump"} and state.suspect == {"meter": "power_w: spike: a jump"}
    state.take(good)
    assert meter.doubts, "a snapshot does not follow later readings"
    assert not state.freeze(WISHES, {}, frozenset()).devices["meter"].doubts and not state.suspect


async def test_a_quantity_that_went_missing_is_told_and_one_that_never_was_there_is_not() -> None:
    state = HomeState(SITE, FakeClock())
    good = reading("meter", Quantity.FREQUENCY, 500.0, state.clock.now())
    gone = replace(good, value=None, quality=Quality.MISSING, reason="not implemented", rule=Rule.MISSING)
    state.take(gone)
    assert not state.doubts
    state.take(good)
    state.take(gone)
    assert state.doubts == {"meter": {Quantity.FREQUENCY: "missing: not implemented"}}


async def test_a_main_meter_that_never_told_its_power_says_why() -> None:
    clock = FakeClock()
    state = HomeState(SITE, clock)
    why = "its telegrams carry neither 1.7.0 nor 2.7.0"
    good = reading("meter", Quantity.POWER, 0.0, clock.now())
    state.take(replace(good, value=None, quality=Quality.MISSING, reason=why))
    meter = state.freeze(WISHES, {}, frozenset()).main_meter()
    assert meter is not None and meter.doubts == {Quantity.POWER: why}


async def test_a_valid_reading_ends_the_silence_and_a_suspect_one_does_not() -> None:
    clock = FakeClock()
    state = HomeState(SITE, clock, silent={"meter": "no answer"})
    value = reading("meter", Quantity.POWER, 500.0, clock.now())
    state.take(replace(value, quality=Quality.SUSPECT))
    assert state.freeze(WISHES, {}, frozenset()).devices["meter"].reason == "no answer"
    state.take(value)
    assert state.freeze(WISHES, {}, frozenset()).devices["meter"].online


async def test_the_age_of_a_reading_is_unmoved_by_a_step_of_the_clock() -> None:
    clock = FakeClock()
    state = HomeState(SITE, clock, {"meter": 10.0})
    state.take(reading("meter", Quantity.POWER, 500.0, clock.now()))
    clock.step(-7200)
    await clock.advance(4)
    meter = state.freeze(WISHES, {}, frozenset()).devices["meter"]
    assert meter.age_s == 4 and meter.online


async def test_chargers_are_frozen_with_what_the_csms_knows() -> None:
    state = HomeState(SITE, FakeClock(), chargers={"car": FakeCharger(amps=6.0)})
    snapshot = state.freeze(WISHES, {}, frozenset({"car"}))
    assert snapshot.chargers["car"].power_w == 6 * 690 and snapshot.disobeying == {"car"}
    assert snapshot.devices["car"].online


@pytest.mark.parametrize(
    ("device", "quantity", "value", "hurries"),
    [
        ("meter", Quantity.CURRENT_L2, 25.1, 1),
        ("meter", Quantity.CURRENT_L2, 24.9, 0),
        ("meter", Quantity.POWER_L1, 5_800.0, 1),
        ("meter", Quantity.POWER_L1, -5_800.0, 0),
        ("car", Quantity.CURRENT_L1, 32.0, 0),
    ],
)
async def test_only_a_phase_of_the_main_meter_above_the_fuse_hurries_the_tick(
    device: str, quantity: Quantity, value: float, hurries: int
) -> None:
    calls: list[int] = []
    state = HomeState(SITE, FakeClock(), on_overload=lambda: calls.append(1))
    state.take(reading(device, quantity, value, state.clock.now()))
    assert len(calls) == hurries
