"""The VTN's objects in memory, and who may see and write them: OpenADR 3.1.0 openadr3.yaml, components/schemas."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A collection: the objectType on the wire, the keys a client must send, and the scope to write."""

    path: str
    type: str
    required: tuple[str, ...]
    write_scope: str
    owned: bool
    """True where a VEN sees only what carries its own clientID (scope read_ven_objects)."""
    unique: tuple[str, ...] = ()
    """Keys that together name the object; absent names never clash."""


KINDS = {
    kind.path: kind
    for kind in (
        Kind("programs", "PROGRAM", ("programName",), "write_programs", owned=False, unique=("programName",)),
        Kind("events", "EVENT", ("programID",), "write_events", owned=False),
        Kind("reports", "REPORT", ("eventID", "clientName", "resources"), "write_reports", owned=True,
             unique=("clientID", "eventID", "reportName")),
        Kind("subscriptions", "SUBSCRIPTION", ("clientName", "objectOperations"), "write_subscriptions", owned=True),
        Kind("vens", "VEN", ("venName", "objectType"), "write_vens", owned=True, unique=("venName",)),
        Kind("resources", "RESOURCE", ("resourceName", "venID", "objectType"), "write_vens", owned=True,
             unique=("venID", "resourceName")),
    )
}  # fmt: skip
REFERENCES = {"programID": "programs", "eventID": "events", "venID": "vens"}


class Problem(Exception):
    """An answer that is an error: HTTP status and a sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: `role` is ven or bl (business logic)."""

    id: str
    role: str


def random_id() -> str:
    """An id like those of most servers."""
    return uuid.uuid4().hex


@dataclass
class Store:
    """All objects by collection and id, oldest first; `changed` hears of every operation."""

    now: Callable[[], datetime]
    changed: Callable[[str, Kind, Object], None] = lambda operation, kind, item: None
    private: bool = True
    """A VEN sees only what is its own, for everybody, or for a target granted to it (3.1.0, not 3.0.1)."""
    items: dict[str, dict[str, Object]] = field(default_factory=lambda: {path: {} for path in KINDS})
    new_id: Callable[[str], str] = lambda path: random_id()

    def visible(self, kind: Kind, client: Client, targets: list[str]) -> list[Object]:
        """What the client may read, filtered by `targets` when given.

        Interpretation of read_targets: a VEN reads an object with targets when one of them was granted to it; asking
        for targets narrows the targeted objects and leaves the untargeted ones, which are meant for everybody.
        """
        return [item for item in self.items[kind.path].values() if self.readable(kind, item, client, targets)]

    def readable(self, kind: Kind, item: Object, client: Client, targets: list[str]) -> bool:
        """Whether the client may read one object, also one that is gone already."""
        return not self.private or _readable(kind, item, client, self.granted(client), targets)

    def get(self, kind: Kind, object_id: str, client: Client) -> Object:
        """One object; Problem 404 when it does not exist for this client."""
        for item in self.visible(kind, client, []):
            if item["id"] == object_id:
                return item
        raise Problem(404, f"no {kind.type.lower()} has the id {object_id}")

    def create(self, kind: Kind, body: Object, client: Client) -> Object:
        """Add with id and times; Problem 400 or 409."""
        owned = self._owned(kind, body, client)
        self._check(kind, owned, None)
        stamp = _stamp(self.now())
        meta = {"id": self.new_id(kind.path), "createdDateTime": stamp, "modificationDateTime": stamp}
        item = {**owned, **meta, "objectType": kind.type}
        self.items[kind.path][item["id"]] = item
        self.changed("CREATE", kind, item)
        return item

    def update(self, kind: Kind, object_id: str, body: Object, client: Client) -> Object:
        """Replace; Problem 400, 404 or 409."""
        held = self.get(kind, object_id, client)
        owned = self._owned(kind, body, client, held)
        self._check(kind, owned, object_id)
        meta = {key: held[key] for key in ("id", "createdDateTime", "objectType")}
        item = {**owned, **meta, "modificationDateTime": _stamp(self.now())}
        self.items[kind.path][object_id] = item
        self.changed("UPDATE", kind, item)
        return item

    def delete(self, kind: Kind, object_id: str, client: Client) -> Object:
        """Remove; Problem 404."""
        item = self.get(kind, object_id, client)
        del self.items[kind.path][object_id]
        self.changed("DELETE", kind, item)
        return item

    def _owned(self, kind: Kind, body: Object, client: Client, held: Object | None = None) -> Object:
        if not isinstance(body, dict):
            raise Problem(400, "the body must be a JSON object")
        if not kind.owned:
            return body
        if client.role == "bl" or not self.private:
            given = body.get("clientID") or (held or {}).get("clientID") or client.id
            return {**body, "clientID": given}
        owned = {key: value for key, value in body.items() if key not in ("clientID", "targets")}
        granted = (held or {}).get("targets")
        if kind.path == "subscriptions" and "targets" in body:
            granted = body["targets"]
        return {**owned, "clientID": client.id, **({"targets": granted} if granted else {})}

    def _check(self, kind: Kind, body: Object, object_id: str | None) -> None:
        missing = [key for key in kind.required if body.get(key) in (None, "")]
        if missing:
            raise Problem(400, f"{kind.type.lower()} without {', '.join(missing)}")
        for key, path in REFERENCES.items():
            if body.get(key) is not None and body[key] not in self.items[path]:
                raise Problem(400, f"{key} {body[key]} does not exist")
        _check_shapes(body)
        names = [body.get(key) for key in kind.unique]
        others = [item for item in self.items[kind.path].values() if item["id"] != object_id]
        if names and None not in names and names in [[item.get(key) for key in kind.unique] for item in others]:
            raise Problem(409, f"{kind.type.lower()} {names[-1]} exists already")

    def granted(self, client: Client) -> set[str]:
        """The targets of the VEN and resource objects of this client."""
        own = [*self.items["vens"].values(), *self.items["resources"].values()]
        return {target for item in own if item.get("clientID") == client.id for target in item.get("targets") or []}


def _readable(kind: Kind, item: Object, client: Client, granted: set[str], asked: list[str]) -> bool:
    targets = set(item.get("targets") or [])
    if client.role == "bl":
        return not asked or bool(targets & set(asked))
    if kind.owned:
        return bool(item["clientID"] == client.id) and (not asked or bool(targets & set(asked)))
    return not targets or bool(targets & granted and (not asked or targets & granted & set(asked)))


def _check_shapes(body: Object) -> None:
    for key in ("intervals", "resources", "targets", "objectOperations", "payloadDescriptors", "reportDescriptors"):
        if body.get(key) is not None and not isinstance(body[key], list):
            raise Problem(400, f"{key} must be a list")
    for interval in body.get("intervals") or []:
        if not isinstance(interval, dict) or "id" not in interval or not isinstance(interval.get("payloads"), list):
            raise Problem(400, "an interval needs id and payloads")
    for resource in body.get("resources") or []:
        if not isinstance(resource, dict) or "resourceName" not in resource or "intervals" not in resource:
            raise Problem(400, "a reported resource needs resourceName and intervals")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
