"""The VTN's MQTT notifier (3.1.0 only): its topics, who may ask for them, and what is published on them.

openadr/events/CREATE                     every event; for business logic
openadr/programs/{programID}/events/...   the events of one program that are for everybody
openadr/vens/{venID}/events/...           what that VEN may read
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from firmware_sim.mqtt_line import MqttLine
from firmware_sim.vtn_store import KINDS, Client, Kind, Object, Problem, Store

ROOT = "openadr"
OPERATIONS = ("CREATE", "UPDATE", "DELETE")
FOR_ALL = {"programs": "read_all", "events": "read_bl", "reports": "read_bl", "subscriptions": "read_bl",
           "vens": "read_bl", "resources": "read_bl"}  # fmt: skip
FOR_A_VEN = ("events", "programs", "resources")


def topics(path: str, *, existing: bool = False) -> Object:
    """notifierTopicsResponse for one topic path; an object that exists already has no CREATE."""
    named = {operation: f"{ROOT}/{path}/{operation}" for operation in OPERATIONS[1 if existing else 0 :]}
    return {"topics": {**named, "ALL": f"{ROOT}/{path}/+"}}


def asked(path: str) -> tuple[str, bool]:
    """The scope a topic path takes and whether it names one object; Problem 404 for a path that is none."""
    match path.split("/"):
        case [kind] if kind in FOR_ALL:
            return FOR_ALL[kind], False
        case ["programs", _]:
            return "read_all", True
        case ["programs", _, "events"]:
            return "read_all", False
        case ["vens", _]:
            return "read_ven_objects", True
        case ["vens", _, kind] if kind in FOR_A_VEN:
            return "read_ven_objects", False
        case _:
            raise Problem(404, f"there are no topics for {path}")


def binding(port: int) -> Object:
    """mqttNotifierBindingObject of a broker on this machine."""
    return {
        "URIS": [f"mqtt://127.0.0.1:{port}"],
        "serialization": "JSON",
        "authentication": {"method": "ANONYMOUS"},
    }


class MqttNotifier:
    """Publishes each change on every topic it belongs to; nothing while the broker is away."""

    def __init__(self, store: Store, line: MqttLine | None) -> None:
        self._store, self.line = store, line

    def publish(self, operation: str, kind: Kind, item: Object, body: Any) -> None:
        """Tell of one operation on one object."""
        if self.line is None:
            return
        for path in self._paths(kind, item):
            self.line.publish(f"{ROOT}/{path}/{operation}", body)

    def _paths(self, kind: Kind, item: Object) -> Iterator[str]:
        yield kind.path
        if kind.path in ("programs", "vens"):
            yield f"{kind.path}/{item['id']}"
        if kind.path == "events" and not item.get("targets"):
            yield f"programs/{item['programID']}/events"
        if kind.path in FOR_A_VEN:
            for ven in self._store.items["vens"].values():
                if self._store.readable(KINDS[kind.path], item, Client(str(ven.get("clientID")), "ven"), []):
                    yield f"vens/{ven['id']}/{kind.path}"
