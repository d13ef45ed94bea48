"""Registers that cannot be true: while samples told 0 W, or beyond the charger's rating, nothing was drawn."""

from __future__ import annotations

import pytest

from adapters.ocpp import rise
from adapters.ocpp.drawn import Told
from gateway.model.session import EvSession
from gateway.model.site import ChargerSpec
from tests.adapters.ocpp_fakes import Peer, home, peer
from tests.adapters.test_ocpp_sessions import Place

REGISTER = "Energy.Active.Import.Register"


async def night(
    drawn_steps: int, still_steps: int, beyond_wh: int, spec: ChargerSpec, end: str, rest_w: float = 0.0
) -> EvSession:
    """What the ledger holds of a car that drew 300 Wh each 5 minutes, then `rest_w`, when its register jumps at the end."""
    place = home()
    place.charger(spec=spec)
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        transaction, register_wh = await charger.start(meter=1000), 1000
        for step in range(drawn_steps + still_steps):
            await place.clock.advance(300)
            register_wh += 300 if step < drawn_steps else 0
            await told(charger, register_wh, 3600.0 if step < drawn_steps else rest_w, transaction)
        if end == "samples":
            for _ in range(2):
                await place.clock.advance(60)
                await told(charger, register_wh + beyond_wh, 0.0, transaction)
            await place.clock.advance(60)
        if "next start" in end:
            await charger.boot()
            if end == "away, next start":
                await charger.status("Available")
            await place.clock.advance(600)
            await charger.start(meter=register_wh + beyond_wh)
        else:
            await charger.stop(transaction, register_wh + beyond_wh)
    return place.sessions.rows[transaction]


async def told(charger: Peer, register_wh: int, power_w: float, transaction: int) -> None:
    await charger.meter(
        {"value": str(register_wh), "measurand": REGISTER},
        {"value": str(power_w), "unit": "W", "measurand": "Power.Active.Import"},
        transaction=transaction,
    )


@pytest.mark.parametrize("end", ["stop", "next start", "away, next start"])
async def test_a_full_car_that_stands_by_draws_no_more_than_is_told_where_its_register_proved_the_power(
    end: str,
) -> None:
    """Wrong before: 30 kWh were booked of nine hours at 3 W, as the rating alone allows them."""
    session = await night(12, 108, 30_000, ChargerSpec((1,), max_current_a=16.0), end, rest_w=3.0)
    assert (session.energy_wh, session.meter_doubted) == (3600, False)


@pytest.mark.parametrize("end", ["stop", "samples", "next start", "away, next start"])
async def test_what_a_full_car_cannot_have_drawn_is_not_booked(end: str) -> None:
    """Wrong before: 150 kWh of a 3.7 kW charger, over nine hours of 0 W."""
    session = await night(12, 108, 150_000, ChargerSpec((1,), max_current_a=16.0), end)
    assert session.energy_wh == 3600
    assert session.meter_refused_wh == (154_600 if end == "stop" else None)


@pytest.mark.parametrize(
    ("still_steps", "beyond_wh", "spec"),
    [(6, 10_000, ChargerSpec((1,), max_current_a=16.0)), (96, 190_000, ChargerSpec((1,), max_current_a=10.0))],
)
async def test_nor_after_a_short_or_a_long_rest(still_steps: int, beyond_wh: int, spec: ChargerSpec) -> None:
    session = await night(1, still_steps, beyond_wh, spec, "stop")
    assert (session.energy_wh, session.meter_refused_wh) == (300, 1300 + beyond_wh)


@pytest.mark.parametrize(
    ("power_w", "stop_wh", "energy_wh"),
    [(None, 19_000, 18_000), (None, 60_000, 0), (3600.0, 19_000, 18_000), (0.0, 19_000, 0)],
    ids=["no power told", "beyond the rating", "power told", "0 W told"],
)
async def test_a_register_that_stood_is_believed_as_far_as_power_and_rating_go(
    power_w: float | None, stop_wh: float, energy_wh: float
) -> None:
    place, power = Place(), None if power_w is None else Told(power_w, is_whole=True)
    place.book = type(place.book)("car", place.store, place.clock, rated_w=rise.rated_w(1, 16.0))
    session = await place.start(0, 1000)
    for minute in range(5, 301, 5):
        await place.to(minute)
        await place.book.take_register(session.transaction, 1000, time=place.at(minute), power=power)
    await place.book.stop(session, place.at(300), stop_wh, "Local")
    assert place.energy(session) == energy_wh


POWER = {"unit": "W", "measurand": "Power.Active.Import"}


@pytest.mark.parametrize(
    ("sampled", "stop_wh", "booked"),
    [
        ({**POWER, "value": "2400", "phase": "L1"}, 37_000, (36_000, None, False)),
        ({"value": "10.4", "unit": "A", "measurand": "Current.Import", "phase": "L1"}, 37_000, (36_000, None, False)),
        ({**POWER, "value": "0", "phase": "L1"}, 37_000, (36_000, None, True)),
        ({**POWER, "value": "7.2"}, 37_000, (36_000, None, True)),
        ({**POWER, "value": "1400"}, 50_000, (49_000, None, True)),
        ({**POWER, "value": "0"}, 37_000, (0, 37_000, False)),
        ({**POWER, "value": "7.2"}, 120_000, (0, 120_000, False)),
    ],
    ids=[
        "of one phase",
        "current of one",
        "0 W of one",
        "kW as W",
        "low as sampled",
        "0 W of all",
        "beyond the rating",
    ],
)
@pytest.mark.parametrize("end", ["stop", "next start"])
async def test_a_register_read_at_the_end_only_is_booked_as_far_as_the_rating_goes(
    sampled: dict[str, str], stop_wh: int, booked: tuple[float, float | None, bool], end: str
) -> None:
    """Wrong before: five hours at 7.2 kW were 0 Wh where the power was told of one phase, in kW, or between its peaks."""
    place = home()
    place.charger(spec=ChargerSpec((1, 2, 3), max_current_a=16.0))
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        transaction = await charger.start(meter=1000)
        for _ in range(60):
            await place.clock.advance(300)
            await charger.meter({"value": "1000", "measurand": REGISTER}, sampled, transaction=transaction)
        if end == "stop":
            await charger.stop(transaction, stop_wh)
        else:
            await charger.boot()
            await charger.start(meter=stop_wh)
    row = place.sessions.rows[transaction]
    energy_wh, refused_wh, doubted = booked
    assert (row.energy_wh, row.meter_doubted) == (energy_wh, doubted)
    assert row.meter_refused_wh == (refused_wh if end == "stop" else None)
