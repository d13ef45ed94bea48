"""Quirk 15: shapes of 1.6 on a connection of 2.x."""

from __future__ import annotations

from datetime import timedelta

from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import current, home, peer, stamp, until


async def test_q15_a_charger_that_speaks_16_on_a_201_connection_is_understood() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        old_boot = {"chargePointVendor": "Fox", "chargePointModel": "E", "firmwareVersion": "1"}
        assert (await charger.send("BootNotification", **old_boot))["status"] == "Accepted"
        now = stamp(place.clock.now())
        await charger.send("StatusNotification", connectorId=1, errorCode="NoError", status="Preparing", timestamp=now)
        assert (await charger.send("Authorize", idTag="T"))["idTagInfo"] == {"status": "Accepted"}
        answer = await charger.send("StartTransaction", connectorId=1, idTag="T", meterStart=100, timestamp=now)
        value = {"timestamp": now, "sampledValue": [{"value": "600"}]}
        await charger.send("MeterValues", connectorId=1, transactionId=answer["transactionId"], meterValue=[value])
        assert (station.status().session_wh, station.status().model) == (500.0, "Fox E")
        await charger.send("StopTransaction", transactionId=answer["transactionId"], meterStop=700, timestamp=now)
        assert not station.status().transaction


async def test_q15_a_16_firmware_that_dials_as_201_is_served_as_16_on_that_very_line_and_the_next() -> None:
    """Wrong before: it was hung up on, and one that does not dial again was neither stopped nor limited."""
    place = home()
    station = place.charger()
    old_boot = {"chargePointVendor": "Fox", "chargePointModel": "E", "firmwareVersion": "1"}
    async with place.serving():
        for meter in (1000, 2000):
            async with peer(place, subprotocols=("ocpp2.0.1",)) as charger:
                charger.unknown = ("GetVariables", "SetVariables", "GetBaseReport")
                assert (await charger.send("BootNotification", **old_boot))["status"] == "Accepted"
                await charger.is_set_up()
                transaction = await charger.start(meter=meter)
                await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
                assert charger.limits()[-1]["transactionId"] == transaction
                assert station.status().version == "1.6" and not charger.reader.done()
                await charger.stop(transaction, meter + 900)
            await until(lambda: not station.status().connected)
        assert "GetVariables" not in [action for action, _ in charger.calls], "known from then on"
        async with peer2(place) as charger:  # its next firmware has learned it
            charger.unknown = ("GetConfiguration", "ChangeConfiguration")
            await until(lambda: station.status().connected)
            await place.clock.advance(7)
            await until(lambda: station.status().version == "2.0.1")
            assert not charger.reader.done(), "on the same line"


async def test_q15_an_evse_as_a_number_means_the_only_one() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Started", register=100, state="Charging", idToken={"idToken": "A", "type": "Local"})
        await charger.frame("TransactionEvent", {
            "eventType": "Updated", "timestamp": stamp(place.clock.now()), "triggerReason": "Trigger", "seqNo": "1",
            "transactionInfo": {"transactionId": "T-1", "chargingState": "Charging"}, "evse": 1,
            "meterValue": {"timestamp": stamp(place.clock.now()), "sampledValue": [{"value": "200"}]},
        })  # fmt: skip
        assert station.status().session_wh == 100.0
