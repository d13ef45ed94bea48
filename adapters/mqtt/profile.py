"""Device profiles: which topic carries what, as a table in config/devices/mqtt, never code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.mqtt.decode import Part, State
from adapters.mqtt.presence import Availability
from adapters.mqtt.profile_wire import TABLES, AvailabilityWire, CommandWire, ProfileWire, StateWire
from adapters.mqtt.settings import OTHER_PROFILES
from adapters.profiles.file import read_table
from adapters.profiles.words import finding_of, suggest
from gateway.model.errors import Finding, SiteFileError
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind


@dataclass(frozen=True, slots=True)
class Command:
    """How one kind of setpoint is sent, and which quantity echoes it within `tolerance` of its unit."""

    kind: SetpointKind
    topic: str
    payload: Any
    echo: Quantity
    tolerance: float
    reply_topic: str = ""
    """Where the device answers the command itself, if it does: JSON with "result" or "error"."""
    dead_man: bool = False
    """The payload carries {seconds}: the device falls back by itself at the setpoint's end."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to publish to make the device tell its whole state."""

    topic: str
    payload: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of MQTT device; topics hold {topic} for the device's own, {channel} for its channel."""

    name: str
    maker: str
    model: str
    source: str
    verified: str
    states: tuple[State, ...]
    availability: tuple[Availability, ...]
    commands: dict[SetpointKind, Command]
    request: Request | None
    availability_mode: str = "latest"


def profile_names(folder: Path) -> list[str]:
    """The profiles in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_profile(name: str, folder: Path) -> Profile:
    """Read one profile; raises SiteFileError whose findings name place and remedy."""
    known = profile_names(folder)
    if name not in known:
        what = "there is no such MQTT device profile"
        raise SiteFileError([Finding(f"profile {name}", what, suggest(name, [*known, *OTHER_PROFILES]))])
    path = folder / f"{name}.yaml"
    table = read_table(path)
    try:
        wire = ProfileWire.model_validate(table)
    except ValidationError as error:
        raise SiteFileError([finding_of(dict(problem), path.name, TABLES) for problem in error.errors()]) from error
    if findings := _duplicates(wire, path):
        raise SiteFileError(findings)
    return _to_profile(name, wire)


def _duplicates(wire: ProfileWire, path: Path) -> list[Finding]:
    seen: dict[tuple[str, Quantity, tuple[str, ...]], int] = {}
    findings = []
    for index, state in enumerate(wire.states):
        place = state.sum[0] if state.sum else state
        first = seen.setdefault((place.topic, state.quantity, _path(place.path)), index)
        if first != index:
            what = f"{state.quantity} stands already at states[{first}] for this topic and path"
            findings.append(Finding(f"{path.name}: states[{index}].quantity", what, "Remove one of the two."))
    return findings


def _path(path: str | list[str]) -> tuple[str, ...]:
    """Keys by a dotted string, or as a list when a key itself holds a dot."""
    parts = path.split(".") if isinstance(path, str) else path
    return tuple(part for part in parts if part)


def _to_profile(name: str, wire: ProfileWire) -> Profile:
    return Profile(
        name=name, maker=wire.maker, model=wire.model, verified=wire.verified,
        source=f"{wire.source.manual}, {wire.source.version}, {wire.source.page}",
        states=tuple(_to_state(state) for state in wire.states),
        availability=(_to_availability(wire.availability),) if wire.availability else (),
        commands={SetpointKind(command.kind): _to_command(command) for command in wire.commands},
        request=Request(wire.request.topic, wire.request.payload) if wire.request else None,
    )  # fmt: skip


def _to_state(state: StateWire) -> State:
    low, high = state.range or (None, None)
    return State(
        topic=state.topic, quantity=state.quantity, path=_path(state.path), scale=state.scale * state.sign,
        words=state.map, low=low, high=high, partial=state.partial, alone=state.arrive == "alone",
        add_list=state.add_list,
        parts=tuple(Part(part.topic, _path(part.path), part.scale * state.scale * state.sign) for part in state.sum),
    )  # fmt: skip


def _to_availability(wire: AvailabilityWire) -> Availability:
    return Availability(wire.topic, _path(wire.path), frozenset(wire.online), frozenset(wire.offline))


def _to_command(wire: CommandWire) -> Command:
    return Command(
        kind=SetpointKind(wire.kind), topic=wire.topic, payload=wire.payload, echo=wire.echo,
        tolerance=wire.tolerance, reply_topic=wire.reply_topic, dead_man="{seconds}" in str(wire.payload),
    )  # fmt: skip
