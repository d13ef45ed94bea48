"""What counts as measured now: not what is concluded, not what waited in a queue, and no younger than its stamp."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import honours
from gateway.model.snapshot import ChargePhase
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import Peer, current, home, peer, until

TIMING = ControlTiming()


def _power(watts: float) -> dict[str, Any]:
    return {"value": str(watts), "measurand": "Power.Active.Import", "unit": "W"}


# ---- a concluded zero


async def test_occupied_without_a_known_transaction_is_no_zero() -> None:
    """Wrong before: a car that charged in a transaction begun before us was told to draw 0 W, just measured."""
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug("Occupied")
        status = station.status()
        assert (status.phase, status.power_w, status.resting) == (ChargePhase.PLUGGED, None, False)


async def test_a_zero_that_was_concluded_is_told_as_such_and_confirms_no_limit() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug("Available")
        await station.apply(current(0, place.clock.now() + timedelta(minutes=2)))
        status = station.status()
        assert (status.power_w, status.resting, status.meter_age_s) == (0.0, True, None)
        setpoint = current(0, place.clock.now() + timedelta(minutes=2))
        offering = replace(status, offered_a=0.0)
        assert honours(offering, setpoint, 100.0, TIMING) is None
        assert honours(replace(offering, resting=False), setpoint, 100.0, TIMING) is True, "else it would"


@pytest.mark.parametrize("word", ["Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing"])
async def test_a_16_charger_that_says_that_it_does_not_charge_rests_until_it_says_more(word: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.status(word)
        assert (station.status().power_w, station.status().resting) == (0.0, True)
        await charger.start()
        assert (station.status().power_w, station.status().resting) == (None, False), "not a zero any more"


async def test_a_2x_charger_rests_by_its_charging_state_until_a_new_connection() -> None:
    place = home()
    station = place.charger()
    async with place.serving():
        async with peer2(place) as charger:
            await charger.event("Started", state="Charging", evse=1, power=7000)
            await charger.event("Ended", state="EVConnected", power=0)
            await charger.plug("Occupied")
            assert station.status().resting and station.status().power_w == 0.0
        await until(lambda: not station.status().connected)
        async with peer2(place) as charger:
            await charger.plug("Occupied")
            assert station.status().power_w is None, "it may have begun to charge meanwhile"


# ---- age, stream and burst


async def _sampled(charger: Peer, watts: float, age_s: float) -> None:
    await charger.meter(_power(watts), transaction=1, time=charger.now() - timedelta(seconds=age_s))


async def test_a_single_late_sample_is_as_old_as_its_stamp() -> None:
    """Wrong before: its age counted from its arrival, so that it judged a limit told after it was taken."""
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start()
        await _sampled(charger, 7000, 40)
        assert (station.status().power_w, station.status().meter_age_s) == (7000.0, 40.0)


async def test_a_queue_that_comes_after_a_new_connection_is_history_however_young() -> None:
    """Wrong before: the queued 11 kW of before the cut convicted a charger that had long obeyed."""
    place = home()
    station = place.charger()
    async with place.serving():
        async with peer(place) as charger:
            await charger.start()
            await _sampled(charger, 7000, 0)
        await until(lambda: not station.status().connected)
        await place.clock.advance(50)
        async with peer(place) as charger:
            for age_s in (40, 30, 20, 10):
                await _sampled(charger, 11000, age_s)
            assert (station.status().power_w, station.status().meter_age_s) == (None, 50.0)
            await _sampled(charger, 4000, 0)
            assert (station.status().power_w, station.status().meter_age_s) == (4000.0, 0.0)


async def test_a_burst_on_a_standing_line_is_history_after_its_first() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start()
        for watts, age_s in ((1000, 55), (2000, 45), (3000, 35), (4000, 25)):
            await _sampled(charger, watts, age_s)
        assert (station.status().power_w, station.status().meter_age_s) == (1000.0, 55.0)


@pytest.mark.parametrize("wrong_s", [-3600.0, -30.0, 30.0, 3600.0])
async def test_the_samples_of_a_wrong_clock_are_as_young_as_they_arrive_once_they_stream(wrong_s: float) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start()
        for _ in range(3):
            await place.clock.advance(10)
            await _sampled(charger, 7000, wrong_s)
        assert (station.status().power_w, station.status().meter_age_s) == (7000.0, 0.0)
        await _sampled(charger, 9000, wrong_s + 20)
        assert station.status().power_w == 7000.0, "a queued one in between"
