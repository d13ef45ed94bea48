"""What the home learns of its cars and people: anew after each local midnight, of a car also after each session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.core.learning import ev_habit, occupancy
from gateway.core.learning.local_hours import local_hours
from gateway.core.learning.quarters import powers
from gateway.model.habits import EvHabit, Occupancy
from gateway.model.learned import NotLearned
from gateway.model.reading import Interval
from gateway.model.site import Role, Site
from gateway.ports import Store

RECENT = timedelta(days=2)
NOT_YET = NotLearned("It is learned when the history has been read.")


@dataclass(slots=True)
class HabitLearning:
    """The habit at each charger and the occupancy of the home, or why there is none; nothing kept, as sessions are."""

    site: Site
    store: Store
    cars: dict[str, EvHabit | NotLearned] = field(default_factory=dict)
    people: Occupancy | NotLearned = NOT_YET
    _seen: dict[str, tuple[date, frozenset[int]]] = field(default_factory=dict)
    """By charger: the local day, and the sessions of the last days that had ended."""
    _day: date | None = None

    async def refresh(self, house: list[Interval], now: datetime) -> None:
        """Learn what may have changed; `house` is the uncontrolled load of the last weeks. Raises StoreError."""
        today = now.astimezone(self.site.timezone).date()
        for device in self.site.of_role(Role.EV_CHARGER):
            await self._car(device.id, today, now)
        if today != self._day:
            self.people = await asyncio.to_thread(self._people, house, today)
            self._day = today

    async def _car(self, charger: str, today: date, now: datetime) -> None:
        """Half a year is read only when something ended: the sessions of two days are looked at each time."""
        recent = await self.store.sessions(now - RECENT, now, charger=charger)
        seen = today, frozenset(session.transaction for session in recent if session.end is not None)
        if self._seen.get(charger) == seen:
            return
        since = now - timedelta(days=ev_habit.DAYS + 1)
        sessions = await self.store.sessions(since, now, charger=charger)
        self.cars[charger] = await asyncio.to_thread(ev_habit.learn_ev, charger, sessions, now, self.site.timezone)
        self._seen[charger] = seen

    def _people(self, house: list[Interval], today: date) -> Occupancy | NotLearned:
        days = local_hours(today, occupancy.DAYS, self.site.timezone)
        load = days.grid(powers(house, days.start, days.count))
        return occupancy.learn_occupancy(load, (today - timedelta(days=occupancy.DAYS)).weekday())
