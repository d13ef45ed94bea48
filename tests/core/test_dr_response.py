"""What the home does about an event: opt, limits per device, prices, alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from gateway.core.demand_response.opt import decide_opt
from gateway.core.demand_response.response import alerts, prices, to_limits
from gateway.core.demand_response.strategies import parse_strategies
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.agreement import DrPolicy
from gateway.model.authority import Authority
from gateway.model.dr import DrProgram, OptState
from gateway.model.preferences import Preferences
from gateway.model.setpoint import LimitKind
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from tests.core.test_dr_timeline import FOREVER, T0, at, event, h, record, simple, step

TABLES = Path(__file__).parents[2] / "config" / "dr"
SITE = Site(
    "Home", ZoneInfo("Europe/Brussels"), 50.8, 4.4, "EUR", 3, 25.0,
    (
        Device("car", "Car", Role.EV_CHARGER, ChargerSpec()),
        Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(10_000, 5_000, 5_000)),
        Device("tank", "Tank", Role.WATER_HEATER, WaterHeaterSpec(2000, 200)),
        Device("heat", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2500)),
        Device("meter", "Meter", Role.MAIN_METER),
    ),
)  # fmt: skip


def table(name: str = "default"):
    return parse_strategies(YAML(typ="safe").load(TABLES / f"{name}.yaml"))


def limits(*records, now=T0, strategies=None, return_s=0.0) -> list:
    """The limits; without a return after an event unless it is asked for."""
    timeline = build_timeline(records, {}, now)
    return to_limits(timeline, now, replace(strategies or table(), return_s=return_s), site=SITE)


def of(found, device) -> list[tuple]:
    return [(x.kind, x.value, x.start, x.end) for x in found if x.device == device]


@pytest.mark.parametrize(
    ("level", "car_w", "tank", "heat_k"), [(1, 4140, 1, -1), (2, 0, 2, -2), (3, 0, 2, -3)], ids=["1", "2", "3"]
)
def test_a_level_means_what_the_table_says(level, car_w, tank, heat_k):
    found = {x.device: x for x in limits(record(simple("e", level, 1, 3)))}
    assert found["car"].kind is LimitKind.DEVICE_POWER and found["car"].value == car_w
    assert (found["tank"].kind, found["tank"].value) == (LimitKind.TANK_SHED, tank)
    assert (found["heat"].kind, found["heat"].value) == (LimitKind.TEMPERATURE_OFFSET, heat_k)
    assert (found["inverter"].kind, found["inverter"].value) == (LimitKind.BATTERY_DISCHARGE, 1)
    assert found["car"].authority is Authority.DEMAND_RESPONSE and found["car"].source == "vtn:e"
    assert "until 04:00" in found["car"].reason


@pytest.mark.parametrize("level", [0, 4, -1, 1.5, True, "2"])
def test_level_zero_and_nonsense_limit_nothing(level):
    assert limits(record(simple("e", level, 0, 3))) == []


def test_limits_are_given_ahead_and_past_ones_are_not():
    found = limits(record(simple("old", 2, -3, -1)), record(simple("new", 2, 5, 6)))
    assert {x.source for x in found} == {"vtn:new"} and not any(x.holds(T0) for x in found)


def test_an_open_end_is_stated_again_however_long_ago_it_began():
    open_ended = record(event(step(0, 2, kind="SIMPLE"), period=at(T0, FOREVER)))
    assert all(x.holds(h(24 * 90)) for x in limits(open_ended, now=h(24 * 90)))


def test_an_event_for_the_car_alone_leaves_the_rest_to_the_other():
    home = record(simple("home", 1, 0, 3))
    car = record(simple("car event", 2, 1, 2, targets=("car",), priority=0))
    found = limits(home, car)
    assert [(x[1], x[2], x[3]) for x in of(found, "car")] == [(4140, T0, h(1)), (0, h(1), h(2)), (4140, h(2), h(3))]
    assert [(x[1], x[2], x[3]) for x in of(found, "tank")] == [(1, T0, h(3))]


def test_an_override_releases_that_device_only_and_never_a_binding_one():
    aside = {"overridden_at": T0, "overridden_devices": ("car",)}
    assert {x.device for x in limits(record(simple("e", 2, 0, 3), **aside))} == {"inverter", "tank", "heat"}
    bound = limits(record(simple("e", 2, 0, 3), opt=OptState.BINDING, **aside))
    assert "car" in {x.device for x in bound} and {x.authority for x in bound} == {Authority.BINDING_LIMIT}


@pytest.mark.parametrize(("units", "watts"), [({}, 4500), ({"IMPORT_CAPACITY_LIMIT": "KW"}, 4500),
                                              ({"IMPORT_CAPACITY_LIMIT": "W"}, 4.5)], ids=["none", "KW", "W"])  # fmt: skip
def test_a_capacity_limit_is_a_binding_limit_of_the_site(units, watts):
    found = limits(record(event(step(0, 4.5, kind="IMPORT_CAPACITY_LIMIT"), period=at(), units=units)))
    assert [(x.kind, x.value, x.device, x.authority) for x in found] == [
        (LimitKind.SITE_IMPORT, watts, "", Authority.BINDING_LIMIT)
    ]


def test_an_export_limit_and_a_unit_nobody_knows():
    export = event(step(0, 0, kind="EXPORT_CAPACITY_LIMIT"), period=at())
    assert [(x.kind, x.value) for x in limits(record(export))] == [(LimitKind.SITE_EXPORT, 0)]
    odd = event(step(0, 5, kind="IMPORT_CAPACITY_LIMIT"), period=at(), units={"IMPORT_CAPACITY_LIMIT": "AMPS"})
    assert limits(record(odd)) == []


def test_a_dispatch_sets_the_battery_when_its_unit_is_known():
    dispatch = event(step(0, -2.5, kind="DISPATCH_SETPOINT"), period=at(), units={"DISPATCH_SETPOINT": "KW"})
    found = limits(record(dispatch))
    assert [(x.kind, x.value, x.device) for x in found] == [(LimitKind.BATTERY_SETPOINT, -2500, "inverter")]
    assert limits(record(event(step(0, 1, kind="DISPATCH_SETPOINT"), period=at()))) == []


def test_prices_need_units_and_the_right_currency():
    units = {"PRICE": "MWH", "EXPORT_PRICE": "KWH"}
    good = event(step(0, 120.0), step(1, -5.0), period=at(), units=units, currencies={"PRICE": "EUR"})
    points = prices(build_timeline([record(good)], {}, T0), "EUR")
    assert [(p.kind, p.value, p.start, p.end) for p in points] == [
        ("PRICE", 120_000, T0, h(1)), ("PRICE", -5_000, h(1), h(2)),
    ]  # fmt: skip
    assert prices(build_timeline([record(good)], {}, T0), "USD") == []
    assert prices(build_timeline([record(event(step(0, 1.0), period=at()))], {}, T0)) == []


def test_the_carbon_intensity_is_told_in_g_per_kwh():
    ghg = build_timeline([record(event(step(0, 210.0, kind="GHG"), period=at()))], {}, T0)
    assert [(p.kind, p.value) for p in prices(ghg)] == [("GHG", 210.0)]


def test_an_alert_is_shown_and_a_flex_alert_acts_like_a_level():
    flex = record(event(step(0, "save please", kind="ALERT_FLEX_ALERT"), period=at()))
    assert alerts(build_timeline([flex], {}, T0), T0) == [("Alert of the utility, flex alert: save please", "warning")]
    assert {x.device for x in limits(flex)} == {"car", "inverter", "tank", "heat"}


OPTS = {
    "joins by policy": (2, {}, OptState.JOINED),
    "asks by policy": (2, {"dr_policy": DrPolicy.ASK}, OptState.UNDECIDED),
    "never by policy": (2, {"dr_policy": DrPolicy.NEVER}, OptState.SKIPPED),
    "consent comes before policy": (2, {"dr_policy": DrPolicy.NEVER, "consents": {"p": "voluntary"}}, OptState.JOINED),
    "binding by consent": (2, {"consents": {"p": "binding"}}, OptState.BINDING),
    "consent by the program's name": (2, {"consents": {"Peak": "none"}}, OptState.SKIPPED),
}


@pytest.mark.parametrize("name", OPTS)
def test_the_opt(name):
    level, wish, expected = OPTS[name]
    program = DrProgram("p", "vtn", "Peak", binding=True)
    assert decide_opt(simple("e", level, 0, 1), program, Preferences(**wish))[0] is expected


def test_capacity_limits_bind_and_prices_inform_even_one_who_never_joins():
    never = Preferences(dr_policy=DrPolicy.NEVER)
    assert decide_opt(event(step(0, 4, kind="IMPORT_CAPACITY_LIMIT")), None, never)[0] is OptState.BINDING
    assert decide_opt(event(step(0, 0.2)), None, never)[0] is OptState.JOINED


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("BANANA", 3, "BANANA"),
        ("SIMPLE", "two", "SIMPLE two"),
        ("SIMPLE", 99, "SIMPLE 99"),
        ("CONTROL_SETPOINT", 3.0, "CONTROL_SETPOINT 3.0"),
        ("IMPORT_CAPACITY_LIMIT", -4, "IMPORT_CAPACITY_LIMIT -4"),
    ],
)
@pytest.mark.parametrize("consent", ["", "voluntary", "binding"])
def test_an_event_the_home_cannot_act_on_is_never_told_as_joined(kind, value, words, consent):
    found = event(step(0, value, kind=kind))
    opt, reason = decide_opt(found, None, Preferences(consents={"p": consent} if consent else {}))
    assert opt is OptState.SKIPPED
    assert reason == f"Hearth does not understand this event ({words}), so it changes nothing."


def test_one_understood_step_and_a_unit_of_the_program_make_an_event_understood():
    mixed = event(step(0, 99, kind="SIMPLE"), step(1, 2, kind="SIMPLE"))
    program = DrProgram("p", "vtn", "Peak", units={"CONTROL_SETPOINT": "KW"})
    assert decide_opt(mixed, None, Preferences())[0] is OptState.JOINED
    assert decide_opt(event(step(0, 3, kind="CONTROL_SETPOINT")), program, Preferences())[0] is OptState.JOINED


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "", "For information; its prices cannot be used (no unit)."),
        (0.3, "", "For information; its prices cannot be used (no unit)."),
        (None, "KWH", "For information; its prices cannot be used (no number in a known unit)."),
        (0.3, "KWH", "For information: it asks nothing of you."),
    ],
)
def test_prices_that_cannot_be_used_are_told_so(value, unit, words):
    units = {"PRICE": unit} if unit else {}
    assert decide_opt(event(step(0, value), units=units), None, Preferences()) == (OptState.JOINED, words)


@pytest.mark.parametrize("name", [path.stem for path in TABLES.glob("*.yaml")])
def test_every_shipped_table_can_be_read(name):
    assert set(table(name).levels) == {1, 2, 3}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"levels": {1: {"ev": "stop"}}}, "levels.1.ev: 'stop' is not known; use one of normal, minimum, pause"),
        ({"levels": {5: {}}}, "5 is not a level"),
        ({"levels": {1: {"car": "pause"}}}, "unknown key 'car'"),
        ({"levels": {1: {"pv_percent": 120}}}, "not a number from 0 to 100"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_place(document, words):
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        parse_strategies(document)


def test_the_table_may_limit_the_sun():
    found = limits(record(simple("e", 2, 0, 1)), strategies=table("pv_curtailment"))
    assert (LimitKind.PV_PERCENT, 50.0, T0, T0 + timedelta(hours=1)) in of(found, "inverter")
