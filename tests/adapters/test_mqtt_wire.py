"""MQTT devices through a real mosquitto, with paho as the peer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from adapters.mqtt.broker import Broker
from adapters.mqtt.device import MqttDevice
from adapters.mqtt.mailbox import MAX_PAYLOAD, Mailbox, Message
from adapters.mqtt.profile import load_profile
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "mqtt"
TOPICS = count(1)
CLOCK = SystemClock()


@contextmanager
def a_peer(port: int) -> Iterator[paho.Client]:
    peer = paho.Client(CallbackAPIVersion.VERSION2)
    peer.connect("127.0.0.1", port)
    peer.loop_start()
    try:
        yield peer
    finally:
        peer.disconnect()
        peer.loop_stop()


@asynccontextmanager
async def a_device(
    port: int, profile: str, topic: str = "", *, clock: SystemClock = CLOCK, **settings: Any
) -> AsyncIterator[tuple[MqttDevice, str, Broker]]:
    topic = topic or f"dev{next(TOPICS)}"
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=port), clock)
    config = MqttDeviceSettings(profile=profile, topic=topic, **settings)
    device = MqttDevice(
        Device("dev", "Device", Role.WATER_HEATER), config, load_profile(profile, PROFILES), broker, clock
    )
    task = asyncio.create_task(broker.run())
    try:
        await until(lambda: bool(broker._subscribed))
        yield device, topic, broker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(ready: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.005)


async def read(device: MqttDevice) -> dict[Quantity, Reading]:
    async with asyncio.timeout(3):
        return {reading.quantity: reading for reading in await device.read()}


def wish(kind: SetpointKind, value: float, seconds: float = 120) -> Setpoint:
    return Setpoint("dev", kind, value, CLOCK.now() + timedelta(seconds=seconds), Authority.PLAN, "test")


SWITCH_STATUS = {
    "id": 0,
    "output": True,
    "apower": 1998.5,
    "voltage": 230.1,
    "current": 8.7,
    "aenergy": {"total": 1234.5},
}


async def test_a_shelly_tells_its_power_counter_and_relay(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
            peer.publish(f"{topic}/status/switch:0", json.dumps(SWITCH_STATUS))
            readings = await read(device)
            assert readings[Quantity.POWER].value == 1998.5
            assert readings[Quantity.ENERGY_IMPORT].value == 1234.5
            assert readings[Quantity.ON].value == 1
            assert readings[Quantity.POWER].quality is Quality.VALID


async def test_a_partial_status_changes_only_what_it_names(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
            event = {
                "src": topic,
                "method": "NotifyStatus",
                "params": {"ts": 1.0, "switch:0": {"id": 0, "output": False}},
            }
            peer.publish(f"{topic}/events/rpc", json.dumps(event))
            assert {q: r.value for q, r in (await read(device)).items()} == {Quantity.ON: 0}


async def test_a_retained_value_is_suspect_until_a_live_one_comes(mosquitto: Mosquitto) -> None:
    topic = f"dev{next(TOPICS)}"
    with a_peer(mosquitto.port) as peer:
        peer.publish(f"{topic}/status/switch:0", json.dumps(SWITCH_STATUS), qos=1, retain=True).wait_for_publish(2)
        async with a_device(mosquitto.port, "shelly_gen2_switch", topic) as (device, _, _broker):
            first = (await read(device))[Quantity.POWER]
            assert (first.quality, first.reason) == (Quality.SUSPECT, "retained, not yet live")
            peer.publish(f"{topic}/status/switch:0", json.dumps(SWITCH_STATUS))
            assert (await read(device))[Quantity.POWER].quality is Quality.VALID


async def test_bad_payloads_are_counted_and_hurt_nobody(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
            for bad in (b"", b"{", b"\xff\xfe", b"[" * 5000):
                before = device.bad_payloads
                peer.publish(f"{topic}/status/switch:0", bad)
                reading = asyncio.create_task(device.read())
                await until(lambda before=before: device.bad_payloads > before)  # type: ignore[misc]
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            peer.publish(f"{topic}/status/switch:0", json.dumps(SWITCH_STATUS))
            assert (await read(device))[Quantity.POWER].value == 1998.5


async def test_null_and_nonsense_are_missing_never_zero(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
            peer.publish(f"{topic}/status/switch:0", json.dumps({"apower": None, "voltage": "nan", "current": 1e9}))
            for reading in (await read(device)).values():
                assert (reading.value, reading.quality) == (None, Quality.MISSING)
                assert reading.reason


async def test_zigbee2mqtt_energy_becomes_wh_and_the_running_state_a_number(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "zigbee2mqtt_thermostat") as (device, topic, _):
            state = {"local_temperature": 20.5, "occupied_heating_setpoint": 21, "power": 900, "energy": 1.92,
                     "running_state": "heat"}  # fmt: skip
            peer.publish(topic, json.dumps(state))
            values = {q: r.value for q, r in (await read(device)).items()}
            assert values == {
                Quantity.TEMPERATURE: 20.5, Quantity.TARGET_TEMPERATURE: 21, Quantity.POWER: 900,
                Quantity.ENERGY_IMPORT: 1920, Quantity.ON: 1,
            }  # fmt: skip


async def test_a_two_channel_tasmota_is_added_up(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "tasmota_energy") as (device, topic, _):
            energy = {"Total": [2.813, 0.254], "Power": [52, 5], "Voltage": 235, "Current": [0.278, 0.044]}
            peer.publish(f"tele/{topic}/SENSOR", json.dumps({"Time": "2026-09-18T11:19:21", "ENERGY": energy}))
            readings = await read(device)
            assert readings[Quantity.POWER].value == 57
            assert readings[Quantity.ENERGY_IMPORT].value == pytest.approx(3067)


@contextmanager
def a_shelly(port: int, topic: str, *, refuses: bool = False, mute: bool = False) -> Iterator[list[dict[str, Any]]]:
    """A relay that obeys Switch.Set: answers on <src>/rpc and notifies a change."""
    heard: list[dict[str, Any]] = []

    def obey(client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        request = json.loads(message.payload)
        heard.append({**request, "retain": message.retain})
        if mute:
            return
        outcome = {"error": {"code": -103, "message": "no"}} if refuses else {"result": {"was_on": False}}
        client.publish(f"{request['src']}/rpc", json.dumps({"id": request["id"], "src": topic, **outcome}))
        if not refuses:
            client.publish(f"{topic}/status/switch:0", json.dumps({"id": 0, "output": request["params"]["on"]}))

    with a_peer(port) as peer:
        peer.on_message = obey
        ready: list[int] = []
        peer.on_subscribe = lambda *_: ready.append(1)
        peer.subscribe(f"{topic}/rpc", qos=1)
        while not ready:
            pass
        yield heard


async def test_a_switch_is_set_with_its_dead_man_and_returns_once_confirmed(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
        with a_shelly(mosquitto.port, topic) as heard:
            await device.apply(wish(SetpointKind.SWITCH, 1, seconds=120))
            (request,) = heard
            assert request["method"] == "Switch.Set"
            assert request["params"] == {"id": 0, "on": True, "toggle_after": 120}
            assert request["retain"] == 0
            assert (await read(device))[Quantity.ON].value == 1


async def test_an_unchanged_wish_is_sent_again_only_for_the_dead_man(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
        with a_shelly(mosquitto.port, topic) as heard:
            await device.apply(wish(SetpointKind.SWITCH, 1, seconds=120))
            await read(device)
            await device.apply(wish(SetpointKind.SWITCH, 1, seconds=120))
            assert len(heard) == 1
            await device.apply(wish(SetpointKind.SWITCH, 1, seconds=900))
            assert len(heard) == 1
            await device.apply(wish(SetpointKind.SWITCH, 1, seconds=30))
            assert heard[-1]["params"]["toggle_after"] == 30


@pytest.mark.slow
async def test_a_silent_device_refuses_in_time(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "shelly_gen2_switch", clock=SystemClock(speed=100)) as (device, topic, _):
        with a_shelly(mosquitto.port, topic, mute=True), pytest.raises(CommandRefused, match="did not confirm"):
            await device.apply(Setpoint("dev", SetpointKind.SWITCH, 1, CLOCK.now() + timedelta(days=1),
                                        Authority.PLAN, "test"))  # fmt: skip


async def test_a_device_that_answers_with_an_error_refuses(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, _):
        with a_shelly(mosquitto.port, topic, refuses=True), pytest.raises(CommandRefused, match="-103"):
            await device.apply(wish(SetpointKind.SWITCH, 1))


async def test_a_thermostat_takes_its_target(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "zigbee2mqtt_thermostat") as (device, topic, _):
        with a_peer(mosquitto.port) as peer:
            ready: list[int] = []
            peer.on_subscribe = lambda *_: ready.append(1)
            peer.on_message = lambda client, _d, m: (client.publish(topic, m.payload), None)[1]
            peer.subscribe(f"{topic}/set")
            await until(lambda: bool(ready))
            await device.apply(wish(SetpointKind.TEMPERATURE, 20.5))
            assert (await read(device))[Quantity.TARGET_TEMPERATURE].value == 20.5


async def test_a_last_will_makes_the_device_unreachable(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "zigbee2mqtt_thermostat") as (device, topic, _):
            peer.publish(f"{topic}/availability", json.dumps({"state": "offline"}))
            with pytest.raises(DeviceUnreachable, match="offline"):
                await read(device)
            peer.publish(topic, json.dumps({"local_temperature": 20}))
            assert (await read(device))[Quantity.TEMPERATURE].value == 20


@pytest.mark.slow
async def test_silence_is_unreachable_after_its_time(mosquitto: Mosquitto) -> None:
    clock = SystemClock(speed=1000)
    async with a_device(mosquitto.port, "zigbee2mqtt_thermostat", clock=clock) as (device, _, _broker):
        with pytest.raises(DeviceUnreachable, match="nothing was heard"):
            await read(device)


@pytest.mark.slow
async def test_a_broker_that_restarts_is_found_again(make_mosquitto: Callable[[], Mosquitto]) -> None:
    server = make_mosquitto()
    async with a_device(server.port, "zigbee2mqtt_thermostat") as (device, topic, broker):
        server.stop()
        await until(lambda: not broker.connected)
        with pytest.raises(DeviceUnreachable, match="not connected"):
            await device.apply(wish(SetpointKind.TEMPERATURE, 21))
        server.start()
        await until(lambda: broker.connected and bool(broker._subscribed))
        with a_peer(server.port) as peer:
            peer.publish(topic, json.dumps({"local_temperature": 19}))
            assert (await read(device))[Quantity.TEMPERATURE].value == 19


def test_a_mailbox_keeps_the_latest_and_counts_what_it_drops() -> None:
    box = Mailbox(partial=["events"])
    for number in range(100):
        box.put(Message("status", str(number).encode(), False))
        box.put(Message("events", str(number).encode(), False))
    box.put(Message("status", b"x" * (MAX_PAYLOAD + 1), False))
    messages = box.take()
    assert [m.payload for m in messages if m.topic == "status"] == [b"99"]
    assert len([m for m in messages if m.topic == "events"]) == 64
    assert box.dropped == 36 + 1


# ---- further profiles, end to end


async def test_a_three_phase_shelly_is_asked_for_all_and_then_tells_what_changed(mosquitto: Mosquitto) -> None:
    topic = f"shellypro3em-{next(TOPICS)}"
    status = {"em:0": {"id": 0, "total_act_power": 2000.7, "a_act_power": 1200.5, "n_current": None},
              "emdata:0": {"id": 0, "total_act": 145200.0, "total_act_ret": 12.5}}  # fmt: skip
    asked: list[dict[str, Any]] = []

    def answer(client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        asked.append(json.loads(message.payload))
        client.publish(f"{asked[-1]['src']}/rpc", json.dumps({"id": asked[-1]["id"], "src": topic, "result": status}))

    with a_peer(mosquitto.port) as peer:
        ready: list[int] = []
        peer.on_subscribe, peer.on_message = lambda *_: ready.append(1), answer
        peer.subscribe(f"{topic}/rpc", qos=1)
        await until(lambda: bool(ready))
        async with a_device(mosquitto.port, "shelly_gen2_3em", topic) as (device, _, _broker):
            known = {q.value: r.value for q, r in (await read(device)).items()}
            assert asked[0]["method"] == "Shelly.GetStatus"
            assert known == {"power_w": 2000.7, "power_l1_w": 1200.5, "energy_import_wh": 145200.0,
                             "energy_export_wh": 12.5}  # fmt: skip
            event = {"src": topic, "method": "NotifyStatus", "params": {"ts": 1.0, "em:0": {"a_act_power": 900}}}
            peer.publish(f"{topic}/events/rpc", json.dumps(event))
            assert {q.value: r.value for q, r in (await read(device)).items()} == {"power_l1_w": 900}


async def test_a_p1_reader_tells_one_power_out_of_two_topics(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "p1_esp8266") as (device, topic, _):
            for field, value in (("actual_consumption", "0"), ("actual_returndelivery", "1250")):
                peer.publish(f"{topic}/{field}", value, qos=1)
            assert (await read(device))[Quantity.POWER].value == -1250


@pytest.mark.parametrize(("profile", "said"), [("zigbee2mqtt_plug", '{"state": "ON"}'), ("esphome_plug", "ON"),
                                               ("shelly_gen1_plug", "on")])  # fmt: skip
async def test_a_plug_is_switched_by_its_own_words(mosquitto: Mosquitto, profile: str, said: str) -> None:
    places = {"zigbee2mqtt_plug": ("set", ""), "esphome_plug": ("switch/relay/command", "/switch/relay/state"),
              "shelly_gen1_plug": ("relay/0/command", "/relay/0")}  # fmt: skip
    command, state = places[profile]
    async with a_device(mosquitto.port, profile) as (device, topic, _):
        with a_peer(mosquitto.port) as peer:
            ready: list[int] = []
            heard: list[str] = []

            def obey(client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
                heard.append(message.payload.decode())
                client.publish(f"{topic}{state}", message.payload)

            peer.on_subscribe, peer.on_message = lambda *_: ready.append(1), obey
            peer.subscribe(f"{topic}/{command}", qos=1)
            await until(lambda: bool(ready))
            await device.apply(wish(SetpointKind.SWITCH, 1))
            assert heard == [said]
            assert (await read(device))[Quantity.ON].value == 1


async def test_a_message_delivered_twice_is_one_reading_more_and_no_harm(mosquitto: Mosquitto) -> None:
    with a_peer(mosquitto.port) as peer:
        async with a_device(mosquitto.port, "zigbee2mqtt_plug") as (device, topic, broker):
            for _ in range(50):
                peer.publish(topic, json.dumps({"power": 7, "energy": 1.5}), qos=1)
            assert (await read(device))[Quantity.ENERGY_IMPORT].value == 1500
            assert (broker.dropped, device.bad_payloads) == (0, 0)
