"""Home Assistant discovery read the other way: what a device's own config messages say of its values. Pure.

Source: Home Assistant documentation, MQTT: "Discovery payload" (single component and device form, abbreviations, `~`),
"Availability", Sensor, Binary sensor and Switch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.mqtt.ha_template import Shape, TemplateRefused, read_template
from adapters.mqtt.presence import Availability

PLATFORMS = ("sensor", "binary_sensor", "switch")
MAX_ENTITIES = 256
"""Of one config message; the largest honest device has some dozens."""
MAX_TOPIC = 256
_LONG = {
    "avty": "availability", "avty_mode": "availability_mode", "avty_t": "availability_topic",
    "avty_tpl": "availability_template", "cmps": "components", "dev": "device", "dev_cla": "device_class",
    "exp_aft": "expire_after", "obj_id": "object_id", "p": "platform", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "pl_off": "payload_off", "pl_on": "payload_on", "stat_cla": "state_class",
    "stat_off": "state_off", "stat_on": "state_on", "stat_t": "state_topic", "t": "topic", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
}  # fmt: skip


class BadConfig(ValueError):
    """A config message that says nothing usable; the message says why."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One value as its device describes it."""

    key: str
    """Its name within the device: the component's key or the topic's object id."""
    ids: frozenset[str]
    """All names it may be asked for by: key, object id, unique id."""
    platform: str
    topic: str
    shape: Shape
    unit: str
    device_class: str
    state_class: str
    words: Mapping[str, float]
    expire_s: float | None
    availability: tuple[Availability, ...]
    mode: str
    refused: str = ""
    """Why it cannot be read, in words; empty when it can."""


@dataclass(frozen=True, slots=True)
class Config:
    """One config message: whose it is and what it describes."""

    owners: frozenset[str]
    """The device's identifiers."""
    entities: tuple[Entity, ...]
    whole: bool = False
    """Device form: it describes all of the device in one message."""


def read_config(topic: str, payload: bytes) -> Config:
    """The entities a config message describes, on PREFIX/PLATFORM/[NODE/]OBJECT/config; raises BadConfig."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadConfig("it is broken JSON") from error
    if not isinstance(document, dict):
        raise BadConfig("it is no JSON object")
    *_, object_id, _config = topic.split("/")
    config = _expand(document)
    entities = tuple(_entity(*each) for each in _components(topic, object_id, config))
    return Config(_owners(config.get("device")), entities, whole="components" in config)


def _components(topic: str, object_id: str, config: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Key, platform and settings of each component; in the device form what is shared stands at the top."""
    components = config.get("components")
    if not isinstance(components, dict):
        platform = next((name for name in PLATFORMS if f"/{name}/" in topic), "")
        yield object_id, platform, config
        return
    if len(components) > MAX_ENTITIES:
        raise BadConfig(f"it has {len(components)} components")
    shared = {key: value for key, value in config.items() if key not in ("components", "device", "unique_id")}
    for key, component in components.items():
        if isinstance(component, dict):
            own = _expand(component)
            yield str(key), str(own.get("platform", "")), {**shared, **own}


def _expand(document: Mapping[str, Any]) -> dict[str, Any]:
    """Long names for short ones, and the base topic in place of a leading or ending `~`."""
    base, config = document.get("~"), _long_names(document)
    if "availability" in config:
        listed = config["availability"]
        each_one = listed if isinstance(listed, list) else [listed]
        config["availability"] = [_long_names(each) for each in each_one if isinstance(each, dict)]
    if isinstance(base, str):
        for part in (config, *config.get("availability", ())):
            _put_base(part, base)
        if isinstance(components := config.get("components"), dict):
            config["components"] = {
                key: {"~": base, **each} for key, each in components.items() if isinstance(each, dict)
            }
    return config


def _long_names(document: Mapping[str, Any]) -> dict[str, Any]:
    return {_LONG.get(key, key): value for key, value in document.items() if key != "~"}


def _put_base(config: dict[str, Any], base: str) -> None:
    for key, value in config.items():
        if key.endswith("topic") and isinstance(value, str):
            if value.startswith("~"):
                config[key] = base + value[1:]
            elif value.endswith("~"):
                config[key] = value[:-1] + base


def _owners(device: Any) -> frozenset[str]:
    if not isinstance(device, dict):
        return frozenset()
    ids = device.get("identifiers", device.get("ids", []))
    return frozenset(str(each) for each in (ids if isinstance(ids, list) else [ids]))


def _entity(key: str, platform: str, config: dict[str, Any]) -> Entity:
    names = {key, *(str(config[name]) for name in ("object_id", "unique_id") if name in config)}
    topic, refused, shape = str(config.get("state_topic", "")), "", Shape()
    availability: tuple[Availability, ...] = ()
    try:
        shape = read_template(str(config.get("value_template") or ""))
        availability = _availability(config)
    except TemplateRefused as error:
        refused = str(error)
    if platform not in PLATFORMS:
        refused = f"it is a {platform or 'component without a platform'}, not a sensor or switch"
    elif not is_plain(topic):
        refused = f"its state topic {topic[:60]!r} is no plain topic" if topic else "it has no state topic"
    return Entity(
        key=key, ids=frozenset(names), platform=platform, topic=topic, shape=shape,
        unit=str(config.get("unit_of_measurement") or ""), device_class=str(config.get("device_class") or ""),
        state_class=str(config.get("state_class") or ""), words=_words(config) if platform != "sensor" else {},
        expire_s=_seconds(config.get("expire_after")), availability=availability,
        mode=str(config.get("availability_mode", "latest")), refused=refused,
    )  # fmt: skip


def is_plain(topic: str) -> bool:
    """Whether it is one topic of the home: no wildcard, none of the broker's own."""
    return bool(topic) and len(topic) <= MAX_TOPIC and not set(topic) & set("+#\0") and not topic.startswith("$")


def _availability(config: dict[str, Any]) -> tuple[Availability, ...]:
    """The list form, or the single topic with its words beside it."""
    listed = config.get("availability")
    if not isinstance(listed, list):
        template = config.get("availability_template")
        words = {key: config[key] for key in ("payload_available", "payload_not_available") if key in config}
        listed = [{"topic": config.get("availability_topic", ""), "value_template": template, **words}]
    return tuple(
        Availability(
            topic=str(each.get("topic", "")), path=read_template(str(each.get("value_template") or "")).path,
            online=frozenset({str(each.get("payload_available", "online"))}),
            offline=frozenset({str(each.get("payload_not_available", "offline"))}),
        )
        for each in listed if is_plain(str(each.get("topic", "")))
    )  # fmt: skip


def _words(config: dict[str, Any]) -> dict[str, float]:
    on, off = config.get("payload_on", "ON"), config.get("payload_off", "OFF")
    return {str(config.get("state_on", on)): 1.0, str(config.get("state_off", off)): 0.0}


def _seconds(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and 0 < value < 1e7 else None
