"""What the home teaches its load forecast: a day at a time after local midnight, kept in the store, taken up at a start."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from gateway.core.learning.blocks import to_blocks
from gateway.core.learning.load_learning import fit, learn
from gateway.core.learning.load_model import LoadModel
from gateway.model.reading import Interval
from gateway.model.site import Site
from gateway.ports import Store

KEY = "learned load"
YEAR_DAYS = 365
CATCH_UP_DAYS = 14
"""After a longer silence the whole history is learned at once instead of day by day."""


@dataclass(slots=True)
class LoadLearning:
    """The model of this home's load; `model` is empty until a first day has ended."""

    site: Site
    store: Store
    model: LoadModel = field(default_factory=LoadModel)

    async def resume(self) -> None:
        """Take up what was learned before."""
        self.model = LoadModel.from_document(await self.store.get(KEY))

    async def refresh(self, house: list[Interval], now: datetime) -> bool:
        """Learn the local days that ended since the last time from `house`, the last 63 days; whether there was one."""
        today = now.astimezone(self.site.timezone).date()
        missing = today.toordinal() - 1 - self.model.day
        if missing == 0:
            return False
        if 0 < missing <= CATCH_UP_DAYS:
            for ordinal in range(self.model.day + 1, today.toordinal()):
                self.model = await asyncio.to_thread(self._learn, house, date.fromordinal(ordinal))
        else:  # nothing learned yet, a long silence, or a clock that was set back
            yesterday = today - timedelta(days=1)
            year = await self.store.intervals("house", now - timedelta(days=YEAR_DAYS + 1), now)
            self.model = await asyncio.to_thread(self._fit, year, yesterday)
        if self.model.day:
            await self.store.put(KEY, self.model.to_document(), later=True)
        return True

    def _learn(self, house: list[Interval], day: date) -> LoadModel:
        return learn(self.model, to_blocks(house, self._midnight(day), self.site.timezone, 1), day.toordinal())

    def _fit(self, year: list[Interval], yesterday: date) -> LoadModel:
        blocks = to_blocks(year, self._midnight(yesterday), self.site.timezone, 1, days=YEAR_DAYS)
        return fit(blocks, yesterday.toordinal())

    def _midnight(self, day: date) -> datetime:
        """The end of a local day."""
        return datetime.combine(day + timedelta(days=1), time(), self.site.timezone).astimezone(UTC)
