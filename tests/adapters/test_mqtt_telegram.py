"""P1 telegrams over MQTT: whole telegrams through a real mosquitto, the checksum judged by the handed-in decoder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from adapters.mqtt.broker import Broker
from adapters.mqtt.make import mqtt_device
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from adapters.mqtt.telegram import TelegramDevice
from adapters.p1.telegram import parse
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto
from tests.adapters.test_mqtt_wire import TOPICS, a_peer, until

CLOCK = SystemClock()
TELEGRAM = next(Path(__file__).parents[1].glob("data/**/p1_telegram_esmr50_1phase_gas.txt"))


@asynccontextmanager
async def a_reader(port: int, topic: str, expire_after_s: float = 2) -> AsyncIterator[TelegramDevice]:
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=port), CLOCK)
    settings = MqttDeviceSettings(profile="p1_telegram", topic=topic, expire_after_s=expire_after_s)
    made = mqtt_device(
        Device("dev", "Meter", Role.MAIN_METER), settings, Path(), broker, CLOCK, lambda raw: parse(raw).values()
    )
    assert isinstance(made, TelegramDevice)
    task = asyncio.create_task(broker.run())
    try:
        await until(lambda: broker.listening)
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def a_topic() -> str:
    return f"p1reader{next(TOPICS)}/telegram"


def whole() -> bytes:
    return TELEGRAM.read_bytes()


async def test_a_telegram_over_mqtt_becomes_readings_of_ours(mosquitto: Mosquitto) -> None:
    topic = a_topic()
    async with a_reader(mosquitto.port, topic) as meter:
        with a_peer(mosquitto.port) as peer:
            peer.publish(topic, whole(), qos=1)
            found = {reading.quantity: reading for reading in await meter.read()}
    assert found[Quantity.POWER].value == pytest.approx(240)
    assert found[Quantity.ENERGY_IMPORT].value == pytest.approx(12_397_641)
    assert found[Quantity.POWER].quality is Quality.VALID


@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\n", b"\r\n\r\n"])
async def test_however_the_last_line_was_cut_the_checksum_holds(mosquitto: Mosquitto, ending: bytes) -> None:
    topic = a_topic()
    async with a_reader(mosquitto.port, topic) as meter:
        with a_peer(mosquitto.port) as peer:
            peer.publish(topic, whole().rstrip() + ending, qos=1)
            assert await meter.read()


async def test_a_wrong_checksum_is_counted_and_shown_and_never_a_value(mosquitto: Mosquitto) -> None:
    topic = a_topic()
    async with a_reader(mosquitto.port, topic, expire_after_s=0.3) as meter:
        with a_peer(mosquitto.port) as peer:
            peer.publish(topic, whole().replace(b"00.368*kW", b"99.368*kW"), qos=1)
            with pytest.raises(DeviceUnreachable, match="no new telegram"):
                await meter.read()
    assert meter.bad_payloads == 1
    assert meter.troubles.startswith(f"1 message could not be read, the last on {topic}: its checksum is 8CFC")


async def test_the_same_telegram_again_is_no_news(mosquitto: Mosquitto) -> None:
    topic = a_topic()
    async with a_reader(mosquitto.port, topic, expire_after_s=0.3) as meter:
        with a_peer(mosquitto.port) as peer:
            peer.publish(topic, whole(), qos=1)
            assert await meter.read()
            peer.publish(topic, whole(), qos=1)
            with pytest.raises(DeviceUnreachable):
                await meter.read()


async def test_a_retained_telegram_is_suspect(mosquitto: Mosquitto) -> None:
    topic = a_topic()
    with a_peer(mosquitto.port) as peer:
        said: paho.MQTTMessageInfo = peer.publish(topic, whole(), qos=1, retain=True)
        said.wait_for_publish(2)
        async with a_reader(mosquitto.port, topic) as meter:
            assert {reading.quality for reading in await meter.read()} == {Quality.SUSPECT}
            peer.publish(topic, whole(), qos=1)
            assert {reading.quality for reading in await meter.read()} == {Quality.VALID}


async def test_a_telegram_meter_takes_no_setpoint(mosquitto: Mosquitto) -> None:
    async with a_reader(mosquitto.port, a_topic()) as meter:
        with pytest.raises(CommandRefused):
            await meter.apply(Setpoint("dev", SetpointKind.SWITCH, 1, CLOCK.now(), Authority.PLAN, "test"))
