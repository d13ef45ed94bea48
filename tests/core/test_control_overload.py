"""The fuse's eight seconds in living homes: loads that jump, cars that follow late, a battery that moves meanwhile.

The promise (design.md): while cars or battery take more than their least, no phase stands above its fuse for more than 8 s,
of which a car may take 5 s to follow (IEC 61851-1) and the meter 1 s to tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.core.control.circuits import MAIN
from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.pressing import Over
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role
from tests.core.homes import SITE, car, meter, snapshot
from tests.core.overload_world import after_jumps, random_home, random_jumps
from tests.fakes import START

PROMISE_S = 8.0
TIMING = ControlTiming()
APART = {"one at a time": (25.0, 40.0), "a second one soon": (9.5, 20.0), "one upon the other": (0.5, 9.0)}


def told(amps: float, name: str = "car") -> dict[str, Setpoint]:
    return {name: Setpoint(name, SetpointKind.CURRENT, amps, START, Authority.PLAN, "")}


def limit_of(shown: float, limit: float, drawn: float, age_s: float, memory: ControlMemory) -> Setpoint:
    """What the car is told at second 1000 with `shown` A on each phase of a 25 A fuse; its sample is `age_s` old."""
    snap = snapshot((shown,) * 3, charger=car(drawn, age_s=age_s), commanded=told(limit))
    return next(s for s in decide(SITE, snap, memory, TIMING, 1000.0).setpoints if s.device == "car")


def too_long(seeds: Iterable[int], apart_s: tuple[float, float]) -> list[str]:
    """The homes where a phase stood above its fuse for longer than promised, in words."""
    found = []
    for seed in seeds:
        seen = after_jumps(random_home(seed), random_jumps(random.Random(seed), apart_s, 120.0), 120.0)
        if seen.longest_s > PROMISE_S:
            found.append(f"home {seed}: {seen.longest_s} s, {seen.where}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("apart_s", APART.values(), ids=APART)
def test_no_phase_stands_above_its_fuse_for_more_than_eight_seconds(apart_s: tuple[float, float]) -> None:
    assert too_long(range(1000, 1025), apart_s) == []


WRONG_BEFORE = [
    ("cars that draw less than they were raised to, counted with all of it", 1057, "one at a time"),
    ("the same, before the second of two loads", 1032, "a second one soon"),
    ("a battery that took what the cars gave up, its sum made with their samples from before the cut", 30, "a second one soon"),
    ("a second load while the car was on its way down from the first cut", 1043, "one upon the other"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("why", "seed", "apart"), WRONG_BEFORE, ids=[why for why, *_ in WRONG_BEFORE])
def test_what_stood_for_nine_to_eighteen_seconds_before_is_over_in_eight(why: str, seed: int, apart: str) -> None:
    assert too_long([seed], APART[apart]) == [], why


def test_a_car_that_was_raised_and_has_not_told_since_gets_its_minimum_in_an_overload() -> None:
    """Wrong before: it counted with the 12 A the limit allows, and if it drew 8 A the first cut took nothing from it."""
    raised = ControlMemory(
        {"car": 996.0}, {"car": 8.0}, {"car": (14.0,) * 3}, {"car": ((996.0, 8.0),)}, calm_a=(20.0,) * 3
    )
    bent = limit_of(26.4, 12.0, 8.0, 6.0, raised)
    assert bent.value == 6.0 and bent.authority is Authority.ELECTRICAL_SAFETY
    assert "overloaded" in bent.reason


def test_a_car_in_doubt_is_stopped_at_once_where_its_minimum_may_leave_the_fuse_overloaded() -> None:
    """Wrong before: brought to 6 A first and stopped when that was seen to be too little, 11 to 16 s after the load."""
    raised = ControlMemory(
        {"car": 996.0}, {"car": 8.0}, {"car": (14.0,) * 3}, {"car": ((996.0, 8.0),)}, calm_a=(20.0,) * 3
    )
    assert limit_of(29.0, 12.0, 8.0, 6.0, raised).value == 0.0, "8 A can give 2 A, and 4.5 A are too much"


def test_a_car_that_told_after_it_had_followed_is_cut_by_no_more_than_is_over() -> None:
    settled = ControlMemory({"car": 980.0}, {"car": 8.0}, limits={"car": ((980.0, 8.0),)})
    assert limit_of(29.0, 14.0, 14.0, 6.0, settled).value == pytest.approx(9.5)


def test_what_is_over_by_no_more_than_a_cars_tolerance_presses_nobody_at_once() -> None:
    raised = ControlMemory({"car": 996.0}, {"car": 8.0}, {"car": (14.0,) * 3}, {"car": ((996.0, 8.0),)})
    assert limit_of(25.8, 12.0, 8.0, 6.0, raised).value > 6.0


@pytest.mark.parametrize(
    ("since", "amps"), [(999.5, 10.5), (998.6, 10.5), (997.5, 6.0), (994.0, 6.0)], ids=lambda value: f"{value}"
)
def test_an_overload_that_still_stands_after_two_seconds_brings_the_car_to_its_minimum(
    since: float, amps: float
) -> None:
    """The meter's last word is half a second old: two seconds are counted from word to word, not from tick to tick."""
    cut = ControlMemory(
        {"car": since}, {"car": 16.0}, limits={"car": ((since, 16.0),)}, over={(MAIN, 1): Over(since, since)}
    )
    assert limit_of(30.0, 10.5, 16.0, 12.0, cut).value == amps


