"""Values as chargers write them: times, numbers, text."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any


def to_time(text: Any) -> datetime | None:
    """Aware UTC of an ISO 8601 text (no zone means UTC); None when it is not one."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_text(time: datetime) -> str:
    """ISO 8601 in UTC with `Z` and milliseconds, which every charger reads."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_number(value: Any) -> float | None:
    """A finite number from a number or a text with blanks or a decimal comma; None when it is not one."""
    if isinstance(value, bool):
        return None
    try:
        number = float("".join(value.split()).replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def clean(text: Any, length: int = 100) -> str:
    """A text fit to keep: no lone surrogates or control characters, cut to `length`; "" for anything else."""
    if not isinstance(text, str):
        return ""
    kept = text[:length].encode("utf-8", "replace").decode("utf-8")
    return "".join(character for character in kept if character.isprintable()).strip()


def blanked(name: str, value: str) -> str:
    """The value of a configuration key or variable, or stars for a password or key."""
    return "***" if "password" in name.lower() or "authorizationkey" in name.lower() else value
