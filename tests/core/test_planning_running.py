"""A heat pump that runs now is in the plan with its real power; batteries at rest and rests after events say why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.control.storm import storm_windows
from gateway.core.planning.fallback import rules
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.model.authority import Authority
from gateway.model.loads import Loads, Standing
from gateway.model.plan import IntentKind, Plan
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import HeatPumpSpec
from gateway.model.snapshot import ChargePhase
from tests.core.test_planning_properties import DEVICES, assert_possible, at, plan_of, request, requests

NIGHT = at("2026-11-21T23:07")
WARM_C = 20.5
"""So far above the band's lower end, 19.5 degC, that no plan would heat at night without a reason."""


def running(
    power_w: float | None,
    on: float | None = 1.0,
    *,
    spec: HeatPumpSpec | None = None,
    ran_min: float = 60,
    **change: object,
) -> PlanRequest:
    """The home at night with a heat pump that does this now."""
    asked = request(NIGHT, **{"room_c": WARM_C, "phase": ChargePhase.AVAILABLE, "sun_w": 0.0, **change})
    devices = dict(asked.snapshot.devices)
    told = {Q.POWER: power_w, Q.ON: on}
    values = {**devices["pump"].values, **{quantity: value for quantity, value in told.items() if value is not None}}
    devices["pump"] = replace(devices["pump"], values=values)
    loads = Loads(seen={"pump": Standing(1.0, NIGHT - timedelta(minutes=ran_min))})
    own = tuple(replace(d, spec=spec) if spec is not None and d.id == "pump" else d for d in DEVICES)
    snapshot = replace(asked.snapshot, devices=devices, loads=loads)
    return replace(asked, snapshot=snapshot, site=replace(asked.site, devices=own))


def pump_w(plan: Plan, index: int) -> float:
    return plan.slots[index].power_w["pump"]


@pytest.mark.parametrize(
    ("power_w", "on", "first_w"),
    [(2_400.0, 1.0, 2_400.0), (2_400.0, None, 2_400.0), (None, 1.0, 2_500.0), (2_700.0, 1.0, 2_500.0)],
    ids=["measured", "measured without a relay", "only its relay is known", "more than its rating"],
)  # fmt: skip
@pytest.mark.parametrize("spec", [HeatPumpSpec(2_500), HeatPumpSpec(2_500, min_run_s=1_200, min_pause_s=600)])
def test_a_heat_pump_that_runs_against_the_plan_enters_step_0_with_its_real_power(power_w, on, first_w, spec):
    """Wrong before: the plan said 98 W for a pump whose meter said 2,500 W."""
    asked = running(power_w, on, spec=spec)
    plan = plan_of(asked)
    assert pump_w(plan, 0) == pytest.approx(first_w, abs=1)
    grid = sum(watts for name, watts in plan.slots[0].power_w.items() if name != "grid")
    assert plan.slots[0].power_w["grid"] == pytest.approx(grid, abs=1)


def test_a_throttled_heat_pump_enters_with_no_less_than_it_draws():
    assert 300 - 1 <= pump_w(plan_of(running(300.0)), 0) < 1_000


@pytest.mark.parametrize(("power_w", "on"), [(0.0, 0.0), (40.0, 1.0), (None, None), (None, 0.0)])
def test_a_heat_pump_that_rests_or_only_feeds_its_electronics_enters_with_nothing(power_w, on):
    assert pump_w(plan_of(running(power_w, on)), 0) == 0


def test_it_stays_in_the_plan_until_its_least_run_is_over_and_no_longer():
    spec = HeatPumpSpec(2_500, min_run_s=3_600, min_pause_s=600)
    plan = plan_of(running(2_400.0, spec=spec, ran_min=20))
    ends = NIGHT + timedelta(minutes=40)
    bound = [slot for slot in plan.slots if slot.start < ends]
    assert len(bound) > 1
    assert all(slot.power_w["pump"] == pytest.approx(2_400, abs=1) for slot in bound[:-1])
    assert pump_w(plan, len(bound) - 1) >= 2_400 - 1
    assert pump_w(plan, len(bound)) == 0


@pytest.mark.parametrize("ran_min", [10, 60])
def test_its_own_run_does_not_make_the_plan_turn_the_room_up(ran_min):
    block = plan_of(running(2_400.0, spec=HeatPumpSpec(2_500, min_run_s=1_800), ran_min=ran_min)).block("pump", NIGHT)
    assert block is not None
    assert block.kind is IntentKind.IDLE


