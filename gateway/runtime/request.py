"""What the planner is asked: the newest snapshot with forecasts, tariff, limits and prices."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.core.control.storm import storm_windows
from gateway.core.demand_response.response import prices
from gateway.model.site import Role, Site
from gateway.model.tariff import Tariff
from gateway.ports import Clock
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.envelopes import Envelopes
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
    envelopes: Envelopes

    def make(self, cause: str) -> PlanRequest | None:
        """The request for a plan now; None before the first tick and the first forecast."""
        from gateway.core.planning.request import PlanRequest

        snapshot, load, solar = self.tick.last, self.learn.load, self.learn.solar
        if snapshot is None or load is None or solar is None:
            return None
        return PlanRequest(
            site=_obeying(self.site, snapshot.let_go),
            snapshot=snapshot,
            load=load,
            solar=solar,
            outdoor=self.learn.outdoor,
            tariff=self.tariff.at(self.clock.now()),
            preferences=self.wishes.preferences,
            limits=(
                *self.dr.limits,
                *self.envelopes.in_force(),
                *storm_windows(self.site, self.wishes.preferences, snapshot, self.clock.now()),
            ),
            price_signals=tuple(prices(self.dr.timeline, self.site.currency)),
            co2_g_per_kwh=self.site.co2_g_per_kwh,
            now=self.clock.now(),
            cause=cause,
            spot=self.sources.spot(),
            carbon=self.sources.carbon(),
            irradiance=self.sources.irradiance(),
            to_date=self.month.so_far(),
            thermal=dict(self.learn.thermal),
            draws=dict(self.learn.draws),
            peak_so_far_w=self.highest.watts(),
            can_curtail=_can_curtail(self.site, snapshot.curtailable),
        )


def _obeying(site: Site, let_go: Collection[str]) -> Site:
    """The home as it can be planned: a battery that does not obey is part of the house."""
    if not let_go:
        return site
    return replace(site, devices=tuple(replace(d, spec=None) if d.id in let_go else d for d in site.devices))


def _can_curtail(site: Site, curtailable: Collection[str]) -> bool:
    """Whether all of the sun can be cut; a plan that counts on it else sells at a loss."""
    inverters = site.of_role(Role.PV, Role.HYBRID_INVERTER)
    return bool(inverters) and all(device.id in curtailable for device in inverters)
