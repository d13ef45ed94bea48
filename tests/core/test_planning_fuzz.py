"""Whatever is asked there is a plan, it breaks no hard limit, and what had to give way is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from gateway.core.planning.scheduler import make_plan
from gateway.model.dr import PricePoint
from gateway.model.plan import Plan
from gateway.model.site import BatterySpec
from tests.core.fuzz_requests import random_request, violations
from tests.core.test_planning_properties import at, request

MANY, EACH = 10, 50
"""500 requests here; benchmarks/planner_fuzz.py asks 10,000."""
NOW = at("2026-11-18 16:00")
ROUNDED = 0.02
"""Money, as a share: rounding to what devices can do may cost so much in one plan and not in another."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(MANY))
def test_random_requests_give_plans_that_break_no_hard_limit_and_name_what_gives_way(part: int) -> None:
    for seed in range(part * EACH, (part + 1) * EACH):
        asked = random_request(seed, time_limit_s=5.0)
        plan = make_plan(asked, alternatives=False)
        assert (plan.method, violations(asked, plan)) == ("optimised", []), f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1030))
def test_random_requests_without_time_for_the_solver_are_planned_by_rules_within_the_same_limits(seed: int) -> None:
    asked = random_request(seed, time_limit_s=0.0)
    plan = make_plan(asked, alternatives=False)
    assert violations(asked, plan) == []


def total(plan: Plan) -> float:
    """The bill, less what is left in the battery at a price between day and night."""
    last = plan.slots[-1].soc_percent or 0.0
    return plan.cost_micro - last / 100 * 10_000 * 200


@pytest.mark.slow
@pytest.mark.parametrize("hours", [2, 5, 9])
def test_a_later_departure_never_costs_more(hours: int) -> None:
    soon = request(NOW, ready_by=time(21, 0))
    late = request(NOW, ready_by=time((21 + hours) % 24, 0))
    dearer, cheaper = (total(make_plan(asked, alternatives=False)) for asked in (soon, late))
    assert cheaper <= dearer + abs(dearer) * ROUNDED


@pytest.mark.slow
@pytest.mark.parametrize("capacity_wh", [2_000.0, 5_000.0, 10_000.0])
def test_a_bigger_battery_never_costs_more(capacity_wh: float) -> None:
    def home(size: float) -> float:
        asked = request(NOW, soc=10.0)
        devices = tuple(
            replace(d, spec=BatterySpec(size, 5_000, 5_000)) if d.id == "inverter" else d for d in asked.site.devices
        )
        plan = make_plan(replace(asked, site=replace(asked.site, devices=devices)), alternatives=False)
        left = (plan.slots[-1].soc_percent or 0.0) / 100 * size
        return plan.cost_micro - left * 190

    small, big = home(capacity_wh), home(capacity_wh * 2)
    assert big <= small + abs(small) * ROUNDED


@pytest.mark.slow
@pytest.mark.parametrize("start_h", [1, 6, 14, 30])
def test_a_cheaper_hour_never_raises_the_cost(start_h: int) -> None:
    start = NOW + timedelta(hours=start_h)
    cheap = (PricePoint("PRICE", 100_000.0, start, start + timedelta(hours=2)),)
    before = total(make_plan(request(NOW), alternatives=False))
    after = total(make_plan(request(NOW, price_signals=cheap), alternatives=False))
    assert after <= before + abs(before) * ROUNDED
