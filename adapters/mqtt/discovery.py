"""Home Assistant's device discovery: one retained document per device, from the table of entities.

Source: Home Assistant documentation, MQTT: "Device discovery payload" (`dev`, `o`, `cmps`), "Availability" (a list with
mode all), and Sensor: device and state classes. Its Energy page takes energy sensors of class total_increasing, so no sensor has to be made by hand.
"""

from __future__ import annotations

from typing import Any

from adapters.mqtt.entities import Control, Sensor, controls_of, sensors_of, sensors_of_site
from adapters.mqtt.topics import Topics, slug
from gateway.model.site import Device, Role, Site

READY_BY = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
HEADLINE = "headline"
RESERVE = "battery_reserve_percent"
OPT_OUT = "dr_opt_out"
REFUSED = "refused_wish"


def documents(site: Site, topics: Topics) -> dict[str, dict[str, Any]]:
    """Discovery topic -> document: one for the home, one for each of its devices."""
    found = {topics.config(): _home(site, topics)}
    return found | {topics.config(device.id): _device(device, topics) for device in site.devices}


def has_battery(site: Site) -> bool:
    """Whether there is a battery whose reserve can be set."""
    return bool(site.of_role(Role.BATTERY, Role.HYBRID_INVERTER))


def _home(site: Site, topics: Topics) -> dict[str, Any]:
    parts = {sensor.key: _sensor(sensor, "", topics) for sensor in sensors_of_site()}
    parts[HEADLINE] = {**_part("sensor", "What happens now", HEADLINE, topics), "state_topic": topics.state(HEADLINE)}
    parts[REFUSED] = {
        **_part("sensor", "Last wish that was refused", REFUSED, topics),
        "state_topic": topics.state(REFUSED), "entity_category": "diagnostic",
    }  # fmt: skip
    parts[OPT_OUT] = {
        **_part("switch", "Skip the utility's events", OPT_OUT, topics),
        "state_topic": topics.state(OPT_OUT),
        "command_topic": topics.command(OPT_OUT),
    }
    if has_battery(site):
        parts[RESERVE] = {
            **_part("number", "Battery reserve", RESERVE, topics),
            "state_topic": topics.state(RESERVE), "command_topic": topics.command(RESERVE),
            "min": 0, "max": 100, "step": 1, "unit_of_measurement": "%",
        }  # fmt: skip
    about = {"ids": [topics.identifier()], "name": site.name, "mf": "Hearth", "mdl": "Home energy gateway"}
    return _document(about, parts, topics)


def _device(device: Device, topics: Topics) -> dict[str, Any]:
    place = slug(device.id)
    # What a device tells is there while it is; what is wished of it is the home's to keep.
    parts = {sensor.key: _sensor(sensor, place, topics) | _there(place, topics) for sensor in sensors_of(device)}
    for control in controls_of(device):
        key = f"{control.key}_{control.payload}" if control.payload else control.key
        parts[key] = _control(control, key, place, topics)
    about = {
        "ids": [topics.identifier(device.id)], "name": device.name, "mf": "Hearth",
        "mdl": device.role.value.replace("_", " "), "via_device": topics.identifier(),
    }  # fmt: skip
    return _document(about, parts, topics)


def _document(about: dict[str, Any], parts: dict[str, Any], topics: Topics) -> dict[str, Any]:
    home = [{"topic": topics.availability}]
    return {"dev": about, "o": {"name": "Hearth"}, "availability": home, "qos": 1, "cmps": parts}


def _there(device: str, topics: Topics) -> dict[str, Any]:
    both = [{"topic": topics.availability}, {"topic": topics.availability_of(device)}]
    return {"availability": both, "availability_mode": "all"}


def _part(platform: str, name: str, key: str, topics: Topics, device: str = "") -> dict[str, Any]:
    return {"p": platform, "name": name, "unique_id": f"{topics.identifier(device)}_{key}"}


def _sensor(sensor: Sensor, device: str, topics: Topics) -> dict[str, Any]:
    part = _part("sensor", sensor.name, sensor.key, topics, device)
    part["state_topic"] = topics.state(sensor.key, device)
    classes = {
        "device_class": sensor.kind.device_class,
        "state_class": sensor.kind.state_class,
        "unit_of_measurement": sensor.kind.unit,
        "options": list(sensor.words),
    }
    return part | {key: value for key, value in classes.items() if value}


def _control(control: Control, key: str, device: str, topics: Topics) -> dict[str, Any]:
    part = _part(control.platform, control.name, key, topics, device)
    part["command_topic"] = topics.command(control.key, device)
    if control.payload:
        return part | {"payload_press": control.payload}
    part["state_topic"] = topics.state(control.key, device)
    if control.platform == "text":
        return part | {"min": 5, "max": 5, "pattern": READY_BY}
    return part | {"options": list(control.options)}
