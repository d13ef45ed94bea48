"""The relay and the thermostat: pure behaviour by table, and both through a real mosquitto and a real hub."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from datetime import UTC, datetime, timedelta

import aiomqtt
import pytest

from firmware_sim import relay, thermostat
from firmware_sim.hub import HubServer
from firmware_sim.relay import Measured, Relay, RpcError
from firmware_sim.thermostat import Thermostat

NOW = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)
STATE = {
    "voltage_v": [230.0, 231.0, 229.0],
    "tank_w": 2300.0,
    "tank_energy_wh": 12_345.0,
    "tank_c": 51.26,
    "room_c": 20.4,
    "outdoor_c": 4.5,
    "hp_w": 900.0,
    "hp_energy_wh": 5500.0,
}
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def test_toggle_after_turns_the_relay_back_by_itself():
    switch = Relay("tank")
    assert switch.call("Switch.Set", {"id": 0, "on": True, "toggle_after": 60}, NOW) == {"was_on": False}
    assert not switch.tick(NOW + timedelta(seconds=59))
    assert switch.on
    assert switch.tick(NOW + timedelta(seconds=60))
    assert not switch.on
    assert not switch.tick(NOW + timedelta(seconds=600))


def test_a_new_set_without_toggle_after_ends_the_timer():
    switch = Relay("tank")
    switch.call("Switch.Set", {"id": 0, "on": True, "toggle_after": 60}, NOW)
    switch.call("Switch.Set", {"id": 0, "on": True}, NOW)
    assert not switch.tick(NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("Switch.Explode", {}),
        ("Switch.Set", {"id": 0}),
        ("Switch.Set", {"id": 1, "on": True}),
        ("Switch.Set", {"id": 0, "on": "yes"}),
        ("Switch.Set", {"id": 0, "on": True, "toggle_after": "soon"}),
    ],
)
def test_a_bad_call_is_refused_and_changes_nothing(method, params):
    switch = Relay("tank")
    with pytest.raises(RpcError):
        switch.call(method, params, NOW)
    assert not switch.on


def test_the_switch_reports_watts_amperes_and_watt_hours():
    status = Relay("tank", measured=Measured(2300.0, 230.0, 12_345.0, 51.0)).status()
    switch = status["switch:0"]
    assert (switch["apower"], switch["current"], switch["aenergy"]["total"]) == (2300.0, 10.0, 12_345.0)
    assert status["temperature:100"] == {"id": 100, "tC": 51.0, "tF": 123.8}


@pytest.mark.parametrize(
    ("wanted", "target_c"),
    [(21, 21.0), (20.7, 20.5), (3, 20.0), (99, 20.0), ("warm", 20.0), (None, 20.0), (True, 20.0)],
)
def test_a_setpoint_is_taken_in_half_degrees_within_its_range(wanted, target_c):
    head = Thermostat(20.0)
    head.accept({"occupied_heating_setpoint": wanted})
    assert head.target_c == target_c


def test_the_thermostat_reports_kilowatt_hours():
    zone = Thermostat(20.0, STATE).zone()
    assert (zone["power"], zone["energy"], zone["running_state"]) == (900.0, 5.5, "heat")


class Broker:
    """A private mosquitto on a free port, to be stopped and started."""

    def __init__(self, folder) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._file = folder / "mosquitto.conf"
        self._file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._process = None

    async def start(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(self._file), stdout=quiet, stderr=quiet
        )
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._process.terminate()
        await self._process.wait()


@contextlib.asynccontextmanager
async def home(tmp_path, module, *options):
    """A broker, a hub that shows STATE, and one firmware; `sets` collects what the house is told."""
    broker, sets = Broker(tmp_path), asyncio.Queue()
    hub = HubServer(lambda device, message: sets.put_nowait((device, message["set"])), lambda device: None)
    port = await hub.start(0)
    hub.broadcast(STATE)
    await broker.start()
    common = ["--hub", str(port), "--broker-port", str(broker.port), "--speed", "50"]
    task = asyncio.create_task(module.serve(module.parser().parse_args([*common, *options])))
    try:
        async with asyncio.timeout(20):
            yield broker, sets
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.stop()
        await hub.close()


@contextlib.asynccontextmanager
async def listening(broker, *topics):
    """A client and an `until(topic, test)` that waits for a message that fits."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for topic in topics:
            await client.subscribe(topic)

        async def until(topic, test=lambda body: True):
            async for message in client.messages:
                body = json.loads(message.payload)
                if message.topic.matches(topic) and test(body):
                    return message, body
            raise AssertionError("the broker ended the line")

        yield client, until


needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@needs_mosquitto
@pytest.mark.slow
async def test_the_relay_switches_answers_and_falls_back(tmp_path):
    async with home(tmp_path, relay, "--prefix", "tank") as (broker, sets):
        async with listening(broker, "tank/#", "me/rpc") as (client, until):
            assert (await until("tank/online"))[1] is True
            _, status = await until("tank/status/switch:0", lambda body: body["apower"] > 0)  # the house has spoken
            assert (status["apower"], status["output"]) == (2300.0, False)
            assert (await until("tank/status/temperature:100"))[1]["tC"] == 51.3
            request = {"id": 7, "src": "me", "method": "Switch.Set",
                       "params": {"id": 0, "on": True, "toggle_after": 30}}  # fmt: skip
            await client.publish("tank/rpc", json.dumps(request))
            _, reply = await until("me/rpc")
            assert (reply["id"], reply["src"], reply["result"]) == (7, "tank", {"was_on": False})
            _, event = await until("tank/events/rpc", lambda body: "output" in body["params"]["switch:0"])
            assert event["method"] == "NotifyStatus"
            assert event["params"]["switch:0"]["output"] is True
            _, event = await until("tank/events/rpc", lambda body: "output" in body["params"]["switch:0"])
            assert event["params"]["switch:0"] == {"id": 0, "source": "timer", "output": False}
            await client.publish("tank/rpc", json.dumps({"id": 8, "src": "me", "method": "No.Such"}))
            assert (await until("me/rpc"))[1]["error"]["code"] == 404
        told = [sets.get_nowait() for _ in range(sets.qsize())]
        assert [values["relay_on"] for _, values in told] == [False, True, False]


@needs_mosquitto
@pytest.mark.slow
async def test_the_thermostat_and_the_outdoor_sensor_speak_zigbee2mqtt(tmp_path):
    async with home(tmp_path, thermostat) as (broker, sets):
        async with listening(broker, "zigbee2mqtt/#") as (client, until):
            for name in ("living-room", "outdoor"):
                _, body = await until(f"zigbee2mqtt/{name}/availability")
                assert body == {"state": "online"}
            _, zone = await until("zigbee2mqtt/living-room")
            assert (zone["local_temperature"], zone["occupied_heating_setpoint"]) == (20.4, 20.0)
            await client.publish("zigbee2mqtt/living-room/set", json.dumps({"occupied_heating_setpoint": 18.5}))
            await until("zigbee2mqtt/living-room", lambda body: body["occupied_heating_setpoint"] == 18.5)
            assert (await until("zigbee2mqtt/outdoor"))[1]["temperature"] == 4.5
        told = [sets.get_nowait() for _ in range(sets.qsize())]
        assert told == [("heat", {"hp_target_c": 20.0}), ("heat", {"hp_target_c": 18.5})]


@needs_mosquitto
@pytest.mark.slow
async def test_the_relay_comes_back_after_the_broker_restarted(tmp_path):
    async with home(tmp_path, relay, "--prefix", "tank") as (broker, _):
        async with listening(broker, "tank/#") as (_, until):
            await until("tank/status/switch:0")
        async with listening(broker, "tank/online") as (_, until):
            assert (await until("tank/online"))[0].retain
        await broker.stop()
        await broker.start()
        async with listening(broker, "tank/#") as (_, until):
            assert (await until("tank/online", lambda body: body is True))[1] is True
            await until("tank/status/switch:0")
