"""Times and durations of 2.0b (xcal:DateTimeType, xcal:DurationValueType).

Interpretation: all times of 2.0b are UTC, so that a day is 24 hours; months and years are counted in the calendar.
"""

from __future__ import annotations

import calendar
import re
from datetime import MAXYEAR, UTC, datetime, timedelta

_DURATION = re.compile(
    r"([+-]?)P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def parse_time(written: str) -> datetime:
    """A time as aware UTC; without an offset it counts as UTC. Raises ValueError."""
    try:
        parsed = datetime.fromisoformat(written.strip().upper())
    except ValueError:
        raise ValueError(f"{written!r} is no time") from None
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{written!r} is outside the calendar") from None


def parse_seconds(written: str, start: datetime, *, signed: bool = False) -> float:
    """A duration counted from `start`, s; raises ValueError for nonsense, and for a negative one unless `signed`."""
    match = _DURATION.fullmatch(written.strip())
    if match is None:
        raise ValueError(f"{written!r} is not a duration")
    sign, years, months = match.group(1), int(match.group(2) or 0), int(match.group(3) or 0)
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[3:])
    elapsed = (weeks * 7 + days) * 86_400 + hours * 3600 + minutes * 60 + seconds
    total = elapsed + _months_s(start, years * 12 + months)
    if sign == "-" and total and not signed:
        raise ValueError(f"{written!r} is negative")
    return -total if sign == "-" else total


def format_time(when: datetime) -> str:
    """Aware time as the schema's pattern wants it, in UTC, whole seconds."""
    return when.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def format_seconds(seconds: float) -> str:
    """Elapsed seconds, whole: PT15M, PT1H, PT90S becomes PT1M30S."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, left = divmod(rest, 60)
    tail = f"{left}S" if left or not (hours or minutes) else ""
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + tail


def _months_s(start: datetime, months: int) -> float:
    if not months:
        return 0.0
    years, month0 = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month0 + 1
    if year >= MAXYEAR:
        raise ValueError("a duration beyond the calendar")
    day = min(start.day, calendar.monthrange(year, month)[1])
    return (start.replace(year=year, month=month, day=day) - start) / timedelta(seconds=1)
