"""Notice is used: before an event the home stores warmth, hot water and charge; without notice nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.planning.scheduler import make_plan
from gateway.model.authority import Authority
from gateway.model.plan import Plan
from gateway.model.setpoint import Limit, LimitKind
from tests.core.test_planning_properties import at, request

NOW, START = at("2026-11-21 13:00"), at("2026-11-21 17:00")
END = START + timedelta(hours=3)
LEVEL = (
    (LimitKind.TEMPERATURE_OFFSET, -2.0, "pump"),
    (LimitKind.TANK_SHED, 1.0, "tank"),
    (LimitKind.BATTERY_DISCHARGE, 1.0, "inverter"),
    (LimitKind.DEVICE_POWER, 0.0, "car"),
)


def limits(authority: Authority = Authority.DEMAND_RESPONSE) -> tuple[Limit, ...]:
    return tuple(Limit(kind, value, START, END, authority, "vtn:e", "saves.", device) for kind, value, device in LEVEL)


def used_wh(plan: Plan, device: str, start=START, end=END) -> float:
    return sum(
        slot.power_w.get(device, 0.0) * slot.duration_s / 3600 for slot in plan.slots if start <= slot.start < end
    )


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, Plan]:
    """Without the event, and with four hours of notice."""
    asked = request(NOW)
    return make_plan(asked), make_plan(replace(asked, limits=limits()))


@pytest.mark.parametrize("device", ["pump", "tank", "car"])
def test_less_is_drawn_in_the_event_and_never_more(plans: tuple[Plan, Plan], device: str) -> None:
    without, noticed = plans
    assert used_wh(noticed, device) <= used_wh(without, device) + 1


def test_warmth_is_stored_before_the_event_and_the_comfort_band_holds_in_it(plans: tuple[Plan, Plan]) -> None:
    without, noticed = plans

    def room(plan: Plan) -> dict:
        return {slot.start: slot.room_c for slot in plan.slots if slot.room_c is not None}

    before = max(start for start in room(noticed) if start <= START)
    assert room(noticed)[before] >= room(without)[before] + 0.5
    assert used_wh(noticed, "pump", NOW, START) >= used_wh(without, "pump", NOW, START) + 500
    assert min(value for start, value in room(noticed).items() if START <= start < END) >= 19.4


def test_without_notice_the_same_event_breaks_nothing() -> None:
    plan = make_plan(replace(request(START + timedelta(minutes=1)), limits=limits()))
    assert plan.method == "optimised" and used_wh(plan, "car") == pytest.approx(0, abs=1)


def test_a_binding_event_is_met_by_all_of_them_whatever_it_costs_in_comfort() -> None:
    plan = make_plan(replace(request(NOW), limits=limits(Authority.BINDING_LIMIT)))
    assert used_wh(plan, "tank") == pytest.approx(0, abs=1) and used_wh(plan, "car") == pytest.approx(0, abs=1)
