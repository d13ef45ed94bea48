"""Placeholders: {area}, {start_ms}, {day:%Y/%m-%d}. Nothing else; a table is data and runs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

Value = str | int | float | datetime | date
_PLACE = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def fill(text: str, values: Mapping[str, Value], *, in_address: bool = False) -> str:
    """The text with its placeholders filled, escaped where it is an address; one without a value stays as it is."""

    def one(found: re.Match[str]) -> str:
        name, form = found.group(1), found.group(2)
        if name not in values:
            return found.group(0)
        value = values[name]
        if isinstance(value, date):  # a datetime is one too
            written = value.strftime(form) if form else value.isoformat().replace("+00:00", "Z")
        else:
            written = str(value)
        return quote(written, safe=":/" if form else ":") if in_address else written

    return _PLACE.sub(one, text)


def fill_all(tree: Any, values: Mapping[str, Value]) -> Any:
    """A JSON tree with the placeholders of its texts filled."""
    if isinstance(tree, str):
        return fill(tree, values)
    if isinstance(tree, dict):
        return {key: fill_all(branch, values) for key, branch in tree.items()}
    if isinstance(tree, list):
        return [fill_all(branch, values) for branch in tree]
    return tree
