"""Arithmetic of ISO 8601 durations: calendar months and days in the site's time zone, seconds as elapsed time.

Interpretation: P1D is a calendar day (23 or 25 hours across a change of summer time), PT24H is 24 elapsed hours. A day
that ends at a wall time that is skipped ends an hour later, at one that comes twice at its first coming (RFC 5545,
3.3.5); a month that ends on a day that does not exist ends on the last one that does.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import reduce

from gateway.model.dr import Duration

EDGE = datetime(9999, 12, 30, tzinfo=UTC)
"""Beyond it is never: every local time of what is before can still be told."""
ZERO = Duration()
FOREVER = Duration(infinite=True)

_MONTH_S = 365.2425 / 12 * 86_400


def later(start: datetime, duration: Duration, zone: tzinfo) -> datetime | None:
    """`start` plus `duration`, aware UTC; None when that is never (infinite, or beyond the calendar)."""
    if duration.infinite:
        return None
    try:
        moved = _plus_calendar(start, duration, zone) if duration.months or duration.days else start
        in_utc = moved if moved.tzinfo is UTC else moved.astimezone(UTC)
        found = in_utc + timedelta(seconds=duration.seconds)
        return found if found < EDGE else None
    except (OverflowError, ValueError):
        return None


def moved_by(when: datetime, by: timedelta) -> datetime:
    """`when` plus `by`, at most the end of the calendar: an event of the year 9999 may be drawn a little later."""
    try:
        return min(when + by, EDGE)
    except OverflowError:
        return EDGE if by > timedelta(0) else when


def plus(one: Duration, other: Duration) -> Duration:
    """The sum, part by part; infinite when one of them is."""
    if one.infinite or other.infinite:
        return FOREVER
    return Duration(one.months + other.months, one.days + other.days, one.seconds + other.seconds)


def total(durations: Iterable[Duration]) -> Duration:
    """The sum of all, part by part; infinite when one of them is."""
    return reduce(plus, durations, ZERO)


def times(duration: Duration, count: int) -> Duration:
    """`duration` taken `count` times."""
    if duration.infinite:
        return duration
    return Duration(duration.months * count, duration.days * count, duration.seconds * count)


def is_zero(duration: Duration | None) -> bool:
    """Whether it is stated and of no length (PT0S); an absent one is not."""
    return duration is not None and not duration.infinite and rough_s(duration) == 0


def rough_s(duration: Duration) -> float:
    """Its length in seconds with mean months and days of 24 h: for estimates only."""
    return duration.months * _MONTH_S + duration.days * 86_400 + duration.seconds


def _plus_calendar(start: datetime, duration: Duration, zone: tzinfo) -> datetime:
    local = start.astimezone(zone)
    years, month0 = divmod(local.month - 1 + duration.months, 12)
    year, month = local.year + years, month0 + 1
    day = min(local.day, calendar.monthrange(year, month)[1])
    moved = local.replace(year=year, month=month, day=day, tzinfo=None) + timedelta(days=duration.days)
    return moved.replace(tzinfo=zone, fold=0)
