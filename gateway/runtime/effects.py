"""The effect of each event that is to come, shown before the owner decides: made when idle, exact when asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.demand_response.effect import effect_of
from gateway.core.demand_response.opt import asks_action
from gateway.core.demand_response.schedule import event_span
from gateway.core.planning.request import PlanRequest
from gateway.model.authority import Authority
from gateway.model.dr import EventPhase, EventRecord
from gateway.model.effect import EventEffect
from gateway.model.setpoint import Limit, LimitKind
from gateway.ports import Clock
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.planning import PlanLoop

LOOK_S = 30.0
OLD_S = 900.0
"""An effect this old is made anew when idle."""


@dataclass(slots=True)
class Effects:
    """Effects by event key; each belongs to one version of the event."""

    clock: Clock
    dr: DemandResponse
    plans: PlanLoop
    co2_g_per_kwh: float
    on_change: Callable[[], None] = lambda: None
    known: dict[str, EventEffect] = field(default_factory=dict)
    _version: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Keep the effects of events to come fresh until cancelled."""
        while True:
            for record in list(self.dr.records.values()):
                if self._open(record) and self._is_old(record):
                    await self.of(record.key)
            self._forget()
            await self.clock.sleep(LOOK_S, real_floor=2.0)

    async def of(self, event: str) -> EventEffect | None:
        """The effect of one event as of now; None for one that is over, asks nothing, or cannot be planned yet."""
        record = self.dr.find(event)
        span = event_span(record, self.dr.site.timezone) if record is not None else None
        if record is None or span is None or not self._open(record):
            return None
        # Both are taken now: were the event changed while the first plan is made, the second would be of another event.
        left, taken = self._change(record, joined=False), self._change(record, joined=True)
        without = await self.plans.way(left)
        if without is None or not without.plan.slots:
            return None
        joined, change = await self.plans.beside(without, taken, own_prices=True)
        found = effect_of(record.key, joined, without.plan, change, *span, self.dr.site, self.co2_g_per_kwh)
        self.known[record.key], self._version[record.key] = found, record.event.fingerprint
        self.on_change()
        return found

    def _open(self, record: EventRecord) -> bool:
        live = record.cancelled_at is None and self.dr.phase(record.key) in (EventPhase.UPCOMING, EventPhase.ACTIVE)
        return live and asks_action(record.event)

    def _is_old(self, record: EventRecord) -> bool:
        known = self.known.get(record.key)
        if known is None or self._version.get(record.key) != record.event.fingerprint:
            return True
        return (self.clock.now() - known.made_at).total_seconds() > OLD_S

    def _forget(self) -> None:
        for key in [key for key in self.known if key not in self.dr.records or not self._open(self.dr.records[key])]:
            del self.known[key]

    def _change(self, record: EventRecord, *, joined: bool) -> Callable[[PlanRequest], PlanRequest]:
        limits, points = self.dr.as_if(record, joined=joined)
        others, other_points = self.dr.as_if(record, joined=not joined)
        # Both plans are cut at the same times, or their slots could not be compared: these limits bound nothing.
        cuts = [(limit.start, limit.end) for limit in others]
        cuts += [(point.start, point.end) for point in other_points if point.end is not None]
        mine = set(self.dr.records)

        def change(request: PlanRequest) -> PlanRequest:
            kept = tuple(limit for limit in request.limits if limit.source not in mine)
            return replace(request, limits=(*limits, *(_cut(*cut) for cut in cuts), *kept), price_signals=points)

        return change


def _cut(start: datetime, end: datetime) -> Limit:
    return Limit(LimitKind.SITE_IMPORT, math.inf, start, end, Authority.DEMAND_RESPONSE, "", "")
