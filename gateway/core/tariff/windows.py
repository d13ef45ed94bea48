"""When a window of local time holds: the only place where tariffs meet weekdays, seasons, holidays and clock changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from gateway.core.tariff.holidays import is_holiday
from gateway.model.tariff import HOLIDAY, Season, Tariff

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Timed(Protocol):
    """What rates, demand charges and contracted power have in common: the local times they hold."""

    @property
    def start(self) -> time: ...
    @property
    def end(self) -> time: ...
    @property
    def weekdays(self) -> frozenset[int]: ...
    @property
    def months(self) -> frozenset[int]: ...
    @property
    def season(self) -> str: ...


def fits(tariff: Tariff, window: Timed, local: datetime) -> bool:
    """Whether a window holds at a time of the tariff's zone; after midnight it belongs to the day it began on."""
    clock, day = local.time(), local.date()
    if window.start < window.end:
        if not window.start <= clock < window.end:
            return False
    elif window.start > window.end:
        if clock < window.end:
            day -= DAY
        elif clock < window.start:
            return False
    return fits_day(tariff, window, day) and _fits_weekday(tariff, window, day)


def fits_day(tariff: Tariff, window: Timed, day: date) -> bool:
    """Whether a day is of the window's months and season, whatever its weekday."""
    if window.months and day.month not in window.months:
        return False
    return not window.season or any(s.name == window.season and _within(s, day) for s in tariff.seasons)


def _fits_weekday(tariff: Tariff, window: Timed, day: date) -> bool:
    if not window.weekdays:
        return True
    if tariff.holidays and is_holiday(tariff.holidays, day):
        return HOLIDAY in window.weekdays
    return day.weekday() in window.weekdays


def _within(season: Season, day: date) -> bool:
    at = (day.month, day.day)
    if season.first <= season.last:
        return season.first <= at <= season.last
    return at >= season.first or at <= season.last


def local_edges(tariff: Tariff, windows: Iterable[Timed], start: datetime, end: datetime) -> list[datetime]:
    """The instants inside (start, end) at which a window may begin or end: UTC, sorted, with every local midnight."""
    times = sorted({time(0)} | {edge for window in windows for edge in (window.start, window.end)})
    zone = tariff.timezone
    day, last = start.astimezone(zone).date() - DAY, end.astimezone(zone).date() + DAY
    edges: set[datetime] = set()
    while day <= last:
        edges.update(datetime.combine(day, at, zone).astimezone(UTC) for at in times)
        if (change := _clock_change(tariff, day)) is not None:
            # In autumn the times of one hour come twice, and the offset itself changes what hour it is.
            edges.add(change)
            edges.update(datetime.combine(day, at, zone).replace(fold=1).astimezone(UTC) for at in times)
        day += DAY
    return sorted(edge for edge in edges if start < edge < end)


def midnight(tariff: Tariff, day: date) -> datetime:
    """The instant a local day begins, UTC."""
    return datetime.combine(day, time(0), tariff.timezone).astimezone(UTC)


def clock_changes(tariff: Tariff, start: datetime, end: datetime) -> list[datetime]:
    """The instants from a day before `start` to a day after `end` at which the zone's offset changes, UTC."""
    day, last = start.astimezone(tariff.timezone).date() - DAY, end.astimezone(tariff.timezone).date() + DAY
    days = ((day + DAY * count) for count in range((last - day).days + 1))
    return [change for each in days if (change := _clock_change(tariff, each)) is not None]


def _clock_change(tariff: Tariff, day: date) -> datetime | None:
    """The instant of a clock change in the 24 h from a local midnight, found by halving; None on ordinary days."""
    low = midnight(tariff, day)
    high = low + DAY
    before = offset(tariff, low)
    if before == offset(tariff, high):
        return None
    while high - low > SECOND:
        middle = low + (high - low) // 2
        low, high = (middle, high) if offset(tariff, middle) == before else (low, middle)
    return high.replace(microsecond=0)


def offset(tariff: Tariff, when: datetime) -> timedelta:
    """How far the tariff's clock is ahead of UTC."""
    return when.astimezone(tariff.timezone).utcoffset() or timedelta(0)
