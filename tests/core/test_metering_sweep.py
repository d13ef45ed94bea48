"""What one sweep says of itself: witnesses, panels without voltage by day, and values that stand still."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.core.metering.sweep import SweepMemory
from gateway.core.metering.validator import Validator
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading, Rule
from gateway.model.site import Device, Role
from tests.core.homes import SITE
from tests.fakes import START

METER, PANELS = Device("m", "M", Role.MAIN_METER), Device("p", "P", Role.PV)
BATTERY, PLUG = Device("b", "B", Role.BATTERY), Device("a", "A", Role.APPLIANCE)
OUT, GONE = "-240 V is outside 0..500", "the device says not available"
Values = dict[Q, float | str]

HOME: Values = {Q.VOLTAGE_L1: 230.17, Q.VOLTAGE_L2: 231.4, Q.FREQUENCY: 50.02, Q.CURRENT_L1: 2.03, Q.POWER: 467.0}
SUN: Values = {Q.VOLTAGE_L1: 230.2, Q.FREQUENCY: 50.0, Q.CURRENT_L1: 7.83, Q.POWER: -1800.0}


def sweep(values: Values, at_s: float = 0.0) -> list[Reading]:
    """Readings; words instead of a number are the reason of a missing one, `OUT` that of one out of range."""
    when = START + timedelta(seconds=at_s)
    return [
        Reading("d", quantity, None, when, Quality.MISSING, value, Rule.RANGE if value == OUT else None)
        if isinstance(value, str)
        else Reading("d", quantity, value, when)
        for quantity, value in values.items()
    ]


def rule(memory: SweepMemory, values: Values, at_s: float = 0.0, sun_up: bool | None = True) -> Rule | None:
    doubt = memory.judge(sweep(values, at_s), sun_up, asked=True)
    return doubt[0] if doubt else None


@pytest.mark.parametrize(
    ("device", "values", "expected"),
    [
        (METER, HOME, None),
        (METER, {Q.VOLTAGE_L1: 230.0, Q.VOLTAGE_L2: 0.0, Q.VOLTAGE_L3: 0.0}, None),
        (METER, {Q.VOLTAGE_L1: 230.0, Q.VOLTAGE_L2: 61.0, Q.VOLTAGE_L3: 58.0}, None),
        (METER, {Q.VOLTAGE_L1: 230.0, Q.VOLTAGE_L2: OUT, Q.VOLTAGE_L3: OUT}, None),
        (METER, {Q.VOLTAGE_L1: 230.0, Q.VOLTAGE_L2: 230.0, Q.FREQUENCY: 500.0}, None),
        (METER, {Q.VOLTAGE_L1: 230.0, Q.FREQUENCY: "0 Hz is outside 40..70"}, None),
        (METER, {Q.VOLTAGE_L1: 0.0, Q.VOLTAGE_L2: 0.0, Q.VOLTAGE_L3: 0.0}, Rule.ALL_ZERO),
        (METER, {Q.FREQUENCY: 0.0, Q.POWER: 0.0}, Rule.ALL_ZERO),
        (METER, {Q.VOLTAGE_L1: OUT, Q.VOLTAGE_L2: 4e-9, Q.VOLTAGE_L3: OUT, Q.FREQUENCY: 50.0}, Rule.WORD_ORDER),
        (METER, {Q.VOLTAGE_L1: 24.0}, Rule.WORD_ORDER),
        (METER, {Q.POWER: 100.0}, None),
        (PANELS, SUN | {Q.VOLTAGE_L1: 2288.0, Q.FREQUENCY: 500.0}, Rule.WORD_ORDER),
        (BATTERY, {Q.VOLTAGE_L1: 640.5, Q.POWER: 2000.0}, None),
        (PLUG, {Q.VOLTAGE_L1: 24.0, Q.POWER: 8.0}, None),
    ],
    ids=["truth", "one phase", "two phases float", "two were never connected", "frequency alone", "no frequency",
         "no voltage", "nothing at all", "words turned", "not a grid", "power only", "scale", "direct current", "24 V"],
)  # fmt: skip
def test_impossible_voltages_bear_witness_against_all_that_came_with_them(
    device: Device, values: Values, expected: Rule | None
) -> None:
    assert rule(SweepMemory(device, 230.0), values) is expected


def test_two_witnesses_that_could_be_before_and_cannot_now_are_enough() -> None:
    memory = SweepMemory(METER, 230.0)
    by_chance = HOME | {Q.VOLTAGE_L1: OUT, Q.FREQUENCY: OUT}
    assert [rule(memory, HOME), rule(memory, by_chance), rule(memory, HOME)] == [None, Rule.WORD_ORDER, None]


def test_a_doubt_stands_until_voltages_are_read_that_can_be() -> None:
    memory, zeros = SweepMemory(METER, 230.0), dict.fromkeys(HOME, 0.0)
    told: list[Values] = [HOME, {**zeros}, {Q.POWER: 0.0}, HOME]
    assert [rule(memory, values) for values in told] == [None, Rule.ALL_ZERO, Rule.ALL_ZERO, None]


NOTHING: Values = {Q.VOLTAGE_L1: 0.0, Q.FREQUENCY: 0.0, Q.CURRENT_L1: 0.0, Q.POWER: 0.0, Q.ENERGY_EXPORT: 0.0}
MARKERS: Values = {Q.VOLTAGE_L1: GONE, Q.FREQUENCY: GONE, Q.POWER: 0.1}


@pytest.mark.parametrize("values", [NOTHING, MARKERS], ids=["zeros", "markers"])
def test_panels_that_gave_power_a_moment_ago_are_not_believed_to_be_without_voltage_by_day(values: Values) -> None:
    memory = SweepMemory(PANELS, 230.0)
    seen = [rule(memory, SUN, 0), rule(memory, values, 10), rule(memory, values, 290), rule(memory, values, 310)]
    assert seen == [None, Rule.ALL_ZERO, Rule.ALL_ZERO, None], "after five minutes it is a breaker that fell"


@pytest.mark.parametrize(
    ("before", "after", "sun_up"),
    [
        (SUN, NOTHING, False),
        (SUN | {Q.POWER: -40.0}, NOTHING, True),
        (SUN, SUN | {Q.VOLTAGE_L1: GONE, Q.FREQUENCY: GONE}, True),
        (SUN, {Q.FREQUENCY: 0.0}, True),
        (NOTHING, NOTHING, True),
        (SUN, {Q.VOLTAGE_L1: 6553.5, Q.FREQUENCY: 655.35, Q.POWER: 0.0}, False),
    ],
    ids=["night", "dusk", "only the voltage is refused", "a message of its own", "dawn", "sleeps and tells markers"],
)
def test_panels_that_sleep_or_tell_less_are_believed(before: Values, after: Values, sun_up: bool) -> None:
    memory = SweepMemory(PANELS, 230.0)
    assert [rule(memory, before, 0), rule(memory, after, 10, sun_up)] == [None, None]


def still(device: Device, values: Values, step_s: float, count: int) -> list[Rule | None]:
    memory = SweepMemory(device, 230.0)
    return [rule(memory, values, step_s * n) for n in range(count)]


def test_a_device_of_which_nothing_moves_is_stuck_after_two_minutes_and_sixty_sweeps() -> None:
    seen = still(METER, HOME, 1, 130)
    assert seen.index(Rule.STUCK) == 120 and set(seen[120:]) == {Rule.STUCK}
    assert still(METER, HOME, 10, 70).index(Rule.STUCK) == 59


def test_any_change_ends_it_a_counter_s_too() -> None:
    memory = SweepMemory(METER, 230.0)
    seen = [rule(memory, HOME | {Q.ENERGY_IMPORT: 500.0}, 2 * n) for n in range(80)]
    assert seen[-1] is Rule.STUCK
    assert rule(memory, HOME | {Q.ENERGY_IMPORT: 500.1}, 160) is None


@pytest.mark.parametrize(
    ("device", "values"),
    [
        (METER, {Q.VOLTAGE_L1: 230.0, Q.VOLTAGE_L2: 231.0, Q.CURRENT_L1: 2.0, Q.POWER: 467.0}),
        (METER, {Q.POWER: 467.5, Q.CURRENT_L1: 2.31}),
        (PANELS, {Q.VOLTAGE_L1: 228.4, Q.FREQUENCY: 50.02, Q.POWER: 0.0}),
        (BATTERY, {Q.VOLTAGE_L1: 230.1, Q.TEMPERATURE: 21.5, Q.SOC: 54.3, Q.POWER: 3.0}),
        (PLUG, {Q.VOLTAGE_L1: 230.4, Q.CURRENT_L1: 0.01, Q.POWER: 0.0}),
    ],
    ids=["whole numbers", "no voltage", "sleeping panels", "battery at rest", "plug without load"],
)
def test_what_may_stand_still_is_not_stuck(device: Device, values: Values) -> None:
    assert set(still(device, values, 5, 200)) == {None}


def test_sweeps_without_the_voltages_do_not_make_a_device_stuck() -> None:
    memory, fast = SweepMemory(METER, 230.0), {Q.POWER: 467.0, Q.CURRENT_L1: 2.03}
    rule(memory, HOME)
    assert not any(rule(memory, {**fast}, 1 + n) for n in range(200))


def test_a_device_that_speaks_by_itself_may_repeat_itself() -> None:
    validator, seen = Validator(SITE), set()
    for n in range(200):
        readings = [Reading("meter", reading.quantity, reading.value, reading.time) for reading in sweep(HOME, n)]
        seen |= {r.quality for r in validator.check(readings, START + timedelta(seconds=n), None, asked=False)}
    assert seen == {Quality.VALID}


def test_of_a_stuck_meter_nothing_is_believed_its_currents_neither() -> None:
    validator, values = Validator(SITE), dict(zip((*VOLTAGES, *CURRENTS, *POWERS), (230.1, 231.2, 229.9, 4.1, 2.2, 3.3,
                                                                                  943.4, 508.6, 758.7), strict=True))  # fmt: skip
    for n in range(125):
        when = START + timedelta(seconds=n)
        last = validator.check([Reading("meter", q, v, when) for q, v in values.items()], when, None)
    assert {(reading.quality, reading.rule) for reading in last} == {(Quality.SUSPECT, Rule.STUCK)}
