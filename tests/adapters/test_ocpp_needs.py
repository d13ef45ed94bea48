"""What a car said it needs: kept before it is acknowledged, resumed with its session, forgotten with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.ocpp.needs_kept import from_document, to_document
from gateway.model.charging import ChargingNeeds
from gateway.model.errors import StoreError
from gateway.model.site import ChargerSpec
from tests.adapters.ocpp2_fakes import Peer2, peer2
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, Home, current, home, stamp, until
from tests.fakes import START, FakeClock

KEY = "ocpp/needs/cp1"


class FullDisk(FakeFacts):
    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        if key == KEY:
            raise StoreError("write", "the disk is full")
        await super().put(key, document, later=later)


def after_a_kill(place: Home) -> Home:
    """Another process over the same store."""
    return Home(place.clock, place.sessions, place.facts)


async def tell(charger: Peer2, hours: float = 8.0, energy: int = 18_000) -> dict[str, Any]:
    needs = {
        "requestedEnergyTransfer": "AC_three_phase", "departureTime": stamp(charger.now() + timedelta(hours=hours)),
        "acChargingParameters": {"energyAmount": energy, "evMinCurrent": 6, "evMaxCurrent": 13, "evMaxVoltage": 400},
    }  # fmt: skip
    return await charger.send("NotifyEVChargingNeeds", evseId=1, chargingNeeds=needs)


@pytest.mark.slow
async def test_needs_that_were_acknowledged_go_on_with_their_session_after_a_kill() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        await place.clock.advance(1200)
        await charger.event("Updated", register=2500, state="Charging")
        await tell(charger)
        told = station.status().needs
        assert place.facts.documents[KEY]["transaction"] == 1  # nothing orderly comes after a kill
    assert told is not None and (told.energy_wh, told.session_wh, told.max_current_a) == (18_000.0, 2500.0, 13.0)
    again = after_a_kill(place)
    resumed = again.charger()
    async with again.serving(), peer2(again) as charger:
        await charger.send("Heartbeat")  # it says no more of its car
        assert resumed.status().needs == told
        assert ("cp1", "needs") in again.changes


async def test_needs_end_with_their_session_and_no_later_car_gets_them() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        await tell(charger)
        held = dict(place.facts.documents[KEY])
        await charger.event("Ended", register=10)
        assert place.facts.documents[KEY] == {}
    place.facts.documents[KEY] = held  # killed between the session's end and that
    again = after_a_kill(place)
    resumed = again.charger()
    async with again.serving(), peer2(again) as charger:
        await charger.event("Started", "T-2", register=10, state="EVConnected", evse=1)
        assert resumed.status().needs is None


async def test_needs_that_cannot_be_kept_are_not_acknowledged() -> None:
    place = Home(FakeClock(), FakeSessions(), FullDisk())
    place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        with pytest.raises(AssertionError):
            await tell(charger)


async def test_needs_told_before_the_transaction_are_kept_for_it_and_gone_when_nothing_is_plugged_in() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug()
        await tell(charger)
        assert place.facts.documents[KEY]["transaction"] == 0
    again = after_a_kill(place)
    resumed = again.charger()
    async with again.serving(), peer2(again) as charger:
        await charger.plug()
        assert resumed.status().needs is not None
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        assert place.facts.documents[KEY]["transaction"] == 1
        await charger.event("Ended", register=0)
        await charger.plug()
        await tell(charger)
    later = after_a_kill(place)
    gone = later.charger()
    async with later.serving(), peer2(later) as charger:
        await charger.plug("Available")  # it left while nobody looked
        assert gone.status().needs is None and place.facts.documents[KEY] == {}


def periods(profile: dict[str, Any]) -> list[float]:
    return [each["limit"] for each in profile["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]]


@pytest.mark.parametrize(
    ("safe_a", "later_w", "shown"), [(6.0, 11_040.0, [10.0, 6.0]), (0.0, 11_040.0, [10.0]), (6.0, 0.0, [10.0])]
)
async def test_a_car_is_shown_no_outlook_that_would_send_it_to_sleep(
    safe_a: float, later_w: float, shown: list[float]
) -> None:
    place = home()
    station = place.charger(spec=ChargerSpec(safe_current_a=safe_a))
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        await tell(charger, hours=12)
        now = place.clock.now()
        station.show_outlook([(now, later_w), (now + timedelta(hours=12), 0.0)])
        await station.apply(current(10, now + timedelta(minutes=2)))
        await until(charger.limits)
        assert periods(charger.limits()[-1]) == shown


def test_what_a_car_left_out_stays_unsaid_in_the_store() -> None:
    needs = ChargingNeeds(START, None, 5000.0)
    assert from_document(to_document(needs)) == needs
    assert from_document({"transaction": 1, "received": "garbage"}) is None