def test_an_overload_told_of_once_is_not_pressed_however_long_a_slow_meter_leaves_it_at_that() -> None:
    slow = replace(meter((30.0,) * 3, age_s=4.0), pace_s=10.0)
    memory = ControlMemory(
        {"car": 996.0}, {"car": 16.0}, limits={"car": ((996.0, 16.0),)}, over={(MAIN, 1): Over(996.0, 996.0)}
    )
    snap = snapshot((30.0,) * 3, charger=car(16, age_s=9.5), commanded=told(10.5))
    snap = replace(snap, devices={**snap.devices, "meter": slow})
    assert next(s for s in decide(SITE, snap, memory, TIMING, 1000.0).setpoints if s.device == "car").value == 10.5


def test_only_the_cars_on_the_phase_that_is_over_are_pressed() -> None:
    cars = [
        Device("one", "One", Role.EV_CHARGER, ChargerSpec(phases=(1,))),
        Device("two", "Two", Role.EV_CHARGER, ChargerSpec(phases=(2,))),
    ]
    site = replace(SITE, devices=(SITE.devices[0], *cars))
    status = {
        name: replace(car(16, age_s=12), id=name, current_a=amps)
        for name, amps in (("one", (16.0, None, None)), ("two", (None, 16.0, None)))
    }
    memory = ControlMemory(over={(MAIN, 1): Over(996.0, 998.5)})
    now = Preferences(charging={name: ChargingPreference(ChargeMode.NOW) for name in status})
    snap = snapshot((26.0, 20.0, 5.0), commanded=told(16, "one") | told(16, "two"), preferences=now)
    snap = replace(snap, chargers=status)
    limits = {s.device: s.value for s in decide(site, snap, memory, TIMING, 1000.0).setpoints}
    assert limits == {"one": 6.0, "two": 16.0}


def test_the_memory_of_an_overload_ends_with_it() -> None:
    memory = ControlMemory(over={(MAIN, 1): Over(996.0, 998.5)})
    assert decide(SITE, snapshot((24.9, 5, 5)), memory, TIMING, 1000.0).memory.over == {}
    assert set(decide(SITE, snapshot((25.1, 5, 5)), ControlMemory(), TIMING, 1000.0).memory.over) == {(MAIN, 1)}


def test_in_an_overload_the_battery_does_not_take_what_the_car_gives_up() -> None:
    """Wrong before: with the car's sample from before the cut, the rest of the house seemed to need nothing."""
    cut = snapshot((20, 5, 5), charger=car(16, age_s=8), commanded=told(8), battery_w=-5000)
    band = next(s for s in decide(SITE, cut, ControlMemory(), TIMING, 1000.0).setpoints if s.device == "inverter")
    # 30 A of grid and 5 kW of battery less the 8 A that the car has at most: it is the house that needs 5 kW and more.
    assert band.low == -5000.0
    over = snapshot((26, 2, 2), charger=car(16, age_s=8), commanded=told(16), battery_w=-3000)
    band = next(s for s in decide(SITE, over, ControlMemory(), TIMING, 1000.0).setpoints if s.device == "inverter")
    assert band.low <= -3000.0, "it gives no less than it does while the fuse is overloaded"
    calm = snapshot((24, 2, 2), charger=car(16, age_s=8), commanded=told(16), battery_w=-3000)
    band = next(s for s in decide(SITE, calm, ControlMemory(), TIMING, 1000.0).setpoints if s.device == "inverter")
    assert band.low > -3000.0, "else it feeds the house only"


def test_times_of_the_press_grow_with_the_homes_clock() -> None:
    assert ControlTiming.at_speed(1.0).press_s == 2.0
    assert ControlTiming.at_speed(60.0).press_s == pytest.approx(12.0)


def test_a_car_on_its_way_down_is_not_stopped_for_what_the_meter_fell_with_it() -> None:
    """Wrong before: its sample of 6 A was set against a meter's word of a second before, and 17 of 25 A stopped it."""
    down = ControlMemory(
        {"car": 996.0}, {"car": 16.0}, limits={"car": ((996.0, 16.0),)}, sampled_a={"car": (25.5,) * 3, "": (21.4,) * 3}
    )
    assert limit_of(17.4, 6.0, 6.0, 1.5, replace(down, at=999.0)).value == 6.0


def test_a_battery_that_came_to_help_since_the_cars_sample_does_not_stop_the_car_in_an_overload() -> None:
    """Wrong before: the meter's fall of 7 A counted as the car's own, and 28 A stopped a car that had 9 A to keep.

    It may be the car's own, so that it has less to give than it told: its minimum is sure to be enough.
    """
    fell = ControlMemory(
        {"car": 980.0}, {"car": 13.0}, limits={"car": ((980.0, 10.0),)}, sampled_a={"car": (35.0,) * 3}, at=999.0
    )
    assert limit_of(28.0, 13.0, 13.0, 8.0, fell).value == 6.0
    steady = replace(fell, sampled_a={"car": (21.0,) * 3})
    assert limit_of(28.0, 13.0, 13.0, 8.0, steady).value == pytest.approx(9.5)


def test_an_overload_by_other_loads_is_told_once_it_outlasted_what_a_cut_takes_and_never_as_no_more_than_the_fuse() -> (
    None
):
    """Wrong before: a meter's word older than the cut told "draws 25 A, above the 25 A fuse", for a second."""
    memory, told_at = ControlMemory(), {}
    for second in range(12):
        shown = 25.3 if second < 10 else 24.0
        decision = decide(SITE, snapshot((shown, 9, 9), charger=car(0.0)), memory, TIMING, 1000.0 + second)
        memory, told_at[second] = decision.memory, dict(decision.alarms).get("fuse", "")
    assert [second for second, words in told_at.items() if words] == [7, 8, 9]
    assert "L1 draws 25.3 A, above the 25 A fuse, by loads" in told_at[9]
