"""A car that waited for the night does not raise the peak that the home is taken to reach by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.planning.arrival import on_arrival
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import frozen, make_plan
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-18 22:00")


def waiting(hours: float, got_wh: float = 0.0) -> PlanRequest:
    """A car of 11 kW plugged in for so many hours, which needs 20 kWh since it came."""
    asked = request(NOW, sun_w=0.0)
    car = replace(
        asked.snapshot.chargers["car"], session_start=NOW - timedelta(hours=hours), session_wh=got_wh
    )  # fmt: skip
    return replace(asked, snapshot=replace(asked.snapshot, chargers={"car": car}))


@pytest.mark.parametrize(
    ("hours", "got_wh", "left_wh"),
    [(0.0, 0.0, 20_000.0), (1.0, 0.0, 8_960.0), (1.0, 11_040.0, 8_960.0), (4.0, 0.0, 0.0), (4.0, 20_000.0, 0.0)],
)
def test_what_charging_on_arrival_would_have_left_is_what_counts(hours: float, got_wh: float, left_wh: float) -> None:
    (car,) = on_arrival(make_home(waiting(hours, got_wh))).cars
    assert car.need_wh == pytest.approx(left_wh)


def test_a_car_that_would_be_full_by_now_adds_nothing_to_the_usual_peak() -> None:
    fresh, late = frozen(waiting(0.0))[0], frozen(waiting(4.0))[0]
    assert late.usual_peak_w < fresh.usual_peak_w - 5_000


def test_a_plan_tells_for_each_slot_what_makes_no_peak() -> None:
    plan = make_plan(waiting(0.0), alternatives=False)
    assert all(slot.quiet_w is not None and slot.quiet_w >= slot.power_w["grid"] - 1 for slot in plan.slots)
    assert plan.quiet_w(NOW) == plan.slots[0].quiet_w
