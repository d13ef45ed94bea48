"""Dates and durations of the wire: RFC 3339 and ISO 8601 with OpenADR's sentinels, leniently read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from adapters.http.manners import shown
from gateway.model.dr import Duration

_NOW = re.compile(r"(0001-01-01|0000-00-00|0000-01-01)([T ]00:00(:00(\.0+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    rf"([+-]?)P(?=.)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.IGNORECASE,
)
MOST_QUOTED = 60
INFINITE_YEARS = 1000
"""P9999Y is infinity (User Guide 7.3), recognised by value: some servers send P9999Y0M0DT0H0M0S."""


def is_now(text: str) -> bool:
    """Whether a start is the "now" sentinel: 0001-01-01, with or without midnight anywhere; 0000-00-00 from older senders."""
    return _NOW.fullmatch(text.strip()) is not None


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with any offset as aware UTC; without an offset it counts as UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text.strip().upper())
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{shown(text, MOST_QUOTED)!r} is outside the calendar") from None


def parse_duration(text: str, *, absolute: bool = False) -> Duration:
    """An ISO 8601 duration with weeks and fractions; raises ValueError for nonsense and for negative ones.

    `absolute` drops the sign, as randomizeStart asks. Fractions of a month or year cannot be told and are refused.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text, MOST_QUOTED)!r} is not an ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (
        float(part.replace(",", ".")) if part else 0.0 for part in match.groups()[1:]
    )
    whole_months = years * 12 + months
    if (
        whole_months / 12 + (weeks * 7 + days) / 365 + (hours * 3600 + minutes * 60 + seconds) / 31_536_000
        >= INFINITE_YEARS
    ):
        return Duration(infinite=True)
    if whole_months != int(whole_months):
        raise ValueError(f"{shown(text, MOST_QUOTED)!r} has a fraction of a month")
    all_days = weeks * 7 + days
    rest = (all_days - int(all_days)) * 86_400 + hours * 3600 + minutes * 60 + seconds
    duration = Duration(int(whole_months), int(all_days), rest)
    if match.group(1) == "-" and not absolute and duration != Duration():
        raise ValueError(f"{shown(text, MOST_QUOTED)!r} is negative")
    return duration


def format_duration(seconds: float) -> str:
    """Elapsed seconds as the specification's pattern wants them: PT15M, PT1H, PT90S becomes PT1M30S."""
    whole, fraction = divmod(max(0.0, round(seconds, 3)), 1)
    hours, rest = divmod(int(whole), 3600)
    minutes, left = divmod(rest, 60)
    tail = f"{left + fraction:g}S" if left or fraction or not (hours or minutes) else ""
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + tail


def format_time(when: datetime) -> str:
    """Aware time as RFC 3339 in UTC."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
