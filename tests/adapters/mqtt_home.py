"""A home that is published, another client that judges what it sees of it, and the wishes it hands on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from adapters.mqtt.broker import Broker
from adapters.mqtt.commands import Value
from adapters.mqtt.publish import HomePublisher
from adapters.mqtt.settings import MqttSettings
from adapters.mqtt.topics import topics_of
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.runtime.system_clock import SystemClock

CLOCK = SystemClock()
HOMES = count(1)
NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
DEVICES = (
    Device("grid_meter", "Main meter", Role.MAIN_METER),
    Device("inverter", "Solar and battery", Role.HYBRID_INVERTER, BatterySpec(10_000, 5_000, 5_000)),
    Device("roof", "Roof", Role.PV),
    Device("store", "Battery", Role.BATTERY, BatterySpec(5_000, 2_000, 2_000)),
    Device("car", "Car", Role.EV_CHARGER, ChargerSpec()),
    Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200)),
    Device("heat_pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500)),
    Device("fridge", "Fridge", Role.APPLIANCE),
    Device("annex", "Annex", Role.SUB_METER),
)


def a_site(name: str = "") -> Site:
    return Site(name or f"Home {next(HOMES)}", ZoneInfo("Europe/Brussels"), 50.8, 4.3, "EUR", 3, 25, DEVICES)


def a_snapshot(import_wh: float | None = 1_000.0, grid_w: float | None = -1_200.0) -> Snapshot:
    q = Quantity
    readings: dict[str, dict[Quantity, float | None]] = {
        "grid_meter": {q.POWER: grid_w, q.ENERGY_IMPORT: import_wh, q.ENERGY_EXPORT: 400.0},
        "inverter": {q.POWER: -2_500.0, q.PV_POWER: -3_000.0, q.BATTERY_POWER: 500.0, q.SOC: 55.0,
                     q.PV_ENERGY: 9_000.0, q.BATTERY_CHARGED: 700.0, q.BATTERY_DISCHARGED: 600.0},
        "car": {q.ENERGY_IMPORT: 50_000.0},
        "tank": {q.POWER: 0.0, q.ENERGY_IMPORT: 3_000.0, q.TEMPERATURE: 51.26},
    }  # fmt: skip
    states = {
        device.id: DeviceState(
            device.id, device.role, True, 1.0,
            {key: value for key, value in readings.get(device.id, {}).items() if value is not None},
        )
        for device in DEVICES
    }  # fmt: skip
    status = ChargerStatus("car", ChargePhase.CHARGING, True, power_w=4_140.0, offered_a=6.0)
    return Snapshot(NOW, states, {"car": status}, Preferences())


class Judge:
    """Another client on the broker: what it sees retained and live."""

    def __init__(self, port: int, pattern: str) -> None:
        self.seen: dict[str, str] = {}
        self.retained: dict[str, bool] = {}
        self.history: list[tuple[str, str]] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._note
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(pattern, qos=1)
        self.client.loop_start()

    def _note(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.seen[message.topic] = message.payload.decode()
        self.retained[message.topic] = message.retain
        self.history.append((message.topic, message.payload.decode()))

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(2)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


async def until(ready: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.005)


class Outside:
    """A publisher at work, and the wishes it handed on."""

    def __init__(self, port: int, site: Site) -> None:
        self.wishes: list[tuple[str, str, Value]] = []
        self.refusal = ""
        settings = MqttSettings(kind="mqtt", host="127.0.0.1", port=port, publish=True, publish_every_s=1)
        self.broker = Broker("broker", settings, CLOCK)
        self.publisher = HomePublisher(self.broker, site, CLOCK, settings, self._take)
        self.topics = topics_of(site, settings)

    async def _take(self, device: str, name: str, value: Value) -> None:
        if self.refusal:
            raise WishRefused(self.refusal)
        self.wishes.append((device, name, value))

    @property
    def shown_states(self) -> int:
        """How many states stand on the broker by now."""
        return sum("/state/" in topic for topic in self.publisher._sent)

    async def show(self, snapshot: Snapshot, preferences: Preferences | None = None, **extra: Any) -> None:
        """Show this state, counters included, however lately another was shown."""
        await self.publisher.update(snapshot, preferences or Preferences(), **extra)
        await until(lambda: self.publisher._remembered)
        self.publisher._shown_at = None
        await self.publisher.update(snapshot, preferences or Preferences(), **extra)


@asynccontextmanager
async def outside(port: int, site: Site) -> AsyncIterator[Outside]:
    out = Outside(port, site)
    tasks = [asyncio.create_task(out.broker.run()), asyncio.create_task(out.publisher.run())]
    try:
        await until(lambda: out.broker.listening)
        yield out
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
