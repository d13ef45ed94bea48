"""Sessions of chargers whose clock is wrong: the ledger's hours are the home's, as far as that can be known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.ocpp.stamps import Stamps
from gateway.model.session import EvSession
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import Home, Peer, home, peer, stamp
from tests.adapters.test_ocpp_sessions import Place
from tests.fakes import START, FakeClock


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("ahead_min", [0, 3, 9])
async def test_a_clock_that_is_fast_puts_no_session_into_the_future(place: Place, ahead_min: int) -> None:
    ahead = timedelta(minutes=ahead_min)
    stamped = place.at(0) + ahead
    session = await place.book.start(1, "TAG", stamped.isoformat(), stamped, 1000)
    again = await place.book.start(1, "TAG", stamped.isoformat(), stamped, 1000)
    for minute in (1, 2):
        await place.to(minute)
        await place.book.take_register(session.transaction, 1000 + 100 * minute, time=place.at(minute) + ahead)
    await place.to(3)
    await place.book.stop(session, place.at(3) + ahead, 1300, "Local")
    row = place.row(session)
    assert again.transaction == session.transaction
    assert (row.start, row.end, row.energy_wh) == (place.at(0), place.at(3), 300)


async def test_a_stop_of_a_fast_clock_that_comes_before_its_start_is_kept_once(place: Place) -> None:
    stamped = place.at(9)
    first = await place.book.stop_before_start(stamped, 5000, "Local")
    await place.to(1)
    again = await place.book.stop_before_start(stamped, 5000, "Local")
    assert again.transaction == first.transaction


# ---- a clock that is slow, as the charger's live samples tell


async def charged(c: Peer, behind: timedelta, samples: int = 12, meter: int = 0) -> int:
    """A live session of 5 min a sample at 7.2 kW, still open, by a clock that is `behind`; its number."""
    transaction = await c.start(meter=meter, time=c.now() - behind)
    for each in range(1, samples + 1):
        await c.clock.advance(300)
        await c.meter({"value": str(meter + 600 * each)}, transaction=transaction, time=c.now() - behind)
    return transaction


async def stopped(c: Peer, transaction: int, meter: int, at: datetime) -> None:
    await c.send("StopTransaction", transactionId=transaction, meterStop=meter, timestamp=stamp(at))


def minutes(session: EvSession) -> tuple[float, float | None, float]:
    """Start and end in minutes since START, and the energy, Wh."""
    end = None if session.end is None else (session.end - START).total_seconds() / 60
    return (session.start - START).total_seconds() / 60, end, session.energy_wh


@pytest.mark.parametrize("behind", [timedelta(minutes=3), timedelta(hours=1), timedelta(hours=5), timedelta(days=50)])
async def test_a_session_by_a_slow_clock_is_booked_at_the_homes_hours(behind: timedelta) -> None:
    """Wrong before: 16:30 to 17:30 by a clock of 5 h slow was booked, and priced, at 11:30 to 12:30."""
    place = home()
    place.charger()
    async with place.serving(), peer(place) as c:
        await c.boot()
        transaction = await charged(c, behind)
        await stopped(c, transaction, 7200, c.now() - behind)
        await stopped(c, transaction, 7200, c.now() - behind)  # its answer was lost
    (row,) = place.sessions.rows.values()
    assert minutes(row) == (0, 60, 7200)
    began = int(START.timestamp())
    assert [at for at, _ in row.curve] == sorted(at for at, _ in row.curve)
    assert (row.curve[0], row.curve[-1]) == ((began, 0.0), (began + 3600, 7200.0))


async def test_a_slow_clock_is_known_over_a_restart_of_the_gateway_and_for_a_short_session() -> None:
    behind, first = timedelta(hours=5), home()
    first.charger()
    async with first.serving(), peer(first) as c:
        await c.boot()
        transaction = await charged(c, behind)
    second = Home(first.clock, first.sessions, first.facts)
    second.charger()
    async with second.serving(), peer(second) as c:
        await second.clock.advance(300)
        await stopped(c, transaction, 7800, c.now() - behind)
        await second.clock.advance(300)
        short = await c.start(meter=7800, time=c.now() - behind)
        await second.clock.advance(120)
        await stopped(c, short, 8000, c.now() - behind)
    rows = [minutes(row) for row in second.sessions.rows.values()]
    assert rows == [(0, 65, 7800), (70, 72, 200)]


async def test_a_session_told_hours_later_with_right_stamps_stays_where_it_was() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as c:
        await c.boot()
        await place.clock.advance(5 * 3600)
        transaction = await c.start(meter=0, time=START)
        for minute in (5, 10, 15, 20):
            at = START + timedelta(minutes=minute)
            await c.meter({"value": str(120 * minute)}, transaction=transaction, time=at)
        await stopped(c, transaction, 3000, START + timedelta(minutes=25))
        await charged(c, timedelta(0), samples=4, meter=3000)
    rows = [minutes(row) for row in place.sessions.rows.values()]
    assert rows == [(0, 25, 3000), (300, None, 2400)]


async def test_an_open_session_whose_start_came_late_is_not_moved_by_the_skew_of_its_live_samples() -> None:
    """It began at 0 min, was told at 120 min, and its clock is 5 h slow: what its start's stamp means is not known."""
    place, behind = home(), timedelta(hours=5)
    place.charger()
    async with place.serving(), peer(place) as c:
        await c.boot()
        await place.clock.advance(7200)
        transaction = await c.start(meter=0, time=START - behind)
        for each in range(1, 5):
            await place.clock.advance(300)
            await c.meter({"value": str(7200 + 600 * each)}, transaction=transaction, time=c.now() - behind)
    (row,) = place.sessions.rows.values()
    assert (row.start, row.energy_wh) == (START - behind, 9600)


