"""What a mistake in the site file is told as: the line it stands on, what is wrong there, and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Container
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from gateway.model.errors import Finding


def validate(
    model: type[BaseModel],
    values: Any,
    path: Path,
    where: str,
    *,
    lines: Any = None,
    also: tuple[str, ...] = (),
) -> tuple[Any, list[Finding]]:
    """The model of the values, or None and what is wrong; `lines` has their place, `also` further known keys."""
    try:
        return model.model_validate(_plain(values)), []
    except ValidationError as error:
        return None, [
            _finding(item, model, lines if lines is not None else values, path, where, also) for item in error.errors()
        ]


def _plain(value: Any) -> Any:
    """Plain Python types of what the YAML reader made (its numbers and strings carry their layout)."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, SecretStr):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _finding(item: Any, model: type[BaseModel], values: Any, path: Path, where: str, also: tuple[str, ...]) -> Finding:
    steps = [str(step) for step in item["loc"]]
    key = steps[0] if steps else ""
    if not steps:
        # The rule is about the whole section; what was given would be all of it, secrets included.
        return Finding(f"{place_of(path, values, key)}: {where}", _said(item), "Correct the values.")
    place = f"{place_of(path, values, key)}: {'.'.join([where, *steps])}"
    if item["type"] == "extra_forbidden":
        return unknown_name(place, key, (*model.model_fields, *also))
    if item["type"] == "missing":
        about = model.model_fields[key].description if key in model.model_fields else ""
        return Finding(place, "is missing", f"Add it: {about or 'it is required'}.")
    field_type = str(model.model_fields[key].annotation) if key in model.model_fields else ""
    given = str(item.get("input"))[:60] if "SecretStr" not in field_type else "the given value"
    about = model.model_fields[key].description if key in model.model_fields else None
    if item["type"] == "string_type" and "SecretStr" not in field_type and not isinstance(item["input"], (dict, list)):
        return Finding(place, f"must be text, and {given} is a number, a date or yes/no", f'Quote it: "{given}".')
    return Finding(place, f"{_said(item)} (given: {given})", f"{key}: {about}." if about else "Correct the value.")


def _said(item: Any) -> str:
    return str(item["msg"]).removeprefix("Value error, ")


def unknown_name(place: str, given: str, known: tuple[str, ...], *, what: str = "key") -> Finding:
    """A name nobody knows, with the nearest one that is known."""
    close = difflib.get_close_matches(given, known, n=1)
    remedy = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known) or 'none'}."
    return Finding(place, f"unknown {what} '{given}'", remedy)


def unusable(place: str, given: str, sound: tuple[str, ...], named: Container[str], *, what: str) -> Finding:
    """A name that cannot be used: nobody knows it, or what it names has a mistake of its own."""
    if given not in named:
        return unknown_name(place, given, sound, what=what)
    return Finding(place, f"is left out with {what} '{given}'", f"Mend the {what}.")


def line_of(values: Any, key: Any) -> int:
    """The line of a key of a map read from the file, counted from 1."""
    position = getattr(values, "lc", None)
    data = getattr(position, "data", None) or {}
    if key in data:
        return int(data[key][0]) + 1
    return int(position.line) + 1 if position is not None else 1


def place_of(path: Path, values: Any, key: Any) -> str:
    """File and line of a key, as people write it."""
    return f"{path}:{line_of(values, key)}"
