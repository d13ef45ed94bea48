"""Times in wishes: how far ahead they may lie, and stored ones that lie elsewhere brought back within."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo

from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargingPreference, Preferences

MOST_AHEAD = timedelta(days=400)
"""A vacation or a storm hold ends within this: a mistyped year would otherwise hold for good."""
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""What ended before any gateway was is mistyped; near the calendar's ends no instant can be shown in local time."""
ENDS = {"vacation_until": "the vacation", "storm_until": "the storm hold"}
"""The instants among the preferences at which something ends, and what."""
AGAIN = timedelta(minutes=1)
"""A form sends an instant back to the minute."""


def check_times(preferences: Preferences, now: datetime) -> None:
    """Raises WishRefused for an instant out of bounds, or a time of day with a zone of its own."""
    for key, what in ENDS.items():
        until = getattr(preferences, key)
        if until is None:
            continue
        if until.tzinfo is None:
            raise WishRefused(f"The end of {what} needs its time zone.")
        if until > now + MOST_AHEAD:
            raise WishRefused(f"{what.capitalize()} can end at most {MOST_AHEAD.days} days ahead. Choose a nearer day.")
        if until < FIRST:
            raise WishRefused(f"The end of {what} lies before the year {FIRST.year}. Choose another day, or none.")
    _check_storm(preferences)
    for name, at in _times_of_day(preferences):
        if at.tzinfo is not None:
            raise WishRefused(f"{name} names a time zone. Write the home's local time without one, e.g. 22:00.")


def check_new_times(preferences: Preferences, held: Preferences, now: datetime, zone: tzinfo = UTC) -> None:
    """Raises WishRefused for a newly asked vacation or storm hold that is over already; words in the home's `zone`.

    One that was in force and has ended since is no reason to refuse another wish.
    """
    for key, what in ENDS.items():
        until, before = getattr(preferences, key), getattr(held, key)
        if until is None or until > now or (before is not None and abs(until - before) < AGAIN):
            continue
        raise WishRefused(
            f"{what.capitalize()} would end in the past, {until.astimezone(zone):%A %d %B %Y, %H:%M}, and it is "
            f"{now.astimezone(zone):%A %d %B %Y, %H:%M} ({key}). Choose a later time, or none."
        )


def _check_storm(preferences: Preferences) -> None:
    begins, until = preferences.storm_from, preferences.storm_until
    if begins is None:
        return
    if begins.tzinfo is None:
        raise WishRefused("The beginning of the storm needs its time zone.")
    if until is None:
        raise WishRefused("The storm has a beginning and no end (storm_from). Say until when the battery is kept full.")
    if begins >= until:
        raise WishRefused("The storm would end before it begins (storm_from, storm_until). Choose a later end.")


def _times_of_day(preferences: Preferences) -> Iterator[tuple[str, time]]:
    for wish in preferences.charging.values():
        yield "The time to be ready by", wish.ready_by
        yield from (("A departure", departure.at) for departure in wish.departures)
    for span in preferences.comfort_schedule:
        yield from (("The comfort schedule", at) for at in (span.start, span.end))


def bounded(preferences: Preferences, now: datetime) -> tuple[Preferences, tuple[str, ...]]:
    """Stored preferences within bounds, and in words what was changed: an earlier version took any time."""
    said = [
        f"the end of {what} was {until.isoformat()} and is now {within.isoformat() if within else 'none'}"
        for key, what in ENDS.items()
        if (until := getattr(preferences, key)) != (within := _within(until, now))
    ]
    vacation, storm = _within(preferences.vacation_until, now), _within(preferences.storm_until, now)
    begins = preferences.storm_from if storm and preferences.storm_from and preferences.storm_from < storm else None
    preferences = replace(preferences, vacation_until=vacation, storm_until=storm, storm_from=begins)
    if any(at.tzinfo is not None for _, at in _times_of_day(preferences)):
        preferences = _local(preferences)
        said.append("times of day with a time zone count as local time")
    return preferences, tuple(said)


def _within(until: datetime | None, now: datetime) -> datetime | None:
    """The same, the last that is allowed, or None for one that cannot have been meant."""
    if until is None or until.tzinfo is None or until < FIRST:
        return None
    return min(until, now + MOST_AHEAD)


def _local(preferences: Preferences) -> Preferences:
    spans = tuple(
        replace(span, start=span.start.replace(tzinfo=None), end=span.end.replace(tzinfo=None))
        for span in preferences.comfort_schedule
    )
    charging = {charger: _local_wish(wish) for charger, wish in preferences.charging.items()}
    return replace(preferences, charging=charging, comfort_schedule=spans)


def _local_wish(wish: ChargingPreference) -> ChargingPreference:
    departures = tuple(replace(each, at=each.at.replace(tzinfo=None)) for each in wish.departures)
    return replace(wish, ready_by=wish.ready_by.replace(tzinfo=None), departures=departures)
