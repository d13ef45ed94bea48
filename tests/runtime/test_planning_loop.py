"""The plan loop: a plan at each slot boundary and on each cause, in force before its alternatives are priced."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import counterfactual
from gateway.model.authority import Authority
from gateway.model.charging import ChargingNeeds
from gateway.model.plan import Block, Forecast, IntentKind, Plan
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.tariff import Rate, Tariff
from gateway.runtime.planning import PlanLoop, priced_as, pricing_order
from tests.core.homes import SITE, car, snapshot
from tests.fakes import START, FakeClock, FakeStore

FLAT = Tariff("flat", "Flat", "EUR", SITE.timezone, (Rate("all day", 300_000, 50_000),))


def request(cause: str) -> PlanRequest:
    snap = snapshot((0.7, 0.7, 0.7), charger=car(0.0), mode=ChargeMode.SMART)
    load = Forecast("house", START, 900, (500.0,) * 192)
    solar = Forecast("solar", START, 900, (0.0,) * 192)
    return PlanRequest(
        SITE, snap, load, solar, None, FLAT, snap.preferences, (), (), 300.0, START, cause, steps=((16.0, 900),)
    )


class Loop:
    def __init__(self) -> None:
        self.clock, self.store, self.plans = FakeClock(), FakeStore(), list[Plan]()
        self.loop = PlanLoop(self.clock, self.store, request, self.plans.append)

    async def until(self, count: int) -> None:
        for turn in range(2000):
            # Home time runs twice as fast as the world's: a plan takes real time, which is not the subject.
            if turn % 20 == 0:
                await self.clock.advance(0.2)
            if len(self.store.plans) >= count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{len(self.store.plans)} plans")


@pytest.mark.slow
async def test_the_plan_is_in_force_before_its_alternatives_are_priced() -> None:
    home = Loop()
    await home.loop.once("start")
    first, second = home.plans
    assert all(block.alternative_cost_micro is None for block in first.blocks)
    assert any(block.alternative_cost_micro is not None for block in second.blocks)
    assert replace(first, blocks=()).cost_micro == second.cost_micro
    assert home.store.plans == [second]


@pytest.mark.slow
async def test_a_new_plan_keeps_what_its_alternatives_cost_before_until_they_are_priced() -> None:
    """Wrong before: what waiting saves vanished from the page for a moment at every new plan."""
    home = Loop()
    await home.loop.once("start")
    await home.loop.once("event")
    unpriced, priced = home.plans[0], home.plans[2]
    assert [b.alternative_cost_micro for b in priced.blocks] == [b.alternative_cost_micro for b in home.plans[1].blocks]
    other = tuple(replace(block, device="other") for block in home.plans[1].blocks)
    assert priced_as(unpriced, replace(home.plans[1], blocks=other)) == unpriced == priced_as(unpriced, None)


async def test_every_block_on_the_page_has_the_price_of_its_alternative_and_the_plan_it_belongs_to() -> None:
    """Wrong before: only the first two of each device were priced, and nobody told of which plan a price was."""
    home = Loop()
    await home.loop.once("start")
    blocks = [b for b in home.store.plans[0].blocks if b.alternative]
    assert len(blocks) > 6
    assert all(b.alternative_cost_micro is not None and b.priced_at == home.store.plans[0].made_at for b in blocks)
    for block in blocks:
        alone = counterfactual(request("start"), home.store.plans[0], block)
        assert alone[0] == pytest.approx(block.alternative_cost_micro, abs=10_000)


async def test_pricing_stops_for_a_cause_and_what_is_priced_stays() -> None:
    home = Loop()
    task = asyncio.create_task(home.loop.once("start"))
    while not home.plans:
        await asyncio.sleep(0.001)
    home.loop.cause("event")
    await task
    (kept,) = home.store.plans
    priced = [b for b in kept.blocks if b.priced_at is not None]
    assert len(priced) < len([b for b in kept.blocks if b.alternative])
    assert home.loop.plan == kept


def test_what_is_read_first_is_priced_first_then_what_never_was_then_the_oldest_price() -> None:
    def block(device: str, hour: int, priced: int | None = None) -> Block:
        start = START + timedelta(hours=hour)
        at = None if priced is None else START - timedelta(hours=priced)
        return Block(device, IntentKind.HOLD, start, start + timedelta(hours=1), 0.0, 0.0, "", "wait", priced_at=at)

    blocks = (block("car", -2), block("car", 0, 1), block("car", 2, 1), block("car", 4, 1), block("car", 6), block("tank", 5),
              block("car", 8, 3), replace(block("car", 9), alternative=""))  # fmt: skip
    plan = Plan(START, "test", "optimised", (), blocks, 0, 0, 0.0, 1.0)
    order = [(b.device, round((b.start - START) / timedelta(hours=1))) for b in pricing_order(plan, START)]
    assert order == [("car", 0), ("car", 2), ("tank", 5), ("car", 6), ("car", 8), ("car", 4)]


@pytest.mark.slow
async def test_a_cause_makes_a_new_plan_at_once_and_names_itself() -> None:
    home = Loop()
    task = asyncio.create_task(home.loop.run())
    await home.until(1)
    home.loop.cause("event")
    await home.until(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [plan.cause for plan in home.store.plans] == ["start", "event"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ({}, {"needs": ChargingNeeds(START, START + timedelta(hours=2), 9_000.0)}, True),
        ({}, {"tag": "04A1B2"}, True),
        ({"transaction": ""}, {"transaction": "7"}, True),
        ({}, {"soc_percent": 40.0}, True),
        ({"soc_percent": 40.0}, {"soc_percent": 41.0}, False),
        ({}, {"phases_in_use": 1}, True),
        ({"switches_phases": True}, {"switches_phases": True, "phases_in_use": 1}, False),
        ({}, {"session_wh": 500.0, "power_w": 3_000.0}, False),
    ],
    ids=[
        "needs",
        "tag",
        "session",
        "charge level known",
        "charge level moves",
        "one phase",
        "switched by us",
        "energy",
    ],
)
async def test_what_a_car_says_anew_is_planned_within_two_seconds(
    before: dict[str, Any], after: dict[str, Any], again: bool
) -> None:
    home = Loop()
    task = asyncio.create_task(home.loop.run())
    await home.until(1)
    snap = snapshot(charger=replace(car(0.0), **before))
    home.loop.watch(snap)
    home.loop.watch(replace(snap, chargers={"car": replace(snap.chargers["car"], **after)}))
    since = home.clock.monotonic()
    if again:
        await home.until(2)
        assert home.clock.monotonic() - since <= 2.0
    assert [plan.cause for plan in home.store.plans] == ["start", "car"][: 2 if again else 1]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
async def test_the_alternative_of_a_block_that_is_gone_is_not_invented() -> None:
    home = Loop()
    assert await home.loop.counterfactual("car", START) is None
    await home.loop.once("start")
    assert await home.loop.counterfactual("car", START + timedelta(days=9)) is None
    block = next(b for b in home.plans[-1].blocks if b.alternative_cost_micro is not None)
    found = await home.loop.counterfactual(block.device, block.start)
    assert found is not None and abs(found[1] - (block.alternative_cost_micro or 0)) <= 10_000


@pytest.mark.slow
async def test_a_house_that_draws_far_from_the_plan_is_a_surprise() -> None:
    home = Loop()
    await home.loop.once("start")
    odd = snapshot((10, 10, 10), charger=car(0.0))
    task = asyncio.create_task(home.loop.run())
    await home.until(2)
    home.loop.watch(odd)
    await home.clock.advance(60)
    home.loop.watch(odd)
    assert len(home.store.plans) == 2
    await home.clock.advance(61)
    home.loop.watch(odd)
    await home.until(3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert home.store.plans[-1].cause == "surprise"


@pytest.mark.slow
async def test_the_plan_the_home_would_follow_without_an_event_is_made_beside_the_one_in_force() -> None:
    pause = Limit(
        LimitKind.DEVICE_POWER, 0.0, START, START + timedelta(hours=40), Authority.BINDING_LIMIT, "e1", "paused", "car"
    )

    def limited(cause: str) -> PlanRequest:
        return replace(request(cause), limits=(pause,))

    store = FakeStore()
    loop = PlanLoop(FakeClock(), store, limited, lambda plan: None)
    await loop.once("event")
    free = await loop.without("e1")
    assert loop.plan is not None and free is not None and not store.plans[1:]
    assert sum(slot.power_w["car"] for slot in loop.plan.slots) == 0 < sum(slot.power_w["car"] for slot in free.slots)
