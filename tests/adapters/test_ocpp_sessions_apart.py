"""Two sessions that look like one: a start after a stop that seems to lie inside of what has ended is another session.

A charger whose clock is set back (by our own Heartbeat, or from summer to winter time), or whose stamps are whole
seconds, starts its next session "inside" of the last one. It has our answer to that one's start, so it does not say
that start again (OCPP-J 1.6, section 4.1.1: no call while one waits for its answer).
"""

from __future__ import annotations

import pytest

from adapters.ocpp.sessions import ORPHAN
from gateway.model.session import EvSession
from tests.adapters.ocpp_fakes import home, peer, until
from tests.adapters.test_ocpp_sessions import Place
from tests.adapters.test_ocpp_stops import CLOCKLESS


@pytest.fixture
def place() -> Place:
    return Place()


async def stopped(place: Place, minute: float, first_wh: float, until: float, last_wh: float) -> EvSession:
    """A session that its charger stopped with our id."""
    session = await place.start(minute, first_wh)
    await stop(place, session, until, last_wh)
    return session


async def stop(place: Place, session: EvSession, minute: float, register_wh: float) -> None:
    named = place.book.named(session.transaction, place.at(minute))
    assert named is not None
    await place.book.stop(named, place.at(minute), register_wh, "Local")


def energies(place: Place) -> list[float]:
    return [row.energy_wh for _, row in sorted(place.store.session_rows.items())]


# ---- 1.6


@pytest.mark.parametrize(
    ("first_wh", "last_wh", "minute"),
    [(0, 5000, 60), (0, 5000, 50), (70_000, 70_000, 60), (70_000, 70_000, 30)],
    ids=["own register, same second", "own register, clock set back", "no energy, same second", "no energy, set back"],
)
@pytest.mark.parametrize("restarts", [False, True], ids=["at once", "the gateway restarts between"])
async def test_a_start_inside_of_a_session_that_was_stopped_with_our_id_is_another_session(
    place: Place, first_wh: float, last_wh: float, minute: float, restarts: bool
) -> None:
    await place.to(300)
    first = await stopped(place, 0, first_wh, 60, last_wh)
    if restarts:
        await place.restarted()
    second = await place.start(minute, first_wh)
    await place.sample(second, minute + 30, first_wh + 1000, live=False)
    await stop(place, second, minute + 60, first_wh + 4000)
    assert second.transaction != first.transaction
    assert energies(place) == [last_wh - first_wh, 4000]


async def test_a_start_inside_of_an_orphan_whose_id_was_used_is_another_session(place: Place) -> None:
    first = await place.start(0, 0)
    assert place.book.meant(first.transaction, 1, place.at(20)) is not None
    await place.sample(first, 20, 5000)
    await place.book.stop(first, place.at(25), None, ORPHAN + "the connector became available")
    second = await place.start(25, 0)
    await stop(place, second, 60, 1500)
    assert energies(place) == [5000, 1500]


async def test_a_start_inside_of_an_open_session_whose_register_begins_again_at_0_is_another_session(
    place: Place,
) -> None:
    first = await place.start(0, 0)
    assert place.book.meant(first.transaction, 1, place.at(20)) is not None
    await place.sample(first, 20, 5000)
    second = await place.start(15, 0)  # rebooted, its transaction forgotten, its clock set back
    await place.to(60)
    await stop(place, second, 55, 1500)
    assert energies(place) == [5000, 1500] and place.row(first).end == place.at(15)


async def test_a_start_inside_of_a_session_whose_charger_never_used_our_id_is_said_again(place: Place) -> None:
    await place.to(60)
    first = await place.start(0, 1000)
    await place.book.stop(first, place.at(30), 4000, "Local")  # told without an id, on another connection
    assert (await place.start(20, 1000)).transaction == first.transaction


async def test_two_starts_in_one_second_are_two_sessions_where_the_first_drew_nothing(place: Place) -> None:
    await place.to(300)
    first = await stopped(place, 0, 1000, 0, 1000)
    second = await place.start(0, 1000)
    await stop(place, second, 120, 9000)
    assert second.transaction != first.transaction and energies(place) == [0, 8000]