async def test_a_clock_that_is_set_right_in_mid_session_leaves_one_session_of_the_homes_hours() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as c:
        await c.boot()
        transaction = await charged(c, timedelta(hours=3), samples=4)
        await place.clock.advance(300)
        await c.meter({"value": "3000"}, transaction=transaction)
        await place.clock.advance(300)
        await c.stop(transaction, 3600)
        # Right again: what it tells hours later, it stamped by a right clock.
        await place.clock.advance(300)
        late = await c.start(meter=3600)
        began = c.now()
        await place.clock.advance(6 * 3600)
        await stopped(c, late, 5600, began + timedelta(minutes=20))
    rows = [minutes(row) for row in place.sessions.rows.values()]
    assert rows == [(0, 30, 3600), (35, 55, 2000)]


async def test_a_right_clock_known_by_a_status_outlives_a_lost_line() -> None:
    place, behind = home(), timedelta(hours=5)
    place.charger()
    async with place.serving():
        async with peer(place) as c:
            await c.boot()
            await stopped(c, await charged(c, behind, samples=4), 2400, c.now() - behind)
            await c.boot()
            await c.status("Available")  # its clock was set
        async with peer(place) as c:
            began = c.now() + timedelta(minutes=5)
            await place.clock.advance(8 * 3600)
            late = await c.start(meter=2400, time=began)
            await stopped(c, late, 4400, began + timedelta(minutes=20))
    rows = [minutes(row) for row in place.sessions.rows.values()]
    assert rows == [(0, 20, 2400), (25, 45, 2000)]


async def test_a_car_that_left_by_a_slow_clock_ends_its_forgotten_session() -> None:
    place, behind = home(), timedelta(hours=5)
    place.charger()
    async with place.serving(), peer(place) as c:
        await c.boot()
        await charged(c, behind, samples=4)
        await place.clock.advance(60)
        await c.status("Available", c.now() - behind)
    (row,) = place.sessions.rows.values()
    assert minutes(row) == (0, 21, 2400)


async def test_a_transaction_of_2_0_1_by_a_slow_clock_is_booked_at_the_homes_hours() -> None:
    place, behind = home(), timedelta(hours=5)
    place.charger()
    async with place.serving(), peer2(place) as c:
        await c.boot()
        for number in range(6):
            kind = "Started" if number == 0 else "Ended" if number == 5 else "Updated"
            at = c.now() - behind
            await c.event(kind, "T", seq=number, register=1000 + 600 * number, evse=1, time=at)
            await place.clock.advance(300)
    (row,) = place.sessions.rows.values()
    assert minutes(row) == (0, 25, 3000)


# ---- what a stamp means


def test_a_skew_is_learnt_from_three_samples_and_forgotten_with_one_stamp_of_now() -> None:
    clock, hours = FakeClock(), timedelta(hours=1)
    stamps, now = Stamps(clock), clock.now()
    stamps.learn("car", 18000, 2)
    assert stamps.ours(now - 5 * hours) == now - 5 * hours
    stamps.learn("car", 18000, 3)
    assert stamps.ours(now - 5 * hours) == now
    assert stamps.ours(now - 7 * hours) == now - 2 * hours
    assert stamps.ours(now - 2 * hours) == now - 2 * hours, "it would be yet to come: its clock was set"
    assert stamps.ours(now) == now
    stamps.hear(now)
    assert stamps.behind_s == 0
    stamps.learn("car", 18000, 3)
    assert stamps.behind_s == 0, "a queue that is told as slowly as it was filled looks like this"
    stamps.new_line()
    stamps.learn("car", 18000, 3)
    assert stamps.behind_s == 18000


@pytest.mark.parametrize("skew_s", [59, 30, -45])
def test_less_than_a_minute_is_no_skew(skew_s: float) -> None:
    stamps = Stamps(FakeClock())
    stamps.learn("car", skew_s, 5)
    assert stamps.behind_s == 0
