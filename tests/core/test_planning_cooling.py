"""A heat pump that can cool: the plan pre-cools before a dear afternoon, keeps the band, and never heats and cools."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from firmware_sim.physics.room import LOSS_W_PER_K, PEOPLE_W, WH_PER_K, Room
from gateway.core.control.heating import thermostat_wish
from gateway.core.control.season import cools_now
from gateway.core.learning.cooled import heating_only
from gateway.core.learning.thermal import fit_thermal
from gateway.core.planning.fallback import rules
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.core.planning.season import TRIGGER_K, free_run, is_cooling_season
from gateway.model.authority import Authority
from gateway.model.learned import ThermalModel
from gateway.model.plan import Forecast, IntentKind, Plan
from gateway.model.preferences import ComfortSpan, Preferences
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import HeatPumpSpec
from tests.core import heated_home
from tests.core.fuzz_requests import random_request, violations
from tests.core.test_planning_properties import ZONE, assert_possible, at, plan_of, request

EER = 3.5
MORNING = "2026-07-21T09:00"
LOW, HIGH = Preferences().comfort_low_c, Preferences().comfort_high_c


def weather(day: str, warmest: float, coldest: float, **change: Any) -> PlanRequest:
    """The home of the properties with a pump that can cool; outdoors a cosine, warmest at 16:00 local."""
    now, mean, swing = at(day), (warmest + coldest) / 2, (warmest - coldest) / 2
    hours = [(now + timedelta(hours=h)).astimezone(ZONE).hour for h in range(60)]
    air = tuple(mean + swing * math.cos(2 * math.pi * (hour - 16) / 24) for hour in hours)
    eer = change.pop("eer", EER)
    asked = request(now, outdoor=Forecast("outdoor", now, 3600, air, unit="degC"), **{"sun_w": 0.0, **change})
    spec = HeatPumpSpec(2_500, cooling_eer=eer)
    devices = tuple(replace(d, spec=spec) if d.id == "pump" else d for d in asked.site.devices)
    return replace(asked, site=replace(asked.site, devices=devices))


def hot(**change: Any) -> PlanRequest:
    return weather(MORNING, 35, 22, **{"room_c": 21.5, **change})


def rooms(plan: Plan) -> list[float]:
    return [slot.room_c for slot in plan.slots if slot.room_c is not None]


def pump_wh(plan: Plan) -> float:
    return sum(slot.power_w["pump"] * slot.duration_s / 3600 for slot in plan.slots)


# --- the season


@pytest.mark.parametrize(
    ("start", "around", "cools"),
    [(21, 5, False), (21, 24, True), (24, 16, False), (20, 33, True), (20.0, 20.0, False), (21.5, 21.5, True)],
    ids=["winter", "summer", "warm but cold outdoors", "heat wave", "neither, nearer low", "neither, nearer high"],
)
def test_the_season_is_the_end_of_the_band_that_a_resting_room_passes_for_longer(start, around, cools):
    count = 48
    flat = np.ones(count)
    free = free_run(start, np.full(count, math.exp(-1 / 24)), flat * around)
    assert is_cooling_season(free, flat * LOW, flat * HIGH, flat) is cools


def test_a_pump_that_cannot_cool_plans_as_before_whatever_the_weather():
    plan = plan_of(hot(eer=None))
    assert plan.cooling == () and pump_wh(plan) == 0 and max(rooms(plan)) > HIGH + 2


@pytest.mark.slow
def test_a_pump_that_can_cool_heats_in_winter_exactly_as_one_that_cannot():
    cold = weather("2026-01-21T09:00", 6, -2)
    plan, same = plan_of(cold), plan_of(weather("2026-01-21T09:00", 6, -2, eer=None))
    assert plan.cooling == () and pump_wh(plan) > 5_000
    assert [slot.power_w for slot in plan.slots] == [slot.power_w for slot in same.slots]


# --- the plan


def test_a_hot_day_is_pre_cooled_before_the_dear_evening_and_stays_inside_the_band():
    plan = plan_of(hot())
    assert plan.cooling == ("pump",) and plan.method == "optimised" and plan.relaxed == ()
    assert min(rooms(plan)) >= LOW - 0.05 and max(rooms(plan)) <= HIGH + 0.05
    run = next(b for b in plan.blocks if b.device == "pump" and b.kind is IntentKind.RUN)
    assert run.end == at("2026-07-21T17:00")
    assert run.reason == "The room is pre-cooled until 17:00 because power is dearer at 17:00."
    assert run.alternative == "wait"
    evening = [s for s in plan.slots if at("2026-07-21T17:00") <= s.start < at("2026-07-21T18:30")]
    assert all(slot.power_w["pump"] == 0 for slot in evening) and (evening[0].room_c or 99) < HIGH - 0.5


def test_to_pre_cool_costs_less_than_a_plain_thermostat_at_the_same_end_of_the_band():
    asked = hot(soc=10.0)
    plan = plan_of(asked)
    assert plan.cost_micro < plan.reference_cost_micro
    plain = rules(make_home(asked), plain=True).state["pump"]
    assert plain.max() == pytest.approx(HIGH, abs=0.05) and plain.min() >= LOW


@pytest.mark.slow
def test_waiting_with_a_pre_cooling_costs_more_and_the_wait_says_cool_now():
    plan = make_plan(hot())
    idle, run = [b for b in plan.blocks if b.device == "pump"][:2]
    assert (idle.alternative, run.alternative) == ("cool now", "wait")
    assert run.alternative_cost_micro is not None and run.alternative_cost_micro > 0
    assert idle.alternative_cost_micro is not None and idle.alternative_cost_micro > 0


def test_power_only_ever_lowers_a_cooled_room():
    asked = hot()
    home, plan = make_home(asked), plan_of(asked)
    heat = home.pumps[0]
    before = [heat.start_c, *rooms(plan)[:-1]]
    free = heat.keep * np.array(before) + (1 - heat.keep) * heat.around_c
    used = np.array([slot.power_w["pump"] for slot in plan.slots])
    fall = free - np.array(rooms(plan))
    # The balance of heat: the fall is what EER times the power takes out through the resistance.
    assert fall == pytest.approx((1 - heat.keep) * 0.006 * EER * used, abs=0.02)
    assert used.max() > 2_000


@pytest.mark.parametrize("warmest", [18, 22, 26, 30, 38])
@pytest.mark.parametrize("room_c", [None, 17.0, 21.0, 28.0])
def test_whatever_the_weather_a_plan_is_possible_and_has_one_season(warmest, room_c):
    asked = weather(MORNING, warmest, warmest - 12, room_c=room_c)
    plan = plan_of(asked)
    assert_possible(asked, plan)
    words = " ".join(b.reason for b in plan.blocks if b.device == "pump")
    # A room that begins far too warm is cooled first, whatever comes after.
    assert ("heat" in words and "cool" in words) is False or "above its maximum of" in words
    if not plan.cooling:
        assert all(room >= LOW - 0.1 for room in rooms(plan)[40:])


# --- both within one plan


def swinging(now: str, *days: tuple[float, float], **change: Any) -> PlanRequest:
    """As `weather`, each day with its own warmest and coldest; a light home of 12 h, that follows the air."""
    asked, start = weather(now, 20, 10, **change), at(now)
    air = []
    for hour in range(60):
        local = (start + timedelta(hours=hour)).astimezone(ZONE)
        warmest, coldest = days[min(len(days) - 1, (local.date() - start.astimezone(ZONE).date()).days)]
        air.append((warmest + coldest) / 2 + (warmest - coldest) / 2 * math.cos(2 * math.pi * (local.hour - 16) / 24))
    spec = HeatPumpSpec(2_500, cooling_eer=change.get("eer", EER), capacitance_wh_per_k=2000.0)
    devices = tuple(replace(d, spec=spec) if d.id == "pump" else d for d in asked.site.devices)
    outdoor = Forecast("outdoor", start, 3600, tuple(air), unit="degC")
    return replace(asked, site=replace(asked.site, devices=devices), outdoor=outdoor)


def in_band(plan: Plan, first: int = 8) -> None:
    found = rooms(plan)[first:]
    assert min(found) >= LOW - TRIGGER_K - 0.1 and max(found) <= HIGH + TRIGGER_K + 0.1


def modes(plan: Plan) -> list[bool]:
    """Whether it cools, by each slot in which the pump draws."""
    blocks = [b for b in plan.blocks if b.device == "pump"]
    return [next(b.cools for b in blocks if b.start <= s.start < b.end) for s in plan.slots if s.power_w["pump"] > 100]


@pytest.mark.parametrize(
    ("now", "days", "first"),
    [
        ("2026-06-10T21:00", [(17, 4), (17, 4), (34, 20)], False),
        ("2026-06-10T12:00", [(33, 14), (33, 3), (20, 3)], True),
    ],
    ids=["a hot day after cold nights", "a cold night after a hot day"],
)
def test_a_plan_warms_and_cools_where_the_weather_turns(now: str, days: list[tuple[float, float]], first: bool) -> None:
    """Wrong before: one season for all of 48 h, so that the hot day was not cooled, or the cold night not heated."""
    plan = plan_of(swinging(now, *days))
    in_band(plan)
    used = modes(plan)
    assert used[0] is first and set(used) == {True, False}
    assert (plan.cooling == ("pump",)) is first
    words = " ".join(b.reason for b in plan.blocks if b.device == "pump" and b.kind is IntentKind.RUN)
    assert plan.relaxed == () and words


def test_a_pump_that_only_heats_keeps_to_that_in_the_same_weather() -> None:
    plan = plan_of(swinging("2026-06-10T21:00", (17, 4), (17, 4), (34, 20), eer=None))
    assert not any(b.cools for b in plan.blocks) and max(rooms(plan)) > HIGH + 1


def test_a_thermostat_that_is_switched_by_hand_has_one_season_in_each_plan() -> None:
    """In cooling it would cool to the target of a heating."""
    asked = swinging("2026-06-10T21:00", (17, 4), (17, 4), (34, 20))
    devices = tuple(
        replace(d, spec=replace(d.spec, changes_over=False)) if isinstance(d.spec, HeatPumpSpec) else d
        for d in asked.site.devices
    )
    plan = plan_of(replace(asked, site=replace(asked.site, devices=devices)))
    assert len({b.cools for b in plan.blocks if b.device == "pump"}) == 1


def test_the_rules_warm_and_cool_at_the_ends_of_the_band_and_not_in_its_middle() -> None:
    schedule = rules(make_home(swinging("2026-06-10T21:00", (17, 4), (17, 4), (34, 20))))
    state, used = schedule.state["pump"], schedule.power_w["pump"]
    assert state[8:].min() >= LOW - TRIGGER_K - 0.1 and state[8:].max() <= HIGH + TRIGGER_K + 0.1
    assert used.max() > 100


def test_a_sunny_room_in_winter_is_not_cooled_against_the_cold_outside() -> None:
    """The learner takes a day of less than 15 degC for one of heating: cooling on it would teach it nonsense."""
    sunny = ThermalModel(1 / 300, 9000, 250, 3.5, 0.2, 14, "", sun_gain=4.0, sun_w=0, sun_from="panels")
    home = make_home(weather("2026-02-20T07:00", 12, 2, sun_w=2000.0, room_c=21.0, thermal={"pump": sunny}))
    assert not home.pumps[0].cooling.any()


def test_the_tick_follows_the_season_of_the_block_that_holds() -> None:
    asked = swinging("2026-06-10T21:00", (17, 4), (17, 4), (34, 20))
    plan, pump = plan_of(asked), next(d for d in asked.site.devices if d.id == "pump")
    for block in (b for b in plan.blocks if b.device == "pump"):
        seen = replace(asked.snapshot, now=block.start, plan=plan)
        assert cools_now(seen, pump, ZONE) is block.cools
    assert {b.cools for b in plan.blocks if b.device == "pump"} == {True, False}


def test_a_room_too_hot_to_be_cooled_in_time_is_told():
    plan = plan_of(hot(room_c=33.0))
    assert any("K above your maximum" in words for words in plan.relaxed)


def test_the_rules_cool_too_when_there_is_no_optimiser():
    schedule = rules(make_home(hot()))
    middle = (LOW + HIGH) / 2
    assert schedule.power_w["pump"].max() > 300
    assert schedule.state["pump"][40:] == pytest.approx(middle, abs=0.3)


# --- events, absence, comfort


def warmer(authority: Authority) -> Limit:
    start, end = at("2026-07-21T14:00"), at("2026-07-21T16:00")
    return Limit(LimitKind.TEMPERATURE_OFFSET, -1.0, start, end, authority, "e", "The utility saves.", "pump")


def test_a_binding_event_opens_the_upper_end_of_the_band_and_the_room_is_pre_cooled_for_it():
    asked = hot(limits=(warmer(Authority.BINDING_LIMIT),))
    home, plan = make_home(asked), plan_of(asked)
    heat, during = home.pumps[0], home.slots.touched(at("2026-07-21T14:00"), at("2026-07-21T16:00"))
    assert set(heat.high_c[during]) == {HIGH + 1} and set(heat.high_c[~during]) == {HIGH}
    assert set(heat.low_c) == {LOW}
    used = np.array([slot.power_w["pump"] for slot in plan.slots])
    assert used[during].sum() < 1


def test_a_joined_event_makes_cooling_dear_but_keeps_the_band():
    asked = hot(limits=(warmer(Authority.DEMAND_RESPONSE),))
    plan, during = plan_of(asked), make_home(asked).slots.touched(at("2026-07-21T14:00"), at("2026-07-21T16:00"))
    used = np.array([slot.power_w["pump"] for slot in plan.slots])
    assert used[during].sum() < 1 and max(rooms(plan)) <= HIGH + 0.05
    run = next(b for b in plan.blocks if b.device == "pump" and b.kind is IntentKind.RUN)
    assert run.reason.startswith("The room is pre-cooled before the event at ")


def test_an_empty_home_is_not_cooled_to_comfort():
    away = Preferences(vacation_until=at("2026-07-25T12:00"))
    assert set(make_home(hot(preferences=away)).pumps[0].high_c) == {28.0}


def test_a_cooler_night_is_cooled_for_within_the_three_hours_before_it():
    night = Preferences(comfort_schedule=(ComfortSpan(at("2026-07-21T22:00").astimezone(ZONE).time(),
                                                      at("2026-07-21T06:00").astimezone(ZONE).time(), 17.0, 19.0),))  # fmt: skip
    home = make_home(hot(preferences=night, room_c=21.9))
    heat, slots = home.pumps[0], home.slots
    local = [slots.start(index).astimezone(ZONE) for index in range(slots.count)]
    opened = {when.hour for when, low in zip(local, heat.low_c, strict=True) if low == 17.0}
    assert opened == {19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5}
    closed = {when.hour for when, high in zip(local, heat.high_c, strict=True) if high == 19.0}
    assert closed == {22, 23, 0, 1, 2, 3, 4, 5}


# --- what was learned


def test_cooling_uses_the_learned_walls_and_the_stated_efficiency():
    walls = ThermalModel(1 / 300, 9000, 250, 3.9, 0.2, 14, "", sun_gain=0.0, sun_w=100)
    heat = make_home(hot(thermal={"pump": walls})).pumps[0]
    assert heat.gain_k_per_w == pytest.approx(-EER / 300) and heat.wh_per_k == pytest.approx(-9000 / EER)


@pytest.mark.slow
def test_a_summer_of_cooling_leaves_the_learned_heat_as_winter_taught_it():
    winter, room = heated_home.live(14, 1), Room(22.0, 21.0, cools=True)
    summer = {"room": [], "outdoor": [], "power": [], "sun": []}  # type: dict[str, list[float]]
    for quarter in range(7 * 96):
        air = 27 + 6 * math.cos(2 * math.pi * (quarter / 4 - 16) / 24)
        used = [room.power_w()]
        for _ in range(15):
            room.step(room.power_w(), 0.0, air, 60.0)
            used.append(room.power_w())
        for name, value in (("room", room.temperature_c), ("outdoor", air), ("power", np.mean(used)), ("sun", 0.0)):
            summer[name].append(float(value))
    both = {name: np.concatenate([winter[name], np.array(summer[name])]) for name in winter}

    def fit(home: dict[str, np.ndarray], power: np.ndarray) -> ThermalModel:
        found = fit_thermal(home["room"], home["outdoor"], power, 3.0, home["sun"], "panels")
        assert isinstance(found, ThermalModel)
        return found

    taught = fit(winter, winter["power"])
    assert fit(both, heating_only(both["power"], both["outdoor"])) == taught
    wrong = fit_thermal(both["room"], both["outdoor"], both["power"], 3.0, both["sun"], "panels")
    assert wrong != taught, "without it the cooling would have counted as heating"


def test_days_on_which_it_may_have_cooled_teach_nothing_of_its_heating():
    outdoor = np.repeat([3.0, 24.0, np.nan, 14.0], 96)
    kept = heating_only(np.full(4 * 96, 800.0), outdoor).reshape(4, 96)
    assert np.isnan(kept).all(axis=1).tolist() == [False, True, True, False] and (kept[0] == 800).all()


# --- plan, tick and the simulator's room together


def lived(planned: bool) -> tuple[list[float], dict[int, float]]:
    """A hot day of the simulated room, W by local hour: with the plan asked each hour, or kept at the band's end."""
    room, day = Room(21.0, HIGH, cools=True), at("2026-07-21T00:00")
    felt, used = [], dict.fromkeys(range(24), 0.0)
    walls = {"pump": ThermalModel(1 / LOSS_W_PER_K, WH_PER_K, PEOPLE_W, 3.0, 0.2, 14, "")}
    for hour in range(24):
        now = day + timedelta(hours=hour)
        asked = weather(now.astimezone(ZONE).isoformat()[:16], 36, 24, room_c=room.temperature_c, thermal=walls)
        plan = plan_of(asked) if planned else None
        device = next(d for d in asked.site.devices if d.id == "pump")
        air = asked.outdoor.mean[0] if asked.outdoor else 0.0
        for minute in range(60):
            seen = replace(asked.snapshot, now=now + timedelta(minutes=minute), plan=plan)
            room.target_c = thermostat_wish(seen, device, ZONE).value if planned else HIGH - 0.3
            power = room.power_w()
            room.step(power, 0.0, air, 60.0)
            felt.append(room.temperature_c)
            used[hour] += power / 60
    return felt, used