@pytest.mark.parametrize(
    ("last_wh", "booked"), [(7000, [5000, 7000]), (5000, [5000])], ids=["another register", "the same stop again"]
)
async def test_a_start_to_the_second_of_a_stopped_one_is_another_session_if_its_stop_is_another(
    place: Place, last_wh: float, booked: list[float]
) -> None:
    await place.to(300)
    await stopped(place, 0, 0, 50, 5000)
    echo = await place.start(0, 0)
    await stop(place, echo, 50, last_wh)
    await stop(place, echo, 50, last_wh)
    assert energies(place) == booked


async def test_a_charger_without_a_clock_that_used_our_id_has_its_next_session_after_a_forgotten_one(
    place: Place,
) -> None:
    first = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    assert place.book.meant(first.transaction, 1) is not None
    await place.book.take_register(first.transaction, 5000)
    await place.book.stop(first, None, None, ORPHAN + "the connector became available")
    second = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    await place.book.stop(second, None, 7000, "Local")
    assert energies(place) == [5000, 7000]


# ---- 2.x


async def test_an_id_used_again_by_a_clock_that_was_set_back_is_another_session(place: Place) -> None:
    await place.to(61)
    first = await place.start(0, 0, their_id="1")
    await place.book.stop(first, place.at(61), 6000, "EVDeparted")
    second = await place.start(60.5, 0, their_id="1")
    ended = place.book.meant_by("1", 1, place.at(60.8))
    assert ended is not None and ended.transaction == second.transaction != first.transaction
    await place.book.stop(ended, place.at(60.8), 1500, "EVDeparted")
    assert energies(place) == [6000, 1500]


async def test_a_start_told_again_after_its_own_end_is_known_by_a_register_that_cannot_have_been_there_twice(
    place: Place,
) -> None:
    await place.to(61)
    first = await place.start(0, 50_000, their_id="1")
    await place.book.stop(first, place.at(60), 56_000, "EVDeparted")
    assert (await place.start(3, 50_000, their_id="1")).transaction == first.transaction


async def test_of_several_sessions_with_one_id_an_event_is_of_the_one_that_held_its_time(place: Place) -> None:
    await place.to(300)
    first = await place.start(0, 0, their_id="1")
    await place.book.stop(first, place.at(60), 1000, "EVDeparted")
    second = await place.start(120, 1000, their_id="1")
    found = [place.book.meant_by("1", 1, place.at(minute)) for minute in (30, 60, 130)]
    assert [one and one.transaction for one in found] == [first.transaction, first.transaction, second.transaction]


@pytest.mark.parametrize(
    ("minutes", "register_wh", "seq_no", "anew"),
    [
        (60, 3500, 1, True),
        (60, None, 1, True),
        (60, 3000, 3, False),
        (60, None, 3, False),
        (9, 3500, 1, False),
    ],
    ids=["it drew since", "numbers anew", "the car left late", "no register", "soon after its end"],
)
async def test_an_event_well_after_the_end_of_its_id_is_of_another_session_if_it_tells_so(
    place: Place, minutes: int, register_wh: float | None, seq_no: int, anew: bool
) -> None:
    await place.to(300)
    session = await place.start(0, 1000, their_id="1")
    for number in (0, 1, 2):
        place.book.seen(session, number)
    await place.book.stop(session, place.at(30), 3000, "EVDeparted")
    known = place.book.meant_by("1", 1)
    assert known is not None
    assert place.book.is_begun_anew(known, place.at(30 + minutes), register_wh, seq_no) is anew


# ---- on the wire


@pytest.mark.parametrize("available", [True, False], ids=["it says Available", "it stops by our id"])
async def test_a_charger_back_on_another_connection_starts_in_the_second_in_which_the_last_session_ended(
    available: bool,
) -> None:
    where = home()
    where.charger()
    async with where.serving():
        async with peer(where) as charger:
            await charger.boot()
            first = await charger.start(meter=0)
            await where.clock.advance(600)
            await charger.meter({"value": "900", "measurand": "Energy.Active.Import.Register"}, transaction=first)
        await until(lambda: not where.csms.points["CP1"].connected)
        async with peer(where) as charger:
            await charger.boot()
            await (charger.status("Available") if available else charger.stop(first, 900))
            second = await charger.start(meter=0)
            await where.clock.advance(600)
            await charger.stop(second, 700)
    assert [row.energy_wh for row in where.sessions.rows.values()] == [900, 700]
