"""Whether a limit is honoured: by measured current, power and offered current, and early by the main meter alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import Lowered, Sight, defies, honours
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.snapshot import ChargePhase, ChargerStatus
from tests.fakes import START

TIMING = ControlTiming()
UNKNOWN = (None, None, None)
CHARGING = ChargerStatus("car", ChargePhase.CHARGING, True, transaction="1", meter_age_s=2.0)
AT_10_A = Setpoint("car", SetpointKind.CURRENT, 10.0, START, Authority.PLAN, "")


@pytest.mark.parametrize(
    ("name", "seen", "verdict"),
    [
        ("drawn at the limit", {"current_a": (10.2, 10.1, 10.0)}, True),
        ("drawn above", {"current_a": (16.0, 16.0, 16.0)}, False),
        ("drawn above, though offered right", {"current_a": (16.0, 0.0, 0.0), "offered_a": 10.0}, False),
        ("drawn at the limit, offered means the cable", {"current_a": (9.8, 9.8, 9.8), "offered_a": 16.0}, True),
        ("drawn less, offered too much", {"current_a": (7.0, 7.0, 7.0), "offered_a": 16.0}, None),
        ("drawn less, offered right", {"current_a": (7.0, 7.0, 7.0), "offered_a": 10.0}, True),
        ("only offered, right", {"current_a": UNKNOWN, "offered_a": 10.0}, True),
        ("only offered, too much", {"current_a": UNKNOWN, "offered_a": 16.0}, False),
        ("power of three phases at the limit", {"current_a": UNKNOWN, "power_w": 6900.0, "phases_in_use": 3}, True),
        ("power of one phase above", {"current_a": UNKNOWN, "power_w": 3680.0, "phases_in_use": 1}, False),
        ("power that may be one phase or three", {"current_a": UNKNOWN, "power_w": 3680.0}, None),
        ("power above even on three phases", {"current_a": UNKNOWN, "power_w": 11040.0}, False),
        ("nothing known", {"current_a": UNKNOWN}, None),
        ("an old sample", {"current_a": (16.0, 16.0, 16.0), "meter_age_s": 16.0}, None),
    ],
)
def test_a_limit_of_ten_ampere_is_judged_by_what_is_known(
    name: str, seen: dict[str, object], verdict: bool | None
) -> None:
    assert honours(replace(CHARGING, **seen), AT_10_A, 30.0, TIMING) is verdict, name  # type: ignore[arg-type]


def test_a_charger_that_tells_only_what_it_offers_is_judged_once_no_older_word_can_be_meant() -> None:
    offers = replace(CHARGING, current_a=UNKNOWN, offered_a=16.0, meter_age_s=None)
    assert honours(offers, AT_10_A, 36.0, TIMING) is None
    assert honours(offers, AT_10_A, 38.0, TIMING) is False


def test_nobody_is_judged_before_fifteen_seconds_or_two_samples() -> None:
    draws = replace(CHARGING, current_a=(16.0, 16.0, 16.0))
    assert honours(replace(draws, sample_interval_s=5.0), AT_10_A, 14.9, TIMING) is None
    assert honours(replace(draws, sample_interval_s=5.0), AT_10_A, 15.0, TIMING) is False
    assert honours(draws, AT_10_A, 19.0, TIMING) is None


# ---- the main meter's proof: limit lowered at 100 s, the car last heard at 95 s

LOWERED = Lowered(limit_a=6.0, sent_at=100.0, drawn_a=(16.0, 16.0, 16.0), drawn_at=95.0)


def sights(
    until: float, *steps: tuple[float, float], phases: tuple[int, ...] = (0, 1, 2), noise: float = 0.0
) -> list[Sight]:
    """A sample each second from 90 s; each step (from s, by A) changes `phases`."""
    result = []
    for second in range(int(until) - 89):
        taken = 90.0 + second
        moved = sum(by for at, by in steps if taken >= at) + noise * (-1) ** second
        result.append(Sight(taken, tuple(20.0 + (moved if index in phases else 0.0) for index in range(3))))
    return result


def with_battery(seen: list[Sight], since: float, by_w: float) -> list[Sight]:
    return [replace(sight, battery_w=by_w if sight.taken >= since else 0.0) for sight in seen]


ONE_PHASE = replace(LOWERED, drawn_a=(16.0, None, None))


@pytest.mark.parametrize(
    ("name", "lowered", "seen", "verdict"),
    [
        ("stands still", LOWERED, sights(110), True),
        ("a little noise", LOWERED, sights(110, noise=0.4), True),
        ("too early", LOWERED, sights(108), False),
        ("falls as told", LOWERED, sights(110, (103, -10.0)), False),
        ("falls by half", LOWERED, sights(110, (103, -5.0)), False),
        ("falls, and a load rises two seconds later", LOWERED, sights(110, (102, -10.0), (104, 10.0)), False),
        ("a load rises first", LOWERED, sights(110, (101, 8.0)), False),
        ("a load on one phase hides the fall there", LOWERED, sights(110, (103, -10.0), phases=(0, 1)), False),
        ("the car had stopped by itself before", LOWERED, sights(110, (97, -10.0)), False),
        ("a small fall was asked", replace(LOWERED, limit_a=13.5), sights(110), False),
        ("the car drew nothing", replace(LOWERED, drawn_a=(0.0, 0.0, 0.0)), sights(110), False),
        ("the car was never heard", replace(LOWERED, drawn_a=UNKNOWN), sights(110), False),
        ("one phase, far above", ONE_PHASE, sights(110), True),
        ("one phase, another moves", ONE_PHASE, sights(110, (103, 12.0), phases=(1,)), True),
        ("one phase, a kettle could hide it", replace(ONE_PHASE, limit_a=11.0), sights(110), False),
        ("the meter missed beats", LOWERED, [s for s in sights(112) if not 101 <= s.taken <= 105], False),
        ("a load's step just before the command", LOWERED, sights(110, (99, 12.0)), True),
        ("a load's step, and the car follows", LOWERED, sights(110, (99, 12.0), (103, -10.0)), False),
        ("a load's step hides that the car stopped before", LOWERED, sights(110, (96, -10.0), (98, 10.0)), False),
        ("a battery took over what the car gave up", LOWERED, with_battery(sights(112), 103, 6900.0), False),
        ("a battery that rests", LOWERED, with_battery(sights(112), 103, 300.0), True),
        ("no sample from before", LOWERED, [s for s in sights(112) if s.taken > 100], False),
    ],
)  # fmt: skip
def test_the_main_meter_proves_a_car_that_did_not_follow_and_accuses_nobody_else(
    name: str, lowered: Lowered, seen: list[Sight], verdict: bool
) -> None:
    assert defies(lowered, seen, TIMING) is verdict, name
