"""The ocpp package's JSON schemas, compiled on first use; the package itself is never imported.

Strict is what the standard says, lenient is what a real charger may do: unknown fields and enum values, over-long
strings, numbers where the standard wants text or whole numbers pass; wrong types and missing fields do not.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema

Validator = Callable[[Any], Any]

_FORBIDDING = ("enum", "minItems", "additionalProperties", "maxLength", "minLength", "format", "multipleOf")


class SchemaViolation(Exception):
    """A payload that breaks its schema; `rule` is the JSON Schema keyword it breaks."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


class Schemas:
    """The messages of one OCPP version: requests are named "Heartbeat", responses "HeartbeatResponse"."""

    def __init__(self, version: str = "v16") -> None:
        spec = importlib.util.find_spec("ocpp")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the ocpp package is not installed")
        self._folder = Path(spec.submodule_search_locations[0]) / version / "schemas"
        self._names = frozenset(path.stem for path in self._folder.glob("*.json"))
        self._compiled: dict[tuple[str, bool], Validator] = {}

    def knows(self, name: str) -> bool:
        """Whether the standard has a message of this name."""
        return name in self._names

    def check(self, name: str, payload: object, *, lenient: bool = False) -> None:
        """Raise SchemaViolation when `payload` is not a message of this name."""
        try:
            self._validator(name, lenient)(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            raise SchemaViolation(str(error.rule), str(error)[:200]) from None

    def _validator(self, name: str, lenient: bool) -> Validator:
        key = (name, lenient)
        if key not in self._compiled:
            schema = json.loads((self._folder / f"{name}.json").read_text("utf-8-sig"))
            relaxed = _relaxed(schema) if lenient else _without_float_trap(schema)
            compiled: Validator = fastjsonschema.compile(relaxed, use_default=False, use_formats=False)
            self._compiled[key] = compiled
        return self._compiled[key]


def _without_float_trap(schema: Any) -> Any:
    """Drop multipleOf 0.1: in floats 6.3 is no multiple of 0.1, and rounding is the sender's duty."""
    if isinstance(schema, dict):
        return {key: _without_float_trap(value) for key, value in schema.items() if key != "multipleOf"}
    return [_without_float_trap(item) for item in schema] if isinstance(schema, list) else schema


def _relaxed(schema: Any, name: str = "") -> Any:
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed = {key: value for key, value in schema.items() if key not in _FORBIDDING}
    if relaxed.get("type") == "integer":
        relaxed["type"] = "number"
    if name == "value" and relaxed.get("type") == "string":
        relaxed["type"] = ["string", "number"]
    if isinstance(relaxed.get("properties"), dict):
        relaxed["properties"] = {key: _relaxed(value, key) for key, value in relaxed["properties"].items()}
    if "items" in relaxed:
        relaxed["items"] = _relaxed(relaxed["items"])
    return relaxed
