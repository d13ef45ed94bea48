"""The owner's minimum: below it a car charges at once at all it may, whatever power costs; above it as planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.control.car import car_of
from gateway.core.control.charging import charging_wish, urgency
from gateway.core.control.wish import Wish
from gateway.core.planning.home import make_home
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind, Plan
from gateway.model.preferences import ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import ChargerSpec, Role
from gateway.model.snapshot import ChargerStatus
from tests.core.homes import SITE, block, car, plan, snapshot
from tests.core.test_planning_cars import EVENING, asked, energy_wh, reasons, two
from tests.core.test_planning_properties import assert_possible, at, plan_of
from tests.fakes import START

CAR = SITE.of_role(Role.EV_CHARGER)[0]
LOW = replace(car(0.0), soc_percent=20.0)
"""Lacks 10 % of 60 kWh to 30 %: 6 kWh in its battery, 6.67 kWh at the charger with 90 % on the way."""
WORDS = "The car charges at once to your minimum of 30 %."


def limit(authority: Authority, watts: float) -> Limit:
    return Limit(
        LimitKind.DEVICE_POWER,
        watts,
        START,
        START + timedelta(hours=1),
        authority,
        "vtn",
        "The utility asks to save.",
        "car",
    )


def told(
    status: ChargerStatus = LOW, *, limits: Any = (), overrides: Any = (), vehicles: Any = (), **wishes: Any
) -> Wish:
    """What the tick wants of a car whose plan says: wait."""
    wish = ChargingPreference(**{"minimum_soc_percent": 30.0, **wishes})
    preferences = Preferences(charging={"car": wish}, vehicles=vehicles)
    snap = snapshot(
        charger=status, preferences=preferences, planned=plan(block("car", IntentKind.HOLD)), limits=limits,
        overrides=overrides,
    )  # fmt: skip
    return charging_wish(SITE, snap, CAR, 0.0)


# ---- the tick


@pytest.mark.parametrize("mode", [ChargeMode.SMART, ChargeMode.SOLAR, ChargeMode.MIN_SOLAR, ChargeMode.NOW])
def test_below_the_minimum_the_car_charges_at_all_it_may_in_every_mode_but_off(mode: ChargeMode) -> None:
    assert told(mode=mode) == Wish(16.0, Authority.OWNER_FLOOR, WORDS)
    assert told(mode=ChargeMode.OFF).value == 0.0


@pytest.mark.parametrize(
    ("soc", "session_wh", "wishes", "words"),
    [
        (29.9, 0.0, {}, "30 %"),
        (30.0, 0.0, {}, None),
        (None, 0.0, {}, None),
        (None, 4_999.0, {"minimum_wh": 5_000.0}, "5 kWh"),
        (None, 5_000.0, {"minimum_wh": 5_000.0}, None),
        (20.0, 9_000.0, {"minimum_wh": 5_000.0}, "30 %"),
        (80.0, 1_000.0, {"minimum_wh": 5_000.0}, None),
        (80.0, 1_000.0, {"minimum_wh": 5_000.0, "minimum_soc_percent": None}, "5 kWh"),
        (0.0, 0.0, {"minimum_soc_percent": None}, None),
    ],
)
def test_the_minimum_counts_by_the_cars_battery_level_else_by_the_energy_of_the_session(
    soc: float | None, session_wh: float, wishes: dict[str, Any], words: str | None
) -> None:
    wish = told(replace(car(0.0, session_wh=session_wh), soc_percent=soc), **wishes)
    assert (wish.authority is Authority.OWNER_FLOOR) is (words is not None)
    assert words is None or wish.reason.endswith(f"your minimum of {words}.")


def test_a_joined_event_yields_to_the_minimum_and_a_binding_limit_does_not() -> None:
    assert told(limits=(limit(Authority.DEMAND_RESPONSE, 0.0),)).value == 16.0
    bound = told(limits=(limit(Authority.BINDING_LIMIT, 4_140.0),))
    assert bound.value == pytest.approx(6.0) and bound.authority is Authority.BINDING_LIMIT


def test_a_pause_of_the_owner_comes_before_the_minimum() -> None:
    pause = Override("1", "car", "pause", START, START, "Ada", "")
    assert told(overrides=(pause,)).value == 0.0


def test_nothing_is_asked_for_a_guest_nor_before_the_car_has_begun_its_session() -> None:
    assert told(guest_session="1", mode=ChargeMode.SMART).authority is Authority.PLAN
    assert told(replace(LOW, transaction="")).authority is not Authority.OWNER_FLOOR


def test_what_lacks_is_counted_with_the_cars_own_battery_and_it_goes_first() -> None:
    zoe = Vehicle("Zoe", ("04A1B2",), 50_000.0, efficiency_percent=100.0)
    status = replace(LOW, tag="04A1B2")
    wishes = Preferences(charging={"car": ChargingPreference(minimum_soc_percent=30.0)}, vehicles=(zoe,))
    snap = snapshot(charger=status, preferences=wishes)
    assert car_of(snap, CAR, SITE).floor_wh == pytest.approx(5_000.0)
    assert urgency(snap, CAR, SITE) == 1.0
    above = snapshot(charger=replace(status, soc_percent=70.0), preferences=wishes)
    assert car_of(above, CAR, SITE).floor_wh == 0.0 and urgency(above, CAR, SITE) < 1.0


# ---- the plan


def planned(method: str, **change: Any) -> Plan:
    usual: dict[str, Any] = {"now": EVENING, "status": {"soc_percent": 20.0}, "target_soc_percent": 40.0}
    made = asked(**usual | change)
    made = made if method == "optimised" else replace(made, time_limit_s=0.0)
    result = plan_of(made)
    assert result.method == method and make_home(made).cars[0].cap_w[0] == pytest.approx(16 * 690)
    return result


METHODS = pytest.mark.parametrize("method", ["optimised", "fallback rules"])


@METHODS
def test_in_the_dearest_hours_the_plan_charges_the_minimum_at_once_and_the_rest_at_night(method: str) -> None:
    """6.67 kWh at 11 kW from 18:00, power at 0.42; the other 6.67 kWh after 22:00, at 0.19."""
    made = planned(method, minimum_soc_percent=30.0)
    assert energy_wh(made, "2026-11-20 18:00", "2026-11-20 18:45") == pytest.approx(6_667, rel=0.05)
    assert energy_wh(made, "2026-11-20 18:45", "2026-11-20 22:00") == 0.0
    assert energy_wh(made, "2026-11-20 22:00", "2026-11-21 07:00") == pytest.approx(6_667, rel=0.07)
    assert "charges at once to your minimum of 30 %" in reasons(made, IntentKind.CHARGE_AT)


@METHODS
def test_without_a_minimum_the_same_car_waits_for_the_night(method: str) -> None:
    assert energy_wh(planned(method), "2026-11-20 18:00", "2026-11-20 22:00") == 0.0


@METHODS
def test_the_owners_limit_of_price_holds_above_the_minimum_only(method: str) -> None:
    """Monday's departure is far: above the minimum nothing dearer than 0.10 is bought, which is nothing at all."""
    far = (Departure(days=(0,)),)
    made = planned(method, minimum_soc_percent=30.0, max_price_micro_per_kwh=100_000, departures=far)
    assert energy_wh(made, "2026-11-20 18:00", "2026-11-20 18:45") == pytest.approx(6_667, rel=0.05)
    assert energy_wh(made, "2026-11-20 18:45", "2026-11-22 18:00") == 0.0
    assert not made.relaxed


