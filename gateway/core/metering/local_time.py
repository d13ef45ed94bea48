"""Daylight-saving rules of a zone in the bits of ESPI's LocalTimeParameters (NAESB REQ.21, DstRuleType).

31..28   27..25     24..20         19..17        16..12   11..0
month    operator   day of month   day of week   hour     second of the hour      (wall time before the change)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

NO_RULE = 0xFFFFFFFF
"""DstRuleType: rule processing is disabled."""
FIRST_OPERATOR = 2
LAST_OPERATOR = 7
YEARS = range(-2, 3)
"""A rule counts only when it also holds in the years around."""


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A zone as ESPI tells it: standard offset from UTC and daylight-saving offset in s, both rules as 32 bits."""

    offset_s: int
    dst_offset_s: int
    start_rule: int
    end_rule: int


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of the offset; `wall` is the local time at which it happens, as the clock showed it before."""

    wall: datetime
    before_s: int
    after_s: int


def local_time_of(zone: ZoneInfo, year: int) -> LocalTime:
    """How `zone` keeps time in `year`; a zone whose changes follow no weekday rule is told by its January only."""
    first = _offset_s(datetime(year, 1, 1, tzinfo=UTC), zone)
    starts, ends = _changes(zone, year, up=True), _changes(zone, year, up=False)
    if len(starts) != 1 or len(ends) != 1:
        return LocalTime(first, 0, NO_RULE, NO_RULE)
    start, end = _rule(zone, year, up=True), _rule(zone, year, up=False)
    if start is None or end is None:
        return LocalTime(first, 0, NO_RULE, NO_RULE)
    offset = starts[0].before_s
    return LocalTime(offset, starts[0].after_s - offset, start, end)


def _rule(zone: ZoneInfo, year: int, *, up: bool) -> int | None:
    """The one rule that names this change in the years around `year`, or None."""
    found: set[int] | None = None
    for other in YEARS:
        changes = _changes(zone, year + other, up=up)
        rules = set(_rules(changes[0].wall)) if len(changes) == 1 else set()
        found = rules if found is None else found & rules
    return max(found, default=None) if found else None


def _rules(wall: datetime) -> Iterator[int]:
    """Every weekday rule that this instant fits: the n-th and, in the last seven days, the last of the month."""
    yield _bits(wall, FIRST_OPERATOR + (wall.day - 1) // 7)
    if (wall + timedelta(days=7)).month != wall.month:
        yield _bits(wall, LAST_OPERATOR)


def _bits(wall: datetime, operator: int) -> int:
    seconds = wall.minute * 60 + wall.second
    return wall.month << 28 | operator << 25 | wall.isoweekday() << 17 | wall.hour << 12 | seconds


def _changes(zone: ZoneInfo, year: int, *, up: bool) -> list[_Change]:
    """The changes of a year that turn the clock forward (`up`) or back, to the second."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=i) for i in range(367)]
    found = []
    for begin, end in pairwise(days):
        before, after = _offset_s(begin, zone), _offset_s(end, zone)
        if before != after and (after > before) is up:
            at = _instant(zone, begin, end)
            found.append(_Change((at + timedelta(seconds=before)).replace(tzinfo=None), before, after))
    return [change for change in found if change.wall.year == year]


def _instant(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime:
    """The first second with the offset of `end`, between the two, by halving."""
    before = _offset_s(begin, zone)
    low, high = 0, int((end - begin).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset_s(begin + timedelta(seconds=middle), zone) == before else (low, middle)
    return begin + timedelta(seconds=high)


def _offset_s(when: datetime, zone: ZoneInfo) -> int:
    offset = when.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
