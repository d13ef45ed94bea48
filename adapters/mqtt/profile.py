"""Device profiles: which topic carries what, as a table in config/devices/mqtt, never code."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from adapters.mqtt.decode import State
from gateway.model.errors import Finding, SiteFileError
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind


@dataclass(frozen=True, slots=True)
class Availability:
    """The topic by which a device (or its last will) says whether it is there: a hint, never proof."""

    topic: str
    path: tuple[str, ...]
    online: frozenset[str]
    offline: frozenset[str]


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
    """A kind of MQTT device; topics hold {topic} for the device's own."""

    name: str
    maker: str
    model: str
    source: str
    verified: str
    states: tuple[State, ...]
    availability: Availability | None
    commands: dict[SetpointKind, Command]
    request: Request | None


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Source(_Wire):
    manual: str
    version: str
    page: str


class _State(_Wire):
    topic: str
    quantity: Quantity
    path: str | list[str] = ""
    scale: float = 1.0
    sign: Literal[1, -1] = 1
    map: dict[str, float] = {}
    range: tuple[float, float] | None = None
    partial: bool = False


class _Availability(_Wire):
    topic: str
    path: str = ""
    online: list[str]
    offline: list[str]


class _Command(_Wire):
    kind: Literal["on", "target_temperature_c"]
    topic: str
    payload: dict[str, Any] | str
    echo: Quantity
    tolerance: float = Field(default=0.01, ge=0)
    reply_topic: str = ""


class _Request(_Wire):
    topic: str
    payload: str


class _Profile(_Wire):
    maker: str
    model: str
    source: _Source
    verified: str
    states: list[_State] = Field(min_length=1)
    availability: _Availability | None = None
    commands: list[_Command] = []
    request: _Request | None = None


def profile_names(folder: Path) -> list[str]:
    """The profiles in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_profile(name: str, folder: Path) -> Profile:
    """Read one profile; raises SiteFileError whose findings name place and remedy."""
    known = profile_names(folder)
    if name not in known:
        what = "there is no such MQTT device profile"
        raise SiteFileError([Finding(f"profile {name}", what, _suggest(name, known))])
    path = folder / f"{name}.yaml"
    try:
        wire = _Profile.model_validate(YAML(typ="safe").load(path))
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SiteFileError([Finding(f"{path.name}{line}", str(error.problem), "Mend the YAML there.")]) from error
    except OSError as error:
        raise SiteFileError([Finding(path.name, str(error), "Check the file and its rights.")]) from error
    except ValidationError as error:
        raise SiteFileError([_finding(dict(problem), path) for problem in error.errors()]) from error
    if findings := _duplicates(wire, path):
        raise SiteFileError(findings)
    return _to_profile(name, wire)


def _finding(problem: dict[str, Any], path: Path) -> Finding:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    where = f"{path.name}: {place}" if place else path.name
    if problem["type"] == "extra_forbidden":
        fields = [*_Profile.model_fields, *_State.model_fields, *_Command.model_fields, *_Availability.model_fields]
        return Finding(where, "unknown key", _suggest(str(problem["loc"][-1]), sorted(set(fields))))
    if problem["type"] == "missing":
        return Finding(where, "it is missing", "Add it.")
    what = f"{problem['input']!r} does not do: {problem['msg']}"
    remedy = _suggest(str(problem["input"]), [str(q) for q in Quantity]) if problem["type"] == "enum" else "Mend it."
    return Finding(where, what, remedy)


def _suggest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."


def _duplicates(wire: _Profile, path: Path) -> list[Finding]:
    seen: dict[tuple[str, Quantity], int] = {}
    findings = []
    for index, state in enumerate(wire.states):
        first = seen.setdefault((state.topic, state.quantity), index)
        if first != index:
            what = f"{state.quantity} stands already at states[{first}] for this topic"
            findings.append(Finding(f"{path.name}: states[{index}].quantity", what, "Remove one of the two."))
    return findings


def _path(path: str | list[str]) -> tuple[str, ...]:
    """Keys by a dotted string, or as a list when a key itself holds a dot."""
    parts = path.split(".") if isinstance(path, str) else path
    return tuple(part for part in parts if part)


def _to_profile(name: str, wire: _Profile) -> Profile:
    return Profile(
        name=name, maker=wire.maker, model=wire.model, verified=wire.verified,
        source=f"{wire.source.manual}, {wire.source.version}, {wire.source.page}",
        states=tuple(_to_state(state) for state in wire.states),
        availability=_to_availability(wire.availability) if wire.availability else None,
        commands={SetpointKind(command.kind): _to_command(command) for command in wire.commands},
        request=Request(wire.request.topic, wire.request.payload) if wire.request else None,
    )  # fmt: skip


def _to_state(state: _State) -> State:
    low, high = state.range or (None, None)
    return State(
        topic=state.topic, quantity=state.quantity, path=_path(state.path), scale=state.scale * state.sign,
        words=state.map, low=low, high=high, partial=state.partial,
    )  # fmt: skip


def _to_availability(wire: _Availability) -> Availability:
    return Availability(wire.topic, _path(wire.path), frozenset(wire.online), frozenset(wire.offline))


def _to_command(wire: _Command) -> Command:
    return Command(
        kind=SetpointKind(wire.kind), topic=wire.topic, payload=wire.payload, echo=wire.echo,
        tolerance=wire.tolerance, reply_topic=wire.reply_topic, dead_man="{seconds}" in str(wire.payload),
    )  # fmt: skip
