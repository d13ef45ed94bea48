"""The ocpp package's JSON schemas, compiled on first use; the package itself is never imported.

Strict is what the standard says and goes through compiled code; what fails there is mended as far as it can be, in a
walk along the same schema (mending.py).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema

from adapters.ocpp.mending import Mending, Odd, SchemaViolation

__all__ = ["SchemaViolation", "Schemas"]

Validator = Callable[[Any], Any]

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
_WORDS = ("description", "javaType", "comment", "title", "$id", "$schema", "default", "multipleOf")
"""Of no use in checking; multipleOf 0.1 is a trap: in floats 6.3 is no multiple of 0.1, and rounding is our duty."""


class Schemas:
    """The messages of one OCPP version ("1.6", "2.0.1", "2.1"); requests are named "Heartbeat", responses
    "HeartbeatResponse"."""

    def __init__(self, version: str = "1.6") -> None:
        spec = importlib.util.find_spec("ocpp")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the ocpp package is not installed")
        folder = Path(spec.submodule_search_locations[0]) / FOLDERS[version] / "schemas"
        self.version = version
        self._paths = {path.stem.removesuffix("Request"): path for path in folder.glob("*.json")}
        self._schemas: dict[str, dict[str, Any]] = {}
        self._compiled: dict[str, Validator] = {}
        self._older: Schemas | None = None

    def names(self) -> frozenset[str]:
        """Every request of the standard."""
        return frozenset(filter(self.knows, self._paths))

    def fields(self, action: str) -> frozenset[str]:
        """The names of a request's fields."""
        return frozenset(self._schema(action).get("properties", {}))

    def knows(self, action: str) -> bool:
        """Whether the standard has a request of this name."""
        return action in self._paths and not action.endswith("Response")

    def answers(self, action: str) -> bool:
        """Whether the standard has an answer to it; OCPP 2.1 has messages that are only sent."""
        return f"{action}Response" in self._paths

    def check(self, name: str, payload: object) -> None:
        """Raise SchemaViolation when `payload` is not what the standard says of this message."""
        compiled = self._compiled.get(name) or self._compile(name)
        try:
            compiled(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            raise SchemaViolation("", str(error)[:200]) from None

    @property
    def older(self) -> Schemas | None:
        """The schemas of OCPP 1.6 beside those of 2.x; None for 1.6 itself."""
        if self.version != "1.6" and self._older is None:
            self._older = Schemas("1.6")
        return self._older

    def fits(self, action: str, payload: object) -> bool:
        """Whether this is a request of this version as the standard has it."""
        if not self.knows(action):
            return False
        try:
            self.check(action, payload)
        except SchemaViolation:
            return False
        return True

    def mended(self, name: str, payload: object, odd: Odd) -> dict[str, Any]:
        """The payload as the standard means it, each oddity told to `odd`; raises SchemaViolation."""
        schema = self._schema(name)
        found: dict[str, Any] = Mending(schema, odd).value(schema, payload, name)
        return found

    def _schema(self, name: str) -> dict[str, Any]:
        if name not in self._schemas:
            self._schemas[name] = _bare(json.loads(self._paths[name].read_text("utf-8-sig")))
        return self._schemas[name]

    def _compile(self, name: str) -> Validator:
        # Without the words about what failed the code is a fifth as long: a first message waits milliseconds.
        compiled: Validator = fastjsonschema.compile(
            self._schema(name), use_default=False, use_formats=False, detailed_exceptions=False
        )
        self._compiled[name] = compiled
        return compiled


class BesideNewer(Schemas):
    """OCPP 1.6, and what only 2.x has in the words of `newer`: for one who dialled as 2.x and is taken for a 1.6."""

    def __init__(self, own: Schemas, newer: Schemas) -> None:
        self.version = own.version
        self._own, self._newer = own, newer
        self._older = newer

    def names(self) -> frozenset[str]:
        """Every request of the two."""
        return self._own.names() | self._newer.names()

    def fields(self, action: str) -> frozenset[str]:
        """The names of a request's fields."""
        return self._of(action).fields(action)

    def knows(self, action: str) -> bool:
        """Whether one of the two has a request of this name."""
        return self._of(action).knows(action)

    def answers(self, action: str) -> bool:
        """Whether there is an answer to it."""
        return self._of(action).answers(action)

    def check(self, name: str, payload: object) -> None:
        """Raise SchemaViolation when `payload` is not what the standard says of this message."""
        self._of(name).check(name, payload)

    @property
    def older(self) -> Schemas | None:
        """Where a message of both does not fit the own version, it may be of the other."""
        return self._newer

    def mended(self, name: str, payload: object, odd: Odd) -> dict[str, Any]:
        """The payload as the standard means it, each oddity told to `odd`; raises SchemaViolation."""
        if isinstance(payload, dict) and self._newer.fits(name, payload):
            return payload  # nothing of 1.6 is odd in it: it is of 2.x
        return self._of(name).mended(name, payload, odd)

    def _of(self, name: str) -> Schemas:
        return self._own if self._own.knows(name.removesuffix("Response")) else self._newer


def _bare(schema: Any, *, names: bool = False) -> Any:
    """The schema without words; `names`: the keys are names of fields, all of which stay."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(value, names=key in ("properties", "definitions") and not names)
        for key, value in schema.items()
        if names or key not in _WORDS
    }
