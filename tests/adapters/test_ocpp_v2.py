"""OCPP 2.0.1 and 2.1 by hand-made frames: the same connector, sessions and readings as behind 1.6."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.ocpp.versions import choose
from gateway.model.quantity import Quantity
from gateway.model.snapshot import ChargePhase
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import Home, current, home, peer, stamp, until

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@pytest.mark.parametrize(
    ("offered", "pin", "chosen"),
    [
        (["ocpp1.6"], None, "ocpp1.6"),
        (["ocpp1.6", "ocpp2.0.1"], None, "ocpp2.0.1"),
        (["ocpp2.0.1", "ocpp2.1", "ocpp1.6"], None, "ocpp2.1"),
        (["ocpp2.0.1", "ocpp1.6"], "1.6", "ocpp1.6"),
        (["ocpp2.0.1"], "1.6", None),
        (["ocpp2.0"], None, None),
    ],
)
def test_the_richest_version_offered_is_chosen_and_a_pin_rules(
    offered: list[str], pin: str | None, chosen: str | None
) -> None:
    assert choose(offered, pin) == chosen


@pytest.mark.slow
@VERSIONS
async def test_a_session_is_started_updated_and_ended_with_its_energy(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        assert (await charger.boot())["status"] == "Accepted"
        await charger.plug()
        answer = await charger.event("Started", register=1000, state="EVConnected", evse=1, tag="CARD")
        assert answer == {"idTokenInfo": {"status": "Accepted"}}
        assert (await charger.event("Updated", register=1500, power=4140, state="Charging")) == {}
        status = station.status()
        assert (status.phase, status.power_w, status.session_wh) == (ChargePhase.CHARGING, 4140.0, 500.0)
        assert (status.version, status.tag, status.model) == (version, "CARD", "Acme Two")
        await charger.event("Updated", register=2000, power=0, state="SuspendedEV")
        assert station.status().phase is ChargePhase.PLUGGED
        await charger.event("Ended", register=2500, state="Idle", stoppedReason="EVDisconnected")
        await charger.plug("Available")
        assert (station.status().phase, station.status().transaction) == (ChargePhase.AVAILABLE, "")
    (session,) = place.sessions.rows.values()
    assert (session.energy_wh, session.their_id, session.tag) == (1500.0, "T-1", "CARD")
    assert [what for _, what in place.changes][:3] == ["connected", "plugged", "session"]


async def test_a_limit_goes_to_the_transaction_by_the_chargers_own_id() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        assert charger.limits()[0]["chargingProfile"]["chargingProfilePurpose"] == "TxDefaultProfile"
        await charger.event("Started", "abc-9", register=0, state="Charging", evse=1)
        await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
        sent = charger.limits()[-1]
        assert (sent["evseId"], sent["chargingProfile"]["transactionId"]) == (1, "abc-9")
        assert sent["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 10.0
        assert station.status().accepted_limit_a == 10.0


async def test_a_wish_is_told_anew_when_a_transaction_starts() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        await station.apply(current(16, place.clock.now() + timedelta(minutes=2)))
        await charger.event("Started", register=0, evse=1)
        await until(lambda: charger.limits()[-1]["chargingProfile"].get("transactionId") == "T-1")


@VERSIONS
async def test_a_lost_link_and_a_replay_of_hours_lose_and_double_nothing(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving():
        async with peer2(place, version=version) as charger:
            await charger.event("Started", register=1000, state="Charging", evse=1)
            await charger.event("Updated", register=1200, power=7000)
        await until(lambda: not station.status().connected)
        await place.clock.advance(2 * 3600)
        then = place.clock.now() - timedelta(hours=1)
        async with peer2(place, version=version) as charger:
            await charger.event("Updated", register=8000, power=9000, seq=2, time=then, offline=True)
            assert station.status().power_w is None  # an old sample is not the present
            await charger.event("Updated", register=15000, power=7000, seq=4)
            assert station.status().power_w == 7000.0
            await charger.event("Updated", register=8000, power=9000, seq=2, time=then, offline=True)
            assert (station.status().power_w, station.status().session_wh) == (7000.0, 14000.0)
            session = station.book.open_session()
            assert session is not None and station.book.missing(session) == 1
            await charger.event("Ended", register=16000, seq=5)
            await charger.event("Ended", register=16000, seq=5)
    (session,) = place.sessions.rows.values()
    assert session.energy_wh == 15000.0


async def test_a_gateway_restart_in_mid_session_resumes_without_a_stop() -> None:
    before = home()
    before.charger()
    async with before.serving(), peer2(before) as charger:
        await charger.event("Started", register=1000, state="Charging", evse=1, tag="CARD")
        await charger.event("Updated", register=1800)
    after = Home(before.clock, before.sessions, before.facts)
    station = after.charger()
    async with after.serving(), peer2(after) as charger:
        await charger.event("Updated", register=2000, power=7000, seq=2)
        assert (station.status().phase, station.status().session_wh) == (ChargePhase.CHARGING, 1000.0)
        await charger.event("Ended", register=3000, seq=3)
        assert not any("Stop" in action for action, _ in charger.calls)
    (session,) = after.sessions.rows.values()
    assert session.energy_wh == 2000.0


async def test_a_transaction_whose_start_was_lost_begins_with_what_is_heard() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Updated", register=50_000, power=7000, state="Charging", seq=7)
        assert station.status().transaction
        await charger.event("Ended", register=51_000, seq=8)
    (session,) = place.sessions.rows.values()
    assert 1000.0 <= session.energy_wh <= 1100.0


async def test_the_end_alone_is_a_session_too() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer2(place) as charger:
        begin = {"timestamp": stamp(place.clock.now() - timedelta(hours=1)),
                 "sampledValue": [{"value": 100, "context": "Transaction.Begin"}]}  # fmt: skip
        end = {"timestamp": stamp(place.clock.now()), "sampledValue": [{"value": 4100, "context": "Transaction.End"}]}
        await charger.event("Ended", seq=9, meterValue=[begin, end])
    (session,) = place.sessions.rows.values()
    assert (session.energy_wh, session.end) == (4000.0, place.clock.now())


async def test_a_charger_that_sends_meter_values_instead_of_updates_is_read() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug()
        await charger.event("Started", register=0, evse=1)
        sampled = [
            {"value": 3, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W", "multiplier": 3}},
            {"value": "1.5", "unitOfMeasure": {"unit": "kWh"}},
        ]
        value = {"timestamp": stamp(place.clock.now()), "sampledValue": sampled}
        await charger.send("MeterValues", evseId=1, meterValue=[value])
        status = station.status()
        assert (status.power_w, status.session_wh, status.phase) == (3000.0, 1500.0, ChargePhase.CHARGING)


async def test_power_given_back_is_negative() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version="2.1") as charger:
        await charger.event("Started", evse=1, state="Charging")
        sampled = [{"value": 5000, "measurand": "Power.Active.Export"},
                   {"value": 900, "measurand": "Energy.Active.Export.Register"}]  # fmt: skip
        await charger.event("Updated", meterValue=[{"timestamp": stamp(place.clock.now()), "sampledValue": sampled}])
        assert station.status().power_w == -5000.0


@pytest.mark.slow
async def test_two_connectors_are_two_devices_and_a_third_is_a_stranger() -> None:
    place = home()
    left, right = place.charger(device_id="left"), place.charger(device_id="right", connector=2)
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        for evse in (1, 2, 3):
            await charger.plug(evse=evse)
            await charger.event("Started", f"T{evse}", register=100 * evse, state="Charging", evse=evse)
        for evse in (1, 2, 3):  # only the first event names the EVSE
            await charger.event("Updated", f"T{evse}", register=100 * evse + 10 * evse, power=1000 * evse)
        assert (left.status().power_w, left.status().session_wh) == (1000.0, 10.0)
        assert (right.status().power_w, right.status().session_wh) == (2000.0, 20.0)
        await right.apply(current(10, place.clock.now() + timedelta(minutes=2), "right"))
        assert charger.limits()[-1]["evseId"] == 2
        assert charger.limits()[-1]["chargingProfile"]["transactionId"] == "T2"
        await charger.event("Ended", "T3", register=999)
        await charger.event("Ended", "T2", register=260)
        assert left.status().transaction and not right.status().transaction
    assert sorted(row.charger for row in place.sessions.rows.values()) == ["left", "right"]


async def test_two_connectors_of_a_16_charger_are_two_devices_and_a_third_is_blocked() -> None:
    place = home()
    left, right = place.charger(device_id="left"), place.charger(device_id="right", connector=2)
    async with place.serving(), peer(place) as charger:
        for number in (1, 2, 3):
            time = stamp(place.clock.now())
            await charger.send(
                "StatusNotification", connectorId=number, errorCode="NoError", status="Charging", timestamp=time
            )
        start = {"idTag": "T", "meterStart": 0, "timestamp": stamp(place.clock.now())}
        ids = [(await charger.send("StartTransaction", connectorId=number, **start)) for number in (1, 2, 3)]
        assert [answer["idTagInfo"]["status"] for answer in ids] == ["Accepted", "Accepted", "Blocked"]
        value = {"timestamp": stamp(place.clock.now()), "sampledValue": [{"value": "700"}]}
        await charger.send("MeterValues", connectorId=2, transactionId=ids[1]["transactionId"], meterValue=[value])
        await charger.send(
            "StopTransaction", transactionId=ids[2]["transactionId"], meterStop=9, timestamp=stamp(place.clock.now())
        )
        assert (left.status().session_wh, right.status().session_wh) == (0.0, 700.0)
        assert left.status().transaction and right.status().transaction
    assert len(place.sessions.rows) == 2


async def test_one_evse_with_two_cables_is_free_when_both_are() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug("Occupied", connector=1)
        await charger.plug("Available", connector=2)
        assert station.status().phase is ChargePhase.PLUGGED
        await charger.plug("Available", connector=1)
        assert station.status().phase is ChargePhase.AVAILABLE
        await charger.plug("Faulted", evse=0, connector=0)
        assert station.status().phase is ChargePhase.AVAILABLE


async def test_available_ends_a_session_whose_end_was_lost_but_not_one_that_waits_for_its_plug() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.plug("Available")
        await charger.event("Started", "early", state="Idle", evse=1, tag="CARD")
        await charger.plug("Available")
        assert station.status().transaction
        await charger.plug("Occupied")
        await charger.event("Updated", "early", state="Charging", register=10)
        await charger.plug("Available")
        assert not station.status().transaction


async def test_events_that_are_all_numbered_alike_are_told_apart_by_their_time() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.event("Started", state="EVConnected", evse=1, register=0, seq=0)
        await place.clock.advance(5)
        await charger.event("Updated", state="Charging", register=10, seq=0)
        assert station.status().phase is ChargePhase.CHARGING
        await place.clock.advance(5)
        await charger.event("Ended", register=20, seq=0)
    (session,) = place.sessions.rows.values()
    assert (session.energy_wh, session.end) == (20.0, place.clock.now())


@pytest.mark.slow
async def test_the_version_may_change_from_one_connection_to_the_next() -> None:
    place = home()
    station = place.charger()
    async with place.serving():
        async with peer(place) as charger:
            await charger.boot()
            assert station.status().version == "1.6"
        await until(lambda: not station.status().connected)
        async with peer2(place, version="2.1") as newer:
            await newer.boot()
            await newer.event("Started", register=0, evse=1)
            await station.apply(current(8, place.clock.now() + timedelta(minutes=2)))
            assert newer.limits()[-1]["chargingProfile"]["transactionId"] == "T-1"
            assert station.status().version == "2.1"


async def test_readings_of_a_2x_charger_carry_our_signs_and_units() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        reading = asyncio.create_task(station.read())
        sampled = [
            {"value": 7.36, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}},
            {"value": 10.5, "measurand": "Current.Import", "phase": "L1-N", "unitOfMeasure": {"unit": "A"}},
            {"value": 16, "measurand": "Current.Offered"},
            {"value": 231, "measurand": "Voltage", "phase": "L1"},
            {"value": 81, "measurand": "SoC", "location": "EV"},
        ]
        await charger.send("MeterValues", evseId=1, meterValue=[
            {"timestamp": stamp(place.clock.now()), "sampledValue": sampled}])  # fmt: skip
        values = {reading.quantity: reading.value for reading in await asyncio.wait_for(reading, 5)}
        assert values == {
            Quantity.POWER: 7360.0, Quantity.CURRENT_L1: 10.5, Quantity.CURRENT_OFFERED: 16.0,
            Quantity.VOLTAGE_L1: 231.0, Quantity.SOC: 81.0,
        }  # fmt: skip
