"""Registers that dip, jump or tell the impossible in mid-session: what no car drew is not booked."""

from __future__ import annotations

import pytest

from tests.adapters.test_ocpp_sessions import Place


@pytest.fixture
def place() -> Place:
    return Place()


async def booked(place: Place, start: float, samples: list[float], stop: float, *, every: float = 5) -> float:
    """Watt-hours of a session whose register was sampled every so many minutes."""
    session = await place.start(0, start)
    for step, value in enumerate(samples, 1):
        await place.sample(session, step * every, value)
    end = place.at((len(samples) + 1) * every)
    await place.to((len(samples) + 1) * every)
    await place.book.take_register(session.transaction, stop, time=end)  # the last sample and the stop are one
    await place.book.stop(session, end, stop, "Local")
    return place.energy(session)


RAMP = [2000.0, 3000.0, 4000.0, 5000.0, 6000.0]


@pytest.mark.parametrize(
    ("start", "samples", "stop", "energy"),
    [
        (1000, [*RAMP, 0, 0, 6100], 6200, 5200),
        (1000, [*RAMP, 0, 0, 0, 6100], 6200, 5200),
        (1000, [*RAMP, 0, 0], 6200, 5200),
        (1000, [2000, 3000, 4000, 0, 0, 4100], 4200, 3200),
        (7500, [8500, 7900, 7950, 8600], 8700, 1200),
        (7200, [7300, 157_300, 157_300, 7400], 7500, 300),
        (7200, [7300, 157_300, 157_400, 7400], 7500, 300),
        (7200, [7300, 0, 0, 157_300, 157_300, 7400], 7500, 300),
        (8500, [8600], 158_600, 100),
        (8500, [], 158_600, 0),
        (6000, [7000], 5, 1000),
    ],
    ids=["two zeros", "three", "zeros to the end", "zeros early", "a dip of two", "two spikes", "two rising spikes",
         "zeros and spikes", "a spike in the end", "a spike alone", "an end of another register"],
)  # fmt: skip
async def test_what_was_elsewhere_and_is_back_was_never_away(
    place: Place, start: float, samples: list[float], stop: float, energy: float
) -> None:
    assert await booked(place, start, samples, stop) == energy


@pytest.mark.parametrize(
    ("samples", "stop", "energy"),
    [
        ([50_300, 50_600, 300, 600, 900, 1200], 1500, 2100),
        ([50_300, 50_600, 50_400, 50_700], 51_000, 1200),
        ([50_300, 50_600, 50_100, 50_200, 50_640], 50_900, 1400),
        ([50_300, 50_600, 50_100, 50_200, 50_300, 50_400, 50_500, 50_600], 50_700, 1200),
    ],
    ids=["from 0", "from a saved value", "unevenly, at the pace of before", "more slowly, past where it was"],
)
async def test_a_register_that_was_reset_and_counts_on_is_counted(
    place: Place, samples: list[float], stop: float, energy: float
) -> None:
    assert await booked(place, 50_000, samples, stop) == energy


async def test_a_register_that_counts_elsewhere_for_hours_counts_there(place: Place) -> None:
    elsewhere = [700_000 + 300.0 * step for step in range(30)]
    assert await booked(place, 1000, [1300, 1600, *elsewhere, 1900, 2200], 2500) == 600 + 29 * 300 + 600


@pytest.mark.parametrize(("rise", "energy"), [(150_000.0, 150_000.0), (300_000.0, 0.0)])
async def test_a_clockless_register_told_once_may_be_a_cars_whole_battery_and_no_more(
    place: Place, rise: float, energy: float
) -> None:
    session = await place.book.start(1, "TAG", "1970-01-01T00:00:00Z", None, 1000.0)
    await place.book.stop(session, None, 1000.0 + rise, "Local")
    assert place.energy(session) == energy


async def test_a_start_without_a_stamp_leaves_open_how_long_ago_it_was(place: Place) -> None:
    session = await place.book.start(1, "TAG", "1970-01-01T00:00:00Z", None, 1000.0)
    await place.sample(session, 1, 31_000)
    assert place.book.open_session(1).energy_wh == 30_000  # type: ignore[union-attr]
    await place.sample(session, 2, 61_000)
    assert place.book.open_session(1).energy_wh == 30_000  # type: ignore[union-attr]


@pytest.mark.parametrize(("hours", "energy"), [(0.1, 0.0), (10.0, 60_000.0)])
async def test_with_stamps_a_rise_takes_its_time(place: Place, hours: float, energy: float) -> None:
    session = await place.start(0, 1000)
    await place.to(60 * hours)
    await place.book.stop(session, place.at(60 * hours), 61_000, "Local")
    assert place.energy(session) == energy
