"""What the home could shift: less in the evening, more at noon, with its cost, and never against comfort or departure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.flexibility import LEAST_WH, PRIOR_SPREAD, asked, offer, spread_of, windows
from gateway.core.planning.scheduler import make_plan
from gateway.model.flex import Direction, FlexOffer
from gateway.model.plan import Plan
from gateway.model.preferences import ChargeMode
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-21 16:00")
START = at("2026-11-21 18:00")
END = START + timedelta(hours=1)


def made(direction: Direction, **home: object) -> tuple[FlexOffer | None, Plan]:
    base = request(home.pop("now", NOW), **home)  # type: ignore[arg-type]
    plan = make_plan(base, alternatives=False)
    other = make_plan(asked(base, direction, START, END), alternatives=False)
    return offer(plan, other, direction, START, END, 0.2, 200.0), other


def test_a_home_that_charges_now_offers_its_car_and_says_what_waiting_costs() -> None:
    found, other = made(Direction.DOWN, now=START - timedelta(minutes=15), mode=ChargeMode.NOW, car_w=11_000.0)
    assert found is not None and found.per_device.get("car", 0) + found.per_device.get("inverter", 0) > 1_000
    assert found.low_wh == pytest.approx(0.8 * found.energy_wh, abs=1) and found.high_wh > found.energy_wh
    assert not other.relaxed, "no wish of the owner gives way for an offer"


def test_more_is_offered_where_there_is_room_for_it_and_energy_is_bought_for_it() -> None:
    found, _ = made(Direction.UP, soc=20.0)
    assert found is not None and found.energy_wh > 1_000 and found.power_w == pytest.approx(found.energy_wh)
    assert found.cost_micro > 0, "at the true price of the evening more costs money"


def test_a_home_with_nothing_to_shift_offers_nothing() -> None:
    bare = replace(request(NOW), limits=())
    bare = replace(bare, site=replace(bare.site, devices=tuple(d for d in bare.site.devices if d.spec is None)))
    plan = make_plan(bare, alternatives=False)
    for direction in Direction:
        other = make_plan(asked(bare, direction, START, END), alternatives=False)
        found = offer(plan, other, direction, START, END, 0.2, 200.0)
        assert found is None or found.energy_wh < LEAST_WH


def test_plans_of_other_slots_are_not_compared() -> None:
    plan, later = make_plan(request(NOW)), make_plan(request(NOW + timedelta(minutes=5)))
    assert offer(plan, later, Direction.DOWN, START, END, 0.2, 200.0) is None


def test_the_interval_is_the_homes_own_record_and_before_it_a_stated_prior() -> None:
    assert spread_of([]) == spread_of([1.0] * 4) == PRIOR_SPREAD
    assert spread_of([1.0] * 20) == pytest.approx(0.05)
    assert spread_of([1.0, 0.9, 1.1, 0.8, 1.2, 0.6, 1.0, 1.0, 1.0, 0.5]) == pytest.approx(0.4)


def test_windows_begin_at_quarter_hours_to_come() -> None:
    first = windows(NOW + timedelta(minutes=3))[0]
    assert first == (NOW + timedelta(minutes=15), NOW + timedelta(minutes=75))
