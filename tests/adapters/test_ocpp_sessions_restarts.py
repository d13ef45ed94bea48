"""A start soon after a start: said again because its answer was lost, or a new session after a reboot.

OCPP-J 1.6, section 4.1.1: a charge point makes no other call before the one that it waits for was answered or timed
out. So whatever it says next, and whatever it answers to a later call of ours, tells that it has our answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.model.session import EvSession
from tests.adapters.ocpp_fakes import Home, Peer, current, home, peer, until
from tests.adapters.test_ocpp_sessions import Place

REGISTER = "Energy.Active.Import.Register"


@pytest.fixture
def place() -> Place:
    return Place()


# ---- in the book


async def answered(place: Place, minute: float) -> EvSession:
    """A session whose start was answered on the line of now."""
    session = await place.start(minute, 1000)
    place.book.answered(session)
    return session


async def test_a_start_said_again_with_another_stamp_after_a_lost_answer_is_the_same_session(place: Place) -> None:
    first = await answered(place, 0)
    place.book.new_line()
    place.book.heard()
    await place.to(4)
    assert (await place.start(4, 1000)).transaction == first.transaction


async def test_a_start_after_one_whose_answer_arrived_is_another_session_though_the_register_is_the_same(
    place: Place,
) -> None:
    first = await answered(place, 0)
    place.book.heard()
    place.book.new_line()
    await place.to(3)
    second = await place.start(3, 1000)
    await place.sample(second, 10, 1500)
    assert second.transaction != first.transaction
    assert (place.energy(first), place.energy(second)) == (0, 500) and place.row(first).end == place.at(3)


async def test_that_an_answer_arrived_is_known_after_a_restart(place: Place) -> None:
    first = await answered(place, 0)
    place.book.heard()
    await place.book.save()
    await place.restarted()
    await place.to(3)
    assert (await place.start(3, 1000)).transaction != first.transaction


async def test_an_answer_to_what_was_asked_before_the_start_tells_nothing_of_it(place: Place) -> None:
    asked = place.book.given()
    first = await answered(place, 0)
    place.book.heard(asked)
    await place.to(3)
    assert (await place.start(3, 1000)).transaction == first.transaction


async def test_two_starts_replayed_after_an_outage_are_two_sessions(place: Place) -> None:
    await place.to(60)
    first, second = await answered(place, 0), await answered(place, 3)
    assert second.transaction != first.transaction and place.row(first).end == place.at(3)


@pytest.mark.parametrize("behind", [3, 8, -4])
async def test_a_start_said_again_by_a_clock_that_is_wrong_is_the_same_session(place: Place, behind: float) -> None:
    await place.to(60)
    first = await answered(place, 60 - behind)
    place.book.new_line()
    await place.to(62)
    assert (await place.start(62 - behind, 1000)).transaction == first.transaction


async def test_a_start_of_2_x_told_again_with_another_stamp_is_the_same_session_by_its_id(place: Place) -> None:
    first = await place.start(0, 1000, their_id="tx")
    place.book.seen(first, 0)
    await place.to(3)
    assert (await place.start(3, 1000, their_id="tx")).transaction == first.transaction


# ---- on the wire


Says = Callable[[Home, Peer, int], Awaitable[None]]


async def _its_status(_: Home, charger: Peer, __: int) -> None:
    await charger.status("Charging")


async def _a_sample(_: Home, charger: Peer, __: int) -> None:
    await charger.meter({"value": "1000", "measurand": REGISTER}, transaction=-1)


async def _our_limit(where: Home, charger: Peer, _: int) -> None:
    connector, before = where.csms.points["CP1"].connectors[1], len(charger.limits())
    await connector.apply(current(10, where.clock.now() + timedelta(hours=1)))
    assert len(charger.limits()) > before


async def _nothing(_: Home, __: Peer, ___: int) -> None:
    return None


@pytest.mark.parametrize(
    ("says", "sessions"),
    [(_its_status, 2), (_a_sample, 2), (_our_limit, 2), (_nothing, 1)],
    ids=["its status", "a sample with a garbage id", "it answers our limit", "nothing: the answer may be lost"],
)
async def test_what_a_charger_says_after_a_start_tells_a_new_session_from_a_start_said_again(
    says: Says, sessions: int
) -> None:
    where = home()
    where.charger()
    async with where.serving():
        async with peer(where) as charger:
            await charger.boot()
            await charger.is_set_up()
            transaction = await charger.start(meter=1000)
            await says(where, charger, transaction)
        await until(lambda: not where.csms.points["CP1"].connected)
        await where.clock.advance(180)
        async with peer(where) as charger:
            await charger.boot()
            await charger.start(meter=1000)
    rows = where.sessions.rows
    assert len(rows) == sessions and sum(row.end is None for row in rows.values()) == 1
