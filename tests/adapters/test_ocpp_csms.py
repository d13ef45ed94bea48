"""A real WebSocket charge point meets the CSMS: who gets in, what becomes of sessions, and nothing ends them."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.snapshot import ChargePhase
from tests.adapters.ocpp_fakes import Home, current, home, peer, stamp, until

ENERGY = "Energy.Active.Import.Register"


async def test_a_session_from_boot_to_stop_is_booked_with_its_energy() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        assert (await charger.boot())["status"] == "Accepted"
        await charger.status("Preparing")
        transaction = await charger.start(meter=1000)
        await charger.status("Charging")
        await charger.meter(
            {"value": "1.5", "unit": "kWh", "measurand": ENERGY},
            {"value": " 4 140 ", "unit": "W", "measurand": "Power.Active.Import"},
            {"value": "6.0", "unit": "A", "measurand": "Current.Import", "phase": "L1-N"},
            transaction=transaction,
        )
        status = station.status()
        assert (status.phase, status.power_w, status.session_wh) == (ChargePhase.CHARGING, 4140.0, 500.0)
        await charger.stop(transaction, 2500)
    session = place.sessions.rows[transaction]
    assert (session.energy_wh, session.end) == (1500.0, place.clock.now())
    assert [what for _, what in place.changes][:3] == ["connected", "plugged", "session"]


async def test_read_returns_what_the_charger_measured() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        reading = asyncio.create_task(station.read())
        await charger.meter({"value": "2000"}, {"value": "7.36", "unit": "kW", "measurand": "Power.Active.Import"})
        values = {reading.quantity: reading.value for reading in await asyncio.wait_for(reading, 5)}
        assert values == {Quantity.ENERGY_IMPORT: 2000.0, Quantity.POWER: 7360.0}


async def test_reading_an_absent_charger_is_unreachable_and_a_resting_one_draws_nothing() -> None:
    place = home()
    station = place.charger()
    absent = asyncio.create_task(station.read())
    await place.clock.advance(10)
    with pytest.raises(DeviceUnreachable):
        await absent
    with pytest.raises(DeviceUnreachable):
        await station.apply(current(10, place.clock.now()))
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.status("Available")
        readings = await asyncio.wait_for(station.read(), 5)
        assert {reading.value for reading in readings} == {0.0}


async def test_a_repeated_start_gets_the_same_transaction() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:
        first = await charger.start(meter=5)
        assert await charger.start(meter=5) == first
    async with place.serving(), peer(place) as charger:
        assert await charger.start(meter=5) == first
    assert len(place.sessions.rows) == 1


async def test_a_gateway_restart_in_mid_session_resumes_without_a_stop() -> None:
    before = home()
    before.charger()
    async with before.serving(), peer(before) as charger:
        await charger.boot()
        transaction = await charger.start(meter=1000)
        await charger.meter({"value": "1800"}, transaction=transaction)
    after = Home(before.clock, before.sessions, before.facts)
    station = after.charger()
    async with after.serving(), peer(after) as charger:
        await until(lambda: station.status().transaction == str(transaction))
        power = {"value": "7000", "unit": "W", "measurand": "Power.Active.Import"}
        await charger.meter({"value": "2000"}, power, transaction=transaction)
        assert (station.status().phase, station.status().session_wh) == (ChargePhase.CHARGING, 1000.0)
        end = after.clock.now() + timedelta(minutes=2)
        await station.apply(current(10, end))
        assert charger.limits()[-1]["transactionId"] == transaction
        assert not any(action == "RemoteStopTransaction" for action, _ in charger.calls)
        await charger.stop(transaction, 3000)
    assert after.sessions.rows[transaction].energy_wh == 2000.0


@pytest.mark.parametrize("garbage", [-1, 0, 2**63 - 1, 777])
async def test_a_garbage_transaction_id_means_the_open_session(garbage: int) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        transaction = await charger.start(meter=0)
        await charger.meter({"value": "700"}, transaction=garbage)
        assert station.status().session_wh == 700.0
        await charger.stop(garbage, 900)
    assert place.sessions.rows[transaction].energy_wh == 900.0


async def test_available_closes_an_orphan_and_its_late_stop_corrects_it() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        transaction = await charger.start(meter=0)
        await charger.meter({"value": "500"}, transaction=transaction)
        await charger.status("Available")
        assert station.status().transaction == ""
        await charger.stop(transaction, 800)
    session = place.sessions.rows[transaction]
    assert (session.energy_wh, session.stop_reason) == (800.0, "Local")


async def test_replayed_samples_never_overwrite_live_ones() -> None:
    place = home()
    station = place.charger()
    power = {"measurand": "Power.Active.Import", "unit": "W"}
    async with place.serving(), peer(place) as charger:
        transaction = await charger.start(meter=0)
        await charger.meter({"value": "7000", **power}, transaction=transaction)
        old = place.clock.now() - timedelta(hours=2)
        await charger.meter({"value": "100", **power}, {"value": "20"}, transaction=transaction, time=old)
        assert station.status().power_w == 7000.0
        assert station.status().session_wh == 20.0


async def test_history_replayed_after_a_restart_is_not_taken_for_the_present() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        for hours in (3, 2, 1):
            old = place.clock.now() - timedelta(hours=hours)
            await charger.meter({"value": "7000", "measurand": "Power.Active.Import", "unit": "W"}, time=old)
        assert station.status().power_w is None


async def test_a_charger_whose_clock_is_a_little_slow_is_seen_at_once_when_it_starts_to_draw() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.status("Preparing")
        transaction = await charger.start()
        slow = place.clock.now() - timedelta(seconds=40)
        power = {"value": "7000", "measurand": "Power.Active.Import", "unit": "W"}
        await charger.meter(power, transaction=transaction, time=slow)
        assert station.status().power_w == 7000.0


async def test_a_stale_value_is_unknown_not_zero() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.meter({"value": "7000", "measurand": "Power.Active.Import", "unit": "W"})
        await place.clock.advance(31)
        assert station.status().power_w is None
        assert station.status().meter_age_s == 31.0


async def test_the_newest_connection_wins_and_the_old_cleanup_kills_nothing() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as old:
        await old.boot()
        async with peer(place) as new:
            await new.boot()
            await asyncio.wait_for(old.reader, 5)
            await place.clock.settle()
            assert station.status().connected
            assert await new.send("Heartbeat")
        await until(lambda: not station.status().connected)
    assert [what for _, what in place.changes] == ["connected", "disconnected"]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic !"}, {"Authorization": "Bearer x"}])
async def test_a_wrong_password_is_refused(header: dict[str, str]) -> None:
    place = home()
    place.charger(password="correct horse")
    async with place.serving():
        with pytest.raises(InvalidStatus, match="401"):
            async with peer(place, additional_headers=header):
                pass


async def test_the_right_password_gets_in() -> None:
    place = home()
    place.charger(password="correct horse")
    header = {"Authorization": "Basic " + base64.b64encode(b"CP1:correct horse").decode()}
    async with place.serving(), peer(place, additional_headers=header) as charger:
        assert (await charger.boot())["status"] == "Accepted"


async def test_an_unknown_charger_waits_and_nothing_of_it_is_acknowledged() -> None:
    place = home()
    async with place.serving(), peer(place, "New%20One") as charger:
        assert (await charger.boot())["status"] == "Pending"
        start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": stamp(place.clock.now())}
        assert (await charger.frame("StartTransaction", start))[:3][2] == "SecurityError"
        waiting = place.csms.waiting()[0]
        assert (waiting.id, waiting.vendor, waiting.connected) == ("New One", "Acme", True)
    assert not place.sessions.rows


async def test_unknown_chargers_never_take_the_place_of_a_configured_one() -> None:
    place = home(max_connections=2)
    place.charger()
    async with place.serving(), peer(place, "X1"):
        with pytest.raises(InvalidStatus, match="503"):
            async with peer(place, "X2"):
                pass
        async with peer(place) as charger:
            assert (await charger.boot())["status"] == "Accepted"


async def test_another_subprotocol_is_refused_in_words() -> None:
    place = home()
    place.charger()
    async with place.serving():
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{place.csms.port}/ocpp/CP1", subprotocols=["ocpp1.5"])  # type: ignore[list-item]
        assert b"ocpp1.6" in (refused.value.response.body or b"")


async def test_a_taken_port_is_named_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    blocker = socket.create_server(("127.0.0.1", 0))
    place = home(port=blocker.getsockname()[1])
    task = asyncio.create_task(place.csms.run())
    await until(lambda: "cannot listen" in caplog.text)
    blocker.close()
    await place.clock.advance(5)
    await asyncio.wait_for(place.csms.serving.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Dance", {}, "NotImplemented"),
        ("Reset", {"type": "Soft"}, "NotSupported"),
        ("MeterValues", {"connectorId": "one", "meterValue": []}, "TypeConstraintViolation"),
        ("MeterValues", {"connectorId": 1}, "OccurenceConstraintViolation"),
        ("MeterValues", [], "FormationViolation"),
        (["Heartbeat"], {}, "FormationViolation"),
        ("StartTransaction", {"connectorId": 10**30, "idTag": "", "meterStart": 0, "timestamp": ""},
         "PropertyConstraintViolation"),
    ],
)  # fmt: skip
async def test_a_wrong_call_is_answered_with_its_error(action: Any, payload: Any, code: str) -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:
        assert (await charger.frame(action, payload))[:1] + (await charger.frame(action, payload))[2:3] == [4, code]


async def test_odd_but_readable_messages_are_tolerated_and_counted() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        assert (await charger.boot(iccid="9" * 60, surprise="x"))["status"] == "Accepted"
        value = {"timestamp": "yesterday", "sampledValue": [{"value": 12, "measurand": "Mood", "context": None}]}
        await charger.send("MeterValues", connectorId=1, meterValue=[value])
        assert station.frames.violations["schema tolerated"] == 2


@pytest.mark.slow
async def test_thousands_of_mutated_frames_end_no_session() -> None:
    place = home()
    station = place.charger()
    randomly = random.Random(7)
    seeds = [
        json.dumps([2, "a", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]),
        json.dumps([2, "b", "MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": [
            {"timestamp": "2026-11-21T16:30:00Z", "sampledValue": [{"value": "1.0", "unit": "Wh"}]}]}]),
        json.dumps([2, "c", "StopTransaction", {"transactionId": 9, "meterStop": 5, "timestamp": "x"}]),
        json.dumps([3, "x-1", {"status": "Accepted"}]),
        json.dumps([4, "x-1", "GenericError", "", {}]),
    ]  # fmt: skip
    specials = [
        "[" * 100_000, "[2,\"i\",\"Heartbeat\"," + '{"a":' * 5000 + "1" + "}" * 5000 + "]", "[]", "null", "{}", "[2]",
        '[2,"\\ud800","Heartbeat",{}]', '[2,{},"Heartbeat",{}]', '[2,"i",["x"],{}]', '[1e400,"i"]', '[2,null,null,null]',
        '[2,"i","MeterValues",{"connectorId":1e400,"meterValue":[]}]', '[2,"i","../../x",{}]', "[NaN,NaN]", "9" * 5000,
        '[2,"i","StatusNotification",{"connectorId":1,"errorCode":"\\ud800","status":"\\u0000"}]', '[4,"i",[[]],{},[]]',
        '[2,"i","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"0001-01-01T00:00:00+23:59","sampledValue":[]}]}]',
    ]  # fmt: skip
    async with place.serving(), peer(place) as charger:
        transaction = await charger.start(meter=0)
        for index in range(3000):
            text = specials[index % len(specials)] if index % 10 == 0 else _mutated(randomly.choice(seeds), randomly)
            await charger.socket.send(text)
        await charger.socket.send(b"\xff binary")
        assert await charger.send("Heartbeat")
        assert station.status().transaction in ("", str(transaction))
        assert sum(station.frames.violations.values()) > 1000
    assert [what for _, what in place.changes].count("connected") == 1


def _mutated(text: str, randomly: random.Random) -> str:
    characters = list(text)
    for _ in range(randomly.randint(1, 4)):
        place = randomly.randrange(len(characters))
        match randomly.randrange(3):
            case 0:
                characters[place] = chr(randomly.choice([0, 34, 44, 48, 91, 93, 123, 125, 0x2028, 0x1F600]))
            case 1:
                del characters[place : place + randomly.randint(1, 9)]
                characters = characters or ["x"]
            case _:
                characters.insert(place, randomly.choice(["null", "[", "{", '"', "-1", "1e999", "true"]))
    return "".join(characters)


async def test_a_hung_charger_delays_no_other() -> None:
    place = home()
    stuck, free = place.charger("HUNG"), place.charger("FREE")
    async with place.serving(), peer(place, "HUNG") as hung, peer(place, "FREE") as charger:
        hung.rules["SetChargingProfile"] = lambda _: None
        for one in (hung, charger):
            await one.start()
        end = place.clock.now() + timedelta(minutes=2)
        waiting = asyncio.create_task(stuck.apply(current(10, end, "hung")))
        await asyncio.wait_for(free.apply(current(10, end, "free")), 2)
        assert free.status().accepted_limit_a == 10.0
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_tags_and_keys_do_not_show_in_the_frame_log() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start(tag="SECRETTAG")
        await charger.socket.send('[2,"k","ChangeConfiguration",{"key":"AuthorizationKey","value":"KEY\\"sesame42"}')
        await charger.send("Heartbeat")
    text = " ".join(frame.text for frame in station.frames.frames())
    assert "StartTransaction" in text
    assert "SECRETTAG" not in text
    assert "sesame42" not in text


@pytest.mark.slow
async def test_a_dead_line_is_noticed_within_two_pings_and_a_living_one_answers_the_chargers_own() -> None:
    place = home(ping_interval_s=1)
    station = place.charger()
    async with place.serving(), peer(place, ping_interval=None) as charger:
        transaction = await charger.start()
        await asyncio.wait_for(await charger.socket.ping(), 2)
        begun = asyncio.get_running_loop().time()
        charger.socket.transport.pause_reading()  # the cable is out: pings reach nobody
        async with asyncio.timeout(12):
            while station.status().connected:
                await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - begun <= 6  # two pings of 1 s, and 2 s to take leave in vain
        assert station.status().transaction == str(transaction)