def test_the_car_and_the_fuse_leave_room_for_it():
    asked = running(2_400.0, phase=ChargePhase.PLUGGED, import_limit_w=4_000.0, target_wh=12_000.0)
    plan = plan_of(asked)
    assert plan.slots[0].power_w["pump"] == pytest.approx(2_400, abs=1)
    assert_possible(asked, plan)
    home = make_home(asked)
    for plain in (False, True):
        found = rules(home, plain=plain)
        assert found.power_w["pump"][0] == pytest.approx(2_400, abs=1)
        assert found.grid_w(home)[0] <= 4_000 + 2


def test_where_the_house_leaves_less_it_enters_with_what_is_left():
    asked = running(2_400.0, import_limit_w=2_000.0, phase=ChargePhase.PLUGGED, soc=10.0)
    assert_possible(asked, plan_of(asked))


def test_a_run_that_the_plan_goes_on_with_is_still_meant():
    asked = running(2_500.0, room_c=19.6)
    cheap = at("2026-11-22T16:40")
    asked = replace(asked, now=cheap, snapshot=replace(asked.snapshot, now=cheap, loads=Loads()))
    block = plan_of(asked).block("pump", cheap)
    assert block is not None
    assert block.kind is IntentKind.RUN
    assert block.end == at("2026-11-22T17:00")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    requests(),
    st.sampled_from([300.0, 1_500.0, 2_500.0, 4_000.0]),
    st.sampled_from([0.0, 1_800.0, 7_200.0]),
    st.integers(0, 100),
)
@pytest.mark.slow
def test_whatever_is_asked_while_it_runs_the_plan_is_optimised_and_breaks_no_limit(asked, power_w, least_s, ran_min):
    devices = dict(asked.snapshot.devices)
    devices["pump"] = replace(devices["pump"], values={**devices["pump"].values, Q.ON: 1.0, Q.POWER: power_w})
    spec = HeatPumpSpec(2_500, min_run_s=least_s, min_pause_s=least_s / 2)
    own = tuple(replace(d, spec=spec) if d.id == "pump" else d for d in asked.site.devices)
    loads = Loads(seen={"pump": Standing(1.0, asked.now - timedelta(minutes=ran_min))})
    snapshot = replace(asked.snapshot, devices=devices, loads=loads)
    asked = replace(asked, snapshot=snapshot, site=replace(asked.site, devices=own))
    plan = plan_of(asked)
    assert plan.method == "optimised"
    assert_possible(asked, plan)


# --- words


def reason(plan: Plan, device: str, when: datetime = NIGHT) -> str:
    block = plan.block(device, when)
    assert block is not None
    return block.reason


def test_a_battery_at_its_reserve_rests_and_does_not_feed_the_house():
    evening = at("2026-11-21T18:00")
    plan = plan_of(request(evening, soc=20.0, reserve=20.0, phase=ChargePhase.AVAILABLE, sun_w=0.0))
    assert plan.slots[0].power_w["inverter"] == 0
    assert reason(plan, "inverter", evening).startswith("The battery rests at its reserve of 20 % until")


def test_a_battery_that_a_storm_keeps_full_says_so():
    asked = running(0.0, 0.0, soc=100.0)
    wishes = replace(asked.preferences, storm_until=NIGHT + timedelta(hours=5))
    held = tuple(storm_windows(asked.site, wishes, asked.snapshot, NIGHT))
    words = reason(plan_of(replace(asked, limits=held)), "inverter")
    assert words == "The battery is held full for the storm until 04:07."


def test_a_rest_that_outlasts_the_event_names_both():
    ends = NIGHT + timedelta(minutes=30)
    shed = Limit(LimitKind.TANK_SHED, 1.0, NIGHT - timedelta(hours=1), ends, Authority.BINDING_LIMIT, "e",
                 "The utility asks to save power until 23:37.", "tank")  # fmt: skip
    plan = plan_of(running(0.0, 0.0, tank_c=60.0, limits=(shed,)))
    block = plan.block("tank", NIGHT)
    assert block is not None and block.end > ends
    assert block.reason.startswith(
        "The utility asks to save power until 23:37; after 23:37 the water needs no more until"
    )
