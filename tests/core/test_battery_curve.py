"""A battery that takes and gives less at some states of charge: plan, rules and tick keep to its curve."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.control.batteries import StorageMemory, battery_setpoints
from gateway.core.control.storage import own_wish
from gateway.core.control.storm import SPARE, storm_windows
from gateway.core.control.timing import ControlTiming
from gateway.core.planning.fallback import rules
from gateway.core.planning.home import make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.twin import Twin
from gateway.model.authority import Authority
from gateway.model.dr import PricePoint
from gateway.model.plan import IntentKind, Plan
from gateway.model.setpoint import Limit, LimitKind, Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Site
from tests.core.homes import SITE, block, plan, snapshot
from tests.core.replay_homes import BATTERY as REPLAYED
from tests.core.replay_homes import record, setup
from tests.core.test_planning_properties import assert_possible, at, plan_of, request
from tests.fakes import START

TAPER = ((5.0, 5_000.0, 1_000.0), (20.0, 5_000.0, 5_000.0), (80.0, 5_000.0, 5_000.0), (100.0, 500.0, 5_000.0))
"""Full power between 20 and 80 %; the last fifth ever slower to charge, the first ever slower to discharge."""
SPEC = BatterySpec(10_000, 5_000, 5_000, power_by_soc=TAPER)


def with_spec(site: Site, spec: BatterySpec) -> Site:
    return replace(site, devices=tuple(replace(d, spec=spec) if d.id == "inverter" else d for d in site.devices))


# ---- the curve


@pytest.mark.parametrize(
    ("soc", "charge_w", "discharge_w"),
    [
        (0, 5_000, 1_000),
        (5, 5_000, 1_000),
        (12.5, 5_000, 3_000),
        (50, 5_000, 5_000),
        (90, 2_750, 5_000),
        (100, 500, 5_000),
    ],
)
def test_the_most_power_is_linear_between_the_points_and_flat_outside(
    soc: float, charge_w: float, discharge_w: float
) -> None:
    now = SPEC.at(soc)
    assert [now.max_charge_w, now.max_discharge_w] == pytest.approx([charge_w, discharge_w])


def test_without_points_or_without_a_state_of_charge_the_greatest_power_holds() -> None:
    assert BatterySpec(10_000, 5_000, 4_000).at(99.0).max_charge_w == 5_000
    assert SPEC.at(None) is SPEC
    small = BatterySpec(10_000, 3_000, 3_000, power_by_soc=TAPER)
    assert small.at(50.0).max_charge_w == 3_000, "a point never allows more than the greatest power"


# ---- the tick


def band(soc: float, kind: IntentKind = IntentKind.ZERO_GRID, power_w: float = 0.0, **more: Any) -> tuple[float, float]:
    site = with_spec(SITE, SPEC)
    snap = snapshot(soc=soc, planned=plan(block("inverter", kind, power_w)), **more)
    wish = own_wish(site, snap, site.devices[1])
    return wish.low, wish.value


@pytest.mark.parametrize(
    ("soc", "low", "high"), [(50, -5_000, 5_000), (90, -5_000, 2_750), (99, -5_000, 500), (100, -5_000, 500), (16, -3_750, 5_000)]
)  # fmt: skip
def test_the_band_is_bounded_by_the_curve_in_steps_of_a_twentieth(soc: float, low: float, high: float) -> None:
    assert list(band(soc)) == pytest.approx([low, high])


def test_a_planned_charge_and_a_utilitys_setpoint_are_bounded_too() -> None:
    assert band(90.0, IntentKind.CHARGE_AT, 4_000.0) == (2_750.0, 2_750.0)
    setpoint = Limit(
        LimitKind.BATTERY_SETPOINT,
        5_000.0,
        START,
        START + timedelta(hours=1),
        Authority.DEMAND_RESPONSE,
        "vtn",
        "Fill up.",
        "inverter",
    )
    assert band(95.0, limits=(setpoint,)) == (1_500.0, 1_500.0)


@pytest.mark.slow
@given(st.floats(0, 100), st.sampled_from(list(IntentKind)), st.floats(-6_000, 6_000))
def test_whatever_is_planned_no_band_leaves_the_curve(soc: float, kind: IntentKind, power_w: float) -> None:
    now = SPEC.at(soc)
    low, high = band(soc, kind, abs(power_w) if kind is IntentKind.CHARGE_AT else power_w)
    assert -now.max_discharge_w - 1e-6 <= low <= high <= now.max_charge_w + 1e-6


def commanded(soc: float, before: tuple[float, float], kind: IntentKind, power_w: float) -> tuple[float, float]:
    """What is sent to a battery that was told `before` (low, high)."""
    site = with_spec(SITE, SPEC)
    told = Setpoint("inverter", SetpointKind.BATTERY_BAND, before[1], START, Authority.PLAN, "planned", low=before[0])
    snap = snapshot(soc=soc, planned=plan(block("inverter", kind, power_w)), commanded={"inverter": told})
    [sent], _ = battery_setpoints(site, snap, lambda device: math.inf, ControlTiming(), StorageMemory(), 0.0)
    return sent.low, sent.value


def test_a_command_is_kept_only_while_the_curve_allows_it() -> None:
    """A forced power is not written anew for 400 W, unless the battery cannot do it any more."""
    assert commanded(50.0, (-5_000, 0), IntentKind.DISCHARGE_AT, -4_700.0) == (-5_000, 0)
    assert commanded(19.0, (-5_000, 0), IntentKind.DISCHARGE_AT, -4_700.0) == (-4_500, 0)


def test_while_the_grid_is_lost_the_band_keeps_to_the_curve() -> None:
    site = with_spec(SITE, SPEC)
    [sent], _ = battery_setpoints(
        site, snapshot(soc=90.0), lambda device: None, ControlTiming(), StorageMemory(), 0.0, island=True
    )
    assert (sent.low, sent.value) == (-5_000.0, 2_750.0)


# ---- the plan


def asked(spec: BatterySpec, **change: Any) -> PlanRequest:
    made = request(change.pop("now", NIGHT), **{"sun_w": 0.0, "target_wh": 0.0} | change)
    preferences = replace(made.preferences, accept_higher_peak=True)
    snapshot = replace(made.snapshot, preferences=preferences)
    return replace(made, site=with_spec(made.site, spec), preferences=preferences, snapshot=snapshot)


def beyond_wh(made: PlanRequest, result: Plan) -> tuple[float, float]:
    """The most that a slot's plan moves more than the battery could, Wh: in slots of a quarter hour at most, in any."""
    home = make_home(made)
    battery, near, far, energy = home.batteries[0], 0.0, 0.0, home.batteries[0].start_wh
    spec = battery.spec
    for slot in result.slots:
        hours, power, moved = slot.duration_s / 3600, slot.power_w["inverter"], 0.0
        inside = energy
        for _ in range(60):
            now = spec.at(100 * inside / spec.capacity_wh)
            flow = min(now.max_charge_w, power * 1e6) if power > 0 else -min(now.max_discharge_w, -power * 1e6)
            flow = flow if abs(moved) < abs(power * hours) else 0.0
            moved += flow * hours / 60
            inside += flow * hours / 60 * (spec.charge_efficiency if flow > 0 else 1 / spec.discharge_efficiency)
        far = max(far, abs(power * hours) - abs(moved))
        near = far if slot.duration_s <= 900 else near
        assert slot.soc_percent is not None
        energy = slot.soc_percent * spec.capacity_wh / 100
    return near, far


