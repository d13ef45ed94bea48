"""Flexibility offers: made from the plan in idle moments, kept for the pages and for the utility's reports."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from gateway.core.demand_response.flexibility import asked, offer, spread_of, windows
from gateway.model.flex import Direction, FlexOffer
from gateway.ports import Clock, FactStore
from gateway.runtime.planning import PlanLoop

log = logging.getLogger(__name__)

EVERY_S = 900.0
FIRST_S = 60.0
KEY = "flexibility-record"
KEPT = 40


@dataclass(slots=True)
class Offers:
    """What the home could shift in the coming day; `record` learns from what was delivered."""

    clock: Clock
    store: FactStore
    plans: PlanLoop
    co2_g_per_kwh: float
    offers: tuple[FlexOffer, ...] = ()
    _ratios: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Make offers now and again until cancelled."""
        kept = await self.store.get(KEY) or {}
        self._ratios = [float(ratio) for ratio in kept.get("ratios", []) if isinstance(ratio, int | float)][-KEPT:]
        await self.clock.sleep(FIRST_S, real_floor=5.0)
        while True:
            await self.once()
            await self.clock.sleep(EVERY_S, real_floor=15.0)

    async def once(self) -> None:
        """Make every offer from the plan in force; a new plan does not wait for it, it comes in between."""
        plan = self.plans.plan
        if plan is None or not plan.slots:
            return
        found, spread = [], spread_of(self._ratios)
        for start, end in windows(self.clock.now()):
            for direction in Direction:
                pair = await self.plans.compared(partial(asked, direction=direction, start=start, end=end))
                if pair is None:
                    return
                made = offer(*pair, direction, start, end, spread, self.co2_g_per_kwh)
                if made is not None:
                    found.append(made)
        self.offers = tuple(found)

    def at(self, start: datetime, direction: Direction = Direction.DOWN) -> FlexOffer | None:
        """The offer whose window holds `start`; None when there is none."""
        return next(
            (
                o
                for o in self.offers
                if o.direction is direction and 0 <= (start - o.start).total_seconds() < o.duration_s
            ),
            None,
        )

    async def record(self, offered_wh: float, delivered_wh: float) -> None:
        """Learn how far an offer was from what was delivered over the same time."""
        if offered_wh > 0:
            self._ratios = [*self._ratios, delivered_wh / offered_wh][-KEPT:]
            await self.store.put(KEY, {"ratios": self._ratios}, later=True)
