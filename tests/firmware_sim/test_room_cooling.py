"""The simulated heat pump in cooling: it runs while the room is above its target, and no energy is lost or made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from firmware_sim.physics.home import Home
from firmware_sim.physics.replay import Replay
from firmware_sim.physics.room import EER, HEAT_PUMP_W, WH_PER_K, Room
from tests.firmware_sim.test_physics import NOON_IN_JUNE, assert_balanced, data


@pytest.mark.parametrize(
    ("cools", "room_c", "runs"),
    [(True, 25.0, True), (True, 18.0, False), (False, 25.0, False), (False, 18.0, True)],
    ids=["cools what is warm", "leaves what is cold", "heats not what is warm", "heats what is cold"],
)
def test_it_runs_on_the_side_of_its_target_that_its_thermostat_stands_on(cools, room_c, runs):
    assert (Room(room_c, 21.0, cools=cools).power_w() > 0) is runs


def test_an_hour_of_cooling_takes_its_ratio_of_the_power_out_of_the_room():
    room = Room(25.0, 19.0, cools=True)
    gains, lost = room.step(HEAT_PUMP_W, 0.0, 25.0, 3600.0)
    assert room.stored_wh - 25.0 * WH_PER_K == pytest.approx(gains - lost - EER * HEAT_PUMP_W)


def test_a_house_that_cools_all_afternoon_balances():
    home = Home(NOON_IN_JUNE, 1, Replay(1, data()), cools=True)
    home.set({"hp_target_c": 18.0})
    warm = home.state()["room_c"]
    home.advance(home.now + timedelta(hours=4))
    report = home.report()
    assert home.state()["room_c"] < warm and report["hp_wh"] > 1_000 and report["hp_ambient_wh"] < 0
    assert_balanced(report)
