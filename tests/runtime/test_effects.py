"""The effect of an event that is to come: the plan with it beside the one without it, both of the same moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core.planning.request import PlanRequest
from gateway.model.preferences import ChargeMode, ChargingPreference
from gateway.runtime.effects import Effects
from gateway.runtime.planning import PlanLoop
from tests.runtime.test_demand_response import Utility, event
from tests.runtime.test_planning_loop import request

pytestmark = pytest.mark.slow


def effects_of(home: Utility, mode: ChargeMode) -> Effects:
    def asked(cause: str) -> PlanRequest:
        found = request(cause)
        wishes = found.preferences.with_charging("car", ChargingPreference(mode))
        snapshot = replace(found.snapshot, preferences=wishes)
        return replace(found, now=home.clock.now(), limits=home.dr.limits, preferences=wishes, snapshot=snapshot)

    return Effects(home.clock, home.dr, PlanLoop(home.clock, home.store, asked, lambda plan: None), 300.0)


async def test_a_car_that_waits_for_an_event_at_one_price_all_day_costs_nothing() -> None:
    home = Utility()
    await home.look(event())
    found = await effects_of(home, ChargeMode.NOW).of("utility:e1")
    assert found is not None and found.shifted_wh > 5_000, "the car waits for an hour"
    assert (found.cost_micro, found.co2_g) == (pytest.approx(0, abs=10_000), pytest.approx(0, abs=30))
    (car,) = found.cars
    assert car.full_at is not None and car.full_without is not None and car.full_at > car.full_without


async def test_an_event_that_the_owner_skipped_is_told_as_if_it_were_joined() -> None:
    home = Utility()
    await home.look(event())
    effects = effects_of(home, ChargeMode.NOW)
    joined = await effects.of("utility:e1")
    await home.dr.opt("utility:e1", "skip", "the owner")
    skipped = await effects.of("utility:e1")
    assert joined is not None and skipped is not None and skipped.shifted_wh == pytest.approx(joined.shifted_wh, abs=50)


async def test_an_event_whose_edges_lie_between_the_slots_is_compared_all_the_same() -> None:
    """Wrong before: the plan with it had more slots than the one without, and the loop of effects died."""
    home = Utility()
    await home.look(event(start=home.clock.now() + timedelta(minutes=7, seconds=13)))
    found = await effects_of(home, ChargeMode.NOW).of("utility:e1")
    assert found is not None and found.shifted_wh > 0


@pytest.mark.parametrize("change", ["another half hour", "withdrawn", "another event"])
async def test_an_event_that_changes_while_its_effect_is_made_is_told_as_it_was_asked_about(change: str) -> None:
    """Wrong before: the second plan was cut where the changed event begins and ends, and the loop of effects died."""
    home = Utility()
    asked = event(start=home.clock.now() + timedelta(minutes=7, seconds=13))
    await home.look(asked)
    effects = effects_of(home, ChargeMode.NOW)
    expected = await effects.of("utility:e1")
    later = replace(event(start=home.clock.now() + timedelta(minutes=41, seconds=7)), fingerprint="later")
    plans = effects.plans

    async def changed_meanwhile(*args: Any) -> Any:
        found = await plans.way(*args)
        listed = {"another half hour": [later], "withdrawn": [], "another event": [asked, replace(later, id="e2")]}
        await home.look(*listed[change])
        return found

    both: Any = SimpleNamespace(way=changed_meanwhile, beside=plans.beside)
    effects.plans = both
    found = await effects.of("utility:e1")
    assert found is not None and expected is not None
    assert found.shifted_wh == pytest.approx(expected.shifted_wh) and found.cost_micro == expected.cost_micro
