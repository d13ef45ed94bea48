"""Reserve and storm hold: limits of protection's own authority, in the tick and in the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.storage import own_wish
from gateway.core.control.storm import storm_limits, storm_windows
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Limit, LimitKind, Override, Setpoint
from gateway.model.snapshot import Snapshot
from gateway.runtime.wish_documents import preferences_document, preferences_from
from tests.core.homes import SITE, block, plan, snapshot
from tests.fakes import START

HOUR = timedelta(hours=1)
OFF = {"car": ChargingPreference(ChargeMode.OFF)}
STORM = Preferences(charging=OFF, storm_until=START + 10 * HOUR)
BATTERY = SITE.devices[1]


def told(shot: Snapshot) -> Setpoint:
    decision = decide(SITE, shot, ControlMemory(), ControlTiming(), 100.0)
    return next(setpoint for setpoint in decision.setpoints if setpoint.device == "inverter")


def discharge(authority: Authority, value: float = 2) -> Limit:
    return Limit(LimitKind.BATTERY_DISCHARGE, value, START - HOUR, START + HOUR, authority, "event", "please give")


def test_in_a_storm_hold_the_battery_charges_at_once_whatever_the_plan_says() -> None:
    planned = plan(block("inverter", IntentKind.DISCHARGE_AT, -3_000))
    setpoint = told(snapshot((2, 2, 2), preferences=STORM, soc=60, planned=planned))
    assert (setpoint.low, setpoint.value, setpoint.authority) == (5_000, 5_000, Authority.PROTECTION)
    assert "full until" in setpoint.reason


def test_a_full_battery_is_held_and_never_given() -> None:
    setpoint = told(snapshot((8, 8, 8), preferences=STORM, soc=100))
    assert setpoint.low == 0 and setpoint.authority is Authority.PROTECTION


def test_the_hold_ends_by_itself() -> None:
    over = replace(STORM, storm_until=START)
    assert storm_limits(SITE, over, START) == ()
    assert told(snapshot((2, 2, 2), preferences=over, soc=60)).low == -5_000


def test_the_storms_charge_stays_below_the_fuse() -> None:
    setpoint = told(snapshot((22, 22, 22), preferences=STORM, soc=60))
    assert 0 < setpoint.low <= 3 * 3 * 230
    assert setpoint.authority is Authority.ELECTRICAL_SAFETY


@pytest.mark.parametrize(
    ("limits", "overrides", "low"),
    [
        ((discharge(Authority.DEMAND_RESPONSE),), (), 5_000),
        ((), (Override("o", "inverter", "pause", START - HOUR, START + HOUR, "owner"),), 5_000),
        ((discharge(Authority.BINDING_LIMIT),), (), -5_000),
    ],
)
def test_only_what_binds_stands_above_the_hold(
    limits: tuple[Limit, ...], overrides: tuple[Override, ...], low: float
) -> None:
    shot = snapshot(preferences=STORM, soc=60, limits=limits, overrides=overrides)
    assert own_wish(SITE, shot, BATTERY).low == low


@pytest.mark.parametrize(
    ("authority", "soc", "low"),
    [
        (Authority.DEMAND_RESPONSE, 30, 0),
        (Authority.BINDING_LIMIT, 30, -5_000),
        (Authority.BINDING_LIMIT, 5, 0),
        (Authority.DEMAND_RESPONSE, 50, -5_000),
    ],
)
def test_the_reserve_yields_to_what_binds_and_the_batterys_own_least_to_nothing(
    authority: Authority, soc: float, low: float
) -> None:
    """Wrong before: a binding event discharged an empty battery on."""
    wishes = Preferences(battery_reserve_percent=40)
    shot = snapshot(preferences=wishes, soc=soc, limits=(discharge(authority),))
    assert own_wish(SITE, shot, BATTERY).low == low


def test_a_battery_at_its_reserve_does_not_start_and_stop_for_a_tenth_of_a_percent() -> None:
    wishes = Preferences(charging=OFF, battery_reserve_percent=40)
    first = told(snapshot(preferences=wishes, soc=40.0))
    assert first.low == 0
    held = {"inverter": first}
    assert told(snapshot(preferences=wishes, soc=40.4, commanded=held)).low == 0
    assert told(snapshot(preferences=wishes, soc=41.2, commanded=held)).low == -5_000


def test_the_plan_knows_the_hold_as_a_charge_that_ends_and_a_rest() -> None:
    half, end = 5_000 / 0.95 / 5_000 * 1.2, START + 10 * HOUR
    charge, rest = storm_windows(SITE, STORM, snapshot(soc=50), START)
    assert (charge.kind, charge.value, charge.authority) == (LimitKind.BATTERY_SETPOINT, 5_000, Authority.PROTECTION)
    assert (charge.start, charge.end) == (START, START + half * HOUR)
    assert (rest.value, rest.start, rest.end) == (0, charge.end, end)
    assert [x.value for x in storm_windows(SITE, STORM, snapshot(soc=100), START)] == [0]


def test_the_hold_outlives_a_restart_and_preferences_of_the_last_version_open() -> None:
    document = json.loads(json.dumps(preferences_document(STORM)))
    assert preferences_from(document) == STORM
    del document["storm_until"], document["island_soc_percent"]
    assert preferences_from(document) == replace(STORM, storm_until=None)


@pytest.mark.slow
def test_the_plan_fills_the_battery_for_the_storm_and_does_without_one_that_was_let_go() -> None:
    from gateway.core.planning.scheduler import make_plan
    from gateway.runtime.request import _obeying
    from tests.core.test_planning_properties import request

    asked = request(START)
    held = replace(asked.preferences, storm_until=START + 12 * HOUR)
    limits = tuple(storm_windows(asked.site, held, asked.snapshot, START))
    battery = limits[0].device
    stormy = make_plan(replace(asked, preferences=held, limits=limits))
    first = stormy.block(battery, START)
    assert first is not None and first.kind is IntentKind.CHARGE_AT
    inside = [slot.power_w[battery] for slot in stormy.slots if slot.start < START + 12 * HOUR]
    assert min(inside) >= -1
    without = make_plan(replace(asked, site=_obeying(asked.site, {battery})))
    assert without.block(battery, START) is None
