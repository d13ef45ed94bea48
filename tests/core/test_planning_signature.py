"""The signature scene and its kin: what the plan decides for the car, and the words it finds for it."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import pytest

from gateway.core.planning.scheduler import counterfactual, make_plan
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind, Plan
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.snapshot import ChargePhase
from tests.core.test_planning_properties import ZONE, at, request

NOW = at("2026-11-21 17:30")


def event(start: str, end: str, authority: Authority = Authority.DEMAND_RESPONSE, watts: float = 0.0) -> Limit:
    words = "The utility asks to save power (level 2) until 22:00."
    return Limit(LimitKind.DEVICE_POWER, watts, at(start), at(end), authority, "e1", words, "car")


EVENING = event("2026-11-21 18:00", "2026-11-21 22:00")


def car_wh(plan: Plan, start: datetime, end: datetime) -> float:
    return sum(s.power_w["car"] * s.duration_s / 3600 for s in plan.slots if start <= s.start < end)


@pytest.mark.slow
def test_the_car_waits_until_ten_and_is_full_at_seven_and_the_plan_says_so() -> None:
    asked = request(NOW, limits=(EVENING,))
    plan = make_plan(asked)
    waiting = plan.block("car", NOW)
    assert waiting is not None and waiting.kind is IntentKind.HOLD
    assert waiting.end.astimezone(ZONE).strftime("%H:%M") == "22:00"
    assert "waits until 22:00 because power is cheaper then" in waiting.reason
    assert "from 18:00 to 22:00" in waiting.reason
    assert "full by 07:00" in waiting.reason
    assert waiting.alternative == "charge now"
    # 20 kWh at the peak instead of at night
    assert waiting.alternative_cost_micro == pytest.approx(20 * 230_000, rel=0.05)
    assert car_wh(plan, NOW, at("2026-11-22 07:00")) == pytest.approx(20_000, abs=400)
    assert not plan.relaxed
    assert len([b for b in plan.blocks if b.device == "car" and b.kind is IntentKind.CHARGE_AT]) == 1


def test_the_plan_is_cheaper_than_charging_on_arrival() -> None:
    plan = make_plan(request(NOW), alternatives=False)
    assert plan.cost_micro < plan.reference_cost_micro


@pytest.mark.slow
def test_a_car_charging_now_pauses_for_the_event_and_charges_after_it() -> None:
    plan = make_plan(request(NOW, mode=ChargeMode.NOW, phase=ChargePhase.CHARGING, limits=(EVENING,)))
    kinds = [block.kind for block in plan.blocks if block.device == "car"]
    assert kinds[:3] == [IntentKind.CHARGE_AT, IntentKind.HOLD, IntentKind.CHARGE_AT]
    assert car_wh(plan, at("2026-11-21 18:00"), at("2026-11-21 22:00")) == 0


@pytest.mark.slow
def test_the_departure_stands_above_a_joined_event_but_not_above_a_binding_one() -> None:
    night = event("2026-11-21 18:00", "2026-11-22 06:30")
    joined = make_plan(request(NOW, limits=(night,)), alternatives=False)
    assert car_wh(joined, NOW, at("2026-11-22 07:00")) == pytest.approx(20_000, abs=400)
    binding = event("2026-11-21 18:00", "2026-11-22 06:30", Authority.BINDING_LIMIT)
    held = make_plan(request(NOW, limits=(binding,)), alternatives=False)
    assert car_wh(held, at("2026-11-21 18:00"), at("2026-11-22 06:30")) == 0
    assert any("will lack" in words for words in held.relaxed)


def test_the_owners_override_runs_through_the_event() -> None:
    run = Override("o1", "car", "run", NOW, NOW + timedelta(hours=8), "owner", "e1")
    plan = make_plan(request(NOW, limits=(EVENING,), overrides=(run,)), alternatives=False)
    block = plan.block("car", NOW + timedelta(hours=1))
    assert block is not None and block.kind is IntentKind.CHARGE_AT
    assert "You asked to charge now" in block.reason


@pytest.mark.parametrize(
    ("mode", "words"),
    [(ChargeMode.OFF, "switched off"), (ChargeMode.NOW, "at once"), (ChargeMode.SOLAR, "surplus sun only")],
)
def test_each_charge_mode_has_its_own_words(mode: ChargeMode, words: str) -> None:
    block = make_plan(request(NOW, mode=mode), alternatives=False).block("car", NOW)
    assert block is not None and words in block.reason


@pytest.mark.slow
def test_the_cost_of_an_alternative_on_demand_is_the_one_the_plan_told() -> None:
    asked = request(NOW, limits=(EVENING,))
    plan = make_plan(asked)
    told = [block for block in plan.blocks if block.alternative_cost_micro is not None]
    assert {block.device for block in told} == {"car", "inverter", "tank", "pump"}
    for block in told:
        micro, co2_g = counterfactual(asked, plan, block)
        assert micro == pytest.approx(block.alternative_cost_micro, abs=10_000)
        assert co2_g == pytest.approx(block.alternative_co2_g, abs=50)


def test_without_the_solver_there_is_still_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    plan = make_plan(request(NOW, limits=(EVENING,)))
    assert plan.method == "fallback rules"
    assert car_wh(plan, at("2026-11-21 22:00"), at("2026-11-22 07:00")) == pytest.approx(20_000, abs=400)


def test_the_room_is_warmed_before_a_joined_event_and_stays_in_its_band() -> None:
    words = "The utility asks."
    shift = Limit(LimitKind.TEMPERATURE_OFFSET, -2, at("2026-11-21 20:00"), at("2026-11-21 22:00"),
                  Authority.DEMAND_RESPONSE, "e1", words, "pump")  # fmt: skip
    plan = make_plan(request(NOW, limits=(shift,), room_c=19.6), alternatives=False)
    inside = [s for s in plan.slots if at("2026-11-21 20:00") <= s.start < at("2026-11-21 22:00")]
    assert sum(s.power_w["pump"] for s in inside) < 0.1 * sum(s.power_w["pump"] for s in plan.slots)
    assert all(s.room_c is not None and s.room_c > 19.2 for s in inside)
