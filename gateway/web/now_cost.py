"""What charging a car now would cost more than the plan: exact, on demand, on the page Charging and as an API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.model.site import Device, Role
from gateway.model.snapshot import ChargePhase
from gateway.runtime.car_words import car_facts
from gateway.runtime.words import local_time
from gateway.web.chart import difference
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.savings_book import PlansView
from gateway.web.state import charger_status
from gateway.web.view import HomeView
from gateway.web.wire_savings import NowCostOut

LEAST_WH = 100.0
SAME = difference(0, 0.0, "")
PLUGGED = (ChargePhase.PLUGGED, ChargePhase.CHARGING)


@dataclass(frozen=True, slots=True)
class NowCost:
    """What charging now costs more than the plan, which has until `ready`."""

    micro: int
    co2_g: float
    ready: datetime
    words: str


def now_cost_routes(home: HomeView, pages: Pages, plans: PlansView) -> APIRouter:
    """/api/v1/chargers/{charger}/now-cost and its sentence for the page Charging."""
    router = APIRouter()

    @router.get("/api/v1/chargers/{charger}/now-cost")
    async def read(charger: str) -> NowCostOut:
        """What charging the car that is plugged in now would cost more than the plan, solved anew; 409 without one."""
        device = _device(home, charger)
        found = await now_cost(home, plans, device)
        if isinstance(found, str):
            raise Problem(409, found)
        return NowCostOut(
            charger=charger, more_micro=found.micro, more_co2_g=found.co2_g, ready=found.ready, words=found.words
        )

    @router.get("/charging/now-cost", include_in_schema=False)
    async def page(request: Request, charger: str = "") -> HTMLResponse:
        device = _device(home, charger)
        found = await now_cost(home, plans, device)
        words = found if isinstance(found, str) else found.words
        return pages.page(request, "now_cost.html", path="/charging", headline=words)

    return router


async def now_cost(home: HomeView, plans: PlansView, device: Device) -> NowCost | str:
    """What charging now costs more, or why that cannot be said."""
    status = charger_status(home.snapshot(), device.id)
    if status is None or status.phase not in PLUGGED:
        return f"No car is plugged in at {device.name}. Plug it in, then ask again."
    now, site = home.clock.now(), home.site
    facts = car_facts(site, home.preferences(), device, status, now)
    if facts.need_wh <= LEAST_WH:
        return f"{device.name} has what it needs by {local_time(facts.leaves, now, site.timezone)}: nothing is left to charge."
    found = await plans.charge_now(device.id)
    if found is None:
        return f"There is no plan for {device.name} yet. Ask again in a minute."
    micro, co2_g = found
    more = difference(micro, co2_g, site.currency)
    against = "as much as" if more == SAME else f"{more} than"
    until = local_time(facts.leaves, now, site.timezone)
    words = f"Charging {device.name} now would cost {against} the plan, which has until {until}."
    return NowCost(micro, co2_g, facts.leaves, words)


def _device(home: HomeView, charger: str) -> Device:
    found = next((device for device in home.site.of_role(Role.EV_CHARGER) if device.id == charger), None)
    if found is None:
        known = ", ".join(device.id for device in home.site.of_role(Role.EV_CHARGER)) or "none"
        raise Problem(404, f"There is no charger '{charger[:100]}'. Known: {known}.")
    return found
