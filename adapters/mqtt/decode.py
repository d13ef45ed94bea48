"""Payloads to values, wishes to payloads: pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.model.quantity import Quantity

_CHOICE = re.compile(r"^\{([^{}|]*)\|([^{}|]*)\}$")
"""{ON|OFF} in a command: the first word for on, the second for off."""
_DECIMAL = re.compile(r"[ \t\r\n]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\r\n]*")
"""What devices write for numbers, zero-padded or not. Python's own spellings (1_000, other scripts' digits, infinity)
are none of theirs: a payload that holds one is garbled."""
_NO_WORDS: Mapping[str, float] = {}
SWITCHES = (Quantity.ON, Quantity.GRID_PRESENT, Quantity.DIMMED)
"""Quantities that true and false, on and off may stand for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One term of a quantity that the device tells in pieces: tariffs, phases, consumption less production."""

    topic: str
    path: tuple[str, ...]
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """Where a quantity stands: `path` of keys and indices into the JSON of messages on `topic`; empty for all of it.

    A `partial` topic carries only what changed, so none of its messages may be skipped. With `parts` the quantity is
    their sum, and `topic` is empty; `alone` says that parts change on their own, not as one telegram.
    """

    topic: str
    quantity: Quantity
    path: tuple[str, ...]
    scale: float = 1.0
    words: Mapping[str, float] | None = None
    """What words mean as numbers, e.g. ON -> 1."""
    low: float | None = None
    high: float | None = None
    partial: bool = False
    parts: tuple[Part, ...] = ()
    alone: bool = False
    offset: float = 0.0
    """Added after the scale: the zero of another unit."""
    expire_s: float | None = None
    """Silence after which this quantity alone is missing, s of home time; None: only with its device."""
    add_list: bool = False
    """A list holds channels whose values belong together: they are added up."""
    listed: bool = False
    """The device is one that tells in lists, one value per channel: a list of one is that value."""
    channel: int | None = None
    """Which of the values in a list is the device's, where the site file says so."""

    @property
    def topics(self) -> frozenset[str]:
        """Every topic the quantity is told on."""
        return frozenset(part.topic for part in self.parts) if self.parts else frozenset([self.topic])


class Found(NamedTuple):
    """A value, or None with the reason in words."""

    value: float | None
    reason: str = ""


class BadPayload(ValueError):
    """A payload that cannot be read at all."""


def parse(payload: bytes) -> Any:
    """The payload as JSON, or as plain text when it is none; raises BadPayload for an empty or undecodable one."""
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise BadPayload("it is not text") from error
    if not text:
        raise BadPayload("it is empty")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if text[0] in "{[":
            raise BadPayload("it is broken JSON") from error
        return text


def decimal(text: str) -> float | None:
    """The number that a plain decimal spells; None for any other text, and for what is too large to be one."""
    value = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def find(document: Any, state: State) -> Found | None:
    """The state's value in a parsed payload; None when the message does not speak of it."""
    found = _scaled(document, state, state.path, state.scale, state.offset)
    return found if found is None or found.value is None else _bounded(found, state)


def find_part(document: Any, state: State, part: Part) -> Found | None:
    """One part's value, scaled; None when the message does not speak of it."""
    return _scaled(document, state, part.path, part.scale)


def add_up(found: Iterable[Found], state: State) -> Found:
    """The sum of all parts; missing, with the reason, as soon as one of them is."""
    total = 0.0
    for part in found:
        if part.value is None:
            return part
        total += part.value
    return _bounded(Found(total), state)


def _scaled(document: Any, state: State, path: tuple[str, ...], scale: float, offset: float = 0.0) -> Found | None:
    node = document
    for key in path:
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isascii() and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    if isinstance(node, list):
        if (found := _channels(node, state)) is not None:
            return found if found.value is None else Found(found.value * scale + offset)
        node = node[0 if len(node) == 1 else state.channel or 0]
    value = _value(node, state)
    if value is None:
        return Found(None, f"the device says {_short(node)}")
    return Found(value * scale + offset)  # an offset of 0.0 makes production of nothing 0, not -0


def _channels(node: list[Any], state: State) -> Found | None:
    """What a list with a value per channel says; None when one of its values is meant."""
    if state.add_list and len(node) > 1:
        values = [_value(each, state) for each in node]
        known = [value for value in values if value is not None]
        return Found(sum(known)) if len(known) == len(values) else Found(None, f"the device says {_short(node)}")
    if (len(node) == 1 and state.listed) or (state.channel is not None and state.channel < len(node)):
        return None
    if len(node) == 1:
        return Found(None, f"the device says {_short(node)}, a list")
    return Found(None, f"{len(node)} channels, choose one with channel:" if node else "the device says []")


def _value(node: Any, state: State) -> float | None:
    return _number(node, state.words or _NO_WORDS, switch=state.quantity in SWITCHES)


def _bounded(found: Found, state: State) -> Found:
    value = found.value
    assert value is not None
    if (state.low is not None and value < state.low) or (state.high is not None and value > state.high):
        return Found(None, f"{value:g} {state.quantity.unit} is outside its range")
    return found


def fill(template: Any, value: float, seconds: int) -> Any:
    """A command's payload: {value}, {on} (true or false), {A|B} (A when on, else B) and {seconds} in `template`
    replaced by the wish."""
    named: dict[str, Any] = {"{value}": value, "{on}": value >= 0.5, "{seconds}": seconds}
    if isinstance(template, str) and (choice := _CHOICE.match(template)):
        return choice[1] if value >= 0.5 else choice[2]
    if isinstance(template, dict):
        return {key: fill(part, value, seconds) for key, part in template.items()}
    if isinstance(template, list):
        return [fill(part, value, seconds) for part in template]
    return named.get(template, template) if isinstance(template, str) else template


def _number(node: Any, words: Mapping[str, float], *, switch: bool) -> float | None:
    """A finite number out of what devices send: numbers, plain decimals as strings, words.

    true and false are numbers for a switch only: elsewhere false means that a sensor is not there.
    """
    if type(node) is float:  # nearly all of them
        return node if math.isfinite(node) else None
    if isinstance(node, bool):
        return float(node) if switch else None
    if isinstance(node, str):
        return words[node] if node in words else decimal(node)
    if not isinstance(node, int):
        return None
    try:
        return float(node)
    except OverflowError:
        return None


def _short(node: Any) -> str:
    text = json.dumps(node)
    return text if len(text) <= 40 else text[:37] + "..."
