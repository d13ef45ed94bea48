"""Flexibility offers in time: made again when what is asked of the home changes, and none that no longer holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.report_offers import offers_ahead
from gateway.core.planning.request import PlanRequest
from gateway.model.authority import Authority
from gateway.model.flex import Direction, FlexOffer
from gateway.model.setpoint import Limit, LimitKind
from gateway.runtime.offers import AT_MOST_EVERY_S, EVERY_S, Offers
from gateway.runtime.planning import PlanLoop
from tests.fakes import START, FakeClock, FakeStore
from tests.runtime.test_planning_loop import request

pytestmark = pytest.mark.slow


class World:
    """A home whose limits a test sets, and its offers."""

    def __init__(self) -> None:
        self.clock, self.store, self.limits = FakeClock(), FakeStore(), tuple[Limit, ...]()
        self.plans = PlanLoop(self.clock, self.store, self.request, lambda plan: None)
        self.offers = Offers(self.clock, self.store, self.plans, 200.0)

    def request(self, cause: str) -> PlanRequest:
        return replace(request(cause), limits=self.limits, now=self.clock.now())

    def limit(self, watts: float) -> None:
        """The utility limits the import for the whole day, from now on."""
        end, words = self.clock.now() + timedelta(hours=24), "The utility limits this home."
        self.limits = (
            Limit(LimitKind.SITE_IMPORT, watts, self.clock.now(), end, Authority.BINDING_LIMIT, "vtn:cap", words),
        )
        self.plans.cause("event")


def up(world: World) -> list[FlexOffer]:
    return [found for found in world.offers.offers if found.direction is Direction.UP]


async def test_a_new_limit_drops_the_offers_at_once_and_those_made_under_it_keep_to_it() -> None:
    world = World()
    await world.offers.once()
    assert max(found.power_w for found in up(world)) > 4_000
    world.limit(3_000.0)
    assert world.offers.offers == () and offers_ahead(world.offers.offers)["LOAD_SHED_DELTA_AVAILABLE"] == ()
    await world.clock.advance(AT_MOST_EVERY_S)
    assert world.offers.due()
    await world.offers.once()
    assert up(world) and all(found.power_w <= 3_000 for found in up(world)), "500 W of the 3 kW the house draws itself"


@pytest.mark.parametrize("cause", ["event", "limit", "car", "preference", "override"])
async def test_a_change_makes_new_offers_but_no_more_often_than_once_a_minute(cause: str) -> None:
    world = World()
    assert world.offers.due()
    await world.offers.once()
    assert world.offers.offers and not world.offers.due()
    world.plans.cause(cause)
    assert not world.offers.due() and not world.offers.offers
    await world.clock.advance(AT_MOST_EVERY_S)
    assert world.offers.due()


@pytest.mark.parametrize("cause", ["forecast", "surprise"])
async def test_what_is_only_expected_anew_leaves_the_offers_until_their_quarter_of_an_hour(cause: str) -> None:
    world = World()
    await world.offers.once()
    world.plans.cause(cause)
    await world.clock.advance(AT_MOST_EVERY_S)
    assert world.offers.offers and not world.offers.due()
    await world.clock.advance(EVERY_S - AT_MOST_EVERY_S)
    assert world.offers.due()


async def test_a_change_while_offers_are_made_makes_them_void() -> None:
    world = World()
    making = asyncio.create_task(world.offers.once())
    await asyncio.sleep(0)
    world.limit(3_000.0)
    await making
    assert world.offers.offers == ()


async def test_an_offer_whose_window_has_begun_is_none_any_more_but_is_remembered() -> None:
    world = World()
    await world.offers.once()
    first = min(world.offers.offers, key=lambda found: found.start)
    await world.clock.advance((first.start - START).total_seconds())
    assert all(found.start > first.start for found in world.offers.offers)
    assert world.offers.at(first.start + timedelta(minutes=10), first.direction) == first
