"""The broker's own duties: queues that overflow visibly, commands that are not kept, quick ways back, silence in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import paho.mqtt.client as paho
import pytest

from adapters.mqtt.broker import FIRST_RECONNECT_S, Broker, is_near
from adapters.mqtt.mailbox import MAX_PARTIAL, MAX_PAYLOAD, MAX_TOPICS, Mailbox, Message
from adapters.mqtt.settings import MqttSettings
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto, free_port
from tests.adapters.test_mqtt_wire import CLOCK, TOPICS, a_device, a_peer, read, until, wish


async def test_what_overflows_is_counted_at_the_device_and_at_the_broker_and_told(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "shelly_gen2_switch") as (device, topic, broker):
        with a_peer(mosquitto.port) as peer:
            for number in range(MAX_PARTIAL + 40):
                change = {"method": "NotifyStatus", "params": {"switch:0": {"apower": number}}}
                peer.publish(f"{topic}/events/rpc", json.dumps(change), qos=1)
            peer.publish(f"{topic}/status/switch:0", b"x" * (MAX_PAYLOAD + 1), qos=1).wait_for_publish(2)
            await until(lambda: broker.dropped == 41)
        assert device.dropped == 41
        assert device.troubles == "41 messages lost, too big or too many at once"
        assert (await read(device))[Quantity.POWER].value == MAX_PARTIAL + 39


async def test_no_message_waits_in_the_client(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "zigbee2mqtt_plug") as (device, topic, broker):
        with a_peer(mosquitto.port) as peer:
            for number in range(200):
                peer.publish(topic, json.dumps({"power": number}), qos=1)
            await until(lambda: any(b"199" in message.payload for message in device._box._unread.values()))
            assert broker._client is not None
            assert broker._client._queue.qsize() == 0
            assert (await read(device))[Quantity.POWER].value == 199


def test_a_filter_lets_in_no_more_topics_than_can_be_kept() -> None:
    box = Mailbox()
    for number in range(MAX_TOPICS + 5):
        box.put(Message(f"homeassistant/sensor/{number}/config", b"{}", True))
    assert (len(box.take()), box.dropped) == (MAX_TOPICS, 5)


async def test_a_command_is_never_kept_by_the_broker(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "zigbee2mqtt_plug") as (device, topic, _):
        with a_peer(mosquitto.port) as peer:
            _obey(peer, f"{topic}/set", topic)
            await device.apply(wish(SetpointKind.SWITCH, 1))
    later: list[tuple[str, bool]] = []
    with a_peer(mosquitto.port) as late:
        late.on_message = lambda _c, _d, m: later.append((m.topic, m.retain))
        ready: list[int] = []
        late.on_subscribe = lambda *_: ready.append(1)
        late.subscribe(f"{topic}/#", qos=1)
        late.publish(f"{topic}/end", "", qos=1)
        await until(lambda: bool(later))
    assert later == [(f"{topic}/end", False)]


def _obey(peer: paho.Client, command: str, state: str) -> None:
    ready: list[int] = []
    peer.on_subscribe = lambda *_: ready.append(1)
    peer.on_message = lambda client, _d, m: (client.publish(state, m.payload), None)[1]
    peer.subscribe(command, qos=1)
    while not ready:
        pass


@pytest.mark.parametrize(
    ("host", "near"),
    [("127.0.0.1", True), ("192.168.1.10", True), ("10.0.0.2", True), ("fe80::1", True), ("fd00::5", True),
     ("localhost", True), ("broker", True), ("hub.local", True), ("8.8.8.8", False), ("mqtt.example.com", False)],
)  # fmt: skip
def test_a_broker_in_the_home_is_known_by_its_address(host: str, near: bool) -> None:
    assert is_near(host) is near


@pytest.mark.parametrize(
    ("host", "main", "longest_s"), [("10.0.0.2", False, 10), ("8.8.8.8", False, 30), ("8.8.8.8", True, 10)]
)
def test_the_longest_pause_is_short_in_the_home_and_before_the_main_meter(
    host: str, main: bool, longest_s: float
) -> None:
    broker = Broker("broker", MqttSettings(kind="mqtt", host=host), CLOCK)
    broker.watch(["a"], main=main)
    assert broker.longest_wait_s == longest_s


class _Pauses(SystemClock):
    """A clock that notes how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        self.asked.append(real_floor)
        await asyncio.sleep(0)


async def test_the_first_tries_come_after_half_a_second_one_and_two_and_then_ten() -> None:
    clock = _Pauses()
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=free_port()), clock)
    task = asyncio.create_task(broker.run())
    await until(lambda: len(clock.asked) >= 7)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for pause, wanted in zip(clock.asked, (FIRST_RECONNECT_S, 1, 2, 4, 8, 10, 10), strict=False):
        assert 0.7 * wanted <= pause <= wanted


@pytest.mark.slow
async def test_a_broker_that_was_away_for_a_moment_is_back_within_two_seconds(
    make_mosquitto: Callable[[], Mosquitto],
) -> None:
    server = make_mosquitto()
    async with a_device(server.port, "zigbee2mqtt_plug") as (_device, _topic, broker):
        server.stop()
        await until(lambda: not broker.connected)
        server.start()
        begin = time.monotonic()
        await until(lambda: broker.listening)
        assert time.monotonic() - begin < 2


@pytest.mark.slow
async def test_silence_is_told_after_its_time_once_not_twice(mosquitto: Mosquitto) -> None:
    async with a_device(mosquitto.port, "zigbee2mqtt_plug", expire_after_s=0.4) as (device, topic, _):
        with a_peer(mosquitto.port) as peer:
            peer.publish(topic, json.dumps({"power": 1}))
            await read(device)
            begin = time.monotonic()
            for _again in range(3):
                with pytest.raises(DeviceUnreachable, match="nothing was heard"):
                    await device.read()
            assert 0.35 <= time.monotonic() - begin < 0.7
            peer.publish(topic, json.dumps({"power": 2}), qos=1)
            await until(lambda: device._box.arrived.is_set())
            assert (await read(device))[Quantity.POWER].value == 2


@pytest.mark.slow
async def test_retained_words_do_not_put_off_the_silence(mosquitto: Mosquitto) -> None:
    topic = f"dev{next(TOPICS)}"
    with a_peer(mosquitto.port) as peer:
        peer.publish(topic, json.dumps({"power": 1}), qos=1, retain=True).wait_for_publish(2)
        async with a_device(mosquitto.port, "zigbee2mqtt_plug", topic, expire_after_s=0.4) as (device, _, _broker):
            begin = time.monotonic()
            await read(device)
            with pytest.raises(DeviceUnreachable):
                await device.read()
            assert time.monotonic() - begin < 0.6


async def test_a_silent_device_is_asked_for_its_state_again_at_half_time(mosquitto: Mosquitto) -> None:
    topic, asked = f"dev{next(TOPICS)}", []
    with a_peer(mosquitto.port) as peer:
        ready: list[int] = []
        peer.on_subscribe = lambda *_: ready.append(1)
        peer.on_message = lambda _c, _d, m: asked.append(m.payload)
        peer.subscribe(f"{topic}/command", qos=1)
        await until(lambda: bool(ready))
        async with a_device(mosquitto.port, "shelly_gen2_switch", topic, expire_after_s=0.2) as (device, _, _broker):
            for _again in range(4):
                with pytest.raises(DeviceUnreachable):
                    await device.read()
            await until(lambda: len(asked) >= 2)
    assert len(asked) in (2, 3)
