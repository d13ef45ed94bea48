"""What rounding took is exchanged for what is cheaper, and priced peaks stay where the relaxation wanted them."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.core.planning.exchange import exchanged
from gateway.core.planning.home import Home
from gateway.core.planning.optimiser import solved
from gateway.core.planning.program import Model, build
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.rounding import NEAR_H
from gateway.core.planning.scheduler import frozen
from gateway.core.planning.settle import by_rule
from gateway.core.planning.slots import Array
from tests.core.test_planning_money import MONTHLY, asked, tariff


def rounded(what: PlanRequest) -> tuple[Home, Model, Array]:
    home, _ = frozen(what)
    found = solved(home)
    assert found is not None
    return home, found[1], np.array(found[1].lp.solver.getSolution().col_value)


def cost_of(model: Model, x: Array) -> float:
    return float(np.concatenate(model.lp.cost) @ x)


@pytest.mark.slow
def test_a_relay_that_was_placed_in_a_dear_hour_is_moved_and_the_water_stays_warm() -> None:
    # given a plan whose heater runs in the dearest quarter hours that it leaves out, instead of its own
    home, model, x = rounded(asked(with_tariff=tariff()))
    tank = home.tanks[0]
    near = np.flatnonzero((home.slots.ahead_h < NEAR_H) & (home.slots.hours == 0.25))
    own = model.power[tank.device.id][near]
    on = x[own] > 1
    poor = on.copy()
    poor[np.flatnonzero(on)[-1]] = False
    poor[np.flatnonzero(~on)[home.buy[near][~on].argmax()]] = True
    power = np.where(poor, tank.power_w, 0.0)
    model.lp.bound(own, power, power)
    worse = model.lp.solve(9.0)
    assert worse is not None and cost_of(model, worse) > cost_of(model, x) + 5_000
    # when its slots are exchanged
    found = exchanged(model, worse, np.zeros(home.slots.count, dtype=bool))
    # then the plan is cheaper by more than what a switch is worth, the relay whole, the water neither cold nor too hot
    assert found is not None and cost_of(model, found) < cost_of(model, worse) - 5_000
    assert set(np.round(found[own]).tolist()) <= {0.0, tank.power_w}
    water = found[model.state[tank.device.id]]
    assert (water[near] <= tank.high_c[near] + 1e-6).all()
    assert (tank.low_c - water).max() <= max(0.0, float((tank.low_c - x[model.state[tank.device.id]]).max())) + 0.01


@pytest.mark.slow
def test_what_is_exchanged_never_makes_a_plan_dearer() -> None:
    for soc in (0.0, 40.0, 90.0):
        home, model, x = rounded(asked(with_tariff=tariff(demand=[MONTHLY]), soc=soc))
        found = exchanged(model, x, np.zeros(home.slots.count, dtype=bool))
        assert found is not None and cost_of(model, found) <= cost_of(model, x) + 1


def priced() -> tuple[Home, Model, Array]:
    home, _ = frozen(asked(with_tariff=tariff(demand=[MONTHLY])))
    model = build(home, by_rule(home))
    first = model.lp.solve(9.0)
    assert first is not None and first[model.connection.tops].max() > 500
    return home, model, first


def test_what_is_rounded_keeps_the_relaxations_peak_where_it_can() -> None:
    home, model, first = priced()
    tank = model.power[home.tanks[0].device.id]
    model.lp.bound(tank[:2], np.zeros(2), np.zeros(2))
    kept = model.below_peaks(first)
    assert kept is not None
    assert kept[model.connection.tops] == pytest.approx(first[model.connection.tops], abs=0.01)


def test_where_it_cannot_the_peak_rises_and_is_as_high_as_pays() -> None:
    home, model, first = priced()
    tops, car = model.connection.tops, model.power[home.cars[0].device.id]
    # given a car that must take far more at once than the relaxation's peak
    high = float(first[tops].max()) + home.batteries[0].discharge_w.max() + 3_000.0
    slot = np.flatnonzero(home.cars[0].window)[:1]
    model.lp.bound(car[slot], np.full(1, high), np.full(1, high))
    # when it is solved on
    risen = model.below_peaks(first)
    assert risen is not None
    best = model.best_peaks(risen)
    # then the peak rose, and moving it freely would gain next to nothing
    assert best is not None and best[tops].max() > first[tops].max() + 1_000
    model.lp.bound(tops, np.zeros(len(tops)), np.full(len(tops), np.inf))
    free = model.lp.solve(9.0)
    assert free is not None and cost_of(model, best) <= cost_of(model, free) + 10_000