@METHODS
def test_a_joined_event_does_not_keep_the_plan_from_the_minimum_a_binding_one_does(method: str) -> None:
    first, until = at("2026-11-20 18:00"), at("2026-11-20 21:00")
    for authority, early in ((Authority.DEMAND_RESPONSE, 6_667), (Authority.BINDING_LIMIT, 0)):
        stop = Limit(LimitKind.DEVICE_POWER, 0.0, first, until, authority, "vtn", "Event.", "car")
        made = asked(status={"soc_percent": 20.0}, target_soc_percent=40.0, minimum_soc_percent=30.0, limits=(stop,))
        made = made if method == "optimised" else replace(made, time_limit_s=0.0)
        result = plan_of(made)
        assert energy_wh(result, "2026-11-20 18:00", "2026-11-20 18:45") == pytest.approx(early, rel=0.05)
        assert energy_wh(result, "2026-11-20 18:00", "2026-11-20 22:00") == pytest.approx(6_667, rel=0.05)


def test_a_car_on_sun_only_is_charged_to_its_minimum_and_no_further() -> None:
    made = plan_of(asked(status={"soc_percent": 20.0}, mode=ChargeMode.SOLAR, minimum_soc_percent=30.0))
    assert energy_wh(made, "2026-11-20 18:00", "2026-11-21 09:00") == pytest.approx(6_667, rel=0.05)


