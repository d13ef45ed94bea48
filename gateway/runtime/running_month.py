"""What the running month holds so far: the peaks and the energy that decide what one more kW or kWh costs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.tariff.tiers import tier_period
from gateway.core.tariff.windows import midnight
from gateway.model.reading import Interval
from gateway.model.site import Role, Site
from gateway.model.tariff import Tariff, ToDate
from gateway.ports import Clock, IntervalStore

EVERY_S = 900.0


@dataclass(slots=True)
class RunningMonth:
    """Counts the main meter's stored intervals of the running local month at every quarter hour."""

    site: Site
    clock: Clock
    store: IntervalStore
    tariff: Tariff
    _found: ToDate = field(default_factory=ToDate)
    _counted: datetime | None = None

    @property
    def needed(self) -> bool:
        """Whether anything of this tariff depends on the month so far."""
        held = self.tariff.at(self.clock.now())
        return bool(held.demand) or held.tiers is not None

    def so_far(self) -> ToDate:
        """What was counted last, as far as its month and its period of tiers still run."""
        now, counted = self.clock.now(), self._counted
        if counted is None or counted < self._first(now):
            return ToDate()
        return self._found if counted >= tier_period(self.tariff, now)[0] else replace(self._found, tier_wh=0.0)

    async def run(self) -> None:
        """Count now and at every quarter hour until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(EVERY_S, real_floor=3.0)

    async def once(self) -> None:
        """Count once; the arrays are worked on in a thread, so that no tick waits for them."""
        if not self.needed:
            return
        now = self.clock.now()
        meter = next((device.id for device in self.site.of_role(Role.MAIN_METER)), "")
        rows = await self.store.intervals(meter, self._first(now), now)
        self._found, self._counted = await asyncio.to_thread(_count, self.tariff, rows, now), now

    def _first(self, now: datetime) -> datetime:
        return midnight(self.tariff, now.astimezone(self.tariff.timezone).date().replace(day=1))


def _count(tariff: Tariff, rows: list[Interval], now: datetime) -> ToDate:
    from gateway.core.tariff.peaks import to_date

    return to_date(tariff, rows, now)
