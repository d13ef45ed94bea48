"""The simulated 2.0.1 and 2.1 stations against a central system by hand; every word judged by the schemas."""

from __future__ import annotations

import asyncio

import pytest

from firmware_sim.ocpp2.station import Needs
from tests.firmware_sim.central import alone, until

VERSIONS = ("2.0.1", "2.1")


def kinds(events):
    return [(event["eventType"], event["triggerReason"]) for event in events]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_car_boots_authorizes_starts_and_charges_in_words_the_schemas_accept(version):
    async with alone(version) as (central, charger):
        await central.begun()
        await until(lambda: charger.current_a == 16.0)
        await central.seen("TransactionEvent", where=lambda said: said["triggerReason"] == "MeterValuePeriodic")
        charger.unplug()
        ended = await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended")
        assert ended[0]["transactionInfo"]["stoppedReason"] == "EVDisconnected"
        events = await central.seen("TransactionEvent")
        assert [event["seqNo"] for event in events] == list(range(len(events)))
        assert {event["offline"] for event in events} == {False}
        assert [action for action, _ in central.calls[:1]] == ["BootNotification"]
        assert central.bad == []
        assert charger.wire_errors == []


async def test_the_register_told_at_the_end_is_the_energy_the_car_took():
    async with alone("2.0.1") as (central, charger):
        await central.begun()
        await until(lambda: charger.register_wh > 20)
        charger.unplug()
        ended = (await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended"))[0]
        told = ended["meterValue"][0]["sampledValue"][0]
        assert told["value"] == pytest.approx(charger.register_wh, abs=1)
        assert charger.evs[0].stored_wh - 30_000 == pytest.approx(charger.register_wh * 0.92, rel=0.01)


async def test_what_happened_without_a_line_is_told_afterwards_as_offline_and_in_order():
    async with alone("2.0.1") as (central, charger):
        await central.begun()
        charger.station.line.redial_s = lambda: 0.02
        charger.cut(0.2)
        await until(lambda: not charger.connected)
        charger.unplug()
        await until(lambda: charger.station.connectors[0].transaction is None)
        ended = (await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended"))[0]
        assert ended["offline"] is True
        numbers = [event["seqNo"] for event in await central.seen("TransactionEvent")]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("version", VERSIONS)
async def test_variables_are_read_written_and_refused_as_block_b_says(version):
    async with alone(version, plugged=False) as (central, charger):
        await central.seen("BootNotification")

        def named(component, variable, instance=None, evse=None):
            place = {"name": component, **({} if evse is None else {"evse": {"id": evse}})}
            return {"component": place, "variable": {"name": variable, **({"instance": instance} if instance else {})}}

        reads = [
            (named("SmartChargingCtrlr", "RateUnit"), "Accepted"),
            (named("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"), "Accepted"),
            (named("EVSE", "SupplyPhases", evse=1), "Accepted"),
            (named("SecurityCtrlr", "BasicAuthPassword"), "Rejected"),
            (named("SmartChargingCtrlr", "Nonsense"), "UnknownVariable"),
            (named("NonsenseCtrlr", "RateUnit"), "UnknownComponent"),
            ({**named("SmartChargingCtrlr", "RateUnit"), "attributeType": "MaxSet"}, "NotSupportedAttributeType"),
        ]
        answer = await central.ask("GetVariables", {"getVariableData": [asked for asked, _ in reads]})
        assert [one["attributeStatus"] for one in answer["getVariableResult"]] == [status for _, status in reads]
        writes = [
            (named("SampledDataCtrlr", "TxUpdatedInterval"), "5", "Accepted"),
            (named("SampledDataCtrlr", "TxUpdatedInterval"), "often", "Rejected"),
            (named("SampledDataCtrlr", "TxUpdatedMeasurands"), "SoC,Bananas", "Rejected"),
            (named("SmartChargingCtrlr", "RateUnit"), "A", "Rejected"),
            (named("OCPPCommCtrlr", "WebSocketPingInterval"), "10", "RebootRequired"),
            (named("SmartChargingCtrlr", "Nonsense"), "1", "UnknownVariable"),
        ]
        data = [{**asked, "attributeValue": value} for asked, value, _ in writes]
        answer = await central.ask("SetVariables", {"setVariableData": data})
        assert [one["attributeStatus"] for one in answer["setVariableResult"]] == [status for *_, status in writes]
        assert central.bad == []
        eleven = {"getVariableData": [named("SmartChargingCtrlr", "RateUnit")] * 11}
        assert (await central.ask("GetVariables", eleven))[0] == "OccurrenceConstraintViolation"
        assert len(charger.wire_errors) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_inventory_comes_in_numbered_parts(version):
    async with alone(version, plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        asked = {"requestId": 7, "reportBase": "FullInventory"}
        assert await central.ask("GetBaseReport", asked) == {"status": "Accepted"}
        parts = await central.seen("NotifyReport", where=lambda said: True)
        await until(lambda: not central.calls[-1][1].get("tbc", True))
        parts = await central.seen("NotifyReport")
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))
        assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
        assert {part["requestId"] for part in parts} == {7}
        rows = [row for part in parts for row in part["reportData"]]
        assert any(row["component"]["name"] == "EVSE" for row in rows)
        assert central.bad == []
        one = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "RateUnit"}}
        assert await central.ask("GetReport", {"requestId": 8, "componentVariable": [one]}) == {"status": "Accepted"}
        none = {"component": {"name": "Nothing"}}
        answer = await central.ask("GetReport", {"requestId": 9, "componentVariable": [none]})
        assert answer == {"status": "EmptyResultSet"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_limit_is_followed_reported_composed_and_cleared(version):
    async with alone(version) as (central, charger):
        transaction = await central.begun()
        await until(lambda: charger.current_a == 16.0)
        assert await central.limit(central.profile(8.0, transaction=transaction)) == "Accepted"
        await until(lambda: charger.current_a == 8.0)
        asked = {"evseId": 1, "duration": 600}
        schedule = (await central.ask("GetCompositeSchedule", asked))["schedule"]
        assert schedule["chargingSchedulePeriod"][0]["limit"] == 8.0
        everything = {"requestId": 3, "chargingProfile": {"chargingProfilePurpose": "TxProfile"}}
        assert await central.ask("GetChargingProfiles", everything) == {"status": "Accepted"}
        report = (await central.seen("ReportChargingProfiles"))[0]
        assert report["chargingProfile"][0]["transactionId"] == transaction
        assert await central.limit(central.profile(10.0, central.ceiling, number=2), place=0) == "Accepted"
        assert await central.ask("ClearChargingProfile", {"chargingProfileId": 1}) == {"status": "Accepted"}
        await until(lambda: charger.current_a == 10.0)
        wish = {"chargingProfileCriteria": {"chargingProfilePurpose": central.ceiling}}
        assert await central.ask("ClearChargingProfile", wish) == {"status": "Accepted"}
        assert await central.ask("ClearChargingProfile", wish) == {"status": "Unknown"}
        assert central.bad == []


@pytest.mark.parametrize(
    "break_it",
    [
        lambda raw: raw.pop("transactionId"),
        lambda raw: raw["chargingSchedule"][0].pop("startSchedule"),
        lambda raw: raw.update(chargingProfileKind="Relative"),
        lambda raw: raw["chargingSchedule"][0]["chargingSchedulePeriod"][0].update(startPeriod=5),
    ],
)
async def test_a_profile_against_the_rules_of_block_k_is_refused_and_counted(break_it):
    async with alone("2.0.1") as (central, charger):
        raw = central.profile(8.0, transaction=await central.begun())
        break_it(raw)
        assert await central.limit(raw) == "Rejected"
        assert len(charger.wire_errors) == 1


async def test_fields_of_2_1_are_refused_by_a_2_0_1_station():
    for version, status in (("2.0.1", "FormatViolation"), ("2.1", "Accepted")):
        async with alone(version) as (central, charger):
            raw = {**central.profile(8.0, transaction=await central.begun()), "maxOfflineDuration": 60}
            assert await central.limit(raw) == status
            assert len(charger.wire_errors) == (status != "Accepted")


async def test_a_remote_start_brings_its_profile_and_a_remote_stop_ends_it():
    async with alone("2.0.1", "needs-remote-start") as (central, charger):
        await central.seen("BootNotification")
        wish = {"idToken": {"idToken": "PHONE", "type": "Central"}, "remoteStartId": 5, "evseId": 1}
        answer = await central.ask("RequestStartTransaction", {**wish, "chargingProfile": central.profile(9.0)})
        assert answer == {"status": "Accepted"}
        transaction = await central.begun()
        event = (await central.seen("TransactionEvent"))[0]
        assert (event["triggerReason"], event["transactionInfo"]["remoteStartId"]) == ("RemoteStart", 5)
        await until(lambda: charger.current_a == 9.0)
        assert (await central.ask("RequestStopTransaction", {"transactionId": "x"}))["status"] == "Rejected"
        assert await central.ask("RequestStopTransaction", {"transactionId": transaction}) == {"status": "Accepted"}
        ended = await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended")
        assert ended[0]["triggerReason"] == "RemoteStop"
        assert central.bad == []


async def test_an_answer_that_refuses_the_tag_stops_the_charging():
    async with alone("2.0.1") as (central, _charger):
        central.overrides["TransactionEvent"] = {"idTokenInfo": {"status": "Blocked"}}
        ended = await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended")
        assert ended[0]["transactionInfo"]["stoppedReason"] == "DeAuthorized"


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_operations_are_answered_as_the_standard_says(version):
    async with alone(version) as (central, charger):
        transaction = await central.begun()
        unlock = {"evseId": 1, "connectorId": 1}
        assert await central.ask("UnlockConnector", unlock) == {"status": "OngoingAuthorizedTransaction"}
        out_of_order = {"evse": {"id": 1}, "operationalStatus": "Inoperative"}
        assert await central.ask("ChangeAvailability", out_of_order) == {"status": "Scheduled"}
        status = await central.ask("GetTransactionStatus", {"transactionId": transaction})
        assert status["ongoingIndicator"] is True
        for wanted, expected in [
            ("MeterValues", "Accepted"),
            ("TransactionEvent", "Accepted"),
            ("StatusNotification", "Accepted"),
            ("BootNotification", "Accepted"),
            ("PublishFirmwareStatusNotification", "NotImplemented"),
        ]:
            assert await central.ask("TriggerMessage", {"requestedMessage": wanted}) == {"status": expected}, wanted
        await central.seen("BootNotification", 2)
        assert (await central.ask("GetLocalListVersion", {}))["versionNumber"] == 0
        assert (await central.ask("SetDisplayMessage", {}))[0] == "NotImplemented"
        assert await central.ask("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
        charger.unplug()
        boots = await central.seen("BootNotification", 3)
        assert boots[-1]["reason"] == "Watchdog"
        assert await central.ask("Reset", {"type": "Immediate"}) == {"status": "Accepted"}
        assert (await central.seen("BootNotification", 4))[-1]["reason"] == "RemoteReset"
        assert central.bad == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_car_with_iso_15118_tells_its_needs_and_answers_the_schedule_it_is_given(version):
    async with alone(version, needs=Needs(22_000, 8)) as (central, _charger):
        transaction = await central.begun()
        told = (await central.seen("NotifyEVChargingNeeds"))[0]["chargingNeeds"]
        assert told["acChargingParameters"]["energyAmount"] == 22_000
        assert told["departureTime"].startswith("2026-11-22T01:2")
        await central.limit(central.profile(8.0, transaction=transaction))
        schedule = (await central.seen("NotifyEVChargingSchedule"))[0]["chargingSchedule"]
        assert schedule["chargingSchedulePeriod"][0]["limit"] == 8.0
        assert central.bad == []


async def test_two_evses_charge_and_are_limited_apart():
    from firmware_sim.physics.ev import Kind

    async with alone("2.0.1", cars=(Kind(), Kind(phases=1))) as (central, charger):
        charger.plug(connector=2)
        events = await central.seen("TransactionEvent", 2, lambda said: said["eventType"] == "Started")
        ids = {event["evse"]["id"]: event["transactionInfo"]["transactionId"] for event in events}
        assert await central.limit(central.profile(7.0, number=1, transaction=ids[1]), 1) == "Accepted"
        assert await central.limit(central.profile(11.0, number=2, transaction=ids[2]), 2) == "Accepted"
        await until(lambda: charger.currents_a == (18.0, 7.0, 7.0))
        assert await central.limit(central.profile(11.0, number=3, transaction=ids[2]), 1) == "Rejected"


async def test_an_answer_against_the_standard_is_counted_and_not_believed():
    async with alone("2.0.1") as (central, charger):
        central.overrides["BootNotification"] = {"status": "Fine", "currentTime": "now", "interval": 1}
        await central.seen("BootNotification")
        await until(lambda: charger.wire_errors)
        assert "BootNotification" in charger.wire_errors[0]
        assert not charger.station.booted


@pytest.mark.parametrize(
    "frame",
    ["not json", "[]", '[3,"nobody",{}]', '[2,"x","Reset"]', '[2,"x","Reset",[]]', '{"a":1}', '[2,7,"Reset",{}]'],
)
async def test_a_frame_against_ocpp_j_is_counted_and_the_line_stays(frame):
    async with alone("2.0.1", plugged=False) as (central, charger):
        await central.seen("BootNotification")
        await central.ws.send(frame)
        await until(lambda: charger.wire_errors)
        assert (await central.ask("GetLocalListVersion", {}))["versionNumber"] == 0


async def test_without_an_agreed_version_nothing_is_said():
    from websockets.asyncio.server import serve

    from firmware_sim.sim_charger import SimCharger

    heard = []

    async def listen(ws):
        heard.extend([text async for text in ws])

    async with serve(listen, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with SimCharger(url, version="2.0.1") as charger:
            await until(lambda: charger.wire_errors)
            await asyncio.sleep(0.05)
    assert heard == []
