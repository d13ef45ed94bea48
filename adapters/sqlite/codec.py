"""Documents: frozen dataclasses to JSON and back, led by their own annotations, with nothing lost."""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from gateway.model.errors import StoreError

T = TypeVar("T")


def to_json(value: object) -> str:
    """A dataclass as compact ASCII JSON; infinite floats keep Python's `Infinity`."""
    return json.dumps(_encode(value), separators=(",", ":"))


def from_json(kind: type[T], text: str | bytes) -> T:
    """The dataclass of type `kind` that `to_json` wrote; fields added since take their default.

    Raises StoreError for a document that is not one of its kind.
    """
    try:
        value: T = _decode(kind, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"a stored {kind.__name__} cannot be read: {error}") from error
    return value


def _encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(_encode(key)): _encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [_encode(item) for item in value]
    return value


def _decode(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), value)
    if origin is dict:
        key_kind, item_kind = get_args(kind)
        return {_decode(key_kind, key): _decode(item_kind, item) for key, item in value.items()}
    if origin is tuple:
        return _decode_tuple(get_args(kind), value)
    if isinstance(kind, type):
        return _decode_plain(kind, value)
    return value


def _decode_plain(kind: type, value: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _decode(hints[name], item) for name, item in value.items() if name in hints})
    if issubclass(kind, Enum):
        return kind(value)
    if kind in (datetime, date, time):
        return kind.fromisoformat(value)
    if kind is timedelta:
        return timedelta(seconds=value)
    return value


def _decode_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None:
        return None
    known = [kind for kind in kinds if kind is not type(None)]
    # Unions in the model are "X | None" or of plain JSON values, which need no decoding.
    return _decode(known[0], value) if len(known) == 1 else value


def _decode_tuple(kinds: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], item) for item in value)
    return tuple(_decode(kind, item) for kind, item in zip(kinds, value, strict=True))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
