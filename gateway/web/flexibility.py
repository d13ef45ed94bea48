"""What the home could shift for the grid: the API and the words for the Events page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter

from gateway.model.flex import Direction, FlexOffer
from gateway.runtime.words import local_time
from gateway.web.view import HomeView
from gateway.web.wire import Out
from gateway.web.words import money


class FlexOfferOut(Out):
    """One offer: `energy_wh` (a magnitude) less or more over [start, start + duration_s), with its 80 % interval.

    `cost_micro` in micro-units of the currency and `co2_g` are what taking it up changes over the plan's horizon.
    """

    direction: str
    start: datetime
    duration_s: float
    power_w: float
    energy_wh: float
    low_wh: float
    high_wh: float
    cost_micro: int
    co2_g: float
    per_device: dict[str, float]
    made_at: datetime | None


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One hour for the page, in words."""

    when: str
    less: str
    more: str


def flexibility_routes(home: HomeView) -> APIRouter:
    """GET /api/v1/flexibility."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/flexibility")
    async def flexibility() -> list[FlexOfferOut]:
        """What the home could draw less or more in hours to come, from its plan; comfort and departure hold."""
        return [FlexOfferOut.model_validate(found) for found in home.offers.offers]

    return router


def offer_rows(home: HomeView) -> list[OfferRow]:
    """The offers of the coming day by hour."""
    now, zone = home.clock.now(), home.site.timezone
    found: dict[datetime, dict[Direction, FlexOffer]] = {}
    for each in home.offers.offers:
        if each.start + timedelta(seconds=each.duration_s) > now:
            found.setdefault(each.start, {})[each.direction] = each
    return [
        OfferRow(
            f"{local_time(start, now, zone)}, 1 h",
            *(_words(home, ways.get(direction)) for direction in (Direction.DOWN, Direction.UP)),
        )
        for start, ways in sorted(found.items())
    ]


def _words(home: HomeView, found: FlexOffer | None) -> str:
    if found is None:
        return "–"
    half = (found.high_wh - found.low_wh) / 2000
    cost = money(abs(found.cost_micro), home.site.currency)
    price = f"costs {cost}" if found.cost_micro > 0 else f"saves {cost}" if found.cost_micro < 0 else "costs nothing"
    return f"{found.power_w / 1000:.1f} kW ±{half:.1f}, {price}"
