"""The counter watch: one odd step costs a minute of one counter, a lasting lie is named, and the fuse keeps its data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.metering.validator import Validator
from gateway.model.quantity import POWERS
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading, Rule
from tests.core.homes import SITE

T0 = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
HOUR_S = 3600
VALID, SUSPECT = Quality.VALID, Quality.SUSPECT
Beyond = Callable[[int], float]
"""Wh that the import register shows beyond the truth, by second."""


def story(beyond: Beyond, *, grain: float = 1.0, more: dict[Q, float] | None = None, until_s: int = 1500,
          watts: float = 3600.0, said_w: float | None = None) -> dict[int, dict[Q, Reading]]:  # fmt: skip
    """A main meter polled every 5 s, by the second; `said_w` is the power it tells when that is not the truth."""
    validator, seen = Validator(SITE), {}
    for at in range(0, until_s, 5):
        register = (50_000.0 + watts * at / HOUR_S + beyond(at)) // grain * grain
        values = {Q.POWER: watts if said_w is None else said_w, Q.ENERGY_IMPORT: register, Q.ENERGY_EXPORT: 0.0}
        when = T0 + timedelta(seconds=at)
        readings = [Reading("meter", quantity, value, when) for quantity, value in (values | (more or {})).items()]
        seen[at] = {reading.quantity: reading for reading in validator.check(readings, when, True)}
    return seen


def suspect_at(seen: dict[int, dict[Q, Reading]], quantity: Q) -> list[int]:
    return [at for at, sweep in seen.items() if sweep[quantity].quality is SUSPECT]


@pytest.mark.parametrize("step_at", [400, 420, 599, 600, 601])
@pytest.mark.parametrize("grain", [1.0, 10.0])
def test_one_odd_step_of_a_counter_is_doubted_for_two_minutes_at_most_and_the_power_never(
    step_at: int, grain: float
) -> None:
    seen = story(lambda at: 190.0 if at >= step_at else 0.0, grain=grain)
    doubted = suspect_at(seen, Q.ENERGY_IMPORT)
    assert doubted, "the step was noticed"
    assert step_at <= doubted[0] <= step_at + 65 and doubted[-1] - doubted[0] <= 120
    assert suspect_at(seen, Q.POWER) == []


def test_a_second_step_is_noticed_like_the_first() -> None:
    seen = story(lambda at: 190.0 * ((at >= 600) + (at >= 1200)), until_s=1800)
    doubted = suspect_at(seen, Q.ENERGY_IMPORT)
    assert any(600 <= at < 720 for at in doubted) and any(1200 <= at < 1320 for at in doubted)
    assert not any(725 <= at < 1200 or at > 1325 for at in doubted)


def test_a_power_that_nobody_vouches_for_is_doubted_after_three_windows() -> None:
    seen = story(lambda at: 3.0 * at)
    counters, powers = suspect_at(seen, Q.ENERGY_IMPORT), suspect_at(seen, Q.POWER)
    assert counters == list(range(300, 1500, 5))
    assert powers == list(range(420, 1500, 5))


@pytest.mark.parametrize(
    "more",
    [{Q.CURRENT_L1: 15.6}, dict.fromkeys(POWERS, 1200.0)],
    ids=["currents", "phases and their sum"],
)
def test_currents_or_the_sum_of_the_phases_vouch_for_the_power(more: dict[Q, float]) -> None:
    seen = story(lambda at: 3.0 * at, more=more)
    assert suspect_at(seen, Q.ENERGY_IMPORT)[-1] == 1495
    assert all(reading.quality is VALID for q, reading in seen[1495].items() if not q.is_counter)


def test_phases_that_do_not_add_up_vouch_for_nothing() -> None:
    seen = story(lambda at: 3.0 * at, more=dict.fromkeys(POWERS, 100.0))
    assert seen[0][Q.POWER].rule is Rule.SUM_CHECK
    assert seen[1495][Q.POWER].quality is SUSPECT


def test_a_turned_direction_is_named_though_currents_tell_the_same_amount() -> None:
    seen = story(lambda at: 0.0, said_w=-3600.0, more={Q.CURRENT_L1: 15.6})
    assert suspect_at(seen, Q.POWER) == list(range(420, 1500, 5))
    assert seen[1495][Q.POWER].rule is seen[1495][Q.ENERGY_IMPORT].rule is Rule.REVERSE
    assert seen[1495][Q.CURRENT_L1].quality is VALID, "the fuse is guarded by the currents"


def test_the_doubt_ends_within_two_minutes_after_a_lasting_lie() -> None:
    seen = story(lambda at: 3.0 * min(at, 900))
    assert suspect_at(seen, Q.POWER)[-1] <= 1020
    assert suspect_at(seen, Q.ENERGY_IMPORT)[-1] <= 1020


def test_a_register_of_hundreds_of_watt_hours_is_judged_by_whole_windows() -> None:
    seen = story(lambda at: 12.0 * at, grain=100.0, until_s=2400)
    assert suspect_at(seen, Q.ENERGY_IMPORT) == list(range(300, 2400, 5)), "no minute of it acquits"
    assert suspect_at(seen, Q.POWER)[0] == 900


def test_a_register_that_is_replaced_within_the_window_says_nothing_of_it() -> None:
    seen = story(lambda at: -49_000.0 if at >= 450 else 0.0)
    assert {reading.rule for sweep in seen.values() for reading in sweep.values()} <= {None, Rule.COUNTER_RESET}


def test_a_minute_without_power_begins_the_window_anew() -> None:
    validator, found = Validator(SITE), []
    for at in [*range(0, 280, 5), *range(400, 690, 5)]:
        when = T0 + timedelta(seconds=at)
        values = {Q.POWER: 100.0, Q.ENERGY_IMPORT: 50_000.0 + 2.0 * at}
        readings = [Reading("meter", quantity, value, when) for quantity, value in values.items()]
        found += [reading.rule for reading in validator.check(readings, when, True)]
    assert set(found) == {None}
