"""The highest quarter hour the connection has carried in the last year: what a plan may use without making a new peak."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.model.reading import Interval
from gateway.model.site import Role, Site
from gateway.ports import Clock, IntervalStore

YEAR = timedelta(days=365)
EVERY_S = 900.0


@dataclass(slots=True)
class HighestPeak:
    """Looks at the year once, then at what is new of the main meter's import at every quarter hour."""

    site: Site
    clock: Clock
    store: IntervalStore
    _by_day: dict[date, float] = field(default_factory=dict)
    _seen: datetime | None = None

    def watts(self) -> float:
        """Mean import of the highest interval of the last 365 days, W; 0 before anything is known."""
        return max(self._by_day.values(), default=0.0)

    async def run(self) -> None:
        """Look now and at every quarter hour until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(EVERY_S, real_floor=3.0)

    async def once(self) -> None:
        """Add what was stored since the last look, and forget what is older than a year."""
        now = self.clock.now()
        meter = next((device.id for device in self.site.of_role(Role.MAIN_METER)), None)
        if meter is None:
            return
        # An interval may be corrected or recovered late: the last day is looked at again.
        since = now - YEAR if self._seen is None else _midnight(self._seen - timedelta(days=1))
        rows = await self.store.intervals(meter, since, now)
        found = await asyncio.to_thread(_by_day, rows)
        self._by_day = {day: watts for day, watts in {**self._by_day, **found}.items() if day >= (now - YEAR).date()}
        self._seen = now


def _midnight(when: datetime) -> datetime:
    """The start of its UTC day: days are looked at whole."""
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _by_day(rows: Sequence[Interval]) -> dict[date, float]:
    """The highest mean import of each UTC day, W."""
    found: dict[date, float] = {}
    for row in rows:
        if row.import_wh is not None and row.duration_s > 0:
            day = row.start.date()
            found[day] = max(found.get(day, 0.0), row.import_wh * 3600 / row.duration_s)
    return found
