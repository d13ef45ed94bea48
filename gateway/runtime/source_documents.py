"""What sources told, as documents of the store: times in Unix seconds, values in the kind's unit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from gateway.model.series import Point, Series, SeriesKind


def to_document(series: Mapping[SeriesKind, Series], identity: str) -> dict[str, Any]:
    """The document of one source's last good answers."""
    kinds = {kind.value: _one(each) for kind, each in series.items() if each.points}
    return {"version": 1, "identity": identity, "kinds": kinds}


def from_document(document: Mapping[str, Any], name: str, identity: str) -> dict[SeriesKind, Series]:
    """What was kept of a source; nothing where it is another's, and no kind that tells nothing or cannot be read."""
    if document.get("identity") != identity or not isinstance(document.get("kinds"), dict):
        return {}
    found = {}
    for kind, kept in document["kinds"].items():
        # One kind that tells nothing, or cannot be read, costs itself only.
        with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
            found[SeriesKind(kind)] = _read(SeriesKind(kind), name, kept)
    return found


def _one(series: Series) -> dict[str, Any]:
    points = [[int(p.start.timestamp()), int(p.end.timestamp()), round(p.value, 3)] for p in series.points]
    return {"fetched_at": series.fetched_at.timestamp(), "currency": series.currency, "points": points}


def _read(kind: SeriesKind, name: str, kept: Mapping[str, Any]) -> Series:
    points = tuple(Point(_time(start), _time(end), float(value)) for start, end, value in kept["points"])
    if not points or not all(isfinite(point.value) and point.start < point.end for point in points):
        raise ValueError("no points were kept, or points that say nothing")
    return Series(kind, points, name, _time(kept["fetched_at"]), str(kept["currency"]))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
