"""Each payload type the home acts on: contracts, setpoints, charge states, offsets, warnings; returns and safe values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from gateway.core.demand_response.opt import decide_opt
from gateway.core.demand_response.response import to_limits
from gateway.core.demand_response.safe import next_safe, safe_limits
from gateway.core.demand_response.strategies import parse_strategies
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.authority import Authority
from gateway.model.dr import DrProgram, OptState
from gateway.model.preferences import Preferences
from gateway.model.setpoint import LimitKind as K
from tests.core.test_dr_response import SITE, limits, table
from tests.core.test_dr_timeline import FOREVER, T0, at, event, h, record, simple, step

KW = "KW"


def one(kind, value, *, unit="", start=T0, length=None, **more):
    """An event with one value of one kind."""
    units = {kind: unit} if unit else {}
    period = at(start) if length is None else at(start, length)
    return event(step(0, value, kind=kind), period=period, units=units, **more)


def short(found) -> list[tuple]:
    return [(x.kind, x.value, x.device, x.start, x.end) for x in found]


# ---- capacity


def test_what_was_granted_comes_on_top_of_what_was_subscribed_and_binds():
    base = one("IMPORT_CAPACITY_SUBSCRIPTION", 3.0, unit=KW, name="base", length=FOREVER)
    more = one("IMPORT_CAPACITY_RESERVATION", 2.0, unit=KW, name="more", start=h(1))
    found = [x for x in limits(record(base), record(more)) if x.kind is K.SITE_IMPORT]
    assert [(x.value, x.start, x.authority) for x in found] == [
        (3000, T0, Authority.BINDING_LIMIT), (5000, h(1), Authority.BINDING_LIMIT), (3000, h(2), Authority.BINDING_LIMIT),
    ]  # fmt: skip
    assert "3 kW subscribed, 2 kW granted on top" in found[1].reason


def test_a_reservation_alone_limits_nothing_and_one_of_another_program_adds_nothing():
    assert limits(record(one("IMPORT_CAPACITY_RESERVATION", 2.0, unit=KW))) == []
    base = one("EXPORT_CAPACITY_SUBSCRIPTION", 1.0, unit=KW, name="base")
    other = replace(one("EXPORT_CAPACITY_RESERVATION", 9.0, unit=KW, name="other"), program="elsewhere")
    assert [(x.kind, x.value) for x in limits(record(base), record(other))] == [(K.SITE_EXPORT, 1000)]


def test_a_capacity_limit_below_the_subscription_stands_beside_it():
    base = one("IMPORT_CAPACITY_SUBSCRIPTION", 5.0, unit=KW, name="base")
    limit = one("IMPORT_CAPACITY_LIMIT", 2.0, unit=KW, name="limit")
    assert {x.value for x in limits(record(base), record(limit))} == {5000, 2000}


@pytest.mark.parametrize("kind", ["IMPORT_CAPACITY_SUBSCRIPTION", "EXPORT_CAPACITY_RESERVATION"])
def test_a_contract_is_binding_whatever_the_policy(kind):
    assert decide_opt(one(kind, 3.0, unit=KW), None, Preferences())[0] is OptState.BINDING


@pytest.mark.parametrize("kind", ["IMPORT_CAPACITY_AVAILABLE", "EXPORT_CAPACITY_AVAILABLE_PRICE", "PRICE_ALTERNATE"])
def test_what_is_only_offered_is_information(kind):
    opt, words = decide_opt(one(kind, 3.0), None, Preferences())
    assert opt is OptState.JOINED and words == "For information: it asks nothing of you."


# ---- setpoints and charge states


@pytest.mark.parametrize(("kind", "value", "expected"), [
    ("DISPATCH_SETPOINT", -2.5, -2500), ("CONTROL_SETPOINT", 1.0, 1000), ("DISPATCH_SETPOINT_RELATIVE", -1.5, -1500),
])  # fmt: skip
def test_a_setpoint_that_names_no_device_means_the_battery(kind, value, expected):
    found = limits(record(one(kind, value, unit=KW)))
    assert [(x.kind, x.value, x.device) for x in found] == [(K.BATTERY_SETPOINT, expected, "inverter")]


@pytest.mark.parametrize(("kind", "value", "target", "expected"), [
    ("DISPATCH_SETPOINT", 4.0, "car", [(K.DEVICE_POWER, 4000, "car")]),
    ("DISPATCH_SETPOINT", 22.0, "car", []),
    ("DISPATCH_SETPOINT_RELATIVE", -5.0, "car", [(K.DEVICE_POWER, 16 * 690 - 5000, "car")]),
    ("DISPATCH_SETPOINT_RELATIVE", -50.0, "car", [(K.DEVICE_POWER, 0, "car")]),
    ("DISPATCH_SETPOINT", 2.0, "tank", [(K.TANK_LOAD_UP, 1, "tank")]),
    ("DISPATCH_SETPOINT", 0.0, "tank", [(K.TANK_SHED, 2, "tank")]),
    ("DISPATCH_SETPOINT", 1.0, "heat", [(K.DEVICE_POWER, 1000, "heat")]),
], ids=["a cap", "a cap above its most", "less", "less than nothing", "tank on", "tank off", "heat pump"])  # fmt: skip
def test_a_setpoint_that_names_a_device_holds_it_down(kind, value, target, expected):
    found = limits(record(one(kind, value, unit=KW, targets=(target,))))
    assert [(x.kind, x.value, x.device) for x in found] == expected


@pytest.mark.parametrize(
    ("value", "unit", "percent"), [(80, "PERCENT", 80), (80, "", 80), (5, "KWH", 50), (50, "KWH", 100)]
)
def test_a_charge_state_is_percent_or_energy(value, unit, percent):
    found = limits(record(one("CHARGE_STATE_SETPOINT", value, unit=unit)))
    assert [(x.kind, x.value, x.device) for x in found] == [(K.BATTERY_SOC, percent, "inverter")]


@pytest.mark.parametrize(("value", "unit"), [(120, "PERCENT"), (-5, "PERCENT"), ("full", ""), (50, "VOLTS")])
def test_a_charge_state_that_is_none_is_left_out_and_named(value, unit):
    told = one("CHARGE_STATE_SETPOINT", value, unit=unit)
    assert limits(record(told)) == []
    opt, words = decide_opt(told, None, Preferences())
    assert opt is OptState.SKIPPED and "does not understand" in words


# ---- offsets and alerts


@pytest.mark.parametrize(("kind", "value", "car_w"), [
    ("CONTROL_LEVEL_OFFSET", 2, 4140), ("CONTROL_LEVEL_OFFSET", 4, 0), ("CONTROL_LEVEL_OFFSET", 10, 0),
    ("CONTROL_LEVEL_OFFSET_PERCENT", 0.3, 4140), ("CONTROL_LEVEL_OFFSET_PERCENT", 1.0, 0),
])  # fmt: skip
def test_an_offset_means_a_level_of_the_table(kind, value, car_w):
    found = {x.device: x for x in limits(record(one(kind, value)))}
    assert found["car"].value == car_w and "offset" in found["car"].reason


def test_an_offset_below_zero_uses_more_and_zero_nothing():
    found = {(x.device, x.kind): x.value for x in limits(record(one("CONTROL_LEVEL_OFFSET", -3)))}
    assert found == {
        ("tank", K.TANK_LOAD_UP): 1, ("heat", K.TEMPERATURE_OFFSET): 1, ("inverter", K.BATTERY_SOC): 100,
    }  # fmt: skip
    assert limits(record(one("CONTROL_LEVEL_OFFSET", 0))) == []


@pytest.mark.parametrize(("kind", "value"), [
    ("CONTROL_LEVEL_OFFSET", 11), ("CONTROL_LEVEL_OFFSET", 1.5), ("CONTROL_LEVEL_OFFSET_PERCENT", 30), ("CONTROL_LEVEL_OFFSET", True),
])  # fmt: skip
def test_an_offset_out_of_range_is_left_out_never_clamped(kind, value):
    assert limits(record(one(kind, value))) == []
    assert decide_opt(one(kind, value), None, Preferences())[0] is OptState.SKIPPED


def test_a_warning_of_an_outage_fills_the_battery_and_is_the_owners_to_skip():
    warning = one("ALERT_POSSIBLE_OUTAGE", "storm")
    assert [(x.kind, x.value, x.device) for x in limits(record(warning))] == [(K.BATTERY_SOC, 100, "inverter")]
    assert decide_opt(warning, None, Preferences())[0] is OptState.JOINED


@pytest.mark.parametrize("kind", ["CURVE", "OLS", "DISPATCH_INSTRUCTION", "CTA2045_REBOOT"])
def test_what_no_device_takes_is_recorded_only(kind):
    opt, words = decide_opt(one(kind, 1.0), None, Preferences())
    assert opt is OptState.SKIPPED and "it is recorded" in words
    assert limits(record(one(kind, 1.0))) == []


def test_two_events_that_warm_less_never_add_up():
    found = limits(record(simple("a", 1, 0, 2)), record(simple("b", 2, 0, 2)))
    heat = [x for x in found if x.kind is K.TEMPERATURE_OFFSET]
    assert [x.value for x in heat if x.holds(h(1))] == [-2]


def test_a_test_event_says_so_in_every_reason():
    found = limits(record(replace(simple("e", 2, 0, 1), test=True)))
    assert found and all(x.reason.startswith("Test event: ") for x in found)


# ---- the return


def test_devices_return_in_steps_each_at_its_own_moment_and_joined_only():
    found = limits(record(simple("e", 2, 0, 1), opt=OptState.BINDING), return_s=300.0)
    after = [x for x in found if x.start >= h(1)]
    assert {x.authority for x in after} == {Authority.DEMAND_RESPONSE}
    car = [x for x in after if x.device == "car"]
    assert [x.value for x in car] == [0, 16 * 690 / 2] and car[0].end == car[1].start <= h(1) + timedelta(seconds=300)
    assert [(x.value, x.end) for x in after if x.device == "heat"] == [(-1, h(1) + timedelta(seconds=300))]
    assert all("returns in steps" in x.reason for x in after)


def test_a_return_goes_on_when_the_event_is_already_over():
    while_on = limits(record(simple("e", 2, 0, 1)), return_s=300.0)
    moment = h(1) + timedelta(seconds=20)
    over = limits(record(simple("e", 2, 0, 1)), return_s=300.0, now=moment)
    assert set(short(over)) == {x for x in short(while_on) if x[4] > moment}


def test_nothing_returns_between_two_events_or_when_one_was_skipped():
    two = limits(record(simple("a", 2, 0, 1)), record(simple("b", 2, 1, 2)), return_s=300.0)
    assert not [x for x in two if x.start == h(1) and "returns" in x.reason]
    assert limits(record(simple("e", 2, 0, 1), opt=OptState.SKIPPED), return_s=300.0, now=h(1)) == []


def test_twenty_homes_do_not_start_at_once():
    """The peak of twenty cars behind an event, each of them allowed all it may have before."""
    moments = [h(1) + timedelta(seconds=10 * i) for i in range(60)]
    homes = []
    for number in range(20):
        site = replace(SITE, name=f"Home {number}")
        timeline = build_timeline([record(simple("e", 2, 0, 1))], {}, h(1))
        found = [x for x in to_limits(timeline, h(1), table(), site=site) if x.device == "car"]
        homes.append([min([x.value for x in found if x.holds(m)], default=16 * 690.0) for m in moments])
    total = [sum(home[i] for home in homes) for i in range(len(moments))]
    rises = [later - earlier for earlier, later in pairwise(total)]
    assert total[-1] == 20 * 16 * 690.0 and max(rises) <= 0.35 * total[-1]


# ---- the safe value

PROGRAM = DrProgram("p", "vtn", "Grid-aware charging")


def safe_table(**safe):
    return parse_strategies({"programs": {"p": {"safe": safe}}})


def test_a_silent_server_means_the_programs_safe_value_after_its_time():
    strategies, silent = safe_table(import_kw=5, after_s=600), {"vtn": T0}
    empty = build_timeline([], {}, T0)
    ask = lambda now, timeline=empty: safe_limits(timeline, {"vtn:p": PROGRAM}, silent, strategies, SITE, now)  # noqa: E731
    assert ask(T0 + timedelta(seconds=599)) == []
    (held,) = ask(T0 + timedelta(seconds=600))
    assert (held.kind, held.value, held.authority) == (K.SITE_IMPORT, 5000, Authority.BINDING_LIMIT)
    assert "Grid-aware charging" in held.reason and "not heard since" in held.reason
    assert next_safe({"vtn:p": PROGRAM}, silent, strategies, T0) == T0 + timedelta(seconds=600)
    assert safe_limits(empty, {"vtn:p": PROGRAM}, {}, strategies, SITE, h(5)) == [], "a server that is heard"


def test_a_known_limit_goes_on_to_its_own_end_before_the_safe_value():
    strategies, silent = safe_table(import_kw=5, after_s=60), {"vtn": T0}
    known = build_timeline([record(one("IMPORT_CAPACITY_LIMIT", 9.0, unit=KW))], {}, T0)
    programs = {"vtn:p": PROGRAM}
    assert safe_limits(known, programs, silent, strategies, SITE, T0 + timedelta(minutes=30)) == []
    assert [x.value for x in safe_limits(known, programs, silent, strategies, SITE, h(1))] == [5000]


# ---- the table


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"programs": {"p": {"safe": {}}}}, "programs.p.safe: says neither import_kw nor export_kw"),
        (
            {"programs": {"p": {"safe": {"import_kw": -1}}}},
            "programs.p.safe.import_kw: -1 is not a number from 0 to 1000",
        ),
        ({"programs": {"p": {"pays": {"per_day": 1}}}}, "programs.p.pays: unknown key 'per_day'"),
        ({"offsets": {0: 1}}, "offsets: 0 is not an offset; use whole numbers from 1 to 10"),
        ({"alerts": {"ALERT_WIND": "fill"}}, "alerts.ALERT_WIND: 'fill' is not a level; use 1, 2 or 3, or reserve"),
        ({"return_s": 9999}, "return_s: 9999 is not a number from 0 to 3600"),
        ({"more": {"ev": "faster"}}, "more.ev: 'faster' is not known; use one of normal, minimum, pause"),
    ],
)
def test_a_mistake_is_named_with_its_place(document, words):
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        parse_strategies(document)


def test_a_program_may_state_levels_safe_value_and_pay_by_its_id_or_key():
    strategies = parse_strategies(
        {"programs": {"p": {1: {"ev": "pause"}, "pays": {"per_kwh": 0.5}}, "q": {"safe": {"export_kw": 0}}}}
    )
    assert strategies.at(1, "vtn:p").ev == "pause" and strategies.at(1, "vtn:q").ev == "normal"
    pay, safe = strategies.pay_of("vtn:p"), strategies.safe_of("vtn:q")
    assert pay is not None and pay.per_kwh == 0.5 and safe is not None and (safe.import_w, safe.export_w) == (None, 0)
