"""Each local midnight the day that ended is classed, and what the home's days amount to is kept and told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from gateway.core.learning.home_shapes import HomeShapes
from gateway.core.learning.hours import hourly
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.core.learning.shape_rest import METERS, rest_of, whole
from gateway.core.metering.csv_rows import IMPORTED
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.learned import DayShape
from gateway.model.preferences import Preferences
from gateway.model.reading import Interval
from gateway.model.shapes import DriftKind, HomeShape, ShapeChances, ShapeDrift
from gateway.model.site import Site
from gateway.ports import Store
from gateway.runtime.notices import Notices

KEY = "home shapes"
HISTORY_DAYS = 63
NEWS_DAYS = 3
"""A change that was seen longer ago is no news: it comes from history that was brought in."""


@dataclass(slots=True)
class ShapeLearning:
    """The classes of past days, and the streaming state of the home's shapes.

    A day is what the home takes from the grid and gives to it, but for its battery, which does what the gateway plans:
    the house, the sun, and every device that is measured by itself.
    """

    site: Site
    store: Store
    dictionary: ShapeDictionary | None
    notices: Notices | None = None
    preferences: Callable[[], Preferences] = Preferences
    days: list[DayShape] = field(default_factory=list)
    """Oldest first."""
    state: HomeShapes | None = None

    async def resume(self) -> None:
        """Take up what was learned; the state of another dictionary is learned anew from the stored intervals."""
        self.days = await self.store.day_shapes()
        self.state = self._state(await self.store.get(KEY))

    def _state(self, document: Mapping[str, object] | None) -> HomeShapes | None:
        if self.dictionary is None:
            return None
        try:
            return HomeShapes.from_document(document or {}, self.dictionary)
        except ValueError:
            return HomeShapes(self.dictionary)

    async def refresh(self, now: datetime) -> None:
        """Class every local day that ended and was not taken, and tell what changed.

        Nothing while there is no dictionary or no history.
        """
        if self.dictionary is None:
            return
        if self.state is None:
            await self.resume()
        if self.state is None:
            return
        await self._take(self.state, now.astimezone(self.site.timezone).date())
        await self._tell(self.state.drift.told, now)

    async def _take(self, state: HomeShapes, today: date) -> None:
        first = today - timedelta(days=HISTORY_DAYS) if state.last is None else state.last + timedelta(days=1)
        if first >= today:
            return
        series = await self._series(_midnight(first, self.site), _midnight(today, self.site))
        if state.last is None:
            if not series[HOUSE]:
                return
            first = min(row.start for row in series[HOUSE]).astimezone(self.site.timezone).date()
        self.state = None  # until what it learned is kept: after a fault of the store the days are taken again
        new = await asyncio.to_thread(self._classed, state, series, first, today)
        await self.store.save_day_shapes(new)
        await self.store.put(KEY, state.to_document(), later=True)
        self.state = state
        known = {shape.day: shape for shape in (*self.days, *new)}
        self.days = [known[day] for day in sorted(known)]

    async def _series(self, start: datetime, end: datetime) -> dict[str, list[Interval]]:
        parts = [device.id for device in self.site.devices if device.role not in METERS]
        return {name: await self.store.intervals(name, start, end) for name in (HOUSE, SOLAR, *parts)}

    def _classed(
        self, state: HomeShapes, series: Mapping[str, list[Interval]], first: date, today: date
    ) -> list[DayShape]:
        zone, by_day = self.site.timezone, defaultdict[tuple[str, date], list[Interval]](list)
        for name, rows in series.items():
            for row in rows:
                by_day[name, row.start.astimezone(zone).date()].append(row)
        found = []
        for number in range((today - first).days):
            day = first + timedelta(days=number)
            hours = {name: hourly(by_day[name, day], day, zone) for name in series}
            imported = any(row.method == IMPORTED for row in by_day[HOUSE, day])
            rest = rest_of(self.site, hours, state.drift.parts, imported)
            found.append(state.step(day, whole(self.site, hours), rest))
        return found

    async def _tell(self, drift: ShapeDrift | None, now: datetime) -> None:
        """One notification per kind of change, ended when it no longer stands; in quiet hours a new one waits."""
        if self.notices is None:
            return
        for kind in DriftKind:
            if drift is None or drift.kind is not kind:
                await self.notices.end(cause(kind))
        local = now.astimezone(self.site.timezone)
        if drift is None or self.preferences().quiet_at(local.time()):
            return
        if local.date() - drift.seen <= timedelta(days=NEWS_DAYS):
            await self.notices.raise_(cause(drift.kind), "info", drift.why)

    def home(self) -> HomeShape | None:
        """What the home is like; None before its first classed day."""
        return self.state.home() if self.state else None

    def chances(self, day: date) -> ShapeChances | None:
        """The chance of each shape for a local day to come; None without a dictionary."""
        return self.state.chances(day) if self.state else None


def cause(kind: DriftKind) -> str:
    """The cause of the notification of a change."""
    return f"load shape: {kind.value}"


def _midnight(day: date, site: Site) -> datetime:
    return datetime.combine(day, time(), site.timezone).astimezone(UTC)
