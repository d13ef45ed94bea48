"""Sessions and their energy exactly once: whatever a charger repeats, forgets, resets, garbles or tells late."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ocpp.sessions import ORPHAN, SessionBook
from gateway.model.errors import StoreError
from gateway.model.session import EvSession
from tests.fakes import START, FakeClock, FakeStore


class Place:
    """A book with its store and clock; minutes are counted from START."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), FakeStore()
        self.book = SessionBook("car", self.store, self.clock)

    def at(self, minute: float) -> datetime:
        return START + timedelta(minutes=minute)

    async def to(self, minute: float) -> None:
        await self.clock.advance((self.at(minute) - self.clock.now()).total_seconds())

    async def start(self, minute: float, meter: float | None, connector: int = 1, **more: object) -> EvSession:
        at = self.at(minute)
        return await self.book.start(connector, "TAG", at.isoformat(), at, meter, **more)  # type: ignore[arg-type]

    async def sample(self, session: EvSession, minute: float, register: float, *, live: bool = True) -> None:
        if live:
            await self.to(minute)
        await self.book.take_register(session.transaction, register, live=live, time=self.at(minute))

    def row(self, session: EvSession) -> EvSession:
        return self.store.session_rows[session.transaction]

    def energy(self, session: EvSession) -> float:
        return self.row(session).energy_wh

    async def restarted(self) -> SessionBook:
        self.book = SessionBook("car", self.store, self.clock)
        await self.book.resume()
        return self.book


@pytest.fixture
def place() -> Place:
    return Place()


# ---- starts


async def test_a_start_said_again_with_a_new_message_id_is_the_same_session_even_after_its_stop(place: Place) -> None:
    first = await place.start(0, 1000)
    again = await place.start(0, 1000)
    await place.book.stop(first, place.at(30), 4000, "Local")
    after = await place.start(0, 1000)
    assert first.transaction == again.transaction == after.transaction and len(place.store.session_rows) == 1


async def test_ids_never_repeat_over_a_restart(place: Place) -> None:
    first = await place.start(0, 0)
    await place.book.stop(first, place.at(5), 10, "Local")
    await place.restarted()
    assert (await place.start(10, 10)).transaction > first.transaction


async def test_a_charger_without_a_clock_that_stamps_every_start_alike_still_has_new_sessions(place: Place) -> None:
    old = "1970-01-01T00:00:00Z"
    first = await place.book.start(1, "TAG", old, None, 0)
    assert (await place.book.start(1, "TAG", old, None, 0)).transaction == first.transaction
    await place.book.stop(first, None, 3000, "Local")
    await place.to(60)
    second = await place.book.start(1, "TAG", old, None, 0)
    assert second.transaction != first.transaction


async def test_what_the_store_did_not_take_is_not_acknowledged_and_not_remembered(place: Place) -> None:
    place.store.broken = True
    with pytest.raises(StoreError):
        await place.start(0, 1000)
    assert place.book.open_session() is None


# ---- restart and repeats


