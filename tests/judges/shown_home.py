"""A home with every kind of device, shown on a mosquitto of its own, its counters counting."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.mqtt.broker import Broker
from adapters.mqtt.commands import Value
from adapters.mqtt.discovery import documents
from adapters.mqtt.publish import HomePublisher
from adapters.mqtt.settings import MqttSettings
from adapters.mqtt.topics import topics_of
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.snapshot import DeviceState, Snapshot
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto
from tests.adapters.mqtt_home import DEVICES, a_site, a_snapshot

PREFIX = "hearth_judged_home"


@dataclass
class Shown:
    """The broker's port, how many entities a reader of the discovery must find, and the wishes that came."""

    port: int
    entities: int
    wishes: list[tuple[str, str, Value]] = field(default_factory=list)


@asynccontextmanager
async def shown(folder: Path) -> AsyncIterator[Shown]:
    """The home on its broker, until left."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    server, site, clock = Mosquitto(program, folder), a_site("Judged home"), SystemClock()
    server.start()
    settings = MqttSettings(kind="mqtt", host="127.0.0.1", port=server.port, publish=True)
    broker = Broker("broker", settings, clock)

    entities = sum(len(document["cmps"]) for document in documents(site, topics_of(site, settings)).values())
    home = Shown(server.port, entities)

    async def take(device: str, name: str, value: Value) -> None:
        home.wishes.append((device, name, value))

    publisher = HomePublisher(broker, site, clock, settings, take)
    tasks = [asyncio.create_task(part) for part in (broker.run(), publisher.run(), _live(publisher))]
    try:
        yield home
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.stop()


async def _live(publisher: HomePublisher) -> None:
    second = 0
    while True:
        await publisher.update(_grown(a_snapshot(), second), Preferences(), headline="Charging from the roof")
        second += 1
        await asyncio.sleep(1)


def _grown(snapshot: Snapshot, second: int) -> Snapshot:
    """All counters 5 Wh a second further, those the sample leaves out too."""
    counters = [quantity for quantity in Quantity if quantity.is_counter]
    states = {}
    for device in DEVICES:
        state: DeviceState = snapshot.devices[device.id]
        values = {**dict.fromkeys(counters, 0.0), **state.values}
        states[device.id] = replace(
            state, values={q: v + 5.0 * second if q.is_counter else v for q, v in values.items()}
        )  # fmt: skip
    return replace(snapshot, devices=states)
