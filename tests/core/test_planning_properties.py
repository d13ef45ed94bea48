"""The plan is always there and always possible: energy balance, 6 A, states of charge, limits; whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.core.tariff.rates import parse_tariff
from gateway.model.authority import Authority
from gateway.model.dr import PricePoint
from gateway.model.plan import Forecast, Plan
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.core.fuzz_requests import overloads

ZONE = ZoneInfo("Europe/Brussels")
TARIFF = parse_tariff(
    {
        "id": "tou", "name": "TOU", "currency": "EUR", "timezone": "Europe/Brussels",
        "rates": [
            {"name": "peak", "import": 0.42, "export": 0.05, "from": "17:00", "to": "22:00"},
            {"name": "night", "import": 0.19, "export": 0.05, "from": "22:00", "to": "07:00"},
            {"name": "day", "import": 0.29, "export": 0.05},
        ],
    }
)  # fmt: skip
DEVICES = (
    Device("meter", "Main meter", Role.MAIN_METER),
    Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(10_000, 5_000, 5_000)),
    Device("car", "Car", Role.EV_CHARGER, ChargerSpec()),
    Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200)),
    Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500)),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def request(now: datetime, **change: Any) -> PlanRequest:
    """A home with everything, the car plugged in; `change` sets fields of the pieces by name."""
    soc, tank_c, room_c = change.pop("soc", 50.0), change.pop("tank_c", 52.0), change.pop("room_c", 20.5)
    site = replace(
        Site("Home", ZONE, 50.85, 4.35, "EUR", 3, 25.0, DEVICES), import_limit_w=change.pop("import_limit_w", None)
    )
    wish = ChargingPreference(
        change.pop("mode", ChargeMode.SMART), change.pop("ready_by", time(7)), change.pop("target_wh", 20_000.0)
    )
    preferences = Preferences(charging={"car": wish}, battery_reserve_percent=change.pop("reserve", 10.0))
    states = {
        "inverter": (Role.HYBRID_INVERTER, Q.SOC, soc),
        "tank": (Role.WATER_HEATER, Q.TEMPERATURE, tank_c),
        "pump": (Role.HEAT_PUMP, Q.TEMPERATURE, room_c),
    }
    devices = {
        name: DeviceState(name, role, True, 1.0, {} if value is None else {quantity: value})
        for name, (role, quantity, value) in states.items()
    }
    charger = ChargerStatus(
        "car", change.pop("phase", ChargePhase.PLUGGED), True, "1", power_w=change.pop("car_w", 0.0)
    )
    snapshot = Snapshot(now, devices, {"car": charger}, preferences, overrides=change.pop("overrides", ()))
    hours = [(now + timedelta(hours=h)).astimezone(ZONE).hour for h in range(60)]
    load = Forecast("load", now, 3600, tuple(change.pop("load_w", 500.0) for _ in [0]) * 60)
    sun_w = change.pop("sun_w", 3000.0)
    sun = Forecast("solar", now, 3600, tuple(-sun_w if 10 <= hour < 15 else 0.0 for hour in hours))
    fields: dict[str, Any] = {
        "site": site, "snapshot": snapshot, "load": load, "solar": sun, "outdoor": None, "tariff": TARIFF,
        "preferences": preferences, "limits": (), "price_signals": (), "co2_g_per_kwh": 200.0, "now": now,
        "cause": "test",
    }  # fmt: skip
    return PlanRequest(**{**fields, **change})


def plan_of(asked: PlanRequest) -> Plan:
    return make_plan(asked, alternatives=False)


def assert_possible(asked: PlanRequest, plan: Plan) -> None:
    """Everything that must hold of every plan."""
    home = make_home(asked)
    assert plan.slots[0].start == asked.now.replace(microsecond=0)
    car, batteries = home.cars[0], home.batteries
    for index, slot in enumerate(plan.slots):
        power = slot.power_w
        assert power["grid"] == pytest.approx(sum(w for name, w in power.items() if name != "grid"), abs=1.0)
        assert power["car"] == 0 or car.min_w - 1 <= power["car"] <= car.cap_w[index] + 1
        assert power["grid"] <= max(home.import_w[index], home.base_w[index]) + 2
        assert power["grid"] >= -home.export_w[index] - 2
        assert list(overloads(home, power, index)) == []
        assert -1 <= power["tank"] <= home.tanks[0].cap_w[index] + 1
        assert -1 <= power["pump"] <= home.pumps[0].cap_w[index] + 1
        assert batteries or ("inverter" not in power and slot.soc_percent is None)
        for battery in batteries:
            assert -battery.discharge_w[index] - 1 <= power["inverter"] <= battery.charge_w[index] + 1
            low = min(battery.start_wh, battery.floor_wh) / 100
            assert slot.soc_percent is not None and low - 0.1 <= slot.soc_percent <= battery.full_wh / 100 + 0.1
    for before, after in pairwise(plan.slots):
        assert before.start + timedelta(seconds=before.duration_s) == after.start
    for device in ("car", *(["inverter"] if batteries else []), "tank", "pump"):
        blocks = [block for block in plan.blocks if block.device == device]
        assert blocks[0].start == plan.slots[0].start
        assert all(a.end == b.start for a, b in pairwise(blocks))
        assert all(block.reason.endswith(".") for block in blocks)


LIMIT_KINDS = st.sampled_from(list(LimitKind))
NUMBERS = st.one_of(st.none(), st.floats(-30, 130, allow_nan=False), st.just(float("nan")))


@st.composite
def limits(draw: st.DrawFn, now: datetime) -> tuple[Limit, ...]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        start = now + timedelta(minutes=draw(st.integers(-120, 2000)))
        end = start + timedelta(seconds=draw(st.integers(1, 20_000)))
        kind, value = draw(LIMIT_KINDS), draw(st.sampled_from([0.0, 1.0, 2.0, -2.0, 3000.0, 9000.0, -3000.0]))
        authority = draw(st.sampled_from([Authority.BINDING_LIMIT, Authority.DEMAND_RESPONSE]))
        device = draw(st.sampled_from(["", "car", "inverter", "tank", "pump"]))
        found.append(Limit(kind, value, start, end, authority, "event", "The utility asks.", device))
    return tuple(found)


@st.composite
def requests(draw: st.DrawFn) -> PlanRequest:
    day = draw(st.sampled_from(["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-11-21", "2026-07-01"]))
    now = at(f"{day} 00:00") + timedelta(seconds=draw(st.integers(0, 86_400)), microseconds=draw(st.integers(0, 999)))
    change: dict[str, Any] = {
        "soc": draw(NUMBERS), "tank_c": draw(NUMBERS), "room_c": draw(NUMBERS),
        "mode": draw(st.sampled_from(list(ChargeMode))), "ready_by": draw(st.times()),
        "target_wh": draw(st.sampled_from([0.0, 50.0, 3_000.0, 40_000.0, 1e9])),
        "phase": draw(st.sampled_from(list(ChargePhase))), "car_w": draw(st.sampled_from([None, 0.0, 7_000.0])),
        "load_w": draw(st.sampled_from([0.0, 400.0, 6_000.0, 40_000.0])),
        "sun_w": draw(st.sampled_from([0.0, 4_000.0, 30_000.0])),
        "import_limit_w": draw(st.sampled_from([None, 0.0, 3_000.0, 9_000.0])),
        "reserve": draw(st.sampled_from([0.0, 20.0, 100.0])), "limits": draw(limits(now)),
    }  # fmt: skip
    if draw(st.booleans()):
        change["load"] = Forecast("load", now, 900, ())
        change["solar"] = Forecast("solar", now - timedelta(days=2), 900, (float("nan"), -500.0, 200.0))
    if draw(st.booleans()):
        point = draw(st.sampled_from([-300_000.0, 0.0, 900_000.0]))
        change["price_signals"] = (PricePoint("PRICE", point, now + timedelta(hours=3), now + timedelta(hours=5)),)
    if draw(st.booleans()):
        action = draw(st.sampled_from(["run", "pause"]))
        device = draw(st.sampled_from(["car", "inverter", "tank", "pump"]))
        change["overrides"] = (Override("o", device, action, now, now + timedelta(hours=2), "owner"),)
    return request(now, **change)


@pytest.mark.slow
@given(requests())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_asked_there_is_a_plan_that_respects_every_hard_limit(asked: PlanRequest) -> None:
    plan = plan_of(asked)
    assert plan.method == "optimised"
    assert_possible(asked, plan)


@pytest.mark.slow
@given(requests())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_the_optimiser_the_rules_make_a_plan_that_is_possible_too(asked: PlanRequest) -> None:
    plan = plan_of(replace(asked, time_limit_s=0.0))
    assert_possible(asked, plan)


@pytest.mark.slow
@given(st.integers(1, 30), st.integers(1, 6), st.sampled_from([-50_000.0, 50_000.0, 150_000.0]))
@settings(max_examples=15, deadline=None)
def test_a_cheaper_hour_never_raises_the_cost(start_h: int, hours: int, price: float) -> None:
    now = at("2026-11-21 16:00")
    start = now + timedelta(hours=start_h)
    cheaper = (PricePoint("PRICE", price, start, start + timedelta(hours=hours)),)
    before, after = plan_of(request(now)), plan_of(request(now, price_signals=cheaper))
    assert after.cost_micro <= before.cost_micro + 30_000


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 12.5), ("2026-10-24", 14.5), ("2026-11-21", 13.5)])
def test_the_night_in_which_the_clocks_change_is_planned_by_the_wall_clock(day: str, hours: float) -> None:
    plan = plan_of(request(at(f"{day} 17:30")))
    charging = [slot for slot in plan.slots if slot.power_w["car"] > 0]
    assert charging[0].start.astimezone(ZONE).hour == 22
    assert (charging[-1].start - plan.slots[0].start).total_seconds() / 3600 < hours
    assert not plan.relaxed


def test_a_battery_below_its_reserve_is_not_drained_further() -> None:
    plan = plan_of(request(at("2026-11-21 17:30"), soc=4.0, reserve=20.0))
    assert min(slot.soc_percent or 0.0 for slot in plan.slots) >= 4.0


def test_the_car_never_drains_the_home_battery() -> None:
    plan = plan_of(request(at("2026-11-21 17:30"), mode=ChargeMode.NOW, soc=100.0))
    for slot in plan.slots:
        if slot.power_w["car"] > 0:
            others = slot.power_w["house"] + slot.power_w["tank"] + slot.power_w["pump"]
            assert -slot.power_w["inverter"] <= others + 1


@pytest.mark.slow
@pytest.mark.parametrize("device", ["inverter", "tank", "pump", "car"])
def test_a_device_that_is_not_heard_is_in_no_plan(device: str) -> None:
    """Wrong before: charging, savings and starts were told of devices nobody could reach."""
    asked = request(at("2026-11-21 16:00"), car_w=0.0)
    snapshot, role = asked.snapshot, next(d.role for d in DEVICES if d.id == device)
    if device == "car":
        silent = replace(snapshot, chargers={"car": ChargerStatus("car", ChargePhase.OFFLINE, False)})
    else:
        state = DeviceState(device, role, False, None, {}, "It was never heard.")
        silent = replace(snapshot, devices={**snapshot.devices, device: state})
    plan = make_plan(replace(asked, snapshot=silent))
    assert device in {block.device for block in plan_of(asked).blocks}
    assert device not in {block.device for block in plan.blocks}
    assert all(not slot.power_w.get(device) for slot in plan.slots)


def test_a_battery_without_a_state_of_charge_is_not_counted_on() -> None:
    plan = plan_of(request(at("2026-11-21 16:00"), soc=None))
    assert "inverter" not in {block.device for block in plan.blocks}
    assert all(slot.soc_percent is None for slot in plan.slots)


def test_a_tank_on_line_without_a_thermometer_is_still_planned() -> None:
    assert "tank" in {block.device for block in plan_of(request(at("2026-11-21 16:00"), tank_c=None)).blocks}
