"""A charger whose samples are stamped well before they come: by a right clock limits are told, by a slow one too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

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


HOUR = timedelta(hours=1)


def _profile_begin(charger: Any) -> datetime:
    told = [each for each in charger.limits() if each["chargingProfilePurpose"] == "TxProfile"][-1]
    return datetime.fromisoformat(told["chargingSchedule"]["startSchedule"].replace("Z", "+00:00"))


async def _begun(charger: Any) -> int:
    """A charger with a right clock comes, and a session begins; its transaction."""
    await charger.boot()
    await charger.status("Charging")
    return await charger.start()


async def _sample(charger: Any, transaction: int, register_wh: float, time: datetime) -> None:
    power = {"value": "3600", "unit": "W", "measurand": "Power.Active.Import"}
    register = {"value": f"{register_wh:.0f}", "measurand": "Energy.Active.Import.Register"}
    await charger.meter(power, register, transaction=transaction, time=time)


@pytest.mark.parametrize("when", ["between sessions", "in a session"])
async def test_a_clock_that_was_right_and_fell_back_on_the_same_line_is_followed_from_the_second_late_word(
    when: str,
) -> None:
    """Wrong before: it was right for ever, so the limit began an hour in its future and nobody was told to set it.

    The words: the status and the start of the session, or two statuses in it; the first of these alone tells nothing.
    """
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        await charger.status("Available")
        await where.clock.advance(12 * 3600)
        behind = HOUR if when == "between sessions" else timedelta()
        began = where.clock.now()
        await charger.status("Charging", charger.now() - behind)
        transaction = await charger.start(time=charger.now() - behind)
        for step in range(12):
            if step == 6:
                behind = HOUR
            await where.clock.advance(10)
            await _sample(charger, transaction, 10 * (step + 1), charger.now() - behind)
        if when == "in a session":
            for phase in ("SuspendedEV", "Charging"):
                assert connector.limiter._target.its_clock.skew_s() == 0.0
                await charger.status(phase, charger.now() - behind)
        await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        assert timedelta() <= charger.now() - HOUR - _profile_begin(charger) < timedelta(minutes=5)
        assert connector.limiter._target.its_clock.remedy() == "Its clock is 60 min slow: set it."
        session = connector.book.open_session()
        assert session is not None and abs(session.start - began) < timedelta(minutes=1)


async def test_a_clock_that_fell_back_in_a_session_without_a_word_is_told_limits_without_a_begin_by_the_ladder() -> (
    None
):
    """The first way asks other systems' profiles away, the next tells W, the third is relative: no clock matters."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        transaction = await _begun(charger)
        for step in range(12):
            await where.clock.advance(10)
            await _sample(charger, transaction, 10 * (step + 1), charger.now() - (HOUR if step > 5 else timedelta()))
        await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        assert _profile_begin(charger) > charger.now() - HOUR
        for _ in range(3):
            await connector.next_rung()
            await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        assert charger.limits()[-1]["chargingProfileKind"] == "Relative"
        assert "startSchedule" not in charger.limits()[-1]["chargingSchedule"]


@pytest.mark.parametrize("late_s", [60, 120, 300])
async def test_samples_of_now_that_are_stamped_with_their_intervals_begin_later_do_not_make_a_right_clock_slow(
    late_s: int,
) -> None:
    """Wrong before: no limit was valid when it was told, and the owner was asked to set a clock that is right."""
    where, late = home(), timedelta(seconds=late_s)
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        transaction = await _begun(charger)
        for step in range(4):
            await where.clock.advance(10)
            await _sample(charger, transaction, 10 * step, charger.now())
        for step in range(4, 10):
            await where.clock.advance(late_s)
            await _sample(charger, transaction, late_s * step, charger.now() - late)
        assert connector.live.skew_s == late_s
        await connector.apply(current(16.0, where.clock.now() + timedelta(seconds=120)))
        assert timedelta() <= charger.now() - _profile_begin(charger) < timedelta(minutes=2)
        assert connector.limiter._target.its_clock.remedy() == ""


async def test_a_status_told_as_late_as_the_late_samples_does_not_make_a_right_clock_slow() -> None:
    """Wrong before: one was enough. Nor do two with a word of now between them; two in a row do, until one of now."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        transaction, told = await _begun(charger), []
        for step, status_late in enumerate([None, None, None, LATE, timedelta(), LATE, LATE, timedelta()]):
            await where.clock.advance(10)
            await _sample(charger, transaction, 10 * step, charger.now() - LATE)
            if status_late is not None:
                await charger.status("SuspendedEV" if step % 2 else "Charging", charger.now() - status_late)
                told.append(connector.limiter._target.its_clock.skew_s())
        assert told == [0.0, 0.0, 0.0, LATE.total_seconds(), 0.0]


async def test_a_word_that_comes_later_than_a_slow_clock_says_does_not_make_it_right_again() -> None:
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        await charger.status("Available")
        await where.clock.advance(3600)
        await charger.status("Charging", charger.now() - HOUR)
        transaction = await charger.start(time=charger.now() - HOUR)
        for step in range(6):
            await where.clock.advance(10)
            await _sample(charger, transaction, 10 * step, charger.now() - HOUR)
        await charger.status("SuspendedEV", charger.now() - HOUR - LATE)  # told after a stall
        assert connector.limiter._target.its_clock.skew_s() == HOUR.total_seconds()


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
        for state in ("SuspendedEV", "Charging"):  # two words by themselves are as late
            assert connector.limiter._target.its_clock.skew_s() == 0.0
            await charger.event("Updated", state=state, time=charger.now() - LATE)
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
