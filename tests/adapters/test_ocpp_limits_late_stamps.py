"""A charger whose samples are stamped well before they come: by a right clock limits are told, by a slow one too."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.ocpp.its_clock import ItsClock
from adapters.ocpp.live import LiveState
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import current, home, peer
from tests.fakes import FakeClock

LATE = timedelta(minutes=15)


@pytest.mark.parametrize("is_clock_slow", [False, True], ids=["stamps of the interval's begin", "a slow clock"])
async def test_a_limit_is_told_by_the_clock_that_a_start_told(is_clock_slow: bool) -> None:
    """Wrong before: a right clock was taken for a slow one, no 0 A had any effect, and the charger was blamed."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        behind = LATE if is_clock_slow else timedelta()
        await charger.status("Charging", charger.now() - behind)
        transaction = await charger.start(time=charger.now() - behind)
        for _ in range(5):
            await where.clock.advance(10)
            power = {"value": "3600", "unit": "W", "measurand": "Power.Active.Import"}
            await charger.meter(power, transaction=transaction, time=charger.now() - LATE)
        await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        told = [each for each in charger.limits() if each["chargingProfilePurpose"] == "TxProfile"][-1]
        begin = datetime.fromisoformat(told["chargingSchedule"]["startSchedule"].replace("Z", "+00:00"))
        assert timedelta() <= charger.now() - behind - begin < timedelta(minutes=5)
        remedy = connector.limiter._target.its_clock.remedy()
        assert remedy == ("Its clock is 15 min slow: set it." if is_clock_slow else "")


@pytest.mark.parametrize("when", ["between sessions", "in a session"])
async def test_a_clock_that_was_right_and_fell_back_on_the_same_line_is_followed(when: str) -> None:
    """Wrong before: it was right for ever, so the limit began an hour in its future and nobody was told to set it."""
    hour, where = timedelta(hours=1), home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        await charger.status("Available")
        await where.clock.advance(12 * 3600)
        behind = hour if when == "between sessions" else timedelta()
        began = where.clock.now()
        await charger.status("Charging", charger.now() - behind)
        transaction = await charger.start(time=charger.now() - behind)
        for step in range(12):
            if step == 6:
                behind = hour
            await where.clock.advance(10)
            power = {"value": "3600", "unit": "W", "measurand": "Power.Active.Import"}
            register = {"value": f"{10 * (step + 1)}", "measurand": "Energy.Active.Import.Register"}
            await charger.meter(power, register, transaction=transaction, time=charger.now() - behind)
        await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        told = [each for each in charger.limits() if each["chargingProfilePurpose"] == "TxProfile"][-1]
        begin = datetime.fromisoformat(told["chargingSchedule"]["startSchedule"].replace("Z", "+00:00"))
        assert timedelta() <= charger.now() - hour - begin < timedelta(minutes=5)
        assert connector.limiter._target.its_clock.remedy() == "Its clock is 60 min slow: set it."
        session = connector.book.open_session()
        assert session is not None and abs(session.start - began) < timedelta(minutes=1)


async def test_events_that_bear_the_stamp_of_their_late_samples_do_not_make_a_right_clock_slow() -> None:
    where = home()
    connector = where.charger()
    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        await charger.event("Started", evse=1)
        for _ in range(6):
            await where.clock.advance(10)
            await charger.event("Updated", power=3600.0, state="Charging", time=charger.now() - LATE)
        assert connector.live.skew_s == LATE.total_seconds()
        assert connector.limiter._target.its_clock.skew_s() == 0.0
        await charger.event("Updated", state="SuspendedEV", time=charger.now() - LATE)  # a word by itself is as late
        assert connector.limiter._target.its_clock.skew_s() == LATE.total_seconds()


def test_a_limit_without_effect_is_told_by_the_clock_of_late_samples_then_by_ours_again() -> None:
    live = LiveState("car", (1,), FakeClock(), 10.0)
    live._freshness.skew_s, live.stamps_late = 900.0, True
    clock = ItsClock("car", live)
    assert (clock.skew_s(), clock.remedy()) == (0.0, "")
    assert clock.doubt()
    assert (clock.skew_s(), clock.remedy()) == (900.0, "Its clock is 15 min slow: set it.")
    assert not clock.doubt()
    assert clock.skew_s() == 0.0
