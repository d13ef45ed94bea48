"""The reason of each block is true: the owner's word, a limit, a deadline, a room outside its band, before any price."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pytest

from gateway.core.control.storm import storm_windows
from gateway.core.planning.explain_battery import feeding_words
from gateway.core.planning.explain_heat import coming_event
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan, work_out
from gateway.model.authority import Authority
from gateway.model.plan import Block, Forecast, IntentKind, Plan
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import HeatPumpSpec
from gateway.model.snapshot import ChargePhase
from tests.core.loads_home import POOL, asked, wish
from tests.core.test_planning_properties import ZONE, at, request

EVENING = at("2026-11-21T18:00")
HOUR = timedelta(hours=1)


def plan_of(found: PlanRequest) -> Plan:
    return make_plan(found, alternatives=False)


def first(plan: Plan, device: str) -> Block:
    block = plan.block(device, plan.slots[0].start)
    assert block is not None
    return block


def said(words: str, device: str, until: datetime) -> PlanRequest:
    found = asked(EVENING, phase=ChargePhase.PLUGGED, tank_c=50.0)
    override = Override("o", device, words, EVENING, until, "owner")
    return replace(found, snapshot=replace(found.snapshot, overrides=(override,)))


def local(when: datetime) -> str:
    return f"{when.astimezone(ZONE):%H:%M}"


@pytest.mark.parametrize("device", ["tank", "pump", "car", "inverter", "pool"])
def test_a_pause_is_the_owners_word_and_what_follows_it_is_told_as_well(device):
    until = EVENING + HOUR
    words = first(plan_of(said("pause", device, until)), device).reason
    assert words.startswith(f"You asked it to pause until {local(until)}")


@pytest.mark.parametrize("device", ["tank", "pump"])
def test_what_runs_because_the_owner_said_so_names_no_price(device):
    until = EVENING + HOUR
    block = first(plan_of(said("run", device, until)), device)
    assert block.kind is IntentKind.RUN
    assert block.reason.startswith(f"You asked it to run until {local(until)}")


def limited(value_w: float, **change: Any) -> PlanRequest:
    limit = Limit(
        LimitKind.SITE_IMPORT, value_w, EVENING, EVENING + 2 * HOUR, Authority.BINDING_LIMIT, "e", "A limit.", ""
    )
    return asked(EVENING, limits=(limit,), phase=ChargePhase.AVAILABLE, sun_w=0.0, soc=20.0, reserve=20.0, **change)


def test_a_rest_that_a_limit_of_the_import_ends_says_so_and_not_that_the_room_is_warm_enough():
    plan = plan_of(limited(900.0, room_c=19.6, tank_c=45.0))
    words = first(plan, "tank").reason
    assert "may draw no more than 0.9 kW until 20:00" in words or "below its minimum" in words
    assert "cheaper" not in words and "warm enough" not in words


def test_a_room_below_its_band_is_told_to_be_so_while_its_pump_runs():
    plan = plan_of(request(at("2026-11-21T21:00"), room_c=18.0, phase=ChargePhase.AVAILABLE))
    block = first(plan, "pump")
    assert plan.slots[0].power_w["pump"] > 500
    assert block.reason.startswith("The room is below its minimum of")
    assert "it is heated" in block.reason and "warm enough" not in block.reason


def test_an_appliance_whose_window_leaves_one_start_runs_because_it_must():
    evening = at("2026-11-21T19:40")
    run = wish(evening, evening + timedelta(minutes=140), evening + timedelta(minutes=50))
    plan = plan_of(asked(evening, run=run))
    block = next(b for b in plan.blocks if b.device == "dishwasher" and b.kind is IntentKind.RUN)
    assert "as it must be done by 22:00" in block.reason
    assert "cheapest" not in block.reason


def test_an_appliance_that_comes_too_late_names_both_times():
    run = wish(EVENING, EVENING + timedelta(minutes=20))
    block = first(plan_of(asked(EVENING, run=run)), "dishwasher")
    assert block.reason == "Dishwasher starts 18:00 as soon as it may; done at 19:30, not by 18:20." or (
        block.reason == "The dishwasher starts 18:00 as soon as it may; done at 19:30, not by 18:20."
    )


def test_a_battery_that_is_full_before_the_storm_comes_is_held_and_does_not_wait_for_cheap_hours():
    found = request(EVENING, soc=100.0, phase=ChargePhase.AVAILABLE)
    wishes = replace(found.preferences, storm_from=EVENING + 3 * HOUR, storm_until=EVENING + 9 * HOUR)
    held = tuple(storm_windows(found.site, wishes, found.snapshot, EVENING))
    words = first(plan_of(replace(found, preferences=wishes, limits=held)), "inverter").reason
    assert words == "The battery is held full for the storm until 03:00."


def test_the_owners_minimum_that_a_limit_makes_impossible_is_named_and_no_block_says_full():
    shut = Limit(
        LimitKind.DEVICE_POWER, 0.0, EVENING, EVENING + 20 * HOUR, Authority.BINDING_LIMIT, "e", "Shut.", "car"
    )
    found = request(EVENING, limits=(shut,), phase=ChargePhase.PLUGGED)
    charging = {"car": ChargingPreference(ChargeMode.SOLAR, time(7), 12_000.0, minimum_wh=8_000.0)}
    wishes = replace(found.preferences, charging=charging)
    found = replace(found, preferences=wishes, snapshot=replace(found.snapshot, preferences=wishes))
    assert make_home(found).cars[0].at_once.any()
    plan = plan_of(found)
    assert any("of your minimum of 8 kWh" in words for words in plan.relaxed)
    assert not any("it will be full" in block.reason for block in plan.blocks if block.device == "car")


def hot_day(comfort_high_c: float) -> Plan:
    """A home that only heats: a cold night, then a day that warms it above any maximum."""
    now = at("2026-05-10T18:00")
    air = tuple(18.5 + 14.5 * math.sin(2 * math.pi * ((i / 4 + 18) % 24 - 9) / 24) for i in range(240))
    found = request(now, room_c=21.0, outdoor=Forecast("outdoor", now, 900, air, unit="degC"), sun_w=0.0)
    devices = tuple(
        replace(d, spec=HeatPumpSpec(2_500, capacitance_wh_per_k=2500.0)) if d.id == "pump" else d
        for d in found.site.devices
    )
    wishes = Preferences(accept_higher_peak=True, comfort_high_c=comfort_high_c)
    snapshot = replace(found.snapshot, preferences=wishes)
    return plan_of(replace(found, site=replace(found.site, devices=devices), preferences=wishes, snapshot=snapshot))


def test_a_night_is_not_left_cold_because_the_day_after_will_be_too_hot_by_itself():
    plan = hot_day(22.0)
    rooms = [slot.room_c for slot in plan.slots if slot.room_c is not None]
    assert min(rooms) >= Preferences().comfort_low_c - 0.1
    assert max(rooms) > 23
    assert [words for words in plan.relaxed if "above your maximum by itself" in words]
    assert hot_day(30.0).relaxed == ()


def test_a_run_that_the_fuse_does_not_hold_says_so():
    """The car has phase 1 of the fuse, so the pump that the owner wants to run as well finds nothing there."""
    found = said("run", "pump", EVENING + HOUR)
    both = (*found.snapshot.overrides, Override("c", "car", "run", EVENING, EVENING + HOUR, "owner"))
    found = replace(found, site=replace(found.site, main_fuse_a=18.0), snapshot=replace(found.snapshot, overrides=both))
    plan = plan_of(found)
    words = first(plan, "pump").reason
    assert plan.slots[0].power_w["pump"] < 1_000
    assert words.startswith("You asked it to run until 19:00, but L")
    assert "holds no more beside what else runs; then " in words


@pytest.mark.parametrize(
    ("earliest", "latest", "hours", "cheap"),
    [(time(17), time(6), 3, True), (time(17), time(21), 3, False), (time(20), time(6), 10, False)],
)
def test_a_pool_pump_runs_because_power_is_cheap_only_where_it_is(earliest, latest, hours, cheap):
    """The tariff of the properties is cheap at night; a window from 17:00 to 21:00 has one price."""
    spec = replace(POOL, hours_per_day=hours, earliest=earliest, latest=latest)
    plan = plan_of(asked(EVENING - 3 * HOUR, pool=spec, sun_w=0.0))
    block = next(b for b in plan.blocks if b.device == "pool" and b.kind is IntentKind.RUN)
    assert ("because power is cheap then" in block.reason) is cheap, block.reason


def test_a_pool_pump_that_rests_on_behind_an_event_says_why_it_does():
    """An event's return holds a pump for minutes behind its end; the night after it is no part of that."""
    until = EVENING + timedelta(minutes=15)
    limit = Limit(LimitKind.DEVICE_POWER, 0.0, EVENING - HOUR, until, Authority.DEMAND_RESPONSE, "e", "Over.", "pool")
    spec = replace(POOL, hours_per_day=2, earliest=time(8), latest=time(16))
    block = first(plan_of(replace(asked(EVENING, pool=spec), limits=(limit,))), "pool")
    assert block.end > until
    assert re.fullmatch(r"Over; then the pool .*rests.*: .*\.", block.reason), block.reason


