"""The plan counts with what was learned of the home's heat and hot water, and with usual values before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gateway.core.planning.home import GAINS_W, make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.model.learned import DrawPattern, ThermalModel
from gateway.model.preferences import Preferences
from gateway.model.site import HeatPumpSpec
from tests.core.test_planning_properties import ZONE, request

EVENING = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
LEAKY = ThermalModel(1 / 300, 9000, 250, 3.5, 0.2, 14, "", sun_gain=0.0, sun_w=100)
AT_FIVE = tuple(3000.0 if hour == 5 else 0.0 for hour in range(24))
EARLY = DrawPattern(AT_FIVE, AT_FIVE, AT_FIVE, AT_FIVE, 3000, 300, 21, "")


def asked(**change: object) -> PlanRequest:
    return replace(request(EVENING), **change)  # type: ignore[arg-type]


def test_a_learned_home_loses_holds_and_gains_as_it_was_learned():
    pump = make_home(asked(thermal={"pump": LEAKY})).pumps[0]
    hours = make_home(asked()).slots.hours
    assert pump.keep == pytest.approx(np.exp(-hours * 300 / 9000))
    assert pump.gain_k_per_w == pytest.approx(3.5 / 300)
    assert pump.wh_per_k == pytest.approx(9000 / 3.5)
    stated = make_home(asked()).pumps[0]
    assert isinstance(stated.device.spec, HeatPumpSpec)
    outdoor_c = stated.around_c - GAINS_W * stated.device.spec.resistance_k_per_w
    assert pump.around_c == pytest.approx(outdoor_c + 350 / 300)


def test_the_sun_that_panels_show_warms_the_room_in_its_hours_only():
    sunny = replace(LEAKY, sun_gain=0.5, sun_w=100, sun_from="panels")
    home = make_home(asked(thermal={"pump": sunny}))
    without = make_home(asked(thermal={"pump": replace(sunny, sun_gain=0.0)}))
    warmer = home.pumps[0].around_c - without.pumps[0].around_c
    assert warmer == pytest.approx(0.5 * np.maximum(0.0, -home.pv_w) / 300)
    assert warmer.max() > 0 and (warmer == 0).any()


def test_a_leaky_home_is_heated_for_more_energy_than_a_tight_one():
    tight = replace(LEAKY, resistance_k_per_w=1 / 100)

    def wh(model: ThermalModel) -> float:
        plan = make_plan(asked(thermal={"pump": model}))
        return sum(slot.power_w.get("pump", 0.0) * slot.duration_s / 3600 for slot in plan.slots)

    assert wh(LEAKY) > 1.5 * wh(tight)


def test_hot_water_is_foreseen_when_it_is_drawn_here_and_not_while_the_owners_are_away():
    home = make_home(asked(draws={"tank": EARLY}))
    local = [home.slots.start(index).astimezone(ZONE).hour for index in range(home.slots.count)]
    assert {hour for hour, watts in zip(local, home.tanks[0].draw_w, strict=True) if watts > 0} == {5}
    usual = make_home(asked()).tanks[0].draw_w
    assert (usual > 0).sum() > 5 * (home.tanks[0].draw_w > 0).sum()
    away = Preferences(vacation_until=EVENING + timedelta(days=4))
    assert not make_home(asked(draws={"tank": EARLY}, preferences=away)).tanks[0].draw_w.any()
