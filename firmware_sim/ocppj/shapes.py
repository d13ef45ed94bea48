"""How a message must look, field by field: the witness judges every message of the central system by these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

FORMAT, OCCURRENCE, PROPERTY, TYPE = "format", "occurrence", "property", "type"
CODES = {
    "1.6": {
        FORMAT: "FormationViolation",
        OCCURRENCE: "OccurenceConstraintViolation",  # so spelled in OCPP-J 1.6 section 4.2.3
        PROPERTY: "PropertyConstraintViolation",
        TYPE: "TypeConstraintViolation",
    },
    "2": {
        FORMAT: "FormatViolation",
        OCCURRENCE: "OccurrenceConstraintViolation",
        PROPERTY: "PropertyConstraintViolation",
        TYPE: "TypeConstraintViolation",
    },
}


class Wrong(Exception):
    """A message breaks its shape; `kind` is one of FORMAT, OCCURRENCE, PROPERTY, TYPE."""

    def __init__(self, kind: str, path: str, why: str) -> None:
        super().__init__(f"{path or 'payload'}: {why}")
        self.kind = kind


class Shape(Protocol):
    """What one value may be."""

    def check(self, value: Any, path: str) -> None:
        """Raise Wrong where `value` does not fit."""
        ...


@dataclass(frozen=True)
class Text:
    """A string of at most `most` characters."""

    most: int | None = None

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, str), path, "not a string")
        if self.most is not None and len(value) > self.most:
            raise Wrong(PROPERTY, path, f"{len(value)} characters, {self.most} allowed")


@dataclass(frozen=True)
class OneOf:
    """One of the words the standard lists."""

    words: tuple[str, ...]

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, str), path, "not a string")
        if value not in self.words:
            raise Wrong(PROPERTY, path, f"{value!r} is none of {', '.join(self.words)}")


def one_of(words: str) -> OneOf:
    """The words of one line of text."""
    return OneOf(tuple(words.split()))


@dataclass(frozen=True)
class Whole:
    """An integer in a range."""

    least: int | None = None
    most: int | None = None

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, int) and not isinstance(value, bool), path, "not an integer")
        _ranged(value, self.least, self.most, path)


@dataclass(frozen=True)
class Number:
    """A number in a range, with at most `decimals` decimals when given."""

    least: float | None = None
    most: float | None = None
    decimals: int | None = None

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, (int, float)) and not isinstance(value, bool), path, "not a number")
        _ranged(value, self.least, self.most, path)
        if self.decimals is not None and abs(round(value, self.decimals) - value) > 1e-9:
            raise Wrong(PROPERTY, path, f"{value} has more than {self.decimals} decimals")


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, bool), path, "not a boolean")


@dataclass(frozen=True)
class Time:
    """An RFC 3339 instant with its zone."""

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, str), path, "not a string")
        try:
            at = datetime.fromisoformat(value)
        except ValueError as error:
            raise Wrong(PROPERTY, path, f"{value!r} is no time") from error
        if at.tzinfo is None or "T" not in value:
            raise Wrong(PROPERTY, path, f"{value!r} is no RFC 3339 time with a zone")


@dataclass(frozen=True)
class Many:
    """A list of `least` to `most` items."""

    item: Shape
    least: int = 1
    most: int | None = None

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, list), path, "not a list")
        if len(value) < self.least or (self.most is not None and len(value) > self.most):
            raise Wrong(OCCURRENCE, path, f"{len(value)} items")
        for index, item in enumerate(value):
            self.item.check(item, f"{path}[{index}]")


@dataclass(frozen=True)
class Group:
    """An object; a name that ends in ? may be absent, and nothing unnamed may be present."""

    fields: Mapping[str, Shape] = field(default_factory=dict)
    custom: bool = False
    """2.x: customData may be added anywhere."""

    def check(self, value: Any, path: str) -> None:
        _typed(isinstance(value, dict), path, "not an object")
        allowed = {name.rstrip("?") for name in self.fields} | ({"customData"} if self.custom else set())
        for name in value:
            if name not in allowed:
                raise Wrong(FORMAT, f"{path}.{name}", "no such field")
        for name, shape in self.fields.items():
            plain = name.rstrip("?")
            if plain in value:
                shape.check(value[plain], f"{path}.{plain}")
            elif plain == name:
                raise Wrong(OCCURRENCE, f"{path}.{plain}", "missing")


@dataclass(frozen=True)
class Anything:
    """Any JSON value."""

    def check(self, value: Any, path: str) -> None:
        return


def _typed(fits: bool, path: str, why: str) -> None:
    if not fits:
        raise Wrong(TYPE, path, why)


def _ranged(value: float, least: float | None, most: float | None, path: str) -> None:
    if (least is not None and value < least) or (most is not None and value > most):
        raise Wrong(PROPERTY, path, f"{value} is outside {least}..{most}")