@pytest.mark.parametrize("room_c", [19.6, 20.5, 22.0])
def test_a_room_that_is_heated_to_its_minimum_is_not_told_to_wait(room_c):
    """Wrong before: "heating waits until Tuesday 04:00" over 6.5 kWh of heating."""
    plan, seen = plan_of(request(at("2026-11-18 16:00"), room_c=room_c)), 0
    for block in plan.blocks:
        hours = (block.end - block.start) / HOUR
        if block.device == "pump" and block.kind is IntentKind.IDLE and block.energy_wh > 100 * hours:
            seen += 1
            assert "waits" not in block.reason and "needs no more" not in block.reason, block.reason
    assert seen > 1


def test_the_steps_after_an_event_are_no_event_that_comes():
    """Wrong before: "heated before the event at 22:00" at 21:50, when it was over at 22:00."""
    end = EVENING + 2 * HOUR
    event = Limit(LimitKind.DEVICE_POWER, 0.0, EVENING - HOUR, end, Authority.DEMAND_RESPONSE, "e", "Save.", "tank")
    steps = replace(event, start=end, end=end + timedelta(minutes=4))
    for limits, told in (((event, steps), False), ((replace(steps, source="other"),), True)):
        found = asked(EVENING, limits=limits, tank_c=44.0, phase=ChargePhase.AVAILABLE)
        home = make_home(found)
        at_end = next(i for i in range(home.slots.count) if home.slots.start(i) == end)
        assert (coming_event(home, "tank", (LimitKind.DEVICE_POWER,), at_end) is not None) is told


def test_a_battery_that_is_refilled_at_the_same_price_is_not_told_to_save_anything():
    """Wrong before: it fed the house between two charges at one price "so that less is bought"."""
    worked = work_out(asked(EVENING, phase=ChargePhase.AVAILABLE, sun_w=0.0))
    home, battery = worked.home, worked.home.batteries[0]
    home = replace(home, buy=np.full(home.slots.count, 300_000.0), carbon=np.zeros(home.slots.count))
    flow = np.zeros(home.slots.count)
    flow[2:4] = -200.0
    saved = replace(worked.schedule, power_w={"inverter": flow})
    assert feeding_words(home, battery, saved, 2, 4).endswith(", so that less is bought.")
    flow[5:9] = 2_000.0
    assert re.fullmatch(r"The battery feeds the house until \d\d:\d\d\.", feeding_words(home, battery, saved, 2, 4))
    base = home.house_w.copy()
    base[2:4] = 6_000.0
    peak = replace(home, house_w=base)
    assert feeding_words(peak, battery, saved, 2, 4).endswith(", so that the home draws no more than 5.8 kW.")
