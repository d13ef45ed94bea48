"""Cars in the plan: two of them, one phase, departures that repeat, limits of price and CO2, and what the car says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.planning.car_schedule import schedule_for
from gateway.core.planning.fallback import thrift_words
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.model.charging import ChargingNeeds
from gateway.model.dr import PricePoint
from gateway.model.plan import IntentKind, Plan
from gateway.model.preferences import ChargeGoal, ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.site import ChargerSpec, Circuit, Device, Role
from gateway.model.snapshot import ChargePhase, ChargerStatus
from tests.core.test_planning_properties import DEVICES, ZONE, at, plan_of, request

EVENING = at("2026-11-20 18:00")
"""A Friday: peak until 22:00, night until 07:00, then day; no sun unless a test wants it."""


def asked(now: datetime = EVENING, *, status: dict[str, Any] | None = None, **change: Any) -> PlanRequest:
    """A home whose car stands there with these wishes; `status` changes what the charger says."""
    home = {key: change.pop(key) for key in ("vehicles", "vacation_until") if key in change}
    passed = {key: change.pop(key) for key in ("price_signals", "limits", "load_w", "time_limit_s") if key in change}
    sun_w = change.pop("sun_w", 0.0)
    made = request(now, sun_w=sun_w, soc=None, **passed)
    preferences = replace(made.preferences, charging={"car": ChargingPreference(**change)}, **home)
    charger = replace(made.snapshot.chargers["car"], **(status or {}))
    snapshot = replace(made.snapshot, preferences=preferences, chargers={"car": charger})
    return replace(made, preferences=preferences, snapshot=snapshot)


def two(now: datetime = EVENING, *, fuse_a: float = 25.0, specs: tuple[ChargerSpec, ChargerSpec] | None = None,
        circuits: tuple[Circuit, ...] = (), first: Any = None, second: Any = None) -> PlanRequest:  # fmt: skip
    """Two smart cars with a fuse to share; `first` and `second` are their wishes."""
    made = request(now, sun_w=0.0, soc=None)
    below = circuits[0].id if circuits else ""
    chargers = [
        Device(name, title, Role.EV_CHARGER, spec, below)
        for name, title, spec in zip(
            ("car", "van"), ("Car", "Van"), specs or (ChargerSpec(), ChargerSpec()), strict=True
        )
    ]
    devices = (DEVICES[0], *chargers)
    wishes = {"car": first or ChargingPreference(), "van": second or ChargingPreference()}
    preferences = Preferences(charging=wishes)
    statuses = {name: ChargerStatus(name, ChargePhase.PLUGGED, True, "1", power_w=0.0) for name in wishes}
    snapshot = replace(made.snapshot, chargers=statuses, preferences=preferences)
    site = replace(made.site, devices=devices, main_fuse_a=fuse_a, circuits=circuits)
    return replace(made, site=site, preferences=preferences, snapshot=snapshot)


def energy_wh(plan: Plan, start: str, end: str, device: str = "car") -> float:
    """What a car gets between two local times, Wh."""
    first, last = at(start), at(end)
    return sum(s.power_w.get(device, 0.0) * s.duration_s / 3600 for s in plan.slots if first <= s.start < last)


def reasons(plan: Plan, kind: IntentKind, device: str = "car") -> str:
    return " ".join(block.reason for block in plan.blocks if block.device == device and block.kind is kind)


# ---- departures


def test_without_a_departure_on_the_weekend_the_car_waits_for_monday_and_takes_only_a_bargain() -> None:
    plan = plan_of(asked(departures=(Departure(time(6, 30), (0, 1, 2, 3, 4)),)))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-22 18:00") == 0.0
    assert not plan.relaxed
    assert "it need not be ready before Monday 06:30" in reasons(plan, IntentKind.SURPLUS_ONLY)


def test_meanwhile_it_takes_the_sun() -> None:
    plan = plan_of(asked(sun_w=8_000.0, departures=(Departure(time(6, 30), (0, 1, 2, 3, 4)),)))
    assert energy_wh(plan, "2026-11-21 09:00", "2026-11-21 16:00") > 15_000


def test_once_monday_is_in_sight_it_is_planned_like_any_other_departure() -> None:
    plan = plan_of(asked(at("2026-11-21 18:00"), departures=(Departure(time(6, 30), (0, 1, 2, 3, 4)),)))
    assert energy_wh(plan, "2026-11-21 18:00", "2026-11-23 06:30") == pytest.approx(20_000, rel=0.02)


@pytest.mark.parametrize("method", ["optimised", "fallback rules"])
def test_two_departures_are_each_met(method: str) -> None:
    """Saturday asks for little, Sunday for more: the rest waits for the second night, which costs the same."""
    plans = (Departure(time(7), (5,), target_wh=8_000.0), Departure(time(7), (6,), target_wh=40_000.0))
    made = asked(departures=plans)
    plan = plan_of(made if method == "optimised" else replace(made, time_limit_s=0.0))
    assert plan.method == method and not plan.relaxed
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00") >= 7_900
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-22 07:00") == pytest.approx(40_000, rel=0.03)


def test_what_the_second_departure_needs_is_taken_in_the_first_night_when_that_is_cheaper() -> None:
    dear = PricePoint("PRICE", 600_000.0, at("2026-11-21 07:00"), at("2026-11-22 12:00"))
    plans = (Departure(time(7), (5,), target_wh=8_000.0), Departure(time(7), (6,), target_wh=40_000.0))
    plan = plan_of(asked(departures=plans, price_signals=(dear,)))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00") == pytest.approx(40_000, rel=0.03)


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"])
def test_weekday_departures_are_met_over_the_nights_in_which_the_clocks_change(night: str) -> None:
    """Saturday and Sunday both leave at 07:00 by the wall; the second night has 8 or 10 hours."""
    now = at(f"{night} 00:30")
    sunday = (datetime.fromisoformat(night) + timedelta(days=1)).date().isoformat()
    plans = (Departure(time(7), (5,), target_wh=10_000.0), Departure(time(7), (6,), target_wh=60_000.0))
    plan = plan_of(asked(now, departures=plans))
    assert not plan.relaxed
    assert energy_wh(plan, f"{night} 00:30", f"{night} 07:00") >= 9_900
    assert energy_wh(plan, f"{night} 00:30", f"{sunday} 07:00") == pytest.approx(60_000, rel=0.03)
    home = make_home(asked(now, departures=plans))
    assert [stage.ready for stage in home.cars[0].stages] == [at(f"{night} 07:00"), at(f"{sunday} 07:00")]


def test_on_vacation_the_car_charges_on_sun_and_buys_nothing() -> None:
    plan = plan_of(asked(vacation_until=at("2026-12-05 16:00"), sun_w=8_000.0, target_wh=40_000.0))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 09:00") == 0.0
    assert energy_wh(plan, "2026-11-21 09:00", "2026-11-21 16:00") > 15_000
    assert not plan.relaxed


def test_the_night_before_the_return_the_plan_is_made_as_usual() -> None:
    plan = plan_of(asked(vacation_until=at("2026-11-20 20:00")))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00") == pytest.approx(20_000, rel=0.02)


# ---- limits of price and CO2


def test_a_smart_car_waits_above_the_price_limit_and_says_so() -> None:
    plan = plan_of(asked(max_price_micro_per_kwh=200_000, departures=(Departure(time(12), (5,)),)))
    assert energy_wh(plan, "2026-11-20 22:00", "2026-11-21 07:00") == pytest.approx(20_000, rel=0.02)
    assert "because power is above your limit of 0.20 EUR per kWh until then" in reasons(plan, IntentKind.HOLD)
    assert not plan.relaxed


@pytest.mark.parametrize("method", ["optimised", "fallback rules"])
def test_a_departure_goes_before_the_price_limit_and_the_plan_names_it(method: str) -> None:
    made = asked(max_price_micro_per_kwh=100_000)
    plan = plan_of(made if method == "optimised" else replace(made, time_limit_s=0.0))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00") == pytest.approx(20_000, rel=0.02)
    (words,) = plan.relaxed
    assert words.startswith("Car charges 20.")
    assert words.endswith(" kWh above your limit of 0.10 EUR per kWh, or it would not be ready by 07:00.")
    assert "above your limit of 0.10 EUR per kWh" in reasons(plan, IntentKind.CHARGE_AT)


@pytest.mark.slow
def test_without_a_departure_in_sight_the_price_limit_holds() -> None:
    cheap = PricePoint("PRICE", 150_000.0, at("2026-11-21 02:00"), at("2026-11-21 04:00"))
    made = asked(departures=(Departure(time(7), (4,)),), max_price_micro_per_kwh=100_000, price_signals=(cheap,))
    assert energy_wh(plan_of(made), "2026-11-20 18:00", "2026-11-22 18:00") == 0.0
    free = asked(departures=(Departure(time(7), (4,)),), price_signals=(cheap,))
    assert energy_wh(plan_of(free), "2026-11-21 02:00", "2026-11-21 04:00") > 15_000


CLEAN = PricePoint("GHG", 90.0, at("2026-11-20 19:00"), at("2026-11-20 22:00"))
"""Wind blows in the dear evening."""


@pytest.mark.slow
def test_the_greenest_charging_takes_the_clean_hours_though_they_are_dear() -> None:
    cheapest = plan_of(asked(price_signals=(CLEAN,)))
    greenest = plan_of(asked(price_signals=(CLEAN,), goal=ChargeGoal.GREENEST))
    assert energy_wh(cheapest, "2026-11-20 19:00", "2026-11-20 22:00") == 0.0
    assert energy_wh(greenest, "2026-11-20 19:00", "2026-11-20 22:00") == pytest.approx(20_000, rel=0.02)
    assert greenest.co2_g < cheapest.co2_g and greenest.cost_micro > cheapest.cost_micro
    assert "because power is cleaner then" in reasons(greenest, IntentKind.HOLD)
    assert "because power is cleanest then" in reasons(greenest, IntentKind.CHARGE_AT)


def test_the_co2_limit_moves_the_car_into_the_clean_hours() -> None:
    plan = plan_of(asked(price_signals=(CLEAN,), max_co2_g_per_kwh=100.0))
    assert energy_wh(plan, "2026-11-20 19:00", "2026-11-20 22:00") == pytest.approx(20_000, rel=0.02)


@pytest.mark.slow
def test_greenest_without_any_knowledge_of_carbon_is_cheapest() -> None:
    greenest, cheapest = plan_of(asked(goal=ChargeGoal.GREENEST)), plan_of(asked())
    assert greenest.cost_micro == pytest.approx(cheapest.cost_micro, abs=2_000)


# ---- what the car is and says


def test_a_one_phase_car_is_planned_with_what_it_can_take() -> None:
    small = Vehicle("Small", ("A1",), 40_000.0, phases=1, max_current_a=16.0)
    plan = plan_of(asked(status={"tag": "A1"}, vehicles=(small,), target_wh=30_000.0))
    assert max(slot.power_w["car"] for slot in plan.slots) == pytest.approx(3_680, abs=5)
    assert energy_wh(plan, "2026-11-20 22:00", "2026-11-21 07:00") == pytest.approx(30_000, rel=0.02)


@pytest.mark.slow
def test_the_departure_and_energy_that_the_car_tells_make_the_plan() -> None:
    told = ChargingNeeds(EVENING, at("2026-11-20 21:00"), 9_000.0)
    plan = plan_of(asked(status={"needs": told}))
    assert energy_wh(plan, "2026-11-20 18:00", "2026-11-20 21:00") == pytest.approx(9_000, rel=0.02)
    assert energy_wh(plan, "2026-11-20 21:00", "2026-11-22 18:00") == 0.0
    assert "it will have what it asked for by 21:00" in reasons(plan, IntentKind.CHARGE_AT)
    owners = plan_of(asked(status={"needs": told}, trust_car=False))
    assert energy_wh(owners, "2026-11-20 22:00", "2026-11-21 07:00") == pytest.approx(20_000, rel=0.02)


def test_the_most_power_a_car_tells_is_never_planned_above() -> None:
    plan = plan_of(asked(status={"needs": ChargingNeeds(EVENING, max_power_w=6_000.0)}))
    assert 5_900 < max(slot.power_w["car"] for slot in plan.slots) <= 6_000


def test_a_guest_charges_at_once_whatever_the_price() -> None:
    plan = plan_of(asked(guest_session="1", guest_current_a=10.0))
    assert plan.slots[0].power_w["car"] == pytest.approx(6_900)
    assert reasons(plan, IntentKind.CHARGE_AT) == "A guest's car charges at once, with at most 10 A."


# ---- two cars


def test_two_cars_share_a_fuse_that_holds_only_one_and_both_are_ready() -> None:
    plan = plan_of(two(fuse_a=20.0))
    for slot in plan.slots:
        assert slot.power_w["car"] + slot.power_w["van"] <= 20 * 690 - 500 + 2
    for name in ("car", "van"):
        assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00", name) == pytest.approx(20_000, rel=0.03)


@pytest.mark.parametrize("method", ["optimised", "fallback rules"])
@pytest.mark.parametrize(("car", "van"), [(3, 0), (0, 3), (-5, 5)])
def test_where_not_both_can_be_ready_the_one_with_priority_is(method: str, car: int, van: int) -> None:
    """13 hours of 6 kW are 78 kWh for twice 50."""
    first, second = (ChargingPreference(priority=priority, target_wh=50_000.0) for priority in (car, van))
    made = two(fuse_a=10.0, first=first, second=second)
    plan = plan_of(made if method == "optimised" else replace(made, time_limit_s=0.0))
    assert plan.method == method
    served = {name: energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00", name) for name in ("car", "van")}
    assert served["car" if car > van else "van"] == pytest.approx(50_000, rel=0.03)
    assert sum(served.values()) > 70_000 and len(plan.relaxed) == 1


def test_two_one_phase_cars_on_the_same_phase_are_never_planned_above_its_fuse() -> None:
    one = ChargerSpec(phases=(1,))
    plan = plan_of(two(specs=(one, one), first=ChargingPreference(target_wh=12_000.0)))
    assert max(slot.power_w["car"] + slot.power_w["van"] for slot in plan.slots) <= 25 * 230 - 500 / 3 + 2
    apart = plan_of(two(specs=(one, ChargerSpec(phases=(2,)))))
    assert max(slot.power_w["car"] + slot.power_w["van"] for slot in apart.slots) > 6_500


@pytest.mark.parametrize(
    ("circuit", "most_w"),
    [
        (Circuit("garage", "Garage", fuse_a=(16.0, 16.0, 16.0)), 16 * 690),
        (Circuit("garage", "Garage", limit_w=8_000.0), 8_000),
    ],
    ids=["fuses", "a power limit"],
)
@pytest.mark.parametrize("mode", [ChargeMode.SMART, ChargeMode.NOW])
def test_a_circuit_of_the_chargers_is_kept_by_the_plan(circuit: Circuit, most_w: float, mode: ChargeMode) -> None:
    plan = plan_of(two(circuits=(circuit,), first=ChargingPreference(mode)))
    assert max(slot.power_w["car"] + slot.power_w["van"] for slot in plan.slots) <= most_w + 2
    for name in ("car", "van"):
        assert energy_wh(plan, "2026-11-20 18:00", "2026-11-21 07:00", name) == pytest.approx(20_000, rel=0.03)


# ---- the schedule for the car


def test_the_plan_is_told_to_the_car_as_a_schedule_from_now() -> None:
    plan = plan_of(asked())
    now = EVENING + timedelta(minutes=7)
    periods = schedule_for(plan, "car", now)
    assert periods[0] == (0, 0.0) and all(a[0] < b[0] for a, b in pairwise(periods))
    first = next(offset for offset, power in periods if power > 0)
    assert (now + timedelta(seconds=first)).astimezone(ZONE).hour >= 22
    for slot in plan.slots:
        if slot.start >= now:
            offset = (slot.start - now).total_seconds()
            told = [power for start, power in periods if start <= offset + 1][-1]
            assert told == pytest.approx(slot.power_w["car"], abs=60)


def test_a_schedule_with_too_many_periods_ends_with_the_highest_of_the_rest() -> None:
    plan = plan_of(asked())
    whole = schedule_for(plan, "car", EVENING)
    assert len(whole) >= 3
    short = schedule_for(plan, "car", EVENING, most=2)
    assert len(short) == 2 and short[1][1] == max(power for _, power in whole[1:])


def test_a_car_that_is_not_in_the_plan_has_no_schedule() -> None:
    assert schedule_for(plan_of(asked()), "van", EVENING) == []
    assert schedule_for(plan_of(asked()), "car", datetime(2027, 1, 1, tzinfo=UTC)) == []


# ---- whatever two people wish


WISHES = st.builds(
    ChargingPreference,
    mode=st.sampled_from(list(ChargeMode)), target_wh=st.sampled_from([0.0, 3_000.0, 30_000.0, 90_000.0]),
    departures=st.lists(
        st.builds(Departure, st.times(), st.sampled_from([(0,), (5,), (4, 5, 6)]), st.sampled_from([None, 50_000.0])),
        max_size=3,
    ).map(tuple),
    goal=st.sampled_from(list(ChargeGoal)), max_price_micro_per_kwh=st.sampled_from([None, 200_000]),
    max_co2_g_per_kwh=st.sampled_from([None, 100.0]), priority=st.integers(-10, 10),
    guest_session=st.sampled_from(["", "1"]),
)  # fmt: skip
SPECS = st.sampled_from([ChargerSpec(), ChargerSpec(phases=(1,)), ChargerSpec(phases=(1,), max_current_a=32.0)])
GARAGE = st.sampled_from([(), (Circuit("g", "G", (16.0, 20.0, 20.0)),), (Circuit("g", "G", limit_w=5_000.0),)])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["optimised", "fallback rules"])
@given(WISHES, WISHES, SPECS, SPECS, GARAGE, st.sampled_from([10.0, 25.0]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_cars_are_always_planned_within_every_fuse_and_their_own_limits(
    method: str, first: Any, second: Any, one: ChargerSpec, other: ChargerSpec, circuits: Any, fuse_a: float
) -> None:
    made = two(first=first, second=second, specs=(one, other), circuits=circuits, fuse_a=fuse_a)
    made = made if method == "optimised" else replace(made, time_limit_s=0.0)
    plan, home = plan_of(made), make_home(made)
    assert plan.method == method or all(car.mode is not ChargeMode.SMART for car in home.cars)
    for index, slot in enumerate(plan.slots):
        for car in home.cars:
            power = slot.power_w[car.device.id]
            assert power == 0 or car.min_w - 1 <= power <= car.cap_w[index] + 1
        for room in home.rooms:
            used = sum(share * slot.power_w[name] for name, share in room.shares.items())
            assert used <= room.room_w[index] + 2


# ---- what a waiting car is said to wait for


@pytest.mark.parametrize(
    ("micro", "words"), [(1, "0.000001 EUR"), (200_000, "0.20 EUR"), (205_000, "0.205 EUR"), (1_000_000, "1.00 EUR")]
)
def test_a_price_limit_is_told_with_all_its_digits(micro: int, words: str) -> None:
    made = make_home(asked(max_price_micro_per_kwh=micro))
    assert thrift_words(made, made.cars[0]) == f"{words} per kWh"


def test_a_car_that_charges_above_the_limit_later_says_that_the_limit_makes_it_wait_now() -> None:
    plan = plan_of(asked(max_price_micro_per_kwh=1))
    told = reasons(plan, IntentKind.HOLD)
    assert "because power is above your limit of 0.000001 EUR per kWh, and then charges in spite of it" in told


@pytest.mark.slow
def test_a_car_that_never_charges_for_the_limit_names_it() -> None:
    made = asked(departures=(Departure(time(7), (4,)),), max_price_micro_per_kwh=1)
    assert "power is above your limit of 0.000001 EUR per kWh" in plan_of(made).blocks[0].reason
    bare = replace(made, site=replace(made.site, devices=tuple(d for d in made.site.devices if d.id != "inverter")))
    plan = plan_of(bare)
    assert "The car waits because power is above your limit of 0.000001 EUR" in reasons(plan, IntentKind.HOLD)


@pytest.mark.slow
def test_a_home_without_sun_promises_none() -> None:
    made = asked(departures=(Departure(time(7), (4,)),))
    bare = replace(made, site=replace(made.site, devices=tuple(d for d in made.site.devices if d.id != "inverter")))
    assert "surplus sun" not in " ".join(b.reason for b in plan_of(bare).blocks if b.device == "car")
    solar = replace(bare, preferences=replace(bare.preferences, charging={"car": ChargingPreference(ChargeMode.SOLAR)}))
    solar = replace(solar, snapshot=replace(solar.snapshot, preferences=solar.preferences))
    told = "The car does not charge: it is on sun only, and Hearth knows no solar system in this home."
    assert told in reasons(plan_of(solar), IntentKind.SURPLUS_ONLY)
