"""A 1.6 inside of 2.x is a matter of one charger: of none else of its make, and taken back at its first word of 2.x."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.ocpp2_fakes import Peer2, peer2
from tests.adapters.ocpp_fakes import Home, current, home, peer, stamp, until

OLD_BOOT = {"chargePointVendor": "Fox", "chargePointModel": "E", "firmwareVersion": "1"}
FOX = {"vendorName": "Fox", "model": "E", "firmwareVersion": "1"}
LACKS = ("GetVariables", "SetVariables", "GetBaseReport")


async def _made_older(place: Home, identity: str = "CP1") -> None:
    """A charger of 1.6 under the name of 2.0.1 is found out, and goes."""
    station = place.csms.points[identity]
    async with peer(place, identity, subprotocols=("ocpp2.0.1",)) as charger:
        charger.unknown = LACKS
        await charger.send("BootNotification", **OLD_BOOT)
        await charger.is_set_up()
        assert station.version == "1.6"
    await until(lambda: not station.connected)


async def test_one_charger_that_knows_16_only_says_nothing_of_another_of_its_make() -> None:
    """Wrong before: it was learned for the make, and a healthy one was told its limits in 1.6, which it refused."""
    place = home()
    place.charger("CP1")
    sound = place.charger("CP2")
    async with place.serving():
        await _made_older(place)
        async with peer2(place, "CP2") as charger:
            await charger.boot(**FOX)
            await charger.is_set_up()
            assert sound.status().version == "2.0.1"
            assert all("chargingProfile" in limit for limit in charger.limits())


async def test_a_charger_taken_for_16_that_says_a_word_of_2x_is_understood_at_once_on_that_line() -> None:
    """Wrong before: its transactions were refused as not implemented, until a set-up hung up on it."""
    place = home()
    station = place.charger()
    async with place.serving():
        await _made_older(place)
        async with peer2(place) as charger:
            await until(lambda: station.status().connected)
            assert station.status().version == "1.6"
            await charger.event("Started", state="Charging", evse=1, register=100, tag="A")
            assert station.status().transaction
            await until(lambda: station.status().version == "2.0.1")
            await charger.event("Updated", state="Charging", register=350)
            assert station.status().session_wh == 250
            await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
            assert charger.limits()[-1]["chargingProfile"]["transactionId"] == "T-1"
        await until(lambda: not station.status().connected)
        async with peer2(place) as charger:
            await until(lambda: station.status().connected)
            assert station.status().version == "2.0.1", "the mark is gone"


@pytest.mark.parametrize("odd", [{"triggerReason": "NoSuchReason"}, {"seqNo": "7"}, {"evse": 1}])
async def test_an_odd_transaction_event_is_understood_by_who_is_taken_for_a_16_too(odd: dict[str, Any]) -> None:
    place = home()
    station = place.charger()
    async with place.serving():
        await _made_older(place)
        async with peer2(place) as charger:
            await until(lambda: station.status().connected)
            await charger.event("Started", **{"state": "Charging", "register": 100, **odd})
            assert station.status().transaction


async def test_a_boot_of_2x_is_answered_and_clears_the_mark() -> None:
    place = home()
    station = place.charger()
    async with place.serving():
        await _made_older(place)
        async with peer2(place) as charger:
            await until(lambda: station.status().version == "1.6" and station.status().connected)
            assert (await charger.boot(**FOX))["status"] == "Accepted"
            await until(lambda: station.status().version == "2.0.1")


async def test_a_charger_pinned_to_2x_is_never_served_as_16() -> None:
    place = home()
    station = place.charger(version="2.0.1")
    async with place.serving():
        for _ in range(2):
            async with peer(place, subprotocols=("ocpp2.0.1",)) as charger:
                charger.unknown = LACKS
                assert (await charger.send("BootNotification", **OLD_BOOT))["status"] == "Accepted"
                await until(lambda: any(action == "GetBaseReport" for action, _ in charger.calls))
                assert station.status().version == "2.0.1"
            await until(lambda: not station.status().connected)


@pytest.mark.slow
async def test_no_message_ends_the_session_of_a_charger_that_mixes_its_versions_and_lacks_everything() -> None:
    """Wrong before: it was asked to dial again for ever, and its transactions were refused meanwhile."""
    place = home()
    station = place.charger()
    async with place.serving():
        for number in range(3):
            async with peer2(place) as charger:
                charger.unknown = (
                    *LACKS,
                    "GetConfiguration",
                    "ChangeConfiguration",
                    "TriggerMessage",
                    "SetChargingProfile",
                )
                await charger.boot(**FOX)
                await _status_of_16(charger)
                for _ in range(4):
                    await charger.event("Updated", f"T-{number}", state="Charging", evse=1)
                    await _status_of_16(charger)
                    await place.clock.advance(11)
                    await place.clock.settle()
                assert not charger.reader.done()
                assert (station.status().version, bool(station.status().transaction)) == ("2.0.1", True)
            await until(lambda: not station.status().connected)


async def test_one_that_writes_16_and_lacks_everything_goes_there_and_back_once_on_one_line() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        charger.unknown = (*LACKS, "GetConfiguration", "ChangeConfiguration", "TriggerMessage")
        versions = []
        for _ in range(6):
            await _status_of_16(charger)
            await place.clock.advance(11)
            await asyncio.sleep(0.02)
            versions.append(station.status().version)
        assert versions[-3:] == ["2.0.1"] * 3 and not charger.reader.done()


async def _status_of_16(charger: Peer2) -> None:
    await charger.send(
        "StatusNotification", connectorId=1, status="Charging", errorCode="NoError", timestamp=stamp(charger.now())
    )
