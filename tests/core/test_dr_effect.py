"""What taking part in an event means: the plan with it beside the plan without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.demand_response.effect import effect_of
from gateway.core.planning.beside import GAP, beside
from gateway.core.planning.scheduler import make_plan, work_out
from gateway.model.authority import Authority
from gateway.model.dr import PricePoint
from gateway.model.effect import Beside, EventEffect
from gateway.model.preferences import ChargeMode
from tests.core.test_dr_prepare import END, NOW, START, limits
from tests.core.test_planning_properties import request


def effect(authority: Authority = Authority.DEMAND_RESPONSE, **home: object) -> EventEffect:
    asked = request(home.pop("now", NOW), **home)  # type: ignore[arg-type]
    held = replace(asked, limits=limits(authority))
    way, instead = work_out(asked), work_out(held)
    without = make_plan(asked, alternatives=False, worked=way)
    joined = make_plan(held, alternatives=False, worked=instead)
    change = beside(way, instead, own_prices=True)
    return effect_of("vtn:e", joined, without, change, START, END, asked.site, 200.0)


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
    found = effect_of("vtn:e", plan, plan, Beside(), START, None, request(NOW).site, 200.0)
    assert (found.shifted_wh, found.cost_micro, found.co2_g) == (0, 0, 0)
    assert found.room_c == found.room_without_c and all(car.full_at == car.full_without for car in found.cars)


@pytest.mark.parametrize("authority", [Authority.DEMAND_RESPONSE, Authority.BINDING_LIMIT])
def test_what_is_shifted_is_what_the_grid_sees_less(authority: Authority) -> None:
    found = effect(authority, now=START - timedelta(minutes=30), mode=ChargeMode.NOW, car_w=11_000.0)
    assert found.shifted_wh > 0


@pytest.mark.slow
@pytest.mark.parametrize("soc", [15.0, 45.0, 90.0])
@pytest.mark.parametrize("sun_w", [0.0, 6_000.0])
def test_taking_part_in_an_event_saves_nothing_but_what_the_optimiser_leaves(soc: float, sun_w: float) -> None:
    """The plan without the event is the cheapest: a battery emptied for it is worth what filling it again costs."""
    found = effect(soc=soc, sun_w=sun_w)
    bill = make_plan(request(NOW, soc=soc, sun_w=sun_w), alternatives=False).cost_micro
    assert found.cost_micro >= -GAP * abs(bill)


def test_an_events_price_is_paid_by_who_takes_part_and_by_no_other() -> None:
    asked = request(NOW)
    gift = PricePoint("PRICE", 0.0, START, END, "EUR", "vtn:e")
    way, instead = work_out(asked), work_out(replace(asked, price_signals=(gift,)))
    assert beside(way, instead, own_prices=True).cost_micro < -10_000 <= beside(way, instead).cost_micro