NIGHT, TWO, THREE = at("2026-11-20 22:00"), at("2026-11-21 02:00"), at("2026-11-21 03:00")
EVENING = at("2026-11-21 22:00")
NEAR_WH, FAR_WH = 90.0, 500.0
"""A slot within one segment is exact. One that crosses a bend is a little beyond: of 1250 Wh in a quarter hour by at most
slope * 1250 Wh / 8 * 0.25 h, which is 85 Wh where 5 kW fall to nothing over 23 % of 10 kWh; of 5000 Wh in the hours a day
ahead, which are planned again many times."""
CHEAP = PricePoint("PRICE", 1_000.0, TWO, at("2026-11-21 05:00"))
DEAR = PricePoint("PRICE", 900_000.0, at("2026-11-21 05:00"), EVENING)


@pytest.mark.slow
def test_a_slowing_battery_is_charged_for_longer_than_its_greatest_power_needs() -> None:
    """From 60 %, one nearly free hour before a dear day: 4 kWh take 51 minutes at 5 kW, but the last fifth is slow.

    To 80 %: 2000 / (5000 * 0.95) = 0.42 h. Then 5000 exp(-2.14 t) W for 0.58 h: 1.58 kWh, to 95.8 %.
    """
    hour = PricePoint("PRICE", 1_000.0, TWO, THREE)
    dear = [PricePoint("PRICE", 900_000.0, start, end) for start, end in ((NIGHT, TWO), (THREE, EVENING))]
    held = []
    for spec in (replace(SPEC, power_by_soc=()), SPEC):
        result = plan_of(asked(spec, soc=60.0, reserve=60.0, price_signals=(hour, *dear)))
        held.append(next(s.soc_percent for s in result.slots if s.start + timedelta(seconds=s.duration_s) == THREE))
    assert held == [pytest.approx(100.0, abs=0.1), pytest.approx(95.8, abs=0.4)]


@pytest.mark.slow
@pytest.mark.parametrize("soc", [8.0, 20.0, 50.0, 90.0])
def test_no_slot_of_the_plan_asks_for_more_than_the_battery_can_do_in_it(soc: float) -> None:
    made = asked(SPEC, soc=soc, load_w=3_000.0, price_signals=(CHEAP, DEAR), reserve=5.0)
    result = plan_of(made)
    assert result.method == "optimised"
    assert_possible(made, result)
    near, far = beyond_wh(made, result)
    assert near < NEAR_WH and far < FAR_WH
    assert max(slot.power_w["inverter"] for slot in result.slots) > 4_000


