"""The tick below the plan's quiet power: the car gives way, the battery helps, and higher words stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.control.quiet import quiet_battery, quiet_car
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.plan import Plan, PlanSlot
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.site import BatterySpec, Role
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.core.replay_homes import START

SPEC = BatterySpec(10_000, 4_000, 4_000)
QUIET_W = 5_000.0


def snapshot(grid_w: float, battery_w: float = 0.0, car_w: float = 0.0, quiet_w: float | None = QUIET_W) -> Snapshot:
    slot = PlanSlot(START, 900, {}, None, None, None, 300_000, 50_000, quiet_w)
    plan = Plan(START, "test", "optimised", (slot,), (), 0, 0, 0.0, 0.0)
    told = {
        "meter": DeviceState("meter", Role.MAIN_METER, True, 1.0, {Quantity.POWER: grid_w}),
        "battery": DeviceState("battery", Role.BATTERY, True, 1.0, {Quantity.POWER: battery_w}),
    }
    car = ChargerStatus("car", ChargePhase.CHARGING, True, "1", power_w=car_w)
    return Snapshot(START + timedelta(minutes=5), told, {"car": car}, Preferences(), plan=plan)


def amps(value: float, authority: Authority = Authority.PLAN) -> Wish:
    return Wish(value, authority, "Planned.")


@pytest.mark.parametrize(
    ("grid_w", "car_w", "wanted_a", "expected_a"),
    [
        (1_000.0, 0.0, 16.0, 16.0),
        (2_700.0, 0.0, 16.0, 10.0),
        (5_000.0, 2_300.0, 16.0, 10.0),
        (4_500.0, 0.0, 16.0, 0.0),
        (9_000.0, 3_680.0, 16.0, 0.0),
    ],
)
def test_a_planned_car_takes_what_makes_no_peak_or_waits(
    grid_w: float, car_w: float, wanted_a: float, expected_a: float
) -> None:
    found = quiet_car(amps(wanted_a), snapshot(grid_w, car_w=car_w), car_w, 230.0, 6.0)
    assert found.value == pytest.approx(expected_a)


@pytest.mark.parametrize("authority", [Authority.OWNER_FLOOR, Authority.OWNER_OVERRIDE, Authority.DEFAULT])
def test_a_departure_or_the_owners_word_is_not_held(authority: Authority) -> None:
    assert quiet_car(amps(16.0, authority), snapshot(9_000.0), 0.0, 230.0, 6.0).value == 16.0


@pytest.mark.parametrize(
    ("grid_w", "battery_w", "low_w", "expected_w"),
    [
        (7_000.0, 0.0, 0.0, (-2_000.0, 0.0)),
        (5_000.0, -2_000.0, 0.0, (-2_000.0, 0.0)),
        (12_000.0, 0.0, 0.0, (-4_000.0, 0.0)),
        (7_000.0, 3_000.0, 3_000.0, (1_000.0, 1_000.0)),
        (3_000.0, 0.0, 0.0, (0.0, 4_000.0)),
        (7_000.0, 0.0, -4_000.0, (-4_000.0, 4_000.0)),
    ],
)
def test_a_battery_that_rests_or_charges_gives_what_would_be_a_peak(
    grid_w: float, battery_w: float, low_w: float, expected_w: tuple[float, float]
) -> None:
    band = Wish(4_000.0, Authority.PLAN, "Planned.", low=low_w)
    found = quiet_battery(band, snapshot(grid_w, battery_w), SPEC)
    assert (found.low, found.value) == expected_w


def test_the_battery_does_not_give_to_the_car_what_makes_the_peak() -> None:
    band = Wish(4_000.0, Authority.PLAN, "Planned.", low=0.0)
    assert quiet_battery(band, snapshot(8_000.0, car_w=7_400.0), SPEC).low == -600.0


def test_a_battery_at_its_reserve_and_a_plan_that_tells_nothing_are_left_alone() -> None:
    band = Wish(4_000.0, Authority.PLAN, "Planned.", low=0.0)
    kept = replace(band, authority=Authority.PROTECTION)
    assert quiet_battery(kept, snapshot(9_000.0), SPEC) == kept
    assert quiet_battery(band, snapshot(9_000.0, quiet_w=None), SPEC) == band
    assert quiet_car(amps(16.0), snapshot(9_000.0, quiet_w=None), 0.0, 230.0, 6.0).value == 16.0
