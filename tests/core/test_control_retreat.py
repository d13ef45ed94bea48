"""A load that pulses does not swing the car: what the fuse held is free at once, more is tried with growing patience."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gateway.core.control.retreat import Retreat, retreats
from gateway.core.control.timing import ControlTiming
from gateway.model.site import ChargerSpec, Device, Role
from tests.core.homes import SITE
from tests.core.overload_world import STEP_S, TIMING, Car, Home


def pulsing(amps: float, on_s: float, off_s: float, seconds: float = 900.0) -> tuple[int, int, float, float]:
    """One car at 25 A beside a load that pulses on L2: changes of its limit, stops, mean A, longest overload s."""
    charger = Device("car0", "Car", Role.EV_CHARGER, ChargerSpec())
    site = replace(SITE, main_fuse_a=25.0, devices=(Device("meter", "Meter", Role.MAIN_METER), charger))
    home = Home(random.Random(1), site, {"car0": Car(charger, ChargerSpec(), 16.0, 0.0)}, (3.0,) * 3, False)
    changes, stops, drawn, lasting, longest, before, is_on, turn = 0, 0, 0.0, 0.0, 0.0, None, False, 1060.0
    while home.now < 1000.0 + seconds:
        if home.now >= turn:
            home.jump(-amps if is_on else amps, (2,))
            is_on = not is_on
            turn += on_s if is_on else off_s
        home.step()
        lasting = lasting + STEP_S if max(home.flows()) > 25.0 and home.moving(2) else 0.0
        longest, drawn = max(longest, lasting), drawn + home.cars["car0"].draws_a * STEP_S
        told = home.commanded["car0"].value if "car0" in home.commanded else None
        changes, stops = changes + (told != before), stops + (told == 0.0 and bool(before))
        before = told
    return changes, stops, drawn / seconds, longest


@pytest.mark.slow
@pytest.mark.parametrize(("on_s", "off_s"), [(5.0, 15.0), (2.0, 8.0), (30.0, 30.0)])
def test_a_pulsing_oven_does_not_swing_the_car(on_s: float, off_s: float) -> None:
    """Wrong before: 16, 13.5, 6 and 16 A again every 20 s for ever, 128 changes in 15 min, 10.7 A in the mean."""
    changes, stops, mean_a, longest = pulsing(8.0, on_s, off_s)
    assert changes <= 35 and stops == 0 and mean_a > 12.5 and longest <= 8.0


@pytest.mark.slow
def test_a_car_that_a_pulsing_load_stops_rests_longer_each_time() -> None:
    """Wrong before: stopped 11 times in 15 min."""
    _, stops, _, longest = pulsing(17.0, 5.0, 15.0)
    assert 1 <= stops <= 5 and longest <= 8.0


def test_the_pause_doubles_to_ten_minutes_and_is_forgotten_after_a_calm_hour() -> None:
    kept, now, pauses = dict[str, Retreat](), 0.0, []
    for _ in range(9):
        kept = retreats(kept, {"car": 13.5}, TIMING, now)
        pauses.append(kept["car"].pause_s)
        now += kept["car"].pause_s + 5.0
    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0, 600.0]
    assert retreats(kept, {}, TIMING, now + 3_600.0) == {}


def test_cuts_for_one_overload_are_one_retreat_with_the_least_of_what_it_held() -> None:
    first = retreats({}, {"car": 13.5}, TIMING, 100.0)
    again = retreats(first, {"car": 10.0}, TIMING, 103.0)["car"]
    assert (again.times, again.level_a, again.pause_s) == (0, 10.0, 10.0)
    assert retreats(first, {"car": 14.0}, TIMING, 103.0)["car"].level_a == 13.5


def test_it_is_raised_to_what_held_at_once_and_as_far_as_there_is_room_after_the_pause() -> None:
    back = Retreat(100.0, 13.5, 40.0, 2)
    assert back.most_a(139.0) == 13.5 and back.most_a(140.0) is None
    assert [replace(back, times=n).rest_s(TIMING) for n in (0, 1, 2, 9)] == [60.0, 120.0, 240.0, 600.0]


def test_the_patience_grows_with_the_homes_clock() -> None:
    assert ControlTiming.at_speed(1.0).retreat_most_s == 600.0
    assert ControlTiming.at_speed(3_600.0).retreat_most_s == 3_600.0