@pytest.mark.slow
def test_the_simulated_home_is_pre_cooled_stays_in_its_band_and_takes_less_in_the_dear_hours():
    (felt, used), (plain, same) = lived(planned=True), lived(planned=False)
    dear = range(17, 22)
    assert max(felt) <= HIGH + 0.5 and min(felt) >= LOW - 0.5 and max(plain) <= HIGH + 0.5
    assert sum(used[hour] for hour in dear) < 0.8 * sum(same[hour] for hour in dear)
    assert sum(used[hour] for hour in range(12, 17)) > sum(same[hour] for hour in range(12, 17))


# --- anything at all


@pytest.mark.slow
def test_random_homes_that_can_cool_get_plans_that_break_no_hard_limit():
    seasons = set()
    for seed in range(5_000, 5_040):
        asked = random_request(seed, time_limit_s=5.0)
        warm = Forecast("outdoor", asked.now, 3600, (15.0 + seed % 25,) * 60, unit="degC")
        devices = tuple(
            replace(d, spec=replace(d.spec, cooling_eer=EER)) if isinstance(d.spec, HeatPumpSpec) else d
            for d in asked.site.devices
        )
        asked = replace(asked, site=replace(asked.site, devices=devices), outdoor=warm)
        plan = make_plan(asked, alternatives=False)
        assert violations(asked, plan) == [], f"seed {seed}"
        seasons.add(plan.cooling)
    assert seasons == {(), ("pump",)}


@pytest.mark.slow
def test_random_homes_that_warm_and_cool_in_one_plan_break_no_hard_limit() -> None:
    mixed = 0
    for seed in range(6_000, 6_020):
        asked = random_request(seed, time_limit_s=5.0)
        hours = [(asked.now + timedelta(hours=h)).astimezone(ZONE).hour for h in range(60)]
        air = tuple(16 + 14 * math.cos(2 * math.pi * (hour - 16) / 24) + (seed % 5) for hour in hours)
        devices = tuple(
            replace(d, spec=replace(d.spec, cooling_eer=EER, capacitance_wh_per_k=1000.0))
            if isinstance(d.spec, HeatPumpSpec) else d
            for d in asked.site.devices
        )  # fmt: skip
        outdoor = Forecast("outdoor", asked.now, 3600, air, unit="degC")
        asked = replace(asked, site=replace(asked.site, devices=devices), outdoor=outdoor)
        plan = make_plan(asked, alternatives=False)
        assert violations(asked, plan) == [], f"seed {seed}"
        mixed += len({b.cools for b in plan.blocks if b.device == "pump"}) > 1
    assert mixed > 5
