"""Home Assistant discovery as a source: a device described by its own config messages, through a real mosquitto."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mqtt.broker import Broker
from adapters.mqtt.device import MqttDevice
from adapters.mqtt.ha_choice import choose
from adapters.mqtt.ha_entity import BadConfig, is_plain, read_config
from adapters.mqtt.ha_source import DiscoveredProfile
from adapters.mqtt.mailbox import Message
from adapters.mqtt.make import mqtt_device
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto
from tests.adapters.mqtt_samples import samples
from tests.adapters.test_mqtt_wire import TOPICS, a_peer, until

CLOCK = SystemClock()
PROFILES = Path(__file__).parents[2] / "config" / "devices" / "mqtt"
PLUG: dict[str, Any] = {
    "~": "home/plug", "o": {"name": "plug"}, "dev": {"ids": ["plug-7"], "name": "Plug"},
    "avty": [{"t": "home/bridge", "val_tpl": "{{ value_json.state }}"}, {"t": "~/lwt"}], "avty_mode": "all",
    "stat_t": "~/state",
    "cmps": {
        "power": {"p": "sensor", "dev_cla": "power", "unit_of_meas": "kW", "stat_cla": "measurement",
                  "val_tpl": "{{ value_json.p | float(0) }}", "uniq_id": "plug7_power"},
        "total": {"p": "sensor", "dev_cla": "energy", "unit_of_meas": "kWh", "stat_cla": "total_increasing",
                  "val_tpl": "{{ value_json['e'][0] }}", "uniq_id": "plug7_total"},
        "today": {"p": "sensor", "dev_cla": "energy", "unit_of_meas": "kWh", "stat_cla": "total",
                  "val_tpl": "{{ value_json.d }}", "uniq_id": "plug7_today"},
        "outside": {"p": "sensor", "dev_cla": "temperature", "unit_of_meas": "°F", "stat_t": "~/t", "exp_aft": 1,
                    "uniq_id": "plug7_t"},
        "relay": {"p": "switch", "val_tpl": "{{ value_json.r }}", "pl_on": "YES", "pl_off": "NO", "cmd_t": "~/set"},
        "reboot": {"p": "button", "cmd_t": "~/reboot"},
    },
}  # fmt: skip


class Told:
    """A discovered device that is told messages without a broker."""

    def __init__(self, topic: str = "plug-7", role: Role = Role.SUB_METER, **settings: Any) -> None:
        broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1"), CLOCK)
        config = MqttDeviceSettings(profile="home_assistant_discovery", topic=topic, **settings)
        self.source = DiscoveredProfile(config, role, "homeassistant", settle_s=0.05)
        self.device = MqttDevice(Device("dev", "Device", role), config, self.source, broker, CLOCK)

    def describe(self, document: object, topic: str = "homeassistant/device/plug-7/config") -> None:
        payload = document if isinstance(document, str) else json.dumps(document)
        self.device._box.put(Message(topic, payload.encode(), True))
        self.device._take()

    async def settle(self) -> None:
        """Wait until what was described is followed."""

        def followed() -> bool:
            self.device._take()
            return self.device._follow_at == float("inf")

        await until(followed)

    async def say(self, topic: str, payload: object) -> dict[str, float | None]:
        body = payload if isinstance(payload, str) else json.dumps(payload)
        self.device._box.put(Message(topic, body.encode(), False))
        return {reading.quantity.value: reading.value for reading in await self.device.read()}

    @property
    def listens(self) -> set[str]:
        return self.device._topics() - self.source.filters


def sensor(topic: str, kind: str, unit: str, **more: Any) -> dict[str, Any]:
    counts = {"stat_cla": "total_increasing"} if kind == "energy" else {}
    return {"stat_t": topic, "dev_cla": kind, "unit_of_meas": unit, **counts, **more}


async def test_the_device_form_is_read_with_its_short_names_base_topic_and_units() -> None:
    told = Told()
    told.describe(PLUG)
    assert told.listens == {"home/plug/state", "home/plug/t", "home/plug/lwt", "home/bridge"}
    values = await told.say("home/plug/state", {"p": "1.5", "e": [2.25, 0], "d": 1, "r": "YES"})
    assert values == {"power_w": 1500, "energy_import_wh": 2250, "on": 1}
    assert await told.say("home/plug/t", "50") == {"temperature_c": pytest.approx(10)}
    assert told.device.troubles == ""


async def test_a_published_config_of_one_value_is_read() -> None:
    told = Told("218FF9")
    for message in samples("homeassistant_discovery"):
        if message.topic in ("homeassistant/sensor/218FF9_ENERGY_Total/config",):
            told.describe(message.payload.decode(), message.topic)
    await told.settle()
    assert await told.say("tele/plug001/SENSOR", {"ENERGY": {"Total": 1.25}}) == {"energy_import_wh": 1250}
    told.device._box.put(Message("tele/plug001/LWT", b"Offline", False))
    with pytest.raises(DeviceUnreachable, match="offline"):
        await told.device.read()


async def test_values_described_one_by_one_under_a_node_id_are_one_device() -> None:
    told = Told("0x0015")
    told.describe(
        sensor("z/plug", "power", "W", val_tpl="{{ value_json.power }}"), "homeassistant/sensor/0x0015/power/config"
    )
    told.describe(
        sensor("z/plug", "energy", "kWh", val_tpl="{{ value_json.energy }}"),
        "homeassistant/sensor/0x0015/energy/config",
    )
    told.describe(sensor("z/other", "power", "W"), "homeassistant/sensor/0x0016/power/config")
    assert told.listens == set()
    await told.settle()
    assert await told.say("z/plug", {"power": 7, "energy": 1}) == {"power_w": 7, "energy_import_wh": 1000}


async def test_of_values_described_one_by_one_none_is_taken_before_the_last_is_there() -> None:
    told = Told("218FF9")
    owner = {"dev": {"ids": ["218FF9"]}}
    told.describe({**sensor("t/today", "energy", "kWh"), **owner}, "homeassistant/sensor/218FF9_today/config")
    assert told.listens == set()
    told.describe({**sensor("t/total", "energy", "kWh"), **owner}, "homeassistant/sensor/218FF9_total/config")
    await told.settle()
    assert told.listens == set()
    assert "it may be 218FF9_today, 218FF9_total" in told.device.troubles


@pytest.mark.slow
def test_no_config_message_breaks_the_reader() -> None:
    chance = random.Random(7)
    parts = ["~", "~/a", "stat_t", "cmps", "dev", "ids", "avty", "t", "p", "sensor", "val_tpl", "{{ value }}", "exp_aft",
             "dev_cla", "power", "unit_of_meas", "W", "uniq_id", "#", 0, -1, 1e400, None, True, [], {}]  # fmt: skip

    def anything(depth: int) -> Any:
        if depth == 0 or chance.random() < 0.3:
            return chance.choice(parts)
        if chance.random() < 0.3:
            return [anything(depth - 1) for _ in range(3)]
        keys = chance.choices([part for part in parts if isinstance(part, str)], k=5)
        return {key: anything(depth - 1) for key in keys}

    told, read = Told(), 0
    for _ in range(1500):
        payload = json.dumps(anything(4)).encode()
        with suppress(BadConfig):
            choice = choose(read_config("homeassistant/device/plug-7/config", payload).entities, {}, Role.SUB_METER)
            assert all(is_plain(state.topic) for state in choice.states)
            read += 1
        told.describe(payload.decode())
    assert read > 500


async def test_two_that_could_be_meant_are_not_guessed_between_and_named() -> None:
    told = Told()
    told.describe({"dev": {}, "cmps": {
        "import": {"p": "sensor", **sensor("m/i", "energy", "Wh")},
        "export": {"p": "sensor", **sensor("m/e", "energy", "Wh")},
        "power": {"p": "sensor", **sensor("m/p", "power", "W")},
    }})  # fmt: skip
    assert told.listens == {"m/p"}
    assert told.device.troubles == "energy_import_wh: it may be export, import; say which under entities"


async def test_the_site_file_says_which_entity_is_which_quantity_and_which_sign() -> None:
    told = Told(entities={"energy_export_wh": "export", "power_w": "-net"})
    told.describe({"dev": {}, "cmps": {
        "import": {"p": "sensor", **sensor("m/i", "energy", "Wh")},
        "e2": {"p": "sensor", "uniq_id": "export", **sensor("m/e", "energy", "MWh")},
        "net": {"p": "sensor", **sensor("m/p", "power", "W")},
    }})  # fmt: skip
    assert await told.say("m/e", "0.5") == {"energy_export_wh": 500_000}
    assert await told.say("m/p", "40") == {"power_w": -40}


async def test_an_entity_that_is_not_there_is_told_with_those_that_are() -> None:
    told = Told(entities={"power_w": "pwoer"})
    told.describe(PLUG)
    assert told.device.troubles.startswith("power_w: pwoer is no entity of this device; it has outside, power, reboot")


async def test_production_is_positive_in_home_assistant_and_negative_here() -> None:
    told = Told(role=Role.PV)
    told.describe({"dev": {}, "cmps": {"p": {"p": "sensor", **sensor("i/p", "power", "W")},
                                       "e": {"p": "sensor", **sensor("i/e", "energy", "kWh")}}})  # fmt: skip
    assert await told.say("i/p", "900") == {"power_w": -900}
    assert await told.say("i/e", "3") == {"energy_export_wh": 3000}


@pytest.mark.parametrize(
    ("entity", "finding"),
    [
        (sensor("m/p", "power", "BTU/h"), "its unit 'BTU/h' is none of"),
        (sensor("m/p", "power", "W", val_tpl="{% if 1 %}2{% endif %}"), "its template '{% if 1 %}2{% endif %}'"),
        (sensor("m/+", "power", "W"), "no plain topic"),
        (sensor("$SYS/load", "power", "W"), "no plain topic"),
        ({"dev_cla": "power", "unit_of_meas": "W"}, "it has no state topic"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_entity_and_reason(entity: dict[str, Any], finding: str) -> None:
    told = Told()
    told.describe({"dev": {}, "cmps": {"meter_power": {"p": "sensor", **entity}}})
    assert told.listens == set()
    assert told.device.troubles.startswith("power_w: meter_power: ")
    assert finding in told.device.troubles


@pytest.mark.parametrize(
    "payload", ["{", "[]", "5", '{"cmps": 3}', '{"cmps": {"a": 1, "b": {}}, "dev": [1]}', "[" * 9000]
)
async def test_a_broken_config_takes_nothing_away(payload: str) -> None:
    told = Told()
    told.describe(PLUG, "homeassistant/sensor/plug-7/x/config")
    told.describe(payload)
    assert (await told.say("home/plug/state", {"p": 1}))["power_w"] == 1000


async def test_a_config_that_changes_is_followed_and_a_deleted_one_too() -> None:
    told = Told()
    told.describe(PLUG)
    await told.say("home/plug/state", {"p": 1, "e": [1]})
    told.describe({"dev": {}, "cmps": {"power": {"p": "sensor", **sensor("new/p", "power", "W")}}})
    gone = {reading.quantity.value: reading.reason for reading in await told.device.read()}
    assert gone == dict.fromkeys(("energy_import_wh", "temperature_c", "on"), "its device no longer describes it")
    assert await told.say("new/p", "5") == {"power_w": 5}
    told.describe("")
    (missing,) = await told.device.read()
    assert (missing.value, missing.quality) == (None, Quality.MISSING)
    assert told.listens == set()
    assert told.device.troubles == "Home Assistant discovery of plug-7 is not on the broker"


async def test_a_config_published_again_is_no_change() -> None:
    told = Told()
    told.describe(PLUG)
    silence = told.device._silence
    told.describe(PLUG)
    told.describe(json.dumps(PLUG, indent=2))
    assert told.device._silence is silence


@pytest.mark.parametrize(
    ("mode", "first", "second", "offline"),
    [("all", "offline", "online", True), ("any", "offline", "online", False), ("latest", "offline", "online", False),
     ("latest", "online", "offline", True), ("any", "offline", "offline", True), ("all", "online", "online", False)],
)  # fmt: skip
async def test_availability_topics_count_by_their_mode(mode: str, first: str, second: str, offline: bool) -> None:
    told = Told()
    told.describe({**PLUG, "avty_mode": mode})
    told.device._box.put(Message("home/bridge", json.dumps({"state": first}).encode(), False))
    told.device._box.put(Message("home/plug/lwt", second.encode(), False))
    told.device._take()
    assert told.device._offline is offline


async def test_a_value_that_expires_by_its_own_time_is_missing_while_the_others_go_on() -> None:
    told = Told()
    told.describe({**PLUG, "cmps": {**PLUG["cmps"], "outside": {**PLUG["cmps"]["outside"], "exp_aft": 0.05}}})
    await told.say("home/plug/t", "50")
    (reading,) = await told.device.read()
    assert (reading.quantity, reading.value, reading.quality) == (Quantity.TEMPERATURE, None, Quality.MISSING)


def test_entities_without_discovery_are_refused() -> None:
    with pytest.raises(ValidationError, match="home_assistant_discovery only"):
        MqttDeviceSettings(profile="zigbee2mqtt_plug", topic="x", entities={Quantity.POWER: "p"})


async def test_over_a_broker_a_device_is_found_read_changed_and_lost(mosquitto: Mosquitto) -> None:
    name = f"node{next(TOPICS)}"
    config, new = f"homeassistant/device/{name}/config", f"fresh/{name}"
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=mosquitto.port), CLOCK)
    settings = MqttDeviceSettings(profile="home_assistant_discovery", topic=name, expire_after_s=2)
    device = mqtt_device(Device("dev", "D", Role.SUB_METER), settings, PROFILES, broker, CLOCK, lambda _raw: {})
    async with served(broker):
        with a_peer(mosquitto.port) as peer:
            peer.publish(config, json.dumps({**PLUG, "~": name}), qos=1, retain=True)
            await heard(
                device, broker, f"{name}/state", lambda: peer.publish(f"{name}/state", json.dumps({"p": 2})), 2000
            )
            changed = {"dev": {}, "cmps": {"p": {"p": "sensor", **sensor(new, "power", "W")}}}
            peer.publish(config, json.dumps(changed), qos=1, retain=True)
            await heard(device, broker, new, lambda: peer.publish(new, "5"), 5)
            await until(lambda: f"{name}/state" not in broker._subscribed)
            peer.publish(config, "", qos=1, retain=True)
            assert all(reading.value is None for reading in await device.read())
            await until(lambda: new not in broker._subscribed)


async def test_a_device_nobody_describes_says_what_it_waits_for(mosquitto: Mosquitto) -> None:
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=mosquitto.port), CLOCK)
    settings = MqttDeviceSettings(profile="home_assistant_discovery", topic="nobody", expire_after_s=0.2)
    device = mqtt_device(Device("dev", "D", Role.SUB_METER), settings, PROFILES, broker, CLOCK, lambda _raw: {})
    async with served(broker):
        await until(lambda: broker.listening)
        with pytest.raises(DeviceUnreachable, match="discovery of nobody is not on the broker"):
            await device.read()


@asynccontextmanager
async def served(broker: Broker) -> AsyncIterator[None]:
    task = asyncio.create_task(broker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard(device: Any, broker: Broker, topic: str, say: Callable[[], object], power_w: float) -> None:
    """The device follows its config to `topic`, and reads there the power that `say` makes it tell."""

    async def read_until() -> None:
        while True:
            found: list[Reading] = await device.read()
            if any(reading.value == power_w for reading in found):
                return

    async with asyncio.timeout(5):
        reading = asyncio.create_task(read_until())
        await until(lambda: topic in broker._subscribed)
        say()
        await reading
