"""Batteries in the plan: all go one way, feed only what the home lacks, and a missed reserve is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from gateway.core.planning.scheduler import make_plan
from gateway.model.plan import Forecast
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Override
from gateway.model.snapshot import ChargePhase
from tests.core.fuzz_requests import much_sun, random_request, violations
from tests.core.test_planning_properties import at, plan_of, request


def test_a_battery_gives_the_loads_only_what_the_sun_does_not_while_the_car_charges() -> None:
    now = at("2026-11-18 17:00")
    heat = (Override("o", "tank", "run", now, now + timedelta(hours=2), "x"),)
    sun = Forecast("solar", now, 900, (-3000.0,) * 16 + (0.0,) * 176)
    asked = request(now, soc=90.0, mode=ChargeMode.NOW, overrides=heat, solar=sun)
    for slot in plan_of(asked).slots:
        power = slot.power_w
        lack = power["house"] + power["tank"] + power["pump"] + power["pv"]
        assert -power["inverter"] <= max(0.0, lack) + 5


@pytest.mark.parametrize("seed", [50_066, 50_108, 50_003, 50_183])
def test_batteries_do_not_fill_each_other_nor_the_grid_and_no_tank_boils(seed: int) -> None:
    asked = replace(random_request(seed), limits=())
    assert violations(asked, make_plan(asked, alternatives=False)) == []


def test_a_reserve_that_is_not_reached_is_named_and_never_called_reached() -> None:
    now = at("2026-11-18 16:00")
    asked = request(now, soc=10.0, reserve=50.0, sun_w=0.0)
    devices = tuple(
        replace(d, spec=replace(d.spec, grid_charge=False)) if d.id == "inverter" else d for d in asked.site.devices
    )
    plan = plan_of(replace(asked, site=replace(asked.site, devices=devices)))
    assert any("Battery does not come back to its reserve of 50 %: it holds at most 10 %" in w for w in plan.relaxed)
    first = next(block for block in plan.blocks if block.device == "inverter")
    assert "10 %, below its reserve of 50 % and may charge from the sun only" in first.reason


def test_a_reserve_that_is_reached_soon_is_no_broken_wish() -> None:
    assert plan_of(request(at("2026-11-18 22:30"), soc=15.0, reserve=30.0, target_wh=2_000.0)).relaxed == ()


def test_a_load_that_only_a_battery_could_carry_past_a_car_that_takes_the_sun_costs_no_plan() -> None:
    """Wrong before: the tank was moved to where the car takes all sun and nothing may be bought; rules planned instead."""
    now = at("2026-03-28 00:02") + timedelta(seconds=5)
    asked = request(
        now, soc=0.0, import_limit_w=0.0, mode=ChargeMode.NOW, target_wh=1e9, ready_by=time(0), load_w=0.0,
        sun_w=30_000.0, reserve=0.0, tank_c=None, room_c=None, phase=ChargePhase.PLUGGED,
    )  # fmt: skip
    plan = plan_of(asked)
    assert plan.method == "optimised"
    assert violations(asked, plan) == []


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(300_053, id="a car takes the sun beside a tank that was moved there"),
        pytest.param(300_066, id="a car takes the sun beside a heat pump"),
        pytest.param(300_240, id="a phase holds a tank only with the battery's help"),
        pytest.param(300_217, id="one battery would have to fill the other"),
    ],
)
def test_batteries_beside_much_sun_leave_a_plan(seed: int) -> None:
    """Wrong before: bound to what batteries may do, the program had no solution, and rules planned the whole home."""
    asked = much_sun(random_request(seed, time_limit_s=5.0), seed)
    plan = make_plan(asked, alternatives=False)
    assert plan.method == "optimised"
    assert violations(asked, plan) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_random_homes_with_batteries_beside_much_sun_are_optimised_within_every_limit(part: int) -> None:
    for seed in range(part * 50, part * 50 + 50):
        asked = much_sun(random_request(seed, time_limit_s=5.0), seed)
        plan = make_plan(asked, alternatives=False)
        assert (plan.method, violations(asked, plan)) == ("optimised", []), f"seed {seed}"
