"""Published sample payloads, fed to a device without a broker."""

from __future__ import annotations

import asyncio
import functools
import json
from pathlib import Path
from typing import Any

from adapters.mqtt.broker import Broker
from adapters.mqtt.device import MqttDevice
from adapters.mqtt.mailbox import Message
from adapters.mqtt.profile import Profile, load_profile
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from gateway.model.quantity import Quantity
from gateway.model.reading import Reading
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "mqtt"
SAMPLES = Path(__file__).parents[1] / "data" / "mqtt"
CLOCK = SystemClock()


@functools.cache
def known(profile: str) -> Profile:
    """A shipped profile, read once per run."""
    return load_profile(profile, PROFILES)


def samples(name: str) -> list[Message]:
    """The messages of one sample file, as received live."""
    document = json.loads((SAMPLES / f"{name}.json").read_text())
    return [Message(m["topic"], m["payload"].encode(), m["retain"]) for m in document["messages"]]


class Heard:
    """A device of one profile that hears what the test lets it hear."""

    def __init__(self, profile: str, topic: str, **settings: Any) -> None:
        broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1"), CLOCK)
        config = MqttDeviceSettings(profile=profile, topic=topic, **settings)
        shape = known(profile)
        self.device = MqttDevice(Device("dev", "Device", Role.SUB_METER), config, shape, broker, CLOCK)

    async def hear(self, *messages: Message) -> dict[Quantity, Reading]:
        """The readings after these messages, each taken as it comes; empty when they tell nothing."""
        for message in messages:
            if message.topic in self.device._topics():
                self.device._box.put(message)
                self.device._take()
        if not self.device._has_news():
            return {}
        async with asyncio.timeout(2):
            return {reading.quantity: reading for reading in await self.device.read()}

    async def say(self, topic: str, payload: object, *, retained: bool = False) -> dict[Quantity, Reading]:
        """The readings after one message with this payload (JSON unless it is text or bytes)."""
        body = payload if isinstance(payload, bytes) else str(payload).encode()
        if isinstance(payload, dict | list):
            body = json.dumps(payload).encode()
        return await self.hear(Message(topic, body, retained))


def values(readings: dict[Quantity, Reading]) -> dict[str, float | None]:
    return {quantity.value: reading.value for quantity, reading in readings.items()}