async def test_a_restart_in_mid_session_goes_on_without_a_lost_or_doubled_watt_hour(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.sample(session, 10, 3000)
    book = await place.restarted()
    assert book.open_session(1) is not None
    await place.sample(session, 20, 5000)
    await place.sample(session, 21, 5000)
    await place.to(30)
    await place.book.stop(session, place.at(30), 7000, "Local")
    await place.book.stop(session, place.at(31), 9000, "Local")
    assert place.energy(session) == 6000 and place.row(session).end == place.at(30)


# ---- garbage ids, several connectors


@pytest.mark.parametrize("garbage", [-1.0, 0.0, float(2**63 - 1), None])
async def test_a_garbage_id_means_the_open_session_of_its_connector(place: Place, garbage: float | None) -> None:
    left, right = await place.start(0, 100, connector=1), await place.start(1, 900, connector=2)
    assert place.book.meant(garbage, 1) == left and place.book.meant(garbage, 2) == right
    assert place.book.meant(garbage, 3) is None


async def test_a_stop_with_a_garbage_id_and_no_connector_is_of_the_session_whose_register_it_fits(place: Place) -> None:
    left, right = await place.start(0, 100, connector=1), await place.start(1, 50_000, connector=2)
    await place.to(60)
    assert place.book.meant(-1, None, place.at(59), 4_000.0) == left
    assert place.book.meant(-1, None, place.at(59), 52_000.0) == right


async def test_a_replayed_stop_never_ends_a_session_that_began_later(place: Place) -> None:
    await place.to(300)
    await place.start(300, 9000)
    assert place.book.meant(-1, None, place.at(100), 5000.0) is None


async def test_the_id_of_a_session_that_ended_means_the_one_that_is_open_now(place: Place) -> None:
    first = await place.start(0, 0)
    await place.book.stop(first, place.at(10), 500, "Local")
    await place.to(60)
    second = await place.start(60, 500)
    assert place.book.meant(first.transaction, 1, place.at(65)) == second
    assert (meant := place.book.meant(first.transaction, 1, place.at(5))) and meant.transaction == first.transaction


# ---- orphans, forgotten transactions


async def test_an_orphan_is_closed_on_available_and_the_chargers_late_stop_corrects_it(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.sample(session, 10, 2000)
    await place.to(20)
    await place.book.stop(session, place.at(20), None, ORPHAN + "the connector became available")
    assert place.energy(session) == 1000
    await place.book.stop(session, place.at(15), 2600, "EVDisconnected")
    assert (place.energy(session), place.row(session).end) == (1600, place.at(15))


async def test_samples_replayed_after_an_orphan_was_closed_complete_its_energy(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.to(60)
    await place.book.stop(session, place.at(55), None, ORPHAN + "the connector became available")
    await place.sample(session, 30, 3000, live=False)
    await place.sample(session, 50, 4000, live=False)
    assert place.energy(session) == 3000


async def test_the_gap_of_a_charger_that_forgets_over_a_reboot_belongs_to_the_forgotten_session(place: Place) -> None:
    forgotten = await place.start(0, 1000)
    await place.sample(forgotten, 10, 2000)
    await place.to(20)
    new = await place.start(20, 2300)
    assert place.energy(forgotten) == 1300 and place.row(forgotten).end == place.at(20)
    await place.book.stop(new, place.at(30), 2500, "Local")
    assert place.energy(forgotten) + place.energy(new) == 1500


async def test_a_register_that_began_anew_with_the_next_session_gives_the_forgotten_one_nothing(place: Place) -> None:
    forgotten = await place.start(0, 1000)
    await place.sample(forgotten, 10, 2000)
    await place.to(20)
    await place.start(20, 0)
    assert place.energy(forgotten) == 1000


async def test_a_session_replayed_between_two_takes_the_gap_back_from_the_forgotten_one(place: Place) -> None:
    forgotten = await place.start(0, 1000)
    await place.to(200)
    await place.start(200, 9000)
    assert place.energy(forgotten) == 8000
    await place.start(100, 3000)
    assert place.energy(forgotten) == 2000


# ---- history


async def test_hours_replayed_in_any_order_between_live_samples_make_the_same_energy(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.sample(session, 240, 9000)
    for minute, register in ((120, 5000), (30, 2000), (180, 7000)):
        await place.sample(session, minute, register, live=False)
    await place.sample(session, 241, 9100)
    await place.sample(session, 60, 3000, live=False)
    row = place.row(session)
    assert row.energy_wh == 8100 and row.meter_at == place.at(241)
    assert [wh for _, wh in row.curve] == [0, 1000, 2000, 4000, 6000, 8000, 8100]


async def test_a_stop_told_before_its_replayed_start_is_one_session_with_its_energy(place: Place) -> None:
    await place.to(300)
    early = await place.book.stop_before_start(place.at(200), 5000, "Local")
    again = await place.book.stop_before_start(place.at(200), 5000, "Local")
    started = await place.start(100, 1000)
    assert early.transaction == again.transaction == started.transaction
    row = place.row(started)
    assert (row.energy_wh, row.start, row.end, row.tag) == (4000, place.at(100), place.at(200), "TAG")
    assert (await place.start(100, 1000)).transaction == started.transaction and len(place.store.session_rows) == 1


# ---- the register


async def test_a_register_reset_to_zero_in_mid_session_loses_nothing_it_counted_since(place: Place) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((10, 52_000), (11, 200), (12, 400), (13, 600)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 2600


async def test_a_register_that_goes_back_to_what_was_saved_counts_on_from_there(place: Place) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((10, 52_000), (11, 51_700), (12, 51_900), (13, 52_100)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 2400


async def test_a_register_that_fell_back_and_passed_where_it_was_before_the_next_sample_counts_the_rise_twice(
    place: Place,
) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((5, 50_300), (10, 50_600), (15, 50_480), (20, 50_780), (25, 51_080)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 600 + 600


async def test_two_such_falls_within_a_quarter_hour_both_count(place: Place) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((5, 50_600), (10, 51_200), (16, 50_900), (21, 51_500), (26, 51_250), (31, 51_850)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 1200 + 600 + 600


async def test_a_fall_that_is_passed_by_the_stop_counts_too(place: Place) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((5, 50_300), (10, 50_600), (15, 50_480)):
        await place.sample(session, minute, register)
    await place.to(20)
    await place.book.stop(session, place.at(20), 50_780, "Local")
    assert place.energy(session) == 900


@pytest.mark.parametrize(
    ("odd", "then"), [(50_480, 51_200), (50_590, 50_600), (50_000, 50_900), (50_300, 51_000)], ids=str
)
async def test_a_value_that_was_odd_is_left_out_where_the_car_simply_went_on(
    place: Place, odd: float, then: float
) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((5, 50_300), (10, 50_600), (15, odd), (20, then)):
        await place.sample(session, minute, register)
    assert place.energy(session) == then - 50_000


async def test_a_register_reset_to_zero_counts_its_first_value_though_the_car_was_full_by_then(place: Place) -> None:
    session = await place.start(0, 50_000)
    for minute, register in ((5, 50_300), (10, 50_600), (15, 180), (20, 180)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 780


@pytest.mark.parametrize("odd", [0.0, 90_000.0, 9_999_999_999.0])
async def test_one_odd_register_changes_nothing(place: Place, odd: float) -> None:
    session = await place.start(0, 1000)
    for minute, register in ((10, 3000), (11, odd), (12, 3100), (13, 3200)):
        await place.sample(session, minute, register)
    assert place.energy(session) == 2200


async def test_history_of_the_time_before_a_reset_is_counted_to_that_time(place: Place) -> None:
    session = await place.start(0, 5000)
    await place.sample(session, 10, 6000)
    await place.sample(session, 61, 100)
    await place.sample(session, 62, 200)
    await place.sample(session, 40, 7500, live=False)
    assert place.energy(session) == 2500 + 200


@pytest.mark.parametrize(("stop", "energy"), [(3.0, 1000.0), (2e12, 1000.0), (None, 1000.0), (6500.0, 1500.0)])
async def test_a_stop_register_below_what_was_seen_or_beyond_reason_is_not_believed(
    place: Place, stop: float | None, energy: float
) -> None:
    session = await place.start(0, 5000)
    await place.sample(session, 10, 6000)
    await place.book.stop(session, place.at(11), stop, "Local")
    assert place.energy(session) == energy


@pytest.mark.parametrize(
    ("first_sample", "energy"), [(8100.0, 400.0), (100.0, 400.0), (77_000.0, 300.0)], ids=["lifetime", "own", "unknown"]
)
async def test_a_start_without_a_register_counts_from_where_it_must_have_stood(
    place: Place, first_sample: float, energy: float
) -> None:
    before = await place.start(0, 5000)
    await place.book.stop(before, place.at(30), 8000, "Local")
    await place.to(60)
    session = await place.start(60, None, their_id="b")
    await place.sample(session, 61, first_sample)
    await place.sample(session, 62, first_sample + 300)
    assert place.energy(session) == energy


async def test_a_start_told_as_0_by_a_charger_whose_samples_count_its_whole_life_adds_nothing(place: Place) -> None:
    for life_wh in (150_000.0, 9_000_000.0):
        session = await place.start(0, 0.0, their_id=f"{life_wh}")
        for minute in (1, 2, 3):
            await place.sample(session, minute, life_wh + 100 * minute)
        assert place.energy(session) == 200
        await place.book.stop(session, place.at(4), life_wh + 400, "Local")
        assert place.energy(session) == 300
        place.clock.step(-180)


@pytest.mark.parametrize("absurd", [-5.0, 1e300])
async def test_absurd_registers_are_as_if_they_were_not_told(place: Place, absurd: float) -> None:
    session = await place.start(0, absurd)
    await place.sample(session, 1, 60.0)
    await place.sample(session, 2, absurd)
    await place.book.stop(session, place.at(3), absurd, "Local")
    assert place.energy(session) == 60


@pytest.mark.slow
async def test_a_charger_that_resets_and_numbers_at_random_keeps_its_row_small(place: Place) -> None:
    session = await place.start(0, 0.0, their_id="tx")
    for step in range(600):
        assert place.book.seen(session, step * 1000)
        await place.sample(session, step, float(step % 4))
    row = place.book.open_session(1)
    assert row is not None and len(row.seen) <= 201 and len(row.earlier) <= 100


async def test_a_clock_that_is_set_back_in_mid_session_does_not_stop_the_count(place: Place) -> None:
    session = await place.start(0, 1000)
    await place.sample(session, 10, 2000)
    await place.to(11)
    await place.book.take_register(session.transaction, 2200, live=True, time=place.at(-110))
    assert place.energy(session) == 1200


@pytest.mark.slow
async def test_a_curve_of_a_long_session_stays_small_and_keeps_every_quarter_hour(place: Place) -> None:
    session = await place.start(0, 0)
    for minute in range(1, 600):
        await place.sample(session, minute, minute * 100.0)
    curve = place.row(session).curve
    assert len(curve) <= 82 and curve[0][1] == 0 and curve[-1][1] == 59_900
    for _ in range(300):
        await place.sample(session, 600 + _, 59_900)
    assert len(place.row(session).curve) <= len(curve) + 4


# ---- OCPP 2.x: their own ids and sequence numbers


async def test_events_in_any_order_are_one_session_with_its_start_end_and_energy(place: Place) -> None:
    await place.to(500)
    book = place.book
    assert book.meant_by("tx", 1) is None
    ended = await book.start(1, "", "s3", place.at(90), None, their_id="tx", told=False)
    await book.stop(ended, place.at(90), 4000, "EVDeparted")
    updated = book.meant_by("tx", 1)
    assert updated is not None and updated.transaction == ended.transaction
    await place.sample(updated, 60, 3000, live=False)
    started = await book.start(1, "TAG", "s0", place.at(30), 1000, their_id="tx")
    repeated = await book.start(1, "TAG", "s0", place.at(30), 1000, their_id="tx")
    row = place.row(ended)
    assert started.transaction == repeated.transaction == ended.transaction and len(place.store.session_rows) == 1
    assert (row.start, row.end, row.energy_wh, row.tag, row.start_told) == (
        place.at(30),
        place.at(90),
        3000,
        "TAG",
        True,
    )


async def test_a_session_whose_start_is_never_told_keeps_what_is_known(place: Place) -> None:
    await place.to(100)
    session = await place.book.start(1, "", "s9", place.at(50), None, their_id="tx", told=False)
    await place.sample(session, 50, 6000, live=False)
    await place.sample(session, 55, 6500, live=False)
    await place.book.stop(session, place.at(60), 7000, "Local")
    assert place.energy(session) == 1000 and not place.row(session).start_told


async def test_an_id_that_a_charger_uses_again_after_a_reboot_is_another_session(place: Place) -> None:
    first = await place.start(0, 0, their_id="1")
    await place.book.stop(first, place.at(10), 1000, "Local")
    await place.to(60)
    second = await place.start(60, 1000, their_id="1")
    assert second.transaction != first.transaction
    assert (meant := place.book.meant_by("1", 1)) and meant.transaction == second.transaction


async def test_sequence_numbers_tell_repeats_and_count_gaps_over_a_restart(place: Place) -> None:
    session = await place.start(0, 0, their_id="tx")
    assert [place.book.seen(session, n) for n in (0, 1, 1, 5, 3)] == [True, True, False, True, True]
    assert place.book.missing(session) == 2
    await place.book.save()
    book = await place.restarted()
    assert not book.seen(session, 5) and book.seen(session, 2) and book.missing(session) == 1


# ---- whatever the order


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
    st.sampled_from(["1.6", "2.x"]),
)
async def test_any_order_repeats_and_restarts_make_the_same_energy(
    rises: list[int], chance: Random, version: str
) -> None:
    place = Place()
    await place.to(400)
    points = [(10.0 * i, 1000.0 + sum(rises[:i])) for i in range(len(rises) + 1)]
    told = [*points, *chance.sample(points, len(points) // 2)]
    chance.shuffle(told)
    session = await place.start(0, 1000.0, their_id="tx" if version == "2.x" else "")
    for minute, register in told:
        if chance.random() < 0.2:
            await place.restarted()
        await place.sample(session, minute, register, live=False)
        if chance.random() < 0.2:
            assert (await place.start(0, 1000.0, their_id=session.their_id)).transaction == session.transaction
    row = place.row(session)
    assert row.energy_wh == sum(rises) and len(place.store.session_rows) == 1
    assert list(row.curve) == sorted(row.curve) and [wh for _, wh in row.curve] == sorted(wh for _, wh in row.curve)
