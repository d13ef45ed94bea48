"""Frames without their secrets: passwords and keys blanked, tags replaced by marks that stay the same all along.

A mark keeps what a record is for (which start belongs to which stop) and cannot be turned back: it is keyed with a
number that this process alone knows. What parses as JSON, text inside of JSON too, goes by its fields; the rest by
what a text looks like (secret_text.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from adapters.ocpp.secret_names import Kind, kind_of, kind_of_setting
from adapters.ocpp.secret_text import BLANK, VALUES, hushed, mark, signed

__all__ = ["BLANK", "redacted", "redacted_together", "shown_setting"]

_NAMING = ("key", "name", "parameter", "messageId")
"""Fields that name the setting whose value stands beside them."""
_KEPT = ("type", "status")
"""Fields of an identification that are no part of the secret."""
SHORTEST_TAG = 6
"""Shorter ones, plain words and plain numbers may be something else where they are not called a tag."""
_WORD = re.compile(r"[\w-]+(?::[\w-]+)*")


def redacted(text: str) -> str:
    """The text of a frame, an event or a setting without its secrets; works on broken JSON too."""
    return _Veil().over(text)


def redacted_together(texts: Iterable[str]) -> list[str]:
    """Texts of one charger: what one of them calls a tag is marked in all of them."""
    veil = _Veil()
    shown = [veil.over(text) for text in texts]
    tags = {tag for tag in veil.tags if _is_telling(tag)}
    return [_WORD.sub(lambda found: mark(found[0]) if found[0] in tags else found[0], text) for text in shown]


def shown_setting(name: str, value: str) -> str:
    """The value of a configuration key, or of a variable "Component.Variable", as an installer may see it."""
    return _Veil().field(kind_of_setting(name), value) if value else value


def _is_telling(tag: str) -> bool:
    return len(tag) >= SHORTEST_TAG and not tag.isalpha() and not tag.isdigit()


class _Veil:
    """One reading; `tags` collects what was marked."""

    def __init__(self) -> None:
        self.tags: set[str] = set()

    def over(self, text: str) -> str:
        try:
            found = json.loads(text)
            if isinstance(found, list | dict):
                return json.dumps(self._frame(found), separators=(",", ":"), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
        return hushed(text)

    def _frame(self, frame: Any) -> Any:
        if isinstance(frame, list) and frame[2:3] == ["NotifyCustomerInformation"] and len(frame) > 3:
            return [*self._any(frame[:3]), *(self._personal(payload) for payload in frame[3:])]
        return self._any(frame)

    def _personal(self, payload: Any) -> Any:
        """What a charger knows of a customer."""
        return {**self._any(payload), "data": BLANK} if isinstance(payload, dict) else BLANK

    def _any(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._any(item) for item in value]
        if isinstance(value, dict):
            beside = _beside(value)
            return {key: self._in(value, key, item, beside) for key, item in value.items()}
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        """A text in a field: JSON again, or words; what has no secret stays as it was written."""
        if text.lstrip()[:1] in ("{", "["):
            try:
                found = json.loads(text)
            except ValueError:
                return hushed(text)
            shown = self._any(found)
            return text if shown == found else json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
        return hushed(text)

    def _in(self, parent: dict[str, Any], key: str, item: Any, beside: Kind) -> Any:
        name = key.lower()
        if name == "key" and _is_setting(parent):
            return item
        if beside is not Kind.PLAIN:
            if name in VALUES or (name == "data" and "messageId" in parent and isinstance(item, str)):
                return self.field(beside, item)
            if name == "variableattribute":
                return self._values(item, beside)
        return self.field(kind_of(key), item)

    def field(self, kind: Kind, item: Any) -> Any:
        """A field's value as it may be seen."""
        is_open = kind is Kind.PLAIN or (kind is Kind.SIGNED and isinstance(item, dict))
        return self._any(item) if is_open else self._all(item, kind)

    def _all(self, value: Any, kind: Kind) -> Any:
        """A secret, whatever it is written as."""
        if isinstance(value, list):
            return [self._all(item, kind) for item in value]
        if isinstance(value, dict):
            return {key: item if _is_kept(key, item) else self._all(item, kind) for key, item in value.items()}
        if value is None or isinstance(value, bool) or value == "":
            return value
        return self._hidden(str(value), kind)

    def _hidden(self, text: str, kind: Kind) -> str:
        if kind is Kind.SIGNED:
            return signed(text)
        if kind is Kind.SECRET:
            return BLANK
        self.tags.add(text)
        return mark(text)

    def _values(self, value: Any, kind: Kind) -> Any:
        """Everything in it that is called a value, hidden."""
        if isinstance(value, list):
            return [self._values(item, kind) for item in value]
        if isinstance(value, dict):
            return {k: self._all(v, kind) if k.lower() in VALUES else self._values(v, kind) for k, v in value.items()}
        return value


def _beside(value: dict[str, Any]) -> Kind:
    """What the value in this object is, by the field that names it: a setting (1.6), a variable (2.x), a format."""
    if str(value.get("format", "")).lower() == "signeddata":
        return Kind.SIGNED
    names = [value.get(field) for field in _NAMING] + [_variable(value.get("component"), value.get("variable"))]
    kinds = (kind_of_setting(name) for name in names if isinstance(name, str))
    return next((kind for kind in kinds if kind is not Kind.PLAIN), Kind.PLAIN)


def _variable(component: Any, variable: Any) -> str:
    """A variable's name as it is shown among the settings."""
    if not isinstance(variable, dict):
        return variable if isinstance(variable, str) else ""
    place = component.get("name") if isinstance(component, dict) else component
    return f"{place}.{variable.get('name')}({variable.get('instance') or ''})"


def _is_setting(value: dict[str, Any]) -> bool:
    """Whether `key` is the name of a setting here, or several names that are asked for."""
    return "value" in value or "readonly" in value or isinstance(value["key"], list)


def _is_kept(key: str, item: Any) -> bool:
    return key in _KEPT and isinstance(item, str) and item.isalnum() and len(item) <= 20