def test_a_minimum_above_the_target_is_reached_all_the_same() -> None:
    made = plan_of(asked(status={"soc_percent": 20.0}, target_soc_percent=25.0, minimum_soc_percent=30.0))
    assert energy_wh(made, "2026-11-20 18:00", "2026-11-20 19:00") == pytest.approx(6_667, rel=0.05)


def test_two_cars_below_their_minimum_share_the_fuse_from_now_on() -> None:
    """13.8 kW less the house's 0.5: what the first leaves is below 6 A, so they charge one after the other, the first first."""
    wish = ChargingPreference(minimum_wh=8_000.0, target_wh=8_000.0)
    result = plan_of(two(first=wish, second=replace(wish, priority=2), fuse_a=20.0))
    for slot in result.slots:
        assert slot.power_w["car"] + slot.power_w["van"] <= 20 * 690 - 500 + 1
    assert result.slots[0].power_w["van"] == pytest.approx(11_040, abs=1)
    assert energy_wh(result, "2026-11-20 18:00", "2026-11-20 18:45", "van") > 7_900
    assert energy_wh(result, "2026-11-20 18:00", "2026-11-20 19:30") > 7_900
    hour = [energy_wh(result, "2026-11-20 18:00", "2026-11-20 19:00", name) for name in ("car", "van")]
    assert sum(hour) > 0.8 * 13_300


MINIMUM = st.builds(
    ChargingPreference, mode=st.sampled_from(list(ChargeMode)),
    minimum_soc_percent=st.sampled_from([None, 0.0, 20.5, 30.0, 100.0]),
    minimum_wh=st.sampled_from([None, 50.0, 900.0, 12_345.0, 200_000.0]),
    target_wh=st.sampled_from([0.0, 3_000.0, 30_000.0]), target_soc_percent=st.sampled_from([0.0, 50.0, 100.0]),
    max_price_micro_per_kwh=st.sampled_from([None, 200_000]),
)  # fmt: skip


@pytest.mark.slow
@METHODS
@given(
    MINIMUM, st.sampled_from([None, 0.0, 20.0, 29.99]), st.sampled_from([(1, 2, 3), (1,)]), st.sampled_from([7.0, 25.0])
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_minimum_makes_a_plan_or_a_tick_with_power_between_nothing_and_six_amps(
    method: str, wish: ChargingPreference, soc: float | None, phases: tuple[int, ...], fuse_a: float
) -> None:
    made = asked(EVENING, status={"soc_percent": soc})
    preferences = replace(made.preferences, charging={"car": wish})
    spec = ChargerSpec(phases=phases)
    devices = tuple(replace(d, spec=spec) if d.id == "car" else d for d in made.site.devices)
    made = replace(
        made, preferences=preferences, snapshot=replace(made.snapshot, preferences=preferences),
        site=replace(made.site, devices=devices, main_fuse_a=fuse_a),
        time_limit_s=made.time_limit_s if method == "optimised" else 0.0,
    )  # fmt: skip
    result = plan_of(made)
    assert_possible(made, result)
    least = 6 * 230 * len(phases)
    assert all(slot.power_w["car"] == 0 or slot.power_w["car"] >= least - 1 for slot in result.slots)
    amps = charging_wish(made.site, replace(made.snapshot, plan=result), made.site.of_role(Role.EV_CHARGER)[0], 0.0)
    assert amps.value == 0 or amps.value >= 6
