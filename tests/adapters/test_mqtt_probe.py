"""Probing a broker: what devices say in their own words leads to the profile that reads them."""

from __future__ import annotations

import asyncio
import functools
import json
from pathlib import Path

import paho.mqtt.publish as publish
import pytest
from typer.testing import CliRunner

from adapters.mqtt.broker import Broker
from adapters.mqtt.probe import EVERYTHING, ROOTS, load_profiles, probe_broker, understand
from adapters.mqtt.profile import Profile
from adapters.mqtt.settings import MqttSettings
from gateway.__main__ import app
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.runtime.system_clock import SystemClock
from tests.adapters.conftest import Mosquitto, free_port


@functools.cache
def profiles() -> list[Profile]:
    """Every shipped one, read at the first use."""
    return load_profiles(Path(__file__).parents[2] / "config" / "devices" / "mqtt")


TASMOTA = json.dumps({"Time": "2026-11-21T10:00:00", "ENERGY": {
    "Total": 12.5, "Power": 1180, "Voltage": 231, "Current": 5.1}})  # fmt: skip
SHELLY = json.dumps({"id": 0, "total_act_power": 900.5, "a_act_power": 300.1, "b_act_power": 300.2,
                     "c_act_power": 300.2, "a_voltage": 230.1, "b_voltage": 231.0, "c_voltage": 229.0,
                     "a_current": 1.4, "b_current": 1.4, "c_current": 1.4})  # fmt: skip
PLUG = json.dumps({"power": 42.5, "voltage": 230, "current": 0.2, "energy": 3.1, "state": "ON"})


@pytest.mark.parametrize(
    ("messages", "topic", "profile"),
    [
        ({"tele/kettle/SENSOR": TASMOTA, "tele/kettle/LWT": "Online"}, "kettle", "tasmota_energy"),
        ({"shellypro3em-abc/status/em:0": SHELLY}, "shellypro3em-abc", "shelly_gen2_3em"),
        ({"zigbee2mqtt/washer": PLUG}, "zigbee2mqtt/washer", "zigbee2mqtt_plug"),
        (
            {f"shellies/em3/emeter/{n}/{what}": value for n in range(3)
             for what, value in {"power": "100.5", "voltage": "230.1", "current": "0.4", "total": "1000"}.items()},
            "shellies/em3", "shelly_gen1_3em",
        ),
    ],
)  # fmt: skip
def test_messages_lead_to_the_profile_and_the_topic(messages: dict[str, str], topic: str, profile: str) -> None:
    heard = understand({name: text.encode() for name, text in messages.items()}, profiles())
    best = {suggestion.topic: suggestion.profile for suggestion in heard.suggestions}
    assert best[topic] == profile


def test_what_no_profile_knows_is_listed_and_hurts_nobody() -> None:
    heard = understand({"tele/x/SENSOR": b"{broken", "garden/mower": b"\xff\xfe", "a/b": b"hello"}, profiles())
    assert heard.suggestions == ()
    assert heard.unknown == ("a/b", "garden/mower", "tele/x/SENSOR")


def test_everything_is_heard_only_when_told() -> None:
    assert "#" not in ROOTS and all(not root.startswith("#") for root in ROOTS)
    assert EVERYTHING == ("#",)


@pytest.mark.slow
async def test_a_broker_is_listened_to_without_a_word(mosquitto: Mosquitto) -> None:
    told: list[int] = []
    broker = Broker("broker", MqttSettings(kind="mqtt", host="127.0.0.1", port=mosquitto.port), SystemClock())
    owner = asyncio.create_task(broker.run())
    listening = asyncio.create_task(
        probe_broker(broker, SystemClock(), 1.2, profiles(), tell=lambda spent, topics: told.append(topics))
    )
    while not broker.listening:
        await asyncio.sleep(0.02)
    messages = [("tele/probe_kettle/SENSOR", TASMOTA, 0, False), ("secret/diary", "dear", 0, False)]
    await asyncio.to_thread(publish.multiple, messages, hostname="127.0.0.1", port=mosquitto.port)
    heard = await listening
    owner.cancel()
    await asyncio.gather(owner, return_exceptions=True)
    (kettle,) = [s for s in heard.suggestions if s.topic == "probe_kettle"]
    assert kettle.values[Quantity.POWER] == 1180
    assert "secret/diary" not in heard.unknown
    assert told[-1] >= 1


async def test_no_broker_is_said_in_words() -> None:
    broker = Broker("nowhere", MqttSettings(kind="mqtt", host="127.0.0.1", port=free_port()), SystemClock())
    with pytest.raises(DeviceUnreachable, match="no broker answers there"):
        await probe_broker(broker, SystemClock(), 0.1, profiles())


@pytest.mark.slow
def test_the_command_prints_lines_for_the_site_file(mosquitto: Mosquitto) -> None:
    publish.single("tele/oven/SENSOR", TASMOTA, retain=True, hostname="127.0.0.1", port=mosquitto.port)
    result = CliRunner().invoke(app, ["probe", "mqtt", "127.0.0.1", "--port", str(mosquitto.port), "--seconds", "1"])
    publish.single("tele/oven/SENSOR", None, retain=True, hostname="127.0.0.1", port=mosquitto.port)
    assert result.exit_code == 0, result.output
    assert "oven: tasmota_energy" in result.stdout
    assert "    profile: tasmota_energy\n    topic: oven" in result.stdout
