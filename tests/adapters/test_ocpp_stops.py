"""Wrong ids and repeats: which session a stop ends, and which start is a new session."""

from __future__ import annotations

from datetime import datetime

import pytest

from adapters.ocpp import stops
from adapters.ocpp.sessions import ORPHAN, SessionBook
from gateway.model.session import EvSession
from tests.adapters.test_ocpp_sessions import Place


@pytest.fixture
def place() -> Place:
    return Place()


class TwoOutlets:
    """A charger with two outlets, each with a book of its own, on one store."""

    def __init__(self) -> None:
        self.place = Place()
        self.left = self.place.book
        self.right = SessionBook("right", self.place.store, self.place.clock)
        self.books = [self.left, self.right]

    async def start(self, book: SessionBook, minute: float, register: float) -> EvSession:
        at = self.place.at(minute)
        return await book.start(self.books.index(book) + 1, "TAG", at.isoformat(), at, register)

    async def stop(self, transaction: float | None, minute: float, register: float) -> None:
        """As the inbox of OCPP 1.6 takes it."""
        await self._stop(transaction, self.place.at(minute), register)

    async def _stop(self, transaction: float | None, time: datetime | None, register: float | None) -> None:
        choice = stops.choose(self.books, transaction, time, register)
        if choice is None:
            await self.books[stops.keeper(self.books, register)].stop_before_start(time, register, "Local")
            return
        book = self.books[choice.place]
        displaced = book.mended(choice.session) if choice.named else None
        if not choice.named:
            book.guess(choice.session, time, register, "Local")
        await book.stop(choice.session, time, register, "Local")
        if displaced is not None:
            await self._stop(None, displaced.time, displaced.register_wh)

    async def sample(self, book: SessionBook, transaction: float, minute: float, register: float) -> None:
        await self.place.to(minute)
        session = book.meant(transaction, self.books.index(book) + 1, self.place.at(minute))
        assert session is not None
        await book.take_register(session.transaction, register, time=self.place.at(minute))

    def energy(self, session: EvSession) -> float:
        return self.place.energy(session)

    def is_open(self, session: EvSession) -> bool:
        return self.place.row(session).end is None


@pytest.fixture
def outlets() -> TwoOutlets:
    return TwoOutlets()


# ---- stops


async def test_a_stop_with_a_garbage_id_is_of_the_outlet_whose_register_it_follows(outlets: TwoOutlets) -> None:
    left, right = await outlets.start(outlets.left, 0, 100), await outlets.start(outlets.right, 1, 50_000)
    await outlets.place.to(60)
    await outlets.stop(-1, 59, 52_000)
    assert outlets.is_open(left) and outlets.energy(right) == 2000
    await outlets.stop(-1, 60, 4_000)
    assert outlets.energy(left) == 3900


async def test_a_stop_whose_register_cannot_be_of_the_open_session_waits_for_its_own_start(outlets: TwoOutlets) -> None:
    left = await outlets.start(outlets.left, 0, 100)
    await outlets.place.to(90)
    await outlets.stop(-1, 60, 9_000_000)
    assert outlets.is_open(left)
    right = await outlets.start(outlets.left, 30, 8_999_000)
    assert not outlets.is_open(right) and outlets.energy(right) == 1000


async def test_a_stop_by_the_right_id_outranks_one_by_guess_which_then_goes_where_it_belongs(
    outlets: TwoOutlets,
) -> None:
    left, right = await outlets.start(outlets.left, 0, 1000), await outlets.start(outlets.right, 0, 600)
    await outlets.sample(outlets.left, left.transaction, 10, 1550)
    await outlets.place.to(60)
    await outlets.stop(-1, 30, 1600)  # the right one's, but nearer to the left one's register
    assert not outlets.is_open(left) and outlets.is_open(right)
    await outlets.stop(left.transaction, 60, 3000)
    assert (outlets.energy(left), outlets.energy(right)) == (2000, 1000)
    assert outlets.place.row(left).end == outlets.place.at(60) and outlets.place.row(right).end == outlets.place.at(30)


async def test_a_garbage_stop_said_again_does_not_end_the_other_outlets_session(outlets: TwoOutlets) -> None:
    left, right = await outlets.start(outlets.left, 0, 1000), await outlets.start(outlets.right, 0, 600)
    await outlets.place.to(60)
    for _ in range(2):
        await outlets.stop(-1, 30, 1600)
    assert outlets.energy(left) == 600 and outlets.is_open(right)


async def test_the_id_of_the_other_outlets_open_session_is_not_believed_against_the_register(
    outlets: TwoOutlets,
) -> None:
    two, one = await outlets.start(outlets.right, 0, 100), await outlets.start(outlets.left, 0, 1000)
    await outlets.sample(outlets.right, two.transaction, 15, 600)
    await outlets.sample(outlets.left, two.transaction, 15, 1500)
    await outlets.place.to(40)
    await outlets.stop(two.transaction, 30, 2000)
    await outlets.stop(-1, 40, 900)
    assert (outlets.energy(two), outlets.energy(one)) == (800, 1000)


