"""The tick's word for pool pumps, appliances, hot tanks and the heat pump's target, by authority."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.heating import tank_wish, thermostat_wish
from gateway.core.control.loads import relay_until, relay_wish
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.loads import ApplianceRun, Loads, Standing, next_window
from gateway.model.plan import IntentKind
from gateway.model.preferences import ComfortSpan, Preferences
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import ApplianceSpec, Device, HeatPumpSpec, PoolPumpSpec, Role
from tests.core.homes import SITE, block, plan, snapshot
from tests.fakes import START

HOUR = timedelta(hours=1)
POOL = Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(1_100, 6, time(9), time(21), 1.0))
WASH = Device("wash", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000, 100, 1_800, 100), 900))
HOME = replace(SITE, devices=(*SITE.devices, POOL, WASH))
ZONE = HOME.timezone


def limit(authority: Authority, device: str) -> Limit:
    return Limit(LimitKind.DEVICE_POWER, 0, START - HOUR, START + HOUR, authority, "event", "less, please", device)


def override(device: str, action: str) -> Override:
    return Override("o1", device, action, START, START + HOUR, "owner")


def waiting(done_by_h: float = 14, not_before_h: float = -1) -> ApplianceRun:
    return ApplianceRun("wash", START + not_before_h * HOUR, START + done_by_h * HOUR, "owner", START - HOUR)


def begun(minutes_ago: float = 30) -> ApplianceRun:
    start = START - timedelta(minutes=minutes_ago)
    return replace(waiting(), started_at=start, ends_at=start + HOUR)


RUN, REST = block("pool", IntentKind.RUN), block("pool", IntentKind.IDLE)


@pytest.mark.parametrize(
    ("change", "ran_h", "value", "authority"),
    [
        ({"planned": plan(RUN)}, 0, 1, Authority.PLAN),
        ({"planned": plan(REST)}, 2, 0, Authority.PLAN),
        ({}, 0, 1, Authority.DEFAULT),
        ({}, 6, 0, Authority.DEFAULT),
        ({"planned": plan(RUN), "limits": (limit(Authority.DEMAND_RESPONSE, "pool"),)}, 5, 0, Authority.DEMAND_RESPONSE),
        ({"planned": plan(RUN), "limits": (limit(Authority.DEMAND_RESPONSE, ""),)}, 2.5, 1, Authority.OWNER_FLOOR),
        ({"planned": plan(RUN), "overrides": (override("pool", "pause"),)}, 5, 0, Authority.OWNER_OVERRIDE),
        ({"planned": plan(REST), "overrides": (override("pool", "run"),)}, 6, 1, Authority.OWNER_OVERRIDE),
        (
            {"overrides": (override("pool", "run"),), "limits": (limit(Authority.BINDING_LIMIT, "pool"),)},
            0, 0, Authority.BINDING_LIMIT,
        ),
    ],
    ids=[
        "the plan runs it", "the plan lets it rest", "no plan: its hours", "no plan: done", "a joined event pauses it",
        "but not in the last moment for its hours", "the owner pauses", "the owner runs", "a binding limit holds",
    ],
)  # fmt: skip
def test_the_pool_pump_follows_the_highest_authority(change, ran_h, value, authority):
    seen = replace(snapshot(**change), loads=Loads(ran_s={"pool": ran_h * 3600}))
    wish = relay_wish(HOME, seen, POOL)
    assert (wish.value, wish.authority) == (value, authority)


@pytest.mark.parametrize(("minutes", "value"), [(59, 1), (61, 0)])
def test_a_pool_pump_that_the_plan_lets_rest_too_soon_goes_on_for_its_least_run(minutes, value):
    since = Standing(1.0, START - timedelta(minutes=minutes))
    seen = replace(snapshot(planned=plan(REST)), loads=Loads(stands={"pool": since}, seen={"pool": since}))
    assert relay_wish(HOME, seen, POOL).value == value


def test_the_owners_pause_ends_a_least_run_at_once():
    since = Standing(1.0, START - timedelta(minutes=5))
    seen = replace(
        snapshot(planned=plan(REST), overrides=(override("pool", "pause"),)), loads=Loads({}, {}, {}, {}, {})
    )
    seen = replace(seen, loads=Loads(stands={"pool": since}, seen={"pool": since}))
    assert relay_wish(HOME, seen, POOL).value == 0


WASHES, WAITS = block("wash", IntentKind.RUN), block("wash", IntentKind.HOLD)


@pytest.mark.parametrize(
    ("run", "change", "value", "authority"),
    [
        (None, {}, 1, Authority.DEFAULT),
        (None, {"limits": (limit(Authority.DEMAND_RESPONSE, "wash"),)}, 1, Authority.DEFAULT),
        (waiting(), {"planned": plan(WAITS)}, 0, Authority.PLAN),
        (waiting(), {"planned": plan(WASHES)}, 1, Authority.PLAN),
        (waiting(), {}, 0, Authority.DEFAULT),
        (waiting(0.9), {}, 1, Authority.DEFAULT),
        (waiting(14, 1), {"planned": plan(WASHES)}, 0, Authority.OWNER_FLOOR),
        (waiting(), {"planned": plan(WASHES), "limits": (limit(Authority.DEMAND_RESPONSE, "wash"),)}, 0,
         Authority.DEMAND_RESPONSE),
        (waiting(0.9), {"planned": plan(WASHES), "limits": (limit(Authority.DEMAND_RESPONSE, "wash"),)}, 1,
         Authority.OWNER_FLOOR),
        (waiting(0.9), {"planned": plan(WAITS)}, 0, Authority.PLAN),
        (waiting(), {"planned": plan(WAITS), "overrides": (override("wash", "run"),)}, 1, Authority.OWNER_OVERRIDE),
        (waiting(), {"planned": plan(WASHES), "overrides": (override("wash", "pause"),)}, 0, Authority.OWNER_OVERRIDE),
        (begun(), {"planned": plan(WAITS)}, 1, Authority.OWNER_OVERRIDE),
        (begun(), {"overrides": (override("wash", "pause"),)}, 1, Authority.OWNER_OVERRIDE),
        (begun(), {"limits": (limit(Authority.DEMAND_RESPONSE, "wash"),)}, 1, Authority.OWNER_OVERRIDE),
        (begun(), {"limits": (limit(Authority.BINDING_LIMIT, "wash"),)}, 0, Authority.BINDING_LIMIT),
    ],
    ids=[
        "free for use by hand", "no event cuts off what is used by hand", "the plan waits", "the plan starts it",
        "no plan: waits", "no plan: last moment", "not before the owner said", "a joined event delays it",
        "but not beyond the last moment", "the plan knows why it waits", "the owner starts it", "the owner delays it",
        "running: no plan stops it", "running: no pause stops it", "running: no joined event stops it",
        "running: a binding limit does",
    ],
)  # fmt: skip
def test_the_dishwasher_follows_the_highest_authority_and_is_not_interrupted(run, change, value, authority):
    seen = replace(snapshot(**change), loads=Loads(runs={"wash": run} if run else {}))
    wish = relay_wish(HOME, seen, WASH)
    assert (wish.value, wish.authority) == (value, authority)


def test_a_gateway_that_dies_cuts_off_no_run():
    soon = START + timedelta(seconds=120)
    ends = {
        name: relay_until(replace(snapshot(), loads=Loads(runs=runs)), WASH, soon)
        for name, runs in {"by hand": {}, "running": {"wash": begun()}, "waiting": {"wash": waiting()}}.items()
    }
    assert ends["by hand"] >= START + 12 * HOUR and ends["running"] >= begun().ends_at and ends["waiting"] == soon
    assert relay_until(snapshot(), POOL, soon) == soon


def test_every_load_of_the_site_gets_its_setpoint():
    decision = decide(HOME, snapshot(planned=plan(RUN)), ControlMemory(), ControlTiming(), 1_000.0)
    found = {setpoint.device: setpoint.value for setpoint in decision.setpoints}
    assert found["pool"] == 1 and found["wash"] == 1


# --- tank


@pytest.mark.parametrize(
    ("days", "change", "value", "authority"),
    [
        (6.9, {}, 0, Authority.PLAN),
        (7.1, {}, 1, Authority.PROTECTION),
        (7.1, {"overrides": (override("tank", "pause"),)}, 1, Authority.PROTECTION),
        (7.1, {"limits": (limit(Authority.BINDING_LIMIT, "tank"),)}, 0, Authority.BINDING_LIMIT),
        (7.1, {"preferences": Preferences(hygiene_days=0)}, 0, Authority.PLAN),
        (7.1, {"preferences": Preferences(hygiene_c=70)}, 0, Authority.PLAN),
    ],
    ids=["not yet", "overdue", "above the owner's pause", "below a binding limit", "switched off", "out of reach"],
)
def test_a_tank_that_was_not_hot_for_too_long_is_heated(days, change, value, authority):
    seen = snapshot(planned=plan(block("tank", IntentKind.IDLE)), **change)
    seen = replace(seen, loads=Loads(hot_at={"tank": START - timedelta(days=days)}))
    wish = tank_wish(seen, HOME.of_role(Role.WATER_HEATER)[0])
    assert (wish.value, wish.authority) == (value, authority)


# --- heat pump

NIGHT = ComfortSpan(time(22), time(6), 16.0, 18.0, (5,))
PUMP = Device("heat_pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, min_run_s=1_800, min_pause_s=900))


@pytest.mark.parametrize(
    ("local", "kind", "target"),
    [
        ("2026-11-21T21:59", IntentKind.IDLE, 19.5),
        ("2026-11-21T22:00", IntentKind.IDLE, 16.0),
        ("2026-11-22T05:59", IntentKind.IDLE, 16.0),
        ("2026-11-22T02:00", IntentKind.RUN, 18.0),
        ("2026-11-22T04:00", IntentKind.RUN, 22.0),
        ("2026-11-22T23:00", IntentKind.IDLE, 19.5),
    ],
    ids=["evening", "night", "before morning", "heated at night", "heated for the morning", "Sunday night"],
)
def test_the_thermostat_follows_the_comfort_schedule(local, kind, target):
    now = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
    kept = replace(block("heat_pump", kind), start=now, end=now + HOUR)
    seen = snapshot(planned=plan(kept), preferences=Preferences(comfort_schedule=(NIGHT,)))
    assert thermostat_wish(replace(seen, now=now), PUMP, ZONE).value == target


@pytest.mark.parametrize(
    ("told", "seen_on", "minutes", "kind", "target"),
    [
        (22.0, 1.0, 20, IntentKind.IDLE, 22.0),
        (22.0, 1.0, 40, IntentKind.IDLE, 19.5),
        (19.5, 0.0, 10, IntentKind.RUN, 19.5),
        (19.5, 0.0, 20, IntentKind.RUN, 22.0),
        (19.5, 1.0, 5, IntentKind.RUN, 22.0),
        (22.0, 0.0, 5, IntentKind.IDLE, 19.5),
    ],
    ids=["runs on", "ran enough", "rests on", "rested enough", "runs already", "rests already"],
)
def test_the_target_moves_only_once_the_compressor_ran_or_rested_its_time(told, seen_on, minutes, kind, target):
    since = START - timedelta(minutes=minutes)
    loads = Loads(stands={"heat_pump": Standing(told, since)}, seen={"heat_pump": Standing(seen_on, since)})
    seen = replace(snapshot(planned=plan(block("heat_pump", kind))), loads=loads)
    assert thermostat_wish(seen, PUMP, ZONE).value == target


def test_a_binding_event_lowers_the_target_whatever_the_compressor_does():
    since = Standing(22.0, START - timedelta(minutes=1))
    dim = Limit(LimitKind.TEMPERATURE_OFFSET, -3, START, START + HOUR, Authority.BINDING_LIMIT, "e", "dim", "heat_pump")
    seen = snapshot(planned=plan(block("heat_pump", IntentKind.IDLE)), limits=(dim,))
    seen = replace(seen, loads=Loads(stands={"heat_pump": since}, seen={"heat_pump": replace(since, value=1.0)}))
    assert thermostat_wish(seen, PUMP, ZONE).value == 19.0


# --- windows


@pytest.mark.parametrize(
    ("earliest", "latest", "now", "start", "end"),
    [
        ("09:00", "20:00", "2026-06-21T08:00", "2026-06-21T09:00", "2026-06-21T20:00"),
        ("09:00", "20:00", "2026-06-21T20:00", "2026-06-22T09:00", "2026-06-22T20:00"),
        ("20:00", "06:00", "2026-06-21T03:00", "2026-06-20T20:00", "2026-06-21T06:00"),
        ("20:00", "06:00", "2026-06-21T12:00", "2026-06-21T20:00", "2026-06-22T06:00"),
        ("00:00", "00:00", "2026-06-21T23:59", "2026-06-21T00:00", "2026-06-22T00:00"),
        ("00:00", "00:00", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
    ],
    ids=["before", "at its end", "over midnight", "between", "whole day", "a day of 23 hours"],
)
def test_the_window_that_holds_now_or_comes_next(earliest, latest, now, start, end):
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)

    spec = PoolPumpSpec(1_000, 4, time.fromisoformat(earliest), time.fromisoformat(latest))
    assert next_window(spec, ZONE, utc(now)) == (utc(start), utc(end))
