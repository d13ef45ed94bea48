"""What the planner is asked: the newest snapshot with forecasts, tariff, limits and prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.demand_response.response import prices
from gateway.model.site import Site
from gateway.model.tariff import Tariff
from gateway.ports import Clock
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.highest_peak import HighestPeak
from gateway.runtime.learn import Learn
from gateway.runtime.running_month import RunningMonth
from gateway.runtime.sources import Sources
from gateway.runtime.tick import Tick
from gateway.runtime.wishes import OwnerWishes

if TYPE_CHECKING:
    from gateway.core.planning.request import PlanRequest


@dataclass(slots=True)
class Requests:
    """Makes plan requests from what is known now."""

    site: Site
    clock: Clock
    tariff: Tariff
    tick: Tick
    learn: Learn
    dr: DemandResponse
    wishes: OwnerWishes
    month: RunningMonth
    sources: Sources
    highest: HighestPeak

    def make(self, cause: str) -> PlanRequest | None:
        """The request for a plan now; None before the first tick and the first forecast."""
        from gateway.core.planning.request import PlanRequest

        snapshot, load, solar = self.tick.last, self.learn.load, self.learn.solar
        if snapshot is None or load is None or solar is None:
            return None
        return PlanRequest(
            site=self.site,
            snapshot=snapshot,
            load=load,
            solar=solar,
            outdoor=self.learn.outdoor,
            tariff=self.tariff,
            preferences=self.wishes.preferences,
            limits=self.dr.limits,
            price_signals=tuple(prices(self.dr.timeline, self.site.currency)),
            co2_g_per_kwh=self.site.co2_g_per_kwh,
            now=self.clock.now(),
            cause=cause,
            spot=self.sources.spot(),
            carbon=self.sources.carbon(),
            to_date=self.month.so_far(),
            peak_so_far_w=self.highest.watts(),
        )
