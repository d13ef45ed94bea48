"""Registers that are read seldom: samples repeat an old one, the stop is right; what was drawn is booked all the same."""

from __future__ import annotations

import pytest

from gateway.model.session import EvSession
from tests.adapters.test_ocpp_sessions import Place


@pytest.fixture
def place() -> Place:
    return Place()


async def sampled(place: Place, registers: list[float], every: float, start: float = 1000) -> EvSession:
    """A session whose samples, every so many minutes, show these registers."""
    session = await place.start(0, start)
    for number, register_wh in enumerate(registers, 1):
        await place.sample(session, number * every, register_wh)
    return session


async def stopped(place: Place, session: EvSession, minute: float, register_wh: float) -> float:
    await place.to(minute)
    await place.book.stop(session, place.at(minute), register_wh, "Local")
    return place.energy(session)


def refreshed(minutes: int, every_s: int, power_w: float) -> list[float]:
    """What samples of every 10 s show of a register that is read every so many seconds."""
    return [1000 + power_w * (at // every_s * every_s) / 3600 for at in range(10, minutes * 60 + 1, 10)]


@pytest.mark.parametrize(
    ("registers", "every", "end", "stop", "energy"),
    [
        ([1000.0], 60, 60, 11_000, 10_000),
        ([1000.0], 40, 40 + 5 / 60, 5800, 4800),
        ([1000.0] * 60, 1, 60, 11_000, 10_000),
        (refreshed(120, 900, 11_000), 1 / 6, 120, 23_000, 22_000),
        (refreshed(60, 900, 8_400), 1 / 6, 60, 9400, 8400),
        (refreshed(40, 900, 11_000), 1 / 6, 40, 8333, 7333),
        (refreshed(50, 1800, 11_000), 1 / 6, 50, 10_167, 9167),
        (refreshed(60, 900, 22_000), 1 / 6, 60, 23_000, 22_000),
        ([1000.0] * 16 + [1000 + 180.0 * minute for minute in range(17, 41)], 1, 40, 8200, 7200),
        ([1600.0, 2200.0, *[2200.0] * 10], 5, 70, 9200, 8200),
        ([1100.0 + 10 * step for step in range(12)], 5, 65, 11_000, 10_000),
    ],
    ids=["one sample at the end", "one just before it", "frozen all along", "read every quarter hour", "and at 8.4 kW",
         "stopped between two readings", "read every half hour", "at 22 kW", "frozen, then right again",
         "frozen after a while", "of another, slower meter"],
)  # fmt: skip
async def test_a_stop_tells_what_stale_samples_hid(
    place: Place, registers: list[float], every: float, end: float, stop: float, energy: float
) -> None:
    session = await sampled(place, registers, every)
    assert await stopped(place, session, end, stop) == pytest.approx(energy)


async def test_the_running_session_shows_each_reading_of_a_register_that_is_read_seldom(place: Place) -> None:
    await sampled(place, refreshed(46, 900, 11_000), 1 / 6)
    running = place.book.open_session(1)
    assert running is not None and running.energy_wh == 8250 and not running.earlier


async def test_what_was_drawn_while_the_register_stood_is_booked_over_all_that_time(place: Place) -> None:
    session = await sampled(place, [1000.0] * 12, 5)
    await stopped(place, session, 60, 11_000)
    assert [energy for _, energy in place.row(session).curve] == [0, 10_000]


async def test_a_spike_after_a_long_rest_is_taken_back_even_by_a_gateway_that_was_killed(place: Place) -> None:
    rest = [1000.0 + 500 * min(step, 6) for step in range(1, 97)]
    session = await sampled(place, [*rest, 154_000.0, 154_000.0], 5)
    await place.book.save()
    await place.restarted()
    await place.sample(session, 500, 4000)
    assert await stopped(place, session, 505, 4100) == 3100


@pytest.mark.parametrize(
    ("hours", "stop"),
    [(1, 40_000.0), (24, 250_000.0)],
    ids=["more than the charger gives in that time", "more than a car takes"],
)
async def test_a_stop_beyond_reason_is_not_believed(place: Place, hours: int, stop: float) -> None:
    session = await sampled(place, [1000.0] * hours, 60)
    assert await stopped(place, session, 60 * hours, stop) == 0


@pytest.mark.parametrize(
    ("stop_wh", "energy_wh", "refused_wh"),
    [(4000, 3000, None), (3960, 2960, None), (900_000, 2000, 900_000), (0, 2000, 0), (2950, 2000, None)],
)
async def test_an_energy_that_is_not_sure_is_marked(
    place: Place, stop_wh: float, energy_wh: float, refused_wh: float | None
) -> None:
    """Wrong before: a stop whose register was refused looked in the ledger like any other."""
    session = await place.start(0, 1000)
    await place.sample(session, 30, 3000)
    await place.to(60)
    await place.book.stop(session, place.at(60), stop_wh, "Local")
    assert (place.energy(session), place.row(session).meter_refused_wh) == (energy_wh, refused_wh)
