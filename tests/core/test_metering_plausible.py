"""Cross-checks: numbers that contradict each other are doubted, and those that fit stay, for the fuse's sake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.metering.plausible import cross_check
from gateway.core.metering.sun import sun_up
from gateway.core.metering.validator import Validator
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading, Rule
from gateway.model.site import BatterySpec, Device, Role
from tests.core.homes import SITE

T0 = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
MAIN = Device("meter", "Main meter", Role.MAIN_METER)
PV = Device("pv", "Panels", Role.PV)
TANK = Device("tank", "Tank", Role.WATER_HEATER)
HYBRID = Device("inv", "Inverter", Role.HYBRID_INVERTER, BatterySpec(10_000, 5_000, 5_000))


def three_phases(amps: tuple[float, float, float] = (4.1, 2.2, 3.3), **changed: float) -> dict[Q, float]:
    """A main meter that tells the truth (230 V, power factor 1), and what is changed of it."""
    values: dict[Q, float] = {Q.POWER: sum(amps) * 230, Q.FREQUENCY: 50.0}
    for index, current in enumerate(amps):
        values |= {POWERS[index]: current * 230, CURRENTS[index]: abs(current), VOLTAGES[index]: 230.0}
    return values | {Q(name): value for name, value in changed.items()}


def rules(values: dict[Q, float], device: Device = MAIN, sun: bool | None = True) -> dict[Q, Rule]:
    return {quantity: doubt[0] for quantity, doubt in cross_check(values, device, 230.0, sun).items()}


@pytest.mark.parametrize(
    "values",
    [
        three_phases(),
        three_phases((-9.5, 2.0, 0.0)),
        three_phases(power_w=9.6 * 230 + 40),
        three_phases((0.0, 0.0, 0.0)),
        three_phases(power_l1_w=4.1 * 100, power_w=(4.1 * 100 + 5.5 * 230)),
        three_phases((0.6, 0.0, 0.0), current_l1_a=0.0),
        three_phases(voltage_l2_v=0.0, current_l2_a=0.0, power_l2_w=0.0, power_w=7.4 * 230),
        {Q.POWER: 4000.0},
        {Q.POWER: 460.0, Q.CURRENT_L1: 2.0, Q.VOLTAGE_L1: 120.0},
        {},
    ],
    ids=["truth", "export", "within 2 %", "idle", "reactive", "whole amperes", "a phase lost", "power only",
         "120 V", "nothing"],
)  # fmt: skip
def test_what_an_honest_meter_tells_is_not_doubted(values: dict[Q, float]) -> None:
    assert rules(values) == {}


def test_a_total_that_is_not_the_sum_of_its_phases_is_doubted_and_the_currents_stay() -> None:
    values = three_phases(power_w=6000.0)
    assert rules(values) == {Q.POWER: Rule.SUM_CHECK}
    assert cross_check(values, MAIN, 230.0, True)[Q.POWER][1] == "sum of phases 2208 W, total 6000 W"


def test_without_currents_nobody_can_say_which_power_is_wrong() -> None:
    values = {Q.POWER: 6000.0, Q.POWER_L1: 900.0, Q.POWER_L2: 500.0, Q.POWER_L3: 700.0}
    assert rules(values) == dict.fromkeys((Q.POWER, *POWERS), Rule.SUM_CHECK)


def test_a_phase_beyond_its_voltage_and_current_is_doubted_and_the_total_stays() -> None:
    assert rules(three_phases(power_l2_w=41_000.0)) == {Q.POWER_L2: Rule.WORD_ORDER}


def test_a_current_too_small_for_powers_that_agree_is_the_one_doubted() -> None:
    assert rules(three_phases(current_l1_a=0.07)) == {Q.CURRENT_L1: Rule.WORD_ORDER}


def test_one_phase_alone_beyond_its_current_leaves_both_in_doubt() -> None:
    values = {Q.POWER_L1: 9000.0, Q.CURRENT_L1: 3.2, Q.VOLTAGE_L1: 229.0}
    assert rules(values) == {Q.POWER_L1: Rule.WORD_ORDER, Q.CURRENT_L1: Rule.WORD_ORDER}


def test_a_single_odd_voltage_is_doubted_alone() -> None:
    assert rules(three_phases(voltage_l3_v=2.4e-41)) == {Q.VOLTAGE_L3: Rule.WORD_ORDER}


SWAPPED = three_phases(voltage_l1_v=2.4e-41, voltage_l2_v=1e-39, voltage_l3_v=480.0, power_w=300.0)


def test_when_no_voltage_makes_sense_nothing_the_meter_says_is_believed() -> None:
    checked = judged(Validator(SITE), SWAPPED)
    assert {reading.quality for reading in checked.values()} == {Quality.SUSPECT}
    assert checked[Q.POWER].rule is Rule.WORD_ORDER and "no voltage is near 230 V" in checked[Q.POWER].reason


def test_a_meter_that_answers_with_nothing_but_zeros_is_not_believed_and_a_sleeping_inverter_is() -> None:
    zeros = dict.fromkeys(three_phases(), 0.0)
    assert {r.quality for r in judged(Validator(SITE), zeros).values()} == {Quality.SUSPECT}
    assert judged(Validator(SITE), zeros)[Q.POWER].rule is Rule.ALL_ZERO
    assert judged(Validator(SITE), zeros, device="inverter")[Q.POWER].quality is Quality.VALID


def test_voltages_that_make_no_sense_speak_against_the_other_blocks_until_they_do() -> None:
    validator = Validator(SITE)
    voltages = [Reading("meter", quantity, 3e-9, T0) for quantity in VOLTAGES]
    total = Reading("meter", Q.POWER, 300.0, T0 + timedelta(seconds=0.1))
    seen = [
        validator.check(batch, T0 + timedelta(seconds=1), True)[-1].quality for batch in ([*voltages, total], [total])
    ]
    judged(validator, three_phases(), 2)
    assert [*seen, judged(validator, {Q.POWER: 300.0}, 3)[Q.POWER].quality] == [
        Quality.SUSPECT, Quality.SUSPECT, Quality.VALID,
    ]  # fmt: skip


def test_total_and_phases_of_different_blocks_have_to_disagree_again_and_again() -> None:
    validator, seen = Validator(SITE), []
    for at in range(5):
        phases = [Reading("meter", q, 700.0, T0 + timedelta(seconds=at)) for q in POWERS]
        total = Reading("meter", Q.POWER, 6000.0, T0 + timedelta(seconds=at + 0.1))
        seen.append(validator.check([*phases, total], T0 + timedelta(seconds=at + 1), True)[-1].quality)
    assert seen == [Quality.VALID] * 2 + [Quality.SUSPECT] * 3


@pytest.mark.parametrize(
    ("device", "values", "sun", "expected"),
    [
        (PV, {Q.POWER: -3000.0}, True, {}),
        (PV, {Q.POWER: -3000.0}, False, {Q.POWER: Rule.NIGHT_PRODUCTION}),
        (PV, {Q.POWER: -3000.0}, None, {}),
        (PV, {Q.POWER: 8.0}, False, {}),
        (PV, {Q.POWER: 900.0}, True, {Q.POWER: Rule.REVERSE}),
        (HYBRID, {Q.POWER: -3000.0, Q.PV_POWER: 0.0, Q.BATTERY_POWER: -3100.0, Q.SOC: 40.0}, False, {}),
        (HYBRID, {Q.PV_POWER: -2000.0}, False, {Q.PV_POWER: Rule.NIGHT_PRODUCTION}),
        (HYBRID, {Q.BATTERY_POWER: 30_000.0}, True, {Q.BATTERY_POWER: Rule.BATTERY}),
        (HYBRID, {Q.BATTERY_POWER: -2000.0, Q.SOC: 0.0}, True, {Q.SOC: Rule.BATTERY}),
        (TANK, {Q.POWER: -1900.0}, True, {Q.POWER: Rule.REVERSE}),
        (TANK, {Q.POWER: 1900.0}, True, {}),
        (MAIN, {Q.POWER: -3000.0}, False, {}),
    ],
    ids=["day", "night", "nobody knows", "standby", "turned", "battery at night", "hybrid at night", "huge battery",
         "empty battery", "heater gives", "heater takes", "export at night"],
)  # fmt: skip
def test_the_direction_of_energy_fits_the_device(
    device: Device, values: dict[Q, float], sun: bool | None, expected: dict[Q, Rule]
) -> None:
    assert rules(values, device, sun) == expected


@pytest.mark.parametrize(
    ("when", "up"),
    [
        (datetime(2026, 6, 21, 12, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 21, 19, 50, tzinfo=UTC), True),  # sunset in Brussels at 20:00 UTC
        (datetime(2026, 6, 21, 22, 30, tzinfo=UTC), False),
        (datetime(2026, 12, 21, 8, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 21, 16, 30, tzinfo=UTC), False),  # sunset at 15:38 UTC, twilight until 16:14
    ],
)
def test_the_sun_is_up_until_the_end_of_twilight(when: datetime, up: bool) -> None:
    assert sun_up(when, 50.85, 4.35) is up


def judged(validator: Validator, values: dict[Q, float], at_s: float = 0.0, device: str = "meter") -> dict[Q, Reading]:
    when = T0 + timedelta(seconds=at_s)
    readings = [Reading(device, quantity, value, when) for quantity, value in values.items()]
    return {reading.quantity: reading for reading in validator.check(readings, when, True)}


def test_a_doubted_value_keeps_its_number_and_says_why() -> None:
    total = judged(Validator(SITE), three_phases(power_w=6000.0))[Q.POWER]
    assert (total.value, total.quality, total.rule) == (6000.0, Quality.SUSPECT, Rule.SUM_CHECK)
    assert total.reason == "sum of phases 2208 W, total 6000 W"


def test_values_of_different_instants_are_not_held_against_each_other() -> None:
    validator = Validator(SITE)
    phases = {q: v for q, v in three_phases().items() if q in POWERS}
    readings = [Reading("meter", q, v, T0) for q, v in phases.items()]
    readings.append(Reading("meter", Q.POWER, 6000.0, T0 + timedelta(seconds=0.4)))
    checked = validator.check(readings, T0 + timedelta(seconds=1), True)
    assert {reading.quality for reading in checked} == {Quality.VALID}


def test_a_voltage_out_of_range_speaks_against_the_block_it_came_in() -> None:
    words_swapped = three_phases(voltage_l1_v=1.3e11, voltage_l2_v=1.3e11, voltage_l3_v=1.3e11, power_w=2e-40)
    checked = judged(Validator(SITE), words_swapped)
    assert {reading.quality for reading in checked.values()} == {Quality.SUSPECT}
    assert (checked[Q.VOLTAGE_L1].rule, checked[Q.CURRENT_L1].rule) == (Rule.RANGE, Rule.WORD_ORDER)


def test_what_was_doubted_does_not_judge_the_next_value() -> None:
    validator = Validator(SITE)
    judged(validator, three_phases(), 0)
    judged(validator, three_phases(frequency_hz=50.1, voltage_l1_v=4e-41, voltage_l2_v=4e-41, voltage_l3_v=4e-41), 1)
    assert {r.quality for r in judged(validator, three_phases(), 2).values()} == {Quality.VALID}


def watched(
    watts: float,
    wh_per_s: float,
    *,
    currents: bool,
    seconds: int = 700,
    export_wh_per_s: float = 0.0,
    grain: float = 0.0,
) -> dict[Q, Reading]:
    """The last sweep of a meter whose counters rise at their own pace, whatever the power says."""
    validator, last = Validator(SITE), {}
    for at in range(0, seconds, 5):
        taken, given = 50_000.0 + wh_per_s * at, 9_000.0 + export_wh_per_s * at
        if grain:
            taken, given = taken // grain * grain, given // grain * grain
        values = {Q.POWER: watts, Q.ENERGY_IMPORT: taken, Q.ENERGY_EXPORT: given}
        last = judged(validator, values | ({Q.CURRENT_L1: abs(watts) / 230} if currents else {}), at)
    return last


def test_a_counter_that_rises_as_the_power_says_is_believed() -> None:
    assert {r.quality for r in watched(3600.0, 1.0, currents=False).values()} == {Quality.VALID}


def test_counter_and_power_that_contradict_each_other_are_both_doubted() -> None:
    last = watched(3600.0, 4.0, currents=False)
    assert {q: r.rule for q, r in last.items()} == dict.fromkeys(last, Rule.COUNTER_AGAINST_POWER)
    assert last[Q.POWER].reason == "the counters moved by 1200 Wh in 5 min, the power says 300 Wh"


def test_currents_vouch_for_the_power_and_the_counter_alone_is_doubted() -> None:
    last = watched(3600.0, 4.0, currents=True)
    assert last[Q.POWER].quality is Quality.VALID and last[Q.CURRENT_L1].quality is Quality.VALID
    assert last[Q.ENERGY_IMPORT].rule is Rule.COUNTER_AGAINST_POWER


def test_import_that_is_counted_while_the_power_says_export_is_a_turned_direction() -> None:
    last = watched(-3600.0, 1.0, currents=True)
    assert last[Q.ENERGY_IMPORT].rule is last[Q.POWER].rule is Rule.REVERSE
    assert last[Q.CURRENT_L1].quality is Quality.VALID, "the fuse is guarded by the currents"


def test_a_meter_that_counts_each_phase_by_itself_is_believed() -> None:
    """3 kW of sun on one phase and 3 kW of load on another: both registers rise, the net is 0."""
    assert {r.quality for r in watched(0.0, 0.83, currents=True, export_wh_per_s=0.83).values()} == {Quality.VALID}


def test_a_register_of_whole_kilowatt_hours_is_given_its_resolution() -> None:
    assert {r.quality for r in watched(3600.0, 1.0, currents=False, grain=1000.0).values()} == {Quality.VALID}


def test_the_doubt_ends_when_counter_and_power_agree_again() -> None:
    validator, register = Validator(SITE), 50_000.0
    seen = []
    for at in range(0, 1500, 5):
        register += 20.0 if at < 600 else 5.0
        values = {Q.POWER: 3600.0, Q.ENERGY_IMPORT: register, Q.ENERGY_EXPORT: 0.0}
        seen.append(judged(validator, values, at)[Q.ENERGY_IMPORT].quality)
    assert seen[0] is seen[-1] is Quality.VALID and Quality.SUSPECT in seen
