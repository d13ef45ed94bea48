"""What a form sent, as texts and figures, and why it could not be taken, as words."""

from __future__ import annotations

import math

from fastapi import Request
from pydantic import ValidationError

from gateway.model.errors import WishRefused
from gateway.web.pages import PAGES

BACK = {path for path, _ in PAGES} | {"/preferences", "/devices", "/alerts"}


async def fields_of(request: Request) -> tuple[dict[str, str], str]:
    """The form's texts, and the page to go back to (only ever one of ours)."""
    async with request.form(max_files=0, max_fields=60) as form:
        fields = {key: value.strip() for key, value in form.items() if isinstance(value, str)}
    back = fields.pop("back", "/")
    return fields, back if back in BACK else "/"


def figure(text: str) -> float:
    """A figure with a point or a comma; raises ValueError."""
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def maybe_figure(text: str) -> float | None:
    """The same, None for an empty field."""
    return figure(text) if text else None


def refusal_words(error: Exception) -> str:
    """Why a form could not be taken, and what to do."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"]).replace("_", " ")
        return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}. Mend it and send again."
    if isinstance(error, WishRefused):
        return str(error)
    return "A figure or a date could not be read. Write it like 20.5 or 2026-12-24."
