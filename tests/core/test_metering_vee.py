"""Validation: no wrong value passes, no true one is lost for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.metering.counters import counter_step
from gateway.core.metering.vee import SeriesMemory, check
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading, Rule

T0 = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
VALID, SUSPECT, MISSING = Quality.VALID, Quality.SUSPECT, Quality.MISSING


def judged(quantity: Q, values: list[float | None], step_s: float = 1.0) -> list[Reading]:
    memory, result = SeriesMemory(), []
    for number, value in enumerate(values):
        when = T0 + timedelta(seconds=step_s * number)
        reading, memory = check(Reading("meter", quantity, value, when), memory, when)
        result.append(reading)
    return result


@pytest.mark.parametrize(
    ("quantity", "value", "quality"),
    [
        (Q.POWER, 11_000.0, VALID),
        (Q.POWER, -9_000.0, VALID),
        (Q.POWER, 4e9, SUSPECT),
        (Q.POWER, float("nan"), MISSING),
        (Q.POWER, float("inf"), MISSING),
        (Q.POWER, None, MISSING),
        (Q.VOLTAGE_L1, 0.0, VALID),
        (Q.VOLTAGE_L1, -1.0, SUSPECT),
        (Q.FREQUENCY, 0.0, SUSPECT),
        (Q.PV_POWER, 800.0, SUSPECT),
        (Q.SOC, 101.0, SUSPECT),
        (Q.ENERGY_IMPORT, -1.0, SUSPECT),
        (Q.ENERGY_IMPORT, 123_456_789.0, VALID),
        (Q.OUTDOOR_TEMPERATURE, -127.0, SUSPECT),
    ],
)
def test_a_value_no_home_can_have_is_not_believed(quantity, value, quality):
    (reading,) = judged(quantity, [value])
    assert reading.quality is quality
    assert bool(reading.reason) == (quality is not VALID)
    assert (reading.value is None) == (quality is MISSING)


def test_an_overload_is_believed_at_once():
    assert [r.quality for r in judged(Q.CURRENT_L1, [3.0, 80.0])] == [VALID, VALID]
    assert [r.quality for r in judged(Q.POWER, [300.0, 40_000.0])] == [VALID, VALID]


def test_a_single_spike_is_doubted_and_the_next_true_value_believed():
    assert [r.quality for r in judged(Q.TEMPERATURE, [50.0, 85.0, 50.1])] == [VALID, SUSPECT, VALID]


def test_a_step_that_stays_is_believed_the_third_time():
    assert [r.quality for r in judged(Q.TEMPERATURE, [50.0, 85.0, 85.1, 85.2])] == [VALID, SUSPECT, SUSPECT, VALID]


def test_a_counter_that_falls_once_is_doubted_and_one_that_was_replaced_accepted():
    glitch = judged(Q.ENERGY_IMPORT, [50_000.0, 10.0, 50_001.0])
    assert [r.quality for r in glitch] == [VALID, SUSPECT, VALID]
    replaced = judged(Q.ENERGY_IMPORT, [50_000.0, 10.0, 11.0, 12.0, 13.0])
    assert [r.quality for r in replaced] == [VALID, SUSPECT, SUSPECT, VALID, VALID]
    assert "counter reset" in replaced[1].reason


def test_a_late_reply_with_a_value_far_above_is_not_energy():
    readings = judged(Q.ENERGY_IMPORT, [50_000.0, 9_000_000.0, 50_001.0])
    assert [r.quality for r in readings] == [VALID, SUSPECT, VALID]


def test_a_voltage_frozen_to_the_last_digit_is_stuck_and_a_whole_number_is_not():
    assert judged(Q.VOLTAGE_L1, [231.4] * 400, 10.0)[-1].quality is SUSPECT
    assert judged(Q.VOLTAGE_L1, [230.0] * 400, 10.0)[-1].quality is VALID
    assert judged(Q.POWER, [0.0] * 400, 100.0)[-1].quality is VALID


def test_readings_from_the_future_and_late_ones_are_doubted():
    future, memory = check(Reading("m", Q.POWER, 1.0, T0 + timedelta(hours=1)), SeriesMemory(), T0)
    assert future.quality is SUSPECT and "future" in future.reason
    _, memory = check(Reading("m", Q.POWER, 1.0, T0), memory, T0)
    late, _ = check(Reading("m", Q.POWER, 2.0, T0 - timedelta(seconds=5)), memory, T0)
    assert late.quality is SUSPECT and "late" in late.reason


def test_after_our_own_clock_stepped_back_readings_are_believed_again():
    _, memory = check(Reading("m", Q.POWER, 1.0, T0), SeriesMemory(), T0)
    earlier = T0 - timedelta(hours=2)
    assert check(Reading("m", Q.POWER, 2.0, earlier), memory, earlier)[0].quality is VALID


def test_what_the_adapter_doubts_is_doubted_and_teaches_nothing():
    doubted = Reading("m", Q.POWER, 5.0, T0, SUSPECT, "late reply")
    assert check(doubted, SeriesMemory(), T0) == (replace(doubted, rule=Rule.SOURCE), SeriesMemory())


@pytest.mark.parametrize(
    ("before", "after", "elapsed_s", "energy", "kind"),
    [
        (100.0, 150.0, 60, 50.0, "normal"),
        (2.0**32 - 20, 30.0, 60, 50.0, "roll-over"),
        (999_999_990.0, 10.0, 60, 20.0, "roll-over"),
        (50_000.0, 10.0, 60, 0.0, "reset"),
        (50_000.0, 49_999.0, 60, 0.0, "reset"),
        (50_000.0, 900_000.0, 60, 0.0, "jump"),
        (50_000.0, 900_000.0, 36_000, 850_000.0, "normal"),
    ],
)
def test_a_counter_step_says_what_happened(before, after, elapsed_s, energy, kind):
    step = counter_step(before, after, elapsed_s)
    assert (step.energy_wh, step.kind) == (energy, kind)


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e7))
def test_energy_is_never_negative(before, after, elapsed_s):
    assert counter_step(before, after, elapsed_s).energy_wh >= 0
