"""Loads with a memory: a pool pump's hours of the day, an appliance's run, a tank's last hot day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.model.preferences import Preferences
from gateway.model.site import ApplianceSpec, PoolPumpSpec, WaterHeaterSpec


class RunPhase(StrEnum):
    """Where an appliance's run stands.

    waiting -> running -> done: what runs is never interrupted by a wish.
    """

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ApplianceRun:
    """The owner's wish that an appliance runs once, not before `not_before` and done by `done_by` (aware UTC)."""

    device: str
    not_before: datetime
    done_by: datetime
    who: str
    asked_at: datetime
    started_at: datetime | None = None
    ends_at: datetime | None = None
    """When its profile is over; moves on while a binding limit keeps it without power."""
    done_at: datetime | None = None

    @property
    def phase(self) -> RunPhase:
        """Where it stands."""
        if self.done_at is not None:
            return RunPhase.DONE
        return RunPhase.WAITING if self.started_at is None else RunPhase.RUNNING


@dataclass(frozen=True, slots=True)
class Standing:
    """What a device was told or seen to do (1/0, or degC of a target), and since when."""

    value: float
    since: datetime


@dataclass(frozen=True, slots=True)
class Loads:
    """What is remembered of them, by device id."""

    runs: Mapping[str, ApplianceRun] = field(default_factory=dict)
    """The last run that was asked for of each appliance."""
    ran_s: Mapping[str, float] = field(default_factory=dict)
    """Pool pump: run since the end of its last window, s."""
    stands: Mapping[str, Standing] = field(default_factory=dict)
    seen: Mapping[str, Standing] = field(default_factory=dict)
    """What each was last seen doing (1 draws power, 0 does not), and since when."""
    hot_at: Mapping[str, datetime] = field(default_factory=dict)
    """Tank: when it was last as hot as hygiene asks; before it ever was, when it was first looked after."""

    def run(self, device: str) -> ApplianceRun | None:
        """The run that is waiting or under way, or None."""
        found = self.runs.get(device)
        return None if found is None or found.phase is RunPhase.DONE else found

    def seen_s(self, device: str, value: float, now: datetime) -> float | None:
        """For how long it has been seen doing `value` (1 or 0), s; None when it does something else or is not seen."""
        stand = self.seen.get(device)
        return (now - stand.since).total_seconds() if stand is not None and stand.value == value else None


NO_LOADS = Loads()


def duration(spec: ApplianceSpec) -> timedelta:
    """How long an appliance's profile lasts."""
    return timedelta(seconds=len(spec.profile_w) * spec.step_s)


def hygiene_due(preferences: Preferences, spec: WaterHeaterSpec, loads: Loads, tank: str) -> datetime | None:
    """By when a tank must have been hot again; None when nobody asks for it or its thermostat stops below."""
    hot_at = loads.hot_at.get(tank)
    if hot_at is None or preferences.hygiene_days <= 0 or preferences.hygiene_c > spec.max_temperature_c:
        return None
    return hot_at + timedelta(days=preferences.hygiene_days)


def next_window(spec: PoolPumpSpec, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The window of a pool pump that holds `now`, or else its next one: aware UTC, half open.

    On the day the clocks change it follows the wall: midnight to midnight is 23 or 25 hours.
    """
    day = now.astimezone(zone).date() - timedelta(days=1)
    while True:
        start = _at(day, spec.earliest if spec.earliest != spec.latest else time(0), zone)
        last = day if spec.earliest < spec.latest else day + timedelta(days=1)
        end = _at(last, spec.latest if spec.earliest != spec.latest else time(0), zone)
        if end > now:
            return start, end
        day += timedelta(days=1)


def _at(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
