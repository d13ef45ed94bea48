"""Each quirk by name is seen on the wire or in the current, in each version it exists in."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from firmware_sim.ocppj import quirks
from tests.firmware_sim.central import alone, until

PROFILES = [
    # quirk, what is asked, status; None is silence
    ("max-profile-refused", {"purpose": "ceiling"}, "Rejected"),
    ("reject-tx", {"limit": 8.0}, "Rejected"),
    ("reject-absolute", {"kind": "Absolute"}, "Rejected"),
    ("reject-absolute", {"kind": "Relative"}, "Accepted"),
    ("reject-relative", {"kind": "Relative"}, "Rejected"),
    ("reject-relative", {"kind": "Absolute"}, "Accepted"),
    ("relative-only-silent", {"kind": "Absolute"}, None),
    ("relative-only-silent", {"kind": "Relative"}, "Accepted"),
    ("absolute-only-silent", {"kind": "Relative"}, None),
    ("absolute-only-silent", {"kind": "Absolute"}, "Accepted"),
    ("stack0-only", {"level": 1}, "Rejected"),
    ("stack0-only", {"level": 0}, "Accepted"),
    ("watts-only", {"unit": "A"}, "Rejected"),
    ("watts-only", {"unit": "W", "limit": 5520.0}, "Accepted"),
    ("amps-only", {"unit": "W", "limit": 5520.0}, "Rejected"),
    ("amps-only", {"unit": "A"}, "Accepted"),
    ("no-zero", {"limit": 0.0}, "Rejected"),
    ("no-zero", {"limit": 6.0}, "Accepted"),
    ("smart-charging-off", {"limit": 8.0}, "Rejected"),
]
FOLLOWED = [
    # quirk, what is asked, A drawn afterwards (the car takes 16 A at most)
    ("", {"limit": 8.0}, 8.0),
    ("", {"limit": 5520.0, "unit": "W"}, 8.0),
    ("", {"limit": 8.0, "purpose": "TxDefaultProfile"}, 8.0),
    ("", {"limit": 8.0, "purpose": "ceiling"}, 8.0),
    ("lie", {"limit": 8.0}, 16.0),
    ("offered-lies", {"limit": 8.0}, 16.0),
    ("over-by-2", {"limit": 8.0}, 10.0),
    ("max-profile-ignored", {"limit": 8.0, "purpose": "ceiling"}, 16.0),
    ("stack0-honoured", {"limit": 8.0, "level": 2}, 16.0),
    ("stack0-honoured", {"limit": 8.0, "level": 0}, 8.0),
    ("whole-amps", {"limit": 8.9}, 8.0),
    ("zero-ignored", {"limit": 0.0}, 6.0),
]


def both(rows):
    return [(version, *row) for row in rows for version in ("1.6", "2.0.1")]


async def limited(central, *, limit=8.0, purpose="TxProfile", wait_s=5.0, **asked):
    transaction = await central.begun() if purpose == "TxProfile" else None
    purpose = central.ceiling if purpose == "ceiling" else purpose
    place = 0 if purpose == central.ceiling else 1
    raw = central.profile(limit, purpose, transaction=transaction, **asked)
    return await central.limit(raw, place, wait_s)


@pytest.mark.parametrize(("version", "habit", "asked", "status"), both(PROFILES))
async def test_a_profile_is_refused_taken_or_left_without_an_answer(version, habit, asked, status):
    async with alone(version, habit) as (central, charger):
        await central.begun()
        await until(lambda: charger.station.connectors[0].transaction.id)
        if status is None:
            with pytest.raises(TimeoutError):
                await limited(central, **asked, wait_s=0.2)
        else:
            assert await limited(central, **asked) == status


@pytest.mark.parametrize(("version", "habit", "asked", "amps"), both(FOLLOWED))
async def test_an_accepted_limit_is_followed_or_not(version, habit, asked, amps):
    async with alone(version, *filter(None, [habit]), speed=240.0) as (central, charger):
        await central.begun()
        await until(lambda: charger.current_a == 16.0)
        assert await limited(central, **asked) == "Accepted"
        await until(lambda: charger.current_a == amps)
        await charger.clock.sleep(4)  # of home time, a few looks of the station at its limits
        assert charger.current_a == amps


async def test_a_tx_profile_needs_the_id_where_the_firmware_says_so():
    async with alone("1.6", "tx-profile-needs-id") as (central, charger):
        await central.begun()
        await until(lambda: charger.station.connectors[0].transaction.id)
        assert await central.limit(central.profile(8.0)) == "Rejected"
        assert await central.limit(central.profile(8.0, transaction=71)) == "Accepted"


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_outside_a_transaction_every_station_refuses_a_tx_profile(version):
    async with alone(version, plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        assert await central.limit(central.profile(8.0, transaction=5 if version == "1.6" else "x")) == "Rejected"


@pytest.mark.parametrize(("habit", "word"), [("watts-only", "Power"), ("watts-word", "W"), ("amps-only", "Current")])
async def test_the_rate_unit_is_announced_in_the_firmwares_own_words(habit, word):
    async with alone("1.6", habit, plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        report = await central.ask("GetConfiguration", {"key": ["ChargingScheduleAllowedChargingRateUnit"]})
        assert report["configurationKey"][0]["value"] == word


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_number_phases_switches_or_is_ignored(version):
    for habits, phases in ((), (16.0, 0.0, 0.0)), (("number-phases-ignored",), (16.0, 16.0, 16.0)):
        async with alone(version, *habits, switches_phases=True) as (central, charger):
            await central.begun()
            await until(lambda: charger.currents_a == (16.0, 16.0, 16.0))
            assert await limited(central, limit=16.0, phases=1) == "Accepted"
            await until(lambda phases=phases: charger.currents_a == phases)


# --- set-up and meter -----------------------------------------------------------------------------------------------


async def set_measurands(central, value):
    if central.version == "1.6":
        wish = {"key": "MeterValuesSampledData", "value": value}
        return (await central.ask("ChangeConfiguration", wish))["status"]
    place = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedMeasurands"}}
    answer = await central.ask("SetVariables", {"setVariableData": [{**place, "attributeValue": value}]})
    return answer["setVariableResult"][0]["attributeStatus"]


async def told(central, charger):
    """The sampled values of one message of the running transaction, after the charger was asked for its sampling."""
    if central.version == "1.6":
        return (await central.seen("MeterValues"))[-1]["meterValue"][0]["sampledValue"]
    events = await central.seen("TransactionEvent", where=lambda said: said["triggerReason"] == "MeterValuePeriodic")
    return events[-1]["meterValue"][0]["sampledValue"]


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_one_unknown_measurand_costs_the_whole_list(version):
    async with alone(version, "measurand-refuse-list", plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        assert await set_measurands(central, "Voltage,Frequency") == "Rejected"
        assert await set_measurands(central, "Voltage,Power.Active.Import") == "Accepted"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_probing_makes_it_restart(version):
    async with alone(version, "reboots-on-probing", plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        assert await set_measurands(central, "Voltage") == "Accepted"
        assert await set_measurands(central, "SoC") == "Accepted"
        await central.seen("BootNotification", 2)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        ("", 8),
        ("meter-partial", 1),
        ("sends-few", 9),
    ],
)
async def test_what_it_measures_is_what_was_asked_or_what_it_likes(version, habit, expected):
    async with alone(version, *filter(None, [habit])) as (central, charger):
        await central.seen("BootNotification")
        wish = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
        assert await set_measurands(central, wish) == "Accepted"
        central.calls.clear()
        assert len(await told(central, charger)) == expected


@pytest.mark.parametrize(
    ("version", "habit", "look"),
    [
        ("1.6", "meter-kwh", lambda said: said[0]["unit"] == "kWh" and said[1]["unit"] == "kW"),
        ("2.0.1", "meter-kwh", lambda said: said[0]["unitOfMeasure"] == {"unit": "kWh"}),
        ("2.0.1", "meter-multiplier", lambda said: said[0]["unitOfMeasure"] == {"unit": "Wh", "multiplier": 3}),
        ("1.6", "meter-blanks", lambda said: said[0]["value"].startswith(" ") and said[0]["value"].endswith(" ")),
        ("1.6", "meter-l1-n", lambda said: [one["phase"] for one in said[2:5]] == ["L1-N", "L2-N", "L3-N"]),
        ("2.0.1", "meter-l1-n", lambda said: [one["phase"] for one in said[2:5]] == ["L1-N", "L2-N", "L3-N"]),
        ("1.6", "meter-unnamed", lambda said: [list(one) for one in said] == [["value"]]),
        ("2.0.1", "meter-unnamed", lambda said: [list(one) for one in said] == [["value"]]),
        ("2.0.1", "sixteen-shapes", lambda said: isinstance(said[0]["value"], str)),
    ],
)
async def test_numbers_come_in_the_firmwares_own_way(version, habit, look):
    async with alone(version, habit) as (central, charger):
        assert look(await told(central, charger))


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(("habit", "status"), [("meter-trigger-only", "Accepted"), ("meter-silent", "Rejected")])
async def test_a_meter_may_speak_only_when_asked_or_never(version, habit, status):
    async with alone(version, habit) as (central, charger):
        await central.begun()
        await until(lambda: charger.register_wh > 30)
        name = "MeterValues"
        assert name not in [action for action, _ in central.calls]
        assert await central.ask("TriggerMessage", {"requestedMessage": name}) == {"status": status}
        if status == "Accepted":
            await central.seen(name)


async def test_a_2_x_firmware_may_send_meter_values_where_events_belong():
    async with alone("2.0.1", "meter-values-instead-of-events") as (central, _charger):
        assert (await central.seen("MeterValues"))[0]["evseId"] == 1


# --- boot and line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_without_a_boot_it_charges_all_the_same(version):
    async with alone(version, "no-boot") as (central, _charger):
        await central.begun()
        assert "BootNotification" not in [action for action, _ in central.calls]
        asked = {"requestedMessage": "BootNotification"}
        assert await central.ask("TriggerMessage", asked) == {"status": "Rejected"}


@pytest.mark.parametrize(
    ("version", "habit", "look"),
    [
        ("1.6", "empty-vendor", lambda said: said["chargePointVendor"] == ""),
        ("2.0.1", "empty-vendor", lambda said: said["chargingStation"]["vendorName"] == ""),
        ("1.6", "overlong-boot", lambda said: len(said["chargePointModel"]) > 20),
        ("2.0.1", "overlong-boot", lambda said: len(said["chargingStation"]["model"]) > 20),
        ("2.0.1", "sixteen-shapes", lambda said: "chargePointVendor" in said),
        ("1.6", "sixteen-on-201", lambda said: "chargePointVendor" in said),
    ],
)
async def test_a_boot_may_be_empty_overlong_or_of_another_version(version, habit, look):
    async with alone(version, habit, plugged=False) as (central, _charger):
        assert look((await central.seen("BootNotification"))[0])


async def test_a_1_6_firmware_may_dial_as_2_0_1():
    async with alone("1.6", "sixteen-on-201") as (central, _charger):
        await central.begun()
        assert central.ws.subprotocol == "ocpp2.0.1"


@pytest.mark.slow
@pytest.mark.parametrize(("habit", "at_least_s"), [("", 0.5), ("no-redial-for-minutes", 3.5)])
async def test_it_redials_soon_or_after_six_minutes(habit, at_least_s):
    async with alone("1.6", *filter(None, [habit]), speed=100.0, plugged=False) as (central, charger):
        await central.seen("BootNotification")
        began = time.monotonic()
        charger.cut(0.0)
        await until(lambda: not charger.connected)
        await until(lambda: charger.connected)
        took_s = time.monotonic() - began
        assert at_least_s <= took_s < at_least_s + 2.5


@pytest.mark.slow
async def test_it_drops_the_line_in_the_middle_of_the_set_up_three_times():
    async with alone("1.6", "drops-in-setup", plugged=False) as (central, charger):
        for times in range(1, 4):
            await central.seen("BootNotification")
            await until(lambda times=times: charger.connected and charger.station.line.dials == times)
            with pytest.raises((TimeoutError, ConnectionClosed)):
                await until_dropped(central)
        await until(lambda: charger.connected and charger.station.line.dials == 4)
        await central.seen("StatusNotification", where=lambda said: charger.station.line.dials == 4)
        for _ in range(3):
            assert await central.ask("ClearCache", {}) == {"status": "Accepted"}


async def until_dropped(central):
    for _ in range(20):
        await central.ask("ClearCache", {}, 0.3)


# --- availability, tags, transactions -------------------------------------------------------------------------------


def availability(version, operative):
    word = "Operative" if operative else "Inoperative"
    if version == "1.6":
        return {"connectorId": 1, "type": word}
    return {"evse": {"id": 1}, "operationalStatus": word}


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_availability_may_be_scheduled_or_break_it(version):
    async with alone(version, "availability-scheduled", plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        assert await central.ask("ChangeAvailability", availability(version, True)) == {"status": "Scheduled"}
    async with alone(version, "availability-breaks") as (central, charger):
        await central.begun()
        assert await central.ask("ChangeAvailability", availability(version, True)) == {"status": "Rejected"}
        await until(lambda: charger.status == "Faulted")
        assert charger.station.connectors[0].transaction is None


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("habit", ["tag-overread", "garbled-tag"])
async def test_a_tag_comes_back_as_garbage_when_stopping(version, habit):
    async with alone(version, habit, tag="ABCDEFGHIJ0123456789") as (central, charger):
        await central.begun()
        charger.unplug()
        if version == "1.6":
            tag = (await central.seen("StopTransaction"))[0]["idTag"]
        else:
            ended = await central.seen("TransactionEvent", where=lambda said: said["eventType"] == "Ended")
            tag = ended[0]["idToken"]["idToken"]
        assert tag != "ABCDEFGHIJ0123456789"
        assert (len(tag) > 20) == (habit == "tag-overread")


async def test_a_transaction_id_may_be_garbage():
    async with alone("1.6", "garbage-transaction-id") as (central, _charger):
        assert (await central.seen("MeterValues"))[0]["transactionId"] == 2**63 - 1


@pytest.mark.slow
async def test_the_id_of_a_transaction_begun_offline_may_stay_minus_one():
    async with alone("1.6", "offline-minus-one", plugged=False) as (central, charger):
        await central.seen("BootNotification")
        charger.cut(5.5)
        await until(lambda: not charger.connected)
        charger.plug()
        await until(lambda: charger.station.connectors[0].transaction)
        assert (await central.seen("MeterValues"))[0]["transactionId"] == -1


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_start_may_come_twice(version):
    async with alone(version, "repeat-start") as (central, _charger):
        name = "StartTransaction" if version == "1.6" else "TransactionEvent"
        first, second = (await central.seen(name, 2))[:2]
        assert first == second


def remote(version):
    if version == "1.6":
        return "RemoteStartTransaction", {"connectorId": 1, "idTag": "PHONE"}
    return "RequestStartTransaction", {"idToken": {"idToken": "P", "type": "Central"}, "remoteStartId": 1, "evseId": 1}


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_it_may_wait_for_a_remote_start(version):
    async with alone(version, "needs-remote-start") as (central, charger):
        await central.seen("BootNotification")
        await until(lambda: charger.status == "Preparing")
        await asyncio.sleep(0.1)
        assert charger.station.connectors[0].transaction is None
        assert await central.ask(*remote(version)) == {"status": "Accepted"}
        await central.begun()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_after_a_remote_stop_it_may_be_stuck_until_the_plug_is_pulled(version):
    async with alone(version, "stuck-in-finishing") as (central, charger):
        transaction = await central.begun()
        await until(lambda: charger.station.connectors[0].transaction.id)
        stop = "RemoteStopTransaction" if version == "1.6" else "RequestStopTransaction"
        assert await central.ask(stop, {"transactionId": transaction}) == {"status": "Accepted"}
        await until(lambda: charger.status == "Finishing")
        assert (await central.ask(*remote(version)))["status"] == "Rejected"
        charger.unplug()
        await until(lambda: charger.status == "Available")
        charger.plug()
        await until(lambda: charger.station.connectors[0].transaction)


# --- 2.x device model and composite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", quirks.ONLY_2)
async def test_the_inventory_may_lack_its_evses_and_smart_charging_its_available(version):
    async with alone(version, "inventory-without-evse", "no-smart-available", plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        await central.ask("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
        await central.seen("NotifyReport", where=lambda said: not said["tbc"])
        rows = [row for part in await central.seen("NotifyReport") for row in part["reportData"]]
        assert not any("evse" in row["component"] for row in rows)
        names = [row["variable"]["name"] for row in rows if row["component"]["name"] == "SmartChargingCtrlr"]
        assert "Available" not in names
        assert any(said["evseId"] == 0 for said in await central.seen("StatusNotification"))


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_composite_schedule_may_have_no_sense(version):
    async with alone(version, "composite-nonsense") as (central, _charger):
        await central.begun()
        place = "connectorId" if version == "1.6" else "evseId"
        answer = await central.ask("GetCompositeSchedule", {place: 1, "duration": 60})
        schedule = answer["chargingSchedule"] if version == "1.6" else answer["schedule"]
        assert schedule["duration"] == 8_600_000_000_000


# --- the list itself ------------------------------------------------------------------------------------------------


def test_each_of_the_fifteen_has_a_quirk_and_each_quirk_is_in_the_document():
    numbers = {quirk.number for quirk in quirks.QUIRKS.values()}
    assert numbers == set(range(16))
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulated-home.md").read_text()
    missing = [name for name in quirks.ALL if f"`{name}`" not in page]
    assert missing == []


def test_a_quirk_may_be_typed_with_underscores_and_a_wrong_one_is_refused():
    assert quirks.named("no_zero") == "no-zero"
    with pytest.raises(ValueError, match="no quirk"):
        quirks.named("no-such-habit")
