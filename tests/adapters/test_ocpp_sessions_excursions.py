"""Registers that go elsewhere beside an outage of charger, network or gateway: what no car drew is not booked."""

from __future__ import annotations

import pytest

from adapters.ocpp import rise
from adapters.ocpp.sessions import SessionBook
from gateway.model.session import EvSession
from tests.adapters.ocpp_fakes import home
from tests.adapters.test_ocpp_sessions import Place

Told = tuple[float, float]


@pytest.fixture
def place() -> Place:
    return Place()


async def told(place: Place, *samples: Told, first_wh: float = 50_000) -> EvSession:
    """A session that started at minute 0 after these (minute, register in Wh)."""
    session = await place.start(0, first_wh)
    for minute, register_wh in samples:
        await place.sample(session, minute, register_wh)
    return session


AT_PACE = [(5.0, 50_600.0), (10.0, 51_200.0)]


@pytest.mark.parametrize(
    ("after", "energy"),
    [
        ([(15, 50_700), (35, 50_940), (40, 51_540)], 1200 + 840),
        ([(15, 50_700), (35, 50_940), (40, 51_240)], 1240),
    ],
    ids=["its last step is that of before: it counted", "it is back at another pace: it was never away"],
)
async def test_a_register_that_fell_back_before_the_charger_was_away_counts_on_at_the_pace_of_before(
    place: Place, after: list[Told], energy: float
) -> None:
    session = await told(place, *AT_PACE, *after)
    assert place.energy(session) == energy


@pytest.mark.parametrize(
    ("elsewhere", "back"),
    [([150_000, 150_000], 52_900), ([0, 0], 52_900), ([150_000, 150_040], 52_900)],
    ids=["two spikes", "two zeros", "two rising spikes"],
)
async def test_a_gateway_killed_while_a_register_was_elsewhere_knows_from_the_row_that_it_is_back(
    place: Place, elsewhere: list[float], back: float
) -> None:
    samples = [*AT_PACE, (15.0, elsewhere[0]), (20.0, elsewhere[1])]
    session = await told(place, *samples)
    await place.book.save()
    await place.restarted()
    await place.sample(session, 50, back)
    await place.sample(session, 55, back + 600)
    assert place.energy(session) == back + 600 - 50_000


async def test_a_gateway_killed_after_a_reset_counts_on_from_it(place: Place) -> None:
    session = await told(place, *AT_PACE, (15, 100), (20, 700))
    await place.book.save()
    await place.restarted()
    await place.sample(session, 25, 1300)
    assert place.energy(session) == 1200 + 1300


async def test_a_spike_told_again_after_hours_offline_is_beyond_what_a_home_charger_gives(place: Place) -> None:
    spike, hours = 200_000.0, 4.5
    session = await told(place, *AT_PACE, (15, spike), (60 * hours, spike), (60 * hours + 5, 57_000))
    assert place.energy(session) == 7000


@pytest.mark.parametrize(
    ("phases", "current_a", "most_w"),
    [(1, 16.0, 25_000.0), (3, 32.0, 27_600.0), (3, 63.0, 54_337.5)],
    ids=["one phase", "22 kW", "43 kW"],
)
async def test_a_register_rises_as_fast_as_a_quarter_above_the_chargers_own_rating(
    place: Place, phases: int, current_a: float, most_w: float
) -> None:
    assert rise.most_w(phases, current_a) == pytest.approx(most_w)
    place.book = SessionBook("car", place.store, place.clock, rise.most_w(phases, current_a))
    session = await place.start(0, 1000)
    await place.sample(session, 60, 1000 + rise.SLACK_WH + most_w)
    assert place.energy(session) == pytest.approx(rise.SLACK_WH + most_w)
    await place.sample(session, 120, 1000 + 2 * (rise.SLACK_WH + most_w) + 10)
    assert place.energy(session) == pytest.approx(rise.SLACK_WH + most_w)


async def test_a_connector_books_by_the_rating_of_its_own_charger() -> None:
    where = home()
    connector = where.charger()
    session = await connector.book.start(1, "TAG", "", where.clock.now(), 0)
    await where.clock.advance(3600)
    await connector.book.take_register(session.transaction, 30_000, time=where.clock.now())
    assert (open_one := connector.book.open_session()) and open_one.energy_wh == 0
