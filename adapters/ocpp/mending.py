"""A payload as the charger wrote it, made into what the schema means, wherever that is unambiguous.

What a real charger may do: unknown fields and words, nulls for "absent", numbers as text and text as numbers, one
thing where a list is meant, texts too long, an optional field that nobody can read. A required field may be missing or
empty where its absence says no more than that: no time is the time of arrival. What stays refused: a missing or
unreadable field without which the message means nothing, or several things.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.ocpp.wire import to_number

Odd = Callable[[str], None]
Schema = dict[str, Any]

UNCUT = ("transactionId",)
"""Cut in two, two of these might become one."""
ABSENT = -1
"""What chargers themselves write for a transaction they have no id of (OCPP 1.6 transaction ids are ours)."""
NUMBERS = ("integer", "number")
LONE = {"idToken": "idToken", "evse": "id", "transactionInfo": "transactionId"}
"""Objects that some chargers write as the one thing they are about."""
EMPTY: tuple[Any, ...] = ("", [], {})
DISPENSABLE: dict[str, frozenset[str]] = {
    "BootNotification": frozenset(("chargePointVendor", "chargePointModel", "reason")),
    "MeterValues": frozenset(("connectorId",)),
    "NotifyEvent": frozenset(("generatedAt", "seqNo")),
    "NotifyReport": frozenset(("requestId", "generatedAt", "seqNo")),
    "SecurityEventNotification": frozenset(("timestamp", "type")),
    "StartTransaction": frozenset(("timestamp", "meterStart", "idTag", "connectorId")),
    "StatusNotification": frozenset(("timestamp", "errorCode")),
    "StopTransaction": frozenset(("timestamp", "meterStop")),
    "TransactionEvent": frozenset(("timestamp", "seqNo", "triggerReason")),
    "additionalInfo": frozenset(("type",)),
    "chargingStation": frozenset(("vendorName", "model")),
    "configurationKey": frozenset(("readonly",)),
    "groupIdToken": frozenset(("type",)),
    "idToken": frozenset(("type",)),
    "meterValue": frozenset(("timestamp",)),
    "transactionData": frozenset(("timestamp",)),
}
"""Message, or field inside of one -> what it may lack of what the standard requires; absent stays absent.

Who handles the message takes the time of arrival, the register seen last, no error, or the only connector there is.
"""


class SchemaViolation(Exception):
    """A payload that breaks its schema; `rule` is the JSON Schema keyword it breaks."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


class Mending:
    """The mending of one message; `odd` is told each oddity, by kind."""

    def __init__(self, root: Schema, odd: Odd) -> None:
        self._root = root
        self._odd = odd

    def value(self, schema: Schema, value: Any, name: str) -> Any:
        """The value as the schema means it; raises SchemaViolation."""
        if "$ref" in schema:
            schema = self._root["definitions"][schema["$ref"].rpartition("/")[2]]
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, value, name)
        if kind == "array":
            return self._array(schema, value, name)
        if kind == "string":
            return self._text(schema, value, name)
        if kind in NUMBERS:
            return self._number(schema, value, name)
        return self._truth(value, name) if kind == "boolean" else value

    def _object(self, schema: Schema, value: Any, name: str) -> dict[str, Any]:
        if name in LONE and isinstance(value, str | int) and not isinstance(value, bool):
            self._odd("one thing for an object")
            value = {LONE[name]: value}
        if not isinstance(value, dict):
            raise SchemaViolation("type", f"{name} must be an object")
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if required and schema is self._root and all(item is None for item in value.values()):
            raise SchemaViolation("required", f"{name} must contain {required[0]}")  # whatever it may lack: not all
        spare = DISPENSABLE.get(name, frozenset())
        found: dict[str, Any] = {}
        for key, item in value.items():
            if item is None or (key in spare and item in EMPTY):
                self._odd("null for absent")
            elif key in properties:
                self._property(found, properties[key], key, item, key in required)
            else:
                found[key] = item
                if schema.get("additionalProperties") is False:
                    self._odd("unknown field")
        for key in required:
            if key not in found and key in spare:
                self._odd(f"no {key}")
            elif key not in found:
                found[key] = self._missing(properties.get(key, {}), key, name)
        return found

    def _property(self, found: dict[str, Any], schema: Schema, key: str, item: Any, required: bool) -> None:
        try:
            found[key] = self.value(schema, item, key)
        except SchemaViolation:
            if _is_number_of_transaction(schema, key):
                found[key] = self._missing(schema, key, key)
            elif required:
                raise
            else:
                self._odd("unreadable field dropped")

    def _missing(self, schema: Schema, key: str, name: str) -> Any:
        if not _is_number_of_transaction(schema, key):
            raise SchemaViolation("required", f"{name} must contain {key}")
        self._odd("garbage transaction id")
        return ABSENT

    def _array(self, schema: Schema, value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            self._odd("one thing for a list")
            return [self.value(schema.get("items", {}), value, name)]
        found = []
        for item in value:
            try:
                found.append(self.value(schema.get("items", {}), item, name))
            except SchemaViolation:
                self._odd("unreadable item dropped")
        if not schema.get("minItems", 0) <= len(found) <= schema.get("maxItems", len(found)):
            self._odd("length of a list")
        return found

    def _text(self, schema: Schema, value: Any, name: str) -> str:
        if isinstance(value, bool | int | float):
            self._odd("number for a text")
            value = str(value).lower()
        if not isinstance(value, str):
            raise SchemaViolation("type", f"{name} must be a text")
        if "enum" in schema and value not in schema["enum"]:
            return self._word(schema["enum"], value, name)
        if len(value) > schema.get("maxLength", len(value)):
            self._odd("text too long")
            return value if name in UNCUT else value[: schema["maxLength"]]
        return value

    def _word(self, known: list[str], value: str, name: str) -> str:
        """The standard's own writing of a word, or the charger's when the standard does not know it."""
        self._odd("unknown word")
        written = value.strip().lower()
        return next((word for word in known if word.lower() == written), value)

    def _number(self, schema: Schema, value: Any, name: str) -> int | float:
        number = to_number(value)
        if number is None:
            raise SchemaViolation("type", f"{name} must be a number")
        if isinstance(value, str):
            self._odd("text for a number")
        if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
            self._odd("number out of range")
        if schema["type"] == "number":
            return number if isinstance(value, str) else value
        if not number.is_integer():
            self._odd("fraction for a whole number")
            return number
        return value if isinstance(value, int) else int(number)

    def _truth(self, value: Any, name: str) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in ("true", "false", "1", "0"):
            raise SchemaViolation("type", f"{name} must be true or false")
        self._odd("text for true or false")
        return word in ("true", "1")


def _is_number_of_transaction(schema: Schema, key: str) -> bool:
    return key == "transactionId" and schema.get("type") == "integer"