async def test_the_id_of_the_other_outlets_ended_session_ends_the_open_one(outlets: TwoOutlets) -> None:
    two = await outlets.start(outlets.right, 0, 100)
    await outlets.place.to(30)
    await outlets.stop(two.transaction, 30, 600)
    await outlets.place.to(90)
    one = await outlets.start(outlets.left, 60, 1000)
    await outlets.stop(two.transaction, 90, 2000)
    assert (outlets.energy(two), outlets.energy(one)) == (500, 1000) and not outlets.is_open(one)


@pytest.mark.parametrize("register", [5.0, 1500.0])
async def test_a_stop_by_its_own_id_ends_its_session_whatever_the_other_outlet_does(
    outlets: TwoOutlets, register: float
) -> None:
    left, right = await outlets.start(outlets.left, 0, 1000), await outlets.start(outlets.right, 0, 1400)
    await outlets.place.to(30)
    await outlets.stop(left.transaction, 30, register)
    assert not outlets.is_open(left) and outlets.is_open(right)


async def test_a_stop_stamped_long_before_the_open_session_is_not_its_own(place: Place) -> None:
    await place.to(300)
    await place.start(300, 9000)
    assert place.book.meant(-1, None, place.at(270), 5000.0) is None


async def test_a_message_three_minutes_after_an_end_means_the_session_that_is_open_by_then(place: Place) -> None:
    first = await place.start(0, 0)
    await place.book.stop(first, place.at(10), 500, "Local")
    await place.to(12)
    second = await place.start(12, 500)
    assert place.book.meant(first.transaction, 1, place.at(13)) == second


async def test_a_stop_stamped_before_its_start_ends_the_session_at_its_start(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.book.stop(session, place.at(-30), 1400, "Local")
    row = place.row(session)
    assert row.end == row.start and row.energy_wh == 400 and list(row.curve) == sorted(row.curve)


# ---- starts said again


@pytest.mark.parametrize("minute", [0.2, 4.0, 9.0])
async def test_a_start_said_again_with_another_stamp_while_it_charges_is_the_same_session(
    place: Place, minute: float
) -> None:
    for their_id in ("", "tx"):
        session = await place.start(0, 1000, their_id=their_id)
        await place.sample(session, 10, 2000)
        assert (await place.start(minute, 1000, their_id=their_id)).transaction == session.transaction
        await place.book.stop(session, place.at(20), 3000, "Local")
        again = await place.start(minute, 1000, their_id=their_id)
        assert again.transaction == session.transaction and place.energy(session) == 2000
    assert len(place.store.session_rows) == 2


@pytest.mark.parametrize(("minute", "register"), [(20, 1000), (20, 2100), (20, 0), (9, 1500)])
async def test_a_start_later_or_at_another_register_is_another_session(
    place: Place, minute: float, register: float
) -> None:
    session = await place.start(0, 1000)
    await place.sample(session, 10, 2000)
    assert (await place.start(minute, register)).transaction != session.transaction


async def test_a_register_that_begins_at_0_each_time_does_not_make_two_sessions_one(place: Place) -> None:
    session = await place.start(0, 0)
    await place.sample(session, 2, 300)
    assert (await place.start(3, 0)).transaction != session.transaction


CLOCKLESS = "1970-01-01T00:00:00Z"


async def test_a_charger_without_a_clock_that_used_our_id_has_its_next_session_at_once(place: Place) -> None:
    first = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    assert (await place.book.start(1, "TAG", CLOCKLESS, None, 0)).transaction == first.transaction
    assert place.book.named(first.transaction, None) == first
    await place.book.stop(first, None, 500, "Local")
    second = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    await place.book.stop(second, None, 700, "Local")
    assert (place.energy(first), place.energy(second)) == (500, 700)


@pytest.mark.parametrize("freed", [False, True])
async def test_a_charger_without_a_clock_or_ids_says_its_start_again_until_the_car_has_left(
    place: Place, freed: bool
) -> None:
    first = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    await place.book.stop(first, None, 500, "Local")
    if freed:
        place.book.freed()
    again = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    assert (again.transaction != first.transaction) is freed


async def test_an_orphan_that_a_clockless_charger_starts_again_stays_one_session(place: Place) -> None:
    first = await place.book.start(1, "TAG", CLOCKLESS, None, 0)
    await place.book.stop(first, None, None, ORPHAN + "the connector became available")
    place.book.freed()
    assert (await place.book.start(1, "TAG", CLOCKLESS, None, 0)).transaction == first.transaction
