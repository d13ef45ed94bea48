"""What sources told, as documents of the store: times in Unix seconds, values in the kind's unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.model.series import Point, Series, SeriesKind


def to_document(series: Mapping[SeriesKind, Series], identity: str) -> dict[str, Any]:
    """The document of one source's last good answers."""
    kinds = {kind.value: _one(each) for kind, each in series.items()}
    return {"version": 1, "identity": identity, "kinds": kinds}


def from_document(document: Mapping[str, Any], name: str, identity: str) -> dict[SeriesKind, Series]:
    """What was kept of a source; nothing where it is another's, or cannot be read."""
    if document.get("identity") != identity or not isinstance(document.get("kinds"), dict):
        return {}
    try:
        return {SeriesKind(kind): _read(SeriesKind(kind), name, kept) for kind, kept in document["kinds"].items()}
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return {}


def _one(series: Series) -> dict[str, Any]:
    points = [[int(p.start.timestamp()), int(p.end.timestamp()), round(p.value, 3)] for p in series.points]
    return {"fetched_at": series.fetched_at.timestamp(), "currency": series.currency, "points": points}


def _read(kind: SeriesKind, name: str, kept: Mapping[str, Any]) -> Series:
    points = tuple(Point(_time(start), _time(end), float(value)) for start, end, value in kept["points"])
    if not points:
        raise ValueError("no points were kept")
    return Series(kind, points, name, _time(kept["fetched_at"]), str(kept["currency"]))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
