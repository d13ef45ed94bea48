"""ISO 8601 durations and the span of an event, as far as the simulated VTN and its page need them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
FAR = timedelta(days=36_500)


def duration(text: str) -> timedelta:
    """A duration; years and months as 365 and 30 days, at most a century. ValueError when malformed."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text!r}")
    part = {name: float(value or 0) for name, value in match.groupdict().items()}
    days = min(part["years"] * 365 + part["months"] * 30 + part["weeks"] * 7 + part["days"], FAR.days)
    return timedelta(days=days, hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"])


def span(event: dict[str, Any]) -> tuple[datetime, datetime]:
    """[start, end) of an event; a start of "now" (0001-01-01) counts from its creation."""
    period = event.get("intervalPeriod") or {}
    start = _start(period.get("start"), event)
    if event.get("duration"):
        return start, start + duration(event["duration"])
    lengths = [
        (interval.get("intervalPeriod") or {}).get("duration") or period.get("duration") or "PT0S"
        for interval in event.get("intervals") or [{}]
    ]
    return start, start + min(sum((duration(length) for length in lengths), timedelta()), FAR)


def phase(event: dict[str, Any], now: datetime) -> str:
    """upcoming, active or ended."""
    start, end = span(event)
    return "upcoming" if now < start else "active" if now < end else "ended"


def _start(text: str | None, event: dict[str, Any]) -> datetime:
    if not text or text.startswith("0001-01-01"):
        text = event.get("createdDateTime", "2000-01-01T00:00:00Z")
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