@pytest.mark.slow
def test_where_the_curve_does_not_bind_the_plan_is_the_same() -> None:
    """Starting at 60 % with a load that never brings it to an end of the curve."""
    wide = ((0.0, 5_000.0, 5_000.0), (100.0, 5_000.0, 5_000.0))
    one, two = (plan_of(asked(replace(SPEC, power_by_soc=points), soc=60.0)) for points in ((), wide))
    assert [s.power_w for s in one.slots] == [s.power_w for s in two.slots]


def test_a_curve_that_is_not_concave_is_planned_by_its_envelope_and_kept_by_the_rules() -> None:
    dip = ((0.0, 5_000.0, 5_000.0), (50.0, 1_000.0, 5_000.0), (100.0, 5_000.0, 5_000.0))
    made = asked(replace(SPEC, power_by_soc=dip), soc=45.0, load_w=1_500.0, price_signals=(CHEAP, DEAR))
    assert max(s.power_w["inverter"] for s in plan_of(made).slots) > 4_500
    sunny = asked(replace(SPEC, power_by_soc=dip), soc=45.0, sun_w=9_000.0, now=at("2026-11-20 10:00"))
    home = make_home(sunny)
    schedule = rules(home)
    power, state = schedule.power_w["inverter"], schedule.state["inverter"]
    before = np.concatenate(([home.batteries[0].start_wh], state[:-1]))
    most = [home.batteries[0].spec.at(wh / 100).max_charge_w for wh in before]
    assert (power <= np.array(most) + 1e-6).all() and power.max() > 1_000


CURVE = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 5_000), st.integers(0, 5_000)), min_size=1, max_size=5,
    unique_by=lambda point: point[0],
).map(lambda rows: tuple((float(a), float(b), float(c)) for a, b, c in sorted(rows)))  # fmt: skip


@pytest.mark.slow
@given(CURVE, st.floats(0, 100), st.sampled_from([0.0, 6_000.0]), st.sampled_from([0.0, 5.0, 40.0]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_curve_makes_a_possible_plan(points: Any, soc: float, sun_w: float, reserve: float) -> None:
    made = asked(replace(SPEC, power_by_soc=points), soc=soc, sun_w=sun_w, reserve=reserve, price_signals=(CHEAP, DEAR))
    result = plan_of(made)
    assert result.method == "optimised"
    assert_possible(made, result)


@pytest.mark.slow
@given(st.integers(1, 98), st.integers(0, 5_000), st.floats(0, 100), st.sampled_from([0.0, 6_000.0]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_knee_of_a_concave_curve_no_slot_asks_for_more_than_it_leaves(
    knee: int, last_w: int, soc: float, sun_w: float
) -> None:
    points = ((0.0, 5_000.0, 5_000.0), (float(knee), 5_000.0, 5_000.0), (100.0, float(last_w), 5_000.0))
    made = asked(replace(SPEC, power_by_soc=points), soc=soc, sun_w=sun_w, price_signals=(CHEAP, DEAR))
    near, far = beyond_wh(made, plan_of(made))
    per_hour = (5_000 - last_w) / ((100 - knee) / 100 * 10_000)
    assert near < max(NEAR_WH, per_hour * 1_250 / 8 * 0.25) and far < FAR_WH


# ---- the twin


def test_the_twin_charges_and_discharges_no_faster_than_the_curve() -> None:
    """A sunny day and an evening of 5 kW: whatever the quarter hour began with bounds its power."""
    taper = ((10.0, 4_000.0, 1_000.0), (30.0, 4_000.0, 4_000.0), (80.0, 4_000.0, 4_000.0), (100.0, 400.0, 4_000.0))
    spec = BatterySpec(8_000, 4_000, 4_000, power_by_soc=taper)
    lived = record(2, sun_w=9_000.0, house_w=4_000.0)
    twin = Twin(setup(replace(REPLAYED, spec=spec)), lived)
    powers = []
    for index in range(lived.count):
        now = spec.at(twin.stored_wh["battery"] / 80)
        flow = twin.step(index, None)["battery"]
        assert -now.max_discharge_w - 1e-6 <= flow <= now.max_charge_w + 1e-6
        powers.append(flow)
    assert max(powers) > 2_000 and min(powers) < -2_000


def test_a_storm_hold_gives_the_plan_the_time_that_a_slowing_battery_needs() -> None:
    """From 80 % at 5 kW: 2 kWh / 0.95 = 25 min. Falling to 0.5 kW: ln(10) * 2 kWh / (4.5 kW * 0.95) = 65 min."""
    until = START + timedelta(hours=12)
    filled = []
    for spec in (replace(SPEC, power_by_soc=()), SPEC):
        snap = snapshot(soc=80.0)
        preferences = replace(snap.preferences, storm_until=until)
        first, rest = storm_windows(with_spec(SITE, spec), preferences, snap, START)
        assert (rest.start, rest.end, rest.value) == (first.end, until, 0.0)
        filled.append((first.end - START).total_seconds() / 60 / SPARE)
    assert filled == [pytest.approx(25.3, abs=0.1), pytest.approx(64.6, abs=1.5)]
