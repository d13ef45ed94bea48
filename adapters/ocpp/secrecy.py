"""Frames without their secrets: passwords and keys blanked, tags replaced by marks that stay the same all along.

A mark keeps what a record is for (which start belongs to which stop) and cannot be turned back: it is keyed with a
number that this process alone knows.
"""

from __future__ import annotations

import json
import re
import secrets
from hashlib import blake2b
from typing import Any

BLANK = "***"
_KEY = secrets.token_bytes(16)

TAGS = frozenset(word.lower() for word in ("idTag", "parentIdTag", "idToken", "additionalIdToken", "groupIdToken"))
SECRETS = frozenset(
    word.lower()
    for word in ("password", "authorizationKey", "basicAuthPassword", "apnPassword", "simPin", "customerIdentifier")
)
"""Names of fields, and names of configuration keys and variables whose values are secret."""
VALUES = frozenset(("value", "attributevalue", "actualvalue"))

_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_CREDENTIALS = re.compile(r"(://)[^/\s\"@]*:[^/\s\"@]*@")
_TOKEN = re.compile(r"(/upload/)[\w-]{16,}")
_STRING = r'"(?:[^"\\]|\\.)*(?:"|$)'
_BROKEN = re.compile(rf'("(?:{"|".join(sorted(TAGS | SECRETS))})"\s*:\s*)(?:{_STRING}|[\w.+-]+)', re.IGNORECASE)
_BROKEN_VALUE = re.compile(rf'("(?:{"|".join(sorted(VALUES))})"\s*:\s*){_STRING}', re.IGNORECASE)


def redacted(text: str) -> str:
    """The frame's text with the values of tags, passwords and keys blanked; works on broken JSON too."""
    try:
        frame = json.loads(text)
        shown = json.dumps(_blanked(frame), separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        shown = _blanked_text(text)
    return _blanked_strings(shown)


def _blanked_text(text: str) -> str:
    blank = _BROKEN.sub(rf'\1"{BLANK}"', text)
    return _BROKEN_VALUE.sub(rf'\1"{BLANK}"', blank) if is_secret(text) else blank


def _blanked_strings(text: str) -> str:
    text = _PRIVATE.sub("PRIVATE KEY ***", text)
    return _TOKEN.sub(rf"\1{BLANK}", _CREDENTIALS.sub(rf"\1{BLANK}@", text))


def _blanked(value: Any) -> Any:
    if isinstance(value, list):
        return [_blanked(item) for item in value]
    if not isinstance(value, dict):
        return value
    secret = _is_about_secret(value)
    return {key: _field(key.lower(), item, secret) for key, item in value.items()}


def _field(name: str, item: Any, secret: bool) -> Any:
    if isinstance(item, dict | list):
        return _hidden(item) if secret and name == "variableattribute" else _blanked(item)
    if name in TAGS and item not in ("", None):
        return _mark(str(item))
    return BLANK if name in SECRETS or (secret and name in VALUES) else item


def _is_about_secret(value: dict[str, Any]) -> bool:
    """Whether it names a key (1.6) or a variable (2.x) whose value nobody may see."""
    names: list[Any] = [value.get("key")]
    variable = value.get("variable")
    names.append(variable.get("name") if isinstance(variable, dict) else None)
    return any(isinstance(name, str) and is_secret(name) for name in names)


def is_secret(text: str) -> bool:
    """Whether this names a secret, or a text that does."""
    lowered = text.lower()
    return "password" in lowered or "authorizationkey" in lowered or "secret" in lowered or "simpin" in lowered


def _hidden(value: Any) -> Any:
    """Everything in it that is called a value, blanked."""
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if isinstance(value, dict):
        return {key: BLANK if key.lower() in VALUES else _hidden(item) for key, item in value.items()}
    return value


def _mark(tag: str) -> str:
    return BLANK + blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=3, key=_KEY).hexdigest()
