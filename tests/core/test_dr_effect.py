"""What taking part in an event means: the plan with it beside the plan without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.effect import effect_of
from gateway.core.planning.scheduler import make_plan
from gateway.model.authority import Authority
from gateway.model.effect import EventEffect
from gateway.model.preferences import ChargeMode
from tests.core.test_dr_prepare import END, NOW, START, limits
from tests.core.test_planning_properties import request


def effect(authority: Authority = Authority.DEMAND_RESPONSE, **home: object) -> EventEffect:
    asked = request(home.pop("now", NOW), **home)  # type: ignore[arg-type]
    joined = make_plan(replace(asked, limits=limits(authority)), alternatives=False)
    without = make_plan(asked, alternatives=False)
    return effect_of("vtn:e", joined, without, START, END, asked.site, 200.0)


def test_a_car_that_charges_now_is_full_later_and_the_grid_sees_so_much_less() -> None:
    found = effect(now=START - timedelta(minutes=30), mode=ChargeMode.NOW, car_w=11_000.0)
    (car,) = found.cars
    assert car.full_at is not None and car.full_without is not None and car.full_at > car.full_without
    assert found.shifted_wh > 5_000


def test_comfort_is_shown_as_it_will_be_and_no_wish_gives_way_for_a_joined_event() -> None:
    found = effect()
    assert found.room_c is not None and found.room_without_c is not None and found.room_c >= 19.4
    assert found.relaxed == () and found.event == "vtn:e"


def test_an_event_that_changes_nothing_costs_nothing() -> None:
    plan = make_plan(request(NOW), alternatives=False)
    found = effect_of("vtn:e", plan, plan, START, None, request(NOW).site, 200.0)
    assert (found.shifted_wh, found.cost_micro, found.co2_g) == (0, 0, 0)
    assert found.room_c == found.room_without_c and all(car.full_at == car.full_without for car in found.cars)


@pytest.mark.parametrize("authority", [Authority.DEMAND_RESPONSE, Authority.BINDING_LIMIT])
def test_what_is_shifted_is_what_the_grid_sees_less(authority: Authority) -> None:
    found = effect(authority, now=START - timedelta(minutes=30), mode=ChargeMode.NOW, car_w=11_000.0)
    assert found.shifted_wh > 0
