"""Sessions of chargers whose clock is wrong: the ledger's hours are the home's, as far as that can be known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.adapters.test_ocpp_sessions import Place


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
