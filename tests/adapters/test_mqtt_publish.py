"""The home outwards through a real mosquitto, with paho as the judge of what others see."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from adapters.mqtt.commands import Value, value_of
from adapters.mqtt.counters import Counters
from adapters.mqtt.discovery import documents
from adapters.mqtt.settings import MqttSettings
from adapters.mqtt.topics import slug, topics_of
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.site import Site
from tests.adapters.conftest import Mosquitto
from tests.adapters.mqtt_home import DEVICES, Judge, Outside, a_site, a_snapshot, outside, until


@pytest.fixture
def judge_of(mosquitto: Mosquitto) -> Any:
    judges: list[Judge] = []

    def make(pattern: str) -> Judge:
        judges.append(Judge(mosquitto.port, pattern))
        return judges[-1]

    yield make
    for judge in judges:
        judge.close()


# ---- discovery


def components(site: Site) -> dict[str, dict[str, Any]]:
    found = documents(site, topics_of(site, MqttSettings(kind="mqtt", host="x")))
    return {f"{topic} {key}": part for topic, doc in found.items() for key, part in doc["cmps"].items()}


ALLOWED = {
    "energy": ({"total", "total_increasing"}, {"Wh", "kWh", "MWh"}),
    "power": ({"measurement"}, {"W", "kW"}),
    "current": ({"measurement"}, {"A"}),
    "battery": ({"measurement"}, {"%"}),
    "temperature": ({"measurement"}, {"°C", "°F", "K"}),
}


def test_every_sensor_has_classes_and_a_unit_that_fit_each_other() -> None:
    for name, part in components(a_site()).items():
        if part["p"] != "sensor" or "device_class" not in part:
            assert "state_class" not in part and "device_class" not in part, name
        elif part["device_class"] == "enum":
            assert part["options"] and "state_class" not in part and "unit_of_measurement" not in part, name
        else:
            state_classes, units = ALLOWED[part["device_class"]]
            assert part["state_class"] in state_classes and part["unit_of_measurement"] in units, name


def test_every_document_has_what_device_discovery_demands() -> None:
    site = a_site()
    parts = components(site)
    for topic, document in documents(site, topics_of(site, MqttSettings(kind="mqtt", host="x"))).items():
        assert topic.startswith("homeassistant/device/") and topic.endswith("/config")
        assert document["dev"]["ids"] and document["o"]["name"] and document["availability"]
    assert all(part["p"] and part["unique_id"] for part in parts.values())
    assert len({part["unique_id"] for part in parts.values()}) == len(parts)
    assert all("state_topic" in part or "command_topic" in part for part in parts.values())


def test_the_energy_page_finds_every_source_without_a_manual_sensor() -> None:
    energy = {
        p["state_topic"].split("/state/")[1] for p in components(a_site()).values() if p.get("device_class") == "energy"
    }
    assert energy >= {
        "grid_meter/energy_import_wh", "grid_meter/energy_export_wh",
        "inverter/energy_produced_wh", "inverter/battery_charged_wh", "inverter/battery_discharged_wh",
        "roof/energy_produced_wh", "store/battery_charged_wh", "store/battery_discharged_wh",
        "car/energy_import_wh", "tank/energy_import_wh", "heat_pump/energy_import_wh", "fridge/energy_import_wh",
    }  # fmt: skip


async def test_discovery_and_state_are_retained_for_whoever_comes_later(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot(), headline="The sun charges the battery.")
        config, state = judge_of(out.topics.config("car")), judge_of(f"{out.topics.base}/#")
        await until(lambda: bool(config.seen) and len(state.seen) > 20)
        document = json.loads(config.seen[out.topics.config("car")])
        assert document["cmps"]["charge_mode"]["options"] == ["off", "now", "solar", "min_solar", "smart"]
        assert document["dev"]["via_device"] == out.topics.identifier()
        assert all(config.retained.values()) and all(state.retained.values())
        shown = {topic.removeprefix(f"{out.topics.base}/"): payload for topic, payload in state.seen.items()}
        assert shown == shown | {
            "availability": "online",
            "state/grid_meter/power_w": "-1200", "state/grid_meter/energy_import_wh": "1000",
            "state/grid_meter/energy_export_wh": "400",
            "state/inverter/production_w": "3000", "state/inverter/energy_produced_wh": "9000",
            "state/inverter/battery_power_w": "500", "state/inverter/soc_percent": "55.0",
            "state/car/power_w": "4140", "state/car/energy_import_wh": "50000", "state/car/phase": "charging",
            "state/car/charge_mode": "smart", "state/car/ready_by": "07:00",
            "state/tank/temperature_c": "51.3", "state/headline": "The sun charges the battery.",
            "state/dr_opt_out": "OFF", "state/battery_reserve_percent": "10",
        }  # fmt: skip
        assert shown["state/heat_pump/power_w"] == "None"
        assert "state/heat_pump/energy_import_wh" not in shown


async def test_every_topic_in_discovery_is_one_the_home_uses(mosquitto: Mosquitto) -> None:
    site = a_site()
    out = Outside(mosquitto.port, site)
    parts = documents(site, out.topics).values()
    told = {p["state_topic"] for doc in parts for p in doc["cmps"].values() if "state_topic" in p}
    taken = {p["command_topic"] for doc in parts for p in doc["cmps"].values() if "command_topic" in p}
    assert told == set(out.publisher._sensors) | set(out.publisher._wishes(Preferences(), False, ""))
    assert taken == set(out.publisher._commands)


async def test_only_what_changed_is_said_again(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot())
        judge = judge_of(f"{out.topics.base}/state/#")
        await until(lambda: len(judge.seen) == out.shown_states)
        judge.history.clear()
        await out.show(a_snapshot(grid_w=-900.0))
        await until(lambda: len(judge.history) >= 2)
        assert sorted(judge.history) == [
            (out.topics.state("power_w", "grid_meter"), "-900"),
            (out.topics.state("house_w"), "-2540"),
        ]  # fmt: skip


async def test_measured_values_wait_for_their_period_and_wishes_do_not(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot())
        judge = judge_of(f"{out.topics.base}/state/#")
        await until(lambda: len(judge.seen) == out.shown_states)
        judge.history.clear()
        wish = Preferences().with_charging("car", ChargingPreference(ChargeMode.NOW, time(6, 30)))
        await out.publisher.update(a_snapshot(grid_w=1.0), wish, opted_out=True)
        await until(lambda: len(judge.history) >= 3)
        assert {topic.rsplit("/", 1)[1]: payload for topic, payload in judge.history} == {
            "charge_mode": "now", "ready_by": "06:30", "dr_opt_out": "ON",
        }  # fmt: skip


async def test_an_unknown_power_is_said_to_be_unknown_and_a_counter_just_waits(
    mosquitto: Mosquitto, judge_of: Any
) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot())
        await out.show(a_snapshot(import_wh=None, grid_w=None))
        judge = judge_of(f"{out.topics.base}/state/grid_meter/#")
        await until(lambda: len(judge.seen) == 3)
        await until(lambda: judge.seen[out.topics.state("power_w", "grid_meter")] == "None")
        assert judge.seen[out.topics.state("energy_import_wh", "grid_meter")] == "1000"


# ---- availability


async def test_availability_goes_offline_when_the_gateway_is_stopped(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        judge = judge_of(out.topics.availability)
        await out.show(a_snapshot())
        await until(lambda: judge.seen.get(out.topics.availability) == "online")
    await until(lambda: judge.seen.get(out.topics.availability) == "offline")


@pytest.mark.slow
async def test_availability_goes_offline_by_the_last_will_when_the_connection_dies(
    mosquitto: Mosquitto, judge_of: Any
) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        judge = judge_of(out.topics.availability)
        await out.show(a_snapshot())
        await until(lambda: judge.seen.get(out.topics.availability) == "online")
        client: Any = out.broker._client
        client._client.socket().shutdown(socket.SHUT_RDWR)  # the connection is gone, without a DISCONNECT
        await until(lambda: judge.seen.get(out.topics.availability) == "offline")
        await until(lambda: out.broker.listening and out.broker.connects == 2)
        await out.show(a_snapshot())
        await until(lambda: judge.seen.get(out.topics.availability) == "online")


async def test_a_last_will_that_comes_late_is_answered(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot())
        judge = judge_of(out.topics.availability)
        judge.say(out.topics.availability, "offline", retain=True)
        await until(lambda: out.publisher._greeted == 0)
        await out.publisher.update(a_snapshot(), Preferences())
        await until(lambda: judge.seen.get(out.topics.availability) == "online")


async def test_a_device_that_is_gone_is_unavailable_by_a_topic_of_its_own(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        judge = judge_of(f"{out.topics.base}/availability/#")
        await out.show(a_snapshot())
        await until(lambda: len(judge.seen) == 1 + len(DEVICES))
        assert set(judge.seen.values()) == {"online"}
        states = dict(a_snapshot().devices)
        states["tank"] = replace(states["tank"], online=False, values={})
        del states["roof"]
        await out.show(replace(a_snapshot(), devices=states))
        gone = {out.topics.availability_of(name) for name in ("tank", "roof")}
        await until(lambda: {topic for topic, said in judge.seen.items() if said == "offline"} == gone)


def test_what_a_device_tells_needs_home_and_device_and_what_is_wished_of_it_the_home_alone() -> None:
    site = a_site()
    topics = topics_of(site, MqttSettings(kind="mqtt", host="x"))
    document = documents(site, topics)[topics.config("car")]
    both = [{"topic": topics.availability}, {"topic": topics.availability_of("car")}]
    own = {key: (part.get("availability"), part.get("availability_mode")) for key, part in document["cmps"].items()}
    assert own["phase"] == own["power_w"] == own["energy_import_wh"] == (both, "all")
    assert own["charge_mode"] == own["override_run"] == (None, None)
    assert document["availability"] == both[:1]


# ---- wishes


@pytest.mark.parametrize(
    ("topic", "payload", "wish"),
    [
        ("car/charge_mode", "solar", ("car", "charge_mode", ChargeMode.SOLAR)),
        ("car/ready_by", "06:45", ("car", "ready_by", time(6, 45))),
        ("car/override", "run", ("car", "override", "run")),
        ("heat_pump/override", "auto", ("heat_pump", "override", "auto")),
        ("battery_reserve_percent", "35", ("", "battery_reserve_percent", 35.0)),
        ("dr_opt_out", "ON", ("", "dr_opt_out", True)),
    ],
)
async def test_a_wish_is_handed_on_with_its_type(
    mosquitto: Mosquitto, judge_of: Any, topic: str, payload: str, wish: tuple[str, str, Value]
) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        judge_of("nothing").say(f"{out.topics.base}/set/{topic}", payload)
        await until(lambda: bool(out.wishes))
        assert out.wishes == [wish]


async def test_a_retained_wish_is_ignored_and_counted(mosquitto: Mosquitto, judge_of: Any) -> None:
    site = a_site()
    judge = judge_of("nothing")
    judge.say(topics_of(site, MqttSettings(kind="mqtt", host="x")).command("override", "car"), "run", retain=True)
    async with outside(mosquitto.port, site) as out:
        await until(lambda: out.publisher.ignored_commands == 1)
        assert out.wishes == []
        judge.say(out.topics.command("override", "car"), "pause")
        await until(lambda: bool(out.wishes))
        assert out.wishes == [("car", "override", "pause")]


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("charge_mode", b"fast"), ("ready_by", b"25:00"), ("ready_by", b"7"), ("ready_by", "٠٧:٣٠".encode()),
        ("override", b"stop"), ("battery_reserve_percent", b"101"), ("battery_reserve_percent", b"nan"),
        ("battery_reserve_percent", b"3_5"), ("battery_reserve_percent", "３５".encode()),
        ("dr_opt_out", b"maybe"), ("dr_opt_out", b"\xff"), ("ready_by", b"0" * 10_000), ("charge_mode", b""),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_read_is_refused_in_words(name: str, payload: bytes) -> None:
    with pytest.raises(WishRefused, match="it takes"):
        value_of(name, payload)


async def test_a_refused_wish_is_counted_and_what_holds_is_shown_again(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        await out.show(a_snapshot())
        judge = judge_of(out.topics.state("charge_mode", "car"))
        await until(lambda: bool(judge.seen))
        judge.history.clear()
        out.refusal = "not today"
        judge.say(out.topics.command("charge_mode", "car"), "now")
        await until(lambda: out.publisher.ignored_commands == 1)
        await out.publisher.update(a_snapshot(), Preferences())
        await until(lambda: bool(judge.history))
        assert judge.history == [(out.topics.state("charge_mode", "car"), "smart")]


async def test_a_refused_wish_says_why_where_it_was_wished(mosquitto: Mosquitto, judge_of: Any) -> None:
    async with outside(mosquitto.port, a_site()) as out:
        judge = judge_of(out.topics.state("refused_wish"))
        await out.show(a_snapshot())
        await until(lambda: list(judge.seen.values()) == ["None"])
        out.refusal = "No event is announced."
        judge.say(out.topics.command("dr_opt_out"), "ON")
        await until(lambda: out.publisher.ignored_commands == 1)
        await out.publisher.update(a_snapshot(), Preferences())
        await until(lambda: list(judge.seen.values()) == ["home, dr_opt_out: No event is announced."])


# ---- counters


def test_a_register_that_starts_anew_goes_on_from_what_was_shown() -> None:
    counters = Counters()
    shown = [counters.show("k", wh) for wh in (5_000.4, 5_100.0, 5_099.0, 3.0, 10.0, 10.0, 500.0)]
    assert shown == [5_000, 5_100, 5_100, 5_100, 5_107, 5_107, 5_597]


@pytest.mark.parametrize("payload", [b"", b"nan", b"inf", b"-5", b"x", b"\xff"])
def test_what_the_broker_kept_is_believed_only_when_it_is_a_counter(payload: bytes) -> None:
    counters = Counters()
    counters.remember("k", payload)
    assert counters.show("k", 7.0) == 7


async def test_counters_never_fall_over_a_restart_with_another_meter(mosquitto: Mosquitto, judge_of: Any) -> None:
    site = a_site()
    async with outside(mosquitto.port, site) as out:
        await out.show(a_snapshot(import_wh=8_000.0))
    judge = judge_of(out.topics.state("energy_import_wh", "grid_meter"))
    async with outside(mosquitto.port, site) as out:
        for register_wh in (20.0, 50.0):
            await out.show(a_snapshot(import_wh=register_wh))
        await until(lambda: bool(judge.history) and judge.history[-1][1] == "8030")
    shown = [int(payload) for _, payload in judge.history]
    assert shown == sorted(shown)


@pytest.mark.slow
async def test_after_a_restart_of_the_broker_all_is_said_again(make_mosquitto: Callable[[], Mosquitto]) -> None:
    server = make_mosquitto()
    async with outside(server.port, a_site()) as out:
        await out.show(a_snapshot(import_wh=8_000.0))
        server.stop()
        await until(lambda: not out.broker.connected)
        await out.publisher.update(a_snapshot(), Preferences())  # costs nothing, raises nothing
        server.start()
        await until(lambda: out.broker.listening)
        await out.show(a_snapshot(import_wh=8_100.0))
        judge = Judge(server.port, "#")
        energy = out.topics.state("energy_import_wh", "grid_meter")
        await until(lambda: judge.seen.get(energy) == "8100" and out.topics.config("car") in judge.seen)
        judge.close()


# ---- names


@pytest.mark.parametrize(("text", "name"), [("Demo home", "demo_home"), ("Maïs #1/+", "mais_1"), ("家", "home")])
def test_a_site_name_becomes_a_safe_topic(text: str, name: str) -> None:
    assert slug(text) == name


@pytest.mark.parametrize("prefix", ["a/#", "+/b", "a b", "/a", "a//b", ""])
def test_a_prefix_with_wildcards_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="state_prefix"):
        MqttSettings(kind="mqtt", host="x", state_prefix=prefix)


def test_a_home_without_a_battery_offers_no_reserve() -> None:
    site = replace(a_site(), devices=(DEVICES[0], DEVICES[4]))
    names = {part["unique_id"].rsplit("_", 2)[-2] for part in components(site).values() if part["p"] == "number"}
    assert names == set()
