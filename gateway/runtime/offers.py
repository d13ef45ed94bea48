"""Flexibility offers: made from the plan in idle moments, kept for the pages and for the utility's reports.

    limits, events, cars, wishes   a a a a a a a b b b b b
    offers                         A . . . A . . |   B . .      what was offered before a change is dropped at once
                                   |<-15 min>|   |<->|          made again no more often than once a minute

An offer whose window has begun is none any more: what is still possible then is another amount.
"""

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
AT_MOST_EVERY_S = 60.0
LOOK_S = 5.0
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
    made: tuple[FlexOffer, ...] = ()
    _turn: int = -1
    """Of the plan loop, when `made` was made: with another one something else is asked of the home."""
    _made_at: datetime | None = None
    _ratios: list[float] = field(default_factory=list)

    @property
    def offers(self) -> tuple[FlexOffer, ...]:
        """The offers that hold: of what is asked of the home now, and with the whole window to come."""
        if self._turn != self.plans.turn:
            return ()
        now = self.clock.now()
        return tuple(found for found in self.made if found.start > now)

    async def run(self) -> None:
        """Make offers now, every quarter of an hour, and when what is asked of the home changes, until cancelled."""
        kept = await self.store.get(KEY) or {}
        self._ratios = [float(ratio) for ratio in kept.get("ratios", []) if isinstance(ratio, int | float)][-KEPT:]
        await self.clock.sleep(FIRST_S, real_floor=5.0)
        while True:
            if self.due():
                await self.once()
            await self.clock.sleep(LOOK_S, real_floor=2.0)

    def due(self) -> bool:
        """Whether to make offers now."""
        if self._made_at is None:
            return True
        age_s = (self.clock.now() - self._made_at).total_seconds()
        return age_s >= (EVERY_S if self._turn == self.plans.turn else AT_MOST_EVERY_S)

    async def once(self) -> None:
        """Make every offer from the plan for now; a new plan does not wait for it, it comes in between."""
        turn, started = self.plans.turn, self.clock.now()
        way = await self.plans.way()
        if way is None or not way.plan.slots:
            return
        found, spread = [], spread_of(self._ratios)
        for start, end in windows(way.request.now):
            for direction in Direction:
                other, change = await self.plans.beside(way, partial(asked, direction=direction, start=start, end=end))
                made = offer(way.plan, other, change, direction, start, end, spread, self.co2_g_per_kwh)
                if made is not None:
                    found.append(made)
        self.made, self._turn, self._made_at = tuple(found), turn, started

    def at(self, start: datetime, direction: Direction = Direction.DOWN) -> FlexOffer | None:
        """The offer made last whose window holds `start`, be it begun or not; None when there is none."""
        return next(
            (
                o
                for o in self.made
                if o.direction is direction and 0 <= (start - o.start).total_seconds() < o.duration_s
            ),
            None,
        )

    async def record(self, offered_wh: float, delivered_wh: float) -> None:
        """Learn how far an offer was from what was delivered over the same time."""
        if offered_wh > 0:
            self._ratios = [*self._ratios, delivered_wh / offered_wh][-KEPT:]
            await self.store.put(KEY, {"ratios": self._ratios}, later=True)
