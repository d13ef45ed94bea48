"""The thermostat of a heat pump that cools: the plan's season, events with their sign turned, and no plan at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.control.heating import FROST_C, thermostat_wish
from gateway.core.control.season import REST_C, cools_now
from gateway.model.authority import Authority
from gateway.model.loads import Loads, Standing
from gateway.model.plan import IntentKind, Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import Device, HeatPumpSpec, Role, Tier
from gateway.model.snapshot import DeviceState, Snapshot
from tests.core.homes import SITE, block, plan, snapshot
from tests.core.test_control_island import Outage
from tests.core.test_control_loads import ZONE
from tests.fakes import START

HOUR = timedelta(hours=1)
PUMP = Device("heat_pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, min_run_s=1_800, cooling_eer=3.5))
LOW, HIGH = 19.5, 22.0
RUN, IDLE = IntentKind.RUN, IntentKind.IDLE


def cooling(kind: IntentKind) -> Plan:
    return plan(replace(block("heat_pump", kind), cools=True))


def offset(kelvin: float, authority: Authority = Authority.DEMAND_RESPONSE) -> Limit:
    return Limit(LimitKind.TEMPERATURE_OFFSET, kelvin, START, START + HOUR, authority, "e", "saves", "heat_pump")


def with_air(seen: Snapshot, room: float, outdoor: float | None) -> Snapshot:
    values = {Q.TEMPERATURE: room} | ({} if outdoor is None else {Q.OUTDOOR_TEMPERATURE: outdoor})
    return replace(seen, devices={**seen.devices, PUMP.id: DeviceState(PUMP.id, PUMP.role, True, 1.0, values)})


@pytest.mark.parametrize(
    ("kind", "limits", "target", "authority"),
    [
        (RUN, (), LOW, Authority.PLAN),
        (IDLE, (), HIGH, Authority.PLAN),
        (RUN, (offset(-1),), LOW + 1, Authority.DEMAND_RESPONSE),
        (RUN, (offset(-1), offset(-2)), LOW + 2, Authority.DEMAND_RESPONSE),
        (IDLE, (offset(-2),), HIGH, Authority.OWNER_FLOOR),
        (IDLE, (offset(1),), HIGH - 1, Authority.DEMAND_RESPONSE),
        (IDLE, (offset(-3, Authority.BINDING_LIMIT),), HIGH + 3, Authority.BINDING_LIMIT),
    ],
    ids=["pre-cools", "rests", "event", "the larger of two", "the band's end", "load up", "binding"],
)
def test_in_summer_the_target_is_mirrored_and_events_raise_it(kind, limits, target, authority):
    wish = thermostat_wish(snapshot(planned=cooling(kind), limits=limits), PUMP, ZONE)
    assert (wish.value, wish.authority) == (target, authority)


def test_the_owners_run_cools_and_pause_lets_it_warm_up():
    def asked(action: str) -> float:
        override = Override("o", "heat_pump", action, START, START + HOUR, "owner")
        return thermostat_wish(snapshot(planned=cooling(IDLE), overrides=(override,)), PUMP, ZONE).value

    assert (asked("run"), asked("pause")) == (LOW, HIGH)


def test_a_compressor_that_cools_runs_its_least_time_before_the_target_rises():
    since = Standing(LOW, START - timedelta(minutes=20))
    loads = Loads(stands={"heat_pump": since}, seen={"heat_pump": replace(since, value=1.0)})
    seen = replace(snapshot(planned=cooling(IDLE)), loads=loads)
    wish = thermostat_wish(seen, PUMP, ZONE)
    assert wish.value == LOW and "runs at least 30 minutes" in wish.reason
    later = replace(loads, seen={"heat_pump": Standing(1.0, START - timedelta(minutes=40))})
    assert thermostat_wish(replace(seen, loads=later), PUMP, ZONE).value == HIGH


def test_an_empty_home_in_summer_keeps_28_degrees():
    away = Preferences(vacation_until=START + timedelta(days=3))
    wish = thermostat_wish(snapshot(planned=cooling(RUN), preferences=away), PUMP, ZONE)
    assert wish.value == 28.0 and wish.reason == "You are away: the home keeps 28 °C."


@pytest.mark.parametrize(
    ("room", "outdoor", "cools"),
    [(25, 30, True), (21, 30, False), (25, 10, False), (25, None, False)],
    ids=["hot", "room inside the band", "cold outdoors", "outdoors unknown"],
)
def test_without_a_plan_it_cools_only_where_room_and_outdoors_are_above_the_band(room, outdoor, cools):
    assert cools_now(with_air(snapshot(), room, outdoor), PUMP, ZONE) is cools


def test_the_plan_has_the_word_over_what_the_air_says_and_a_pump_that_only_heats_never_cools():
    heating = plan(block("heat_pump", RUN))
    assert not cools_now(with_air(snapshot(planned=heating), 25, 30), PUMP, ZONE)
    only_heats = replace(PUMP, spec=HeatPumpSpec(2_500))
    assert not cools_now(with_air(snapshot(planned=cooling(RUN)), 25, 30), only_heats, ZONE)


@pytest.mark.parametrize(("planned", "rest"), [(cooling(RUN), REST_C), (plan(block("heat_pump", RUN)), FROST_C)])
def test_while_the_grid_is_lost_the_thermostat_is_told_a_target_at_which_it_rests(planned, rest):
    pump = replace(PUMP, tier=Tier.NON_ESSENTIAL)
    home = Outage(replace(SITE, devices=tuple(pump if d.id == pump.id else d for d in SITE.devices)))
    seen = snapshot(planned=planned, soc=80)
    home.run(2, 1, seen)
    assert home.value("heat_pump") not in (REST_C, FROST_C)
    home.run(5, 0, seen)
    assert home.value("heat_pump") == rest
