"""The window of local time that rates, demand charges and contracted power have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.tariff import fields
from gateway.model.errors import Finding
from gateway.model.tariff import Window

WINDOW_KEYS = frozenset({"from", "to", "days", "months", "season"})


def window(value: Mapping[str, Any], where: str, seasons: Sequence[str]) -> Window:
    """The window of an entry, always where it names nothing; raises Finding."""
    if ("from" in value) != ("to" in value):
        raise Finding(where, "'from' and 'to' belong together", "Give both, or none for the whole day.")
    season = value.get("season", "")
    if season and season not in seasons:
        known = f"Known: {', '.join(seasons)}." if seasons else "Add it to 'seasons'."
        raise Finding(f"{where}.season", f"{season!r} is no season of this tariff", known)
    return Window(
        fields.clock_time(value.get("from", "00:00"), f"{where}.from"),
        fields.clock_time(value.get("to", "00:00"), f"{where}.to"),
        fields.weekdays(value.get("days", []), f"{where}.days"),
        fields.months(value.get("months", []), f"{where}.months"),
        str(season or ""),
    )
