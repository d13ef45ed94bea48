"""A relay's and a car's slots exchanged while that makes the whole plan cheaper, each exchange judged by the program.

    slots    |##|__|##|__|__|          what one more W costs in each slot is told by the last optimum;
    try      |##|__|__|##|__|          the most promising exchange is solved, and kept if the plan costs less

What a relay or a car was given at the prices of one solution moves those prices. As a program's cost is convex, its
prices tell the least that an exchange can cost: what is not promising by them need not be tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gateway.core.planning.battery_ways import bind_batteries, free_batteries
from gateway.core.planning.duties import Departures, Warmth
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.moves import Move, Switched, Where
from gateway.core.planning.program import Model
from gateway.core.planning.rounding import NEAR_H
from gateway.core.planning.schedule import stored_value
from gateway.core.planning.settle import is_free
from gateway.core.planning.slots import Array
from gateway.core.planning.tank_relay import start_micro

FINE = 300
"""With more slots than this they are exchanged a quarter hour at a time, and less is tried."""
TRIES, PATIENCE = 60, 30
FINE_TRIES, FINE_PATIENCE = 4, 3
"""Programs solved at most, and so many in a row that gained nothing are enough."""
STEPS, FINE_STEPS = 3_000, 4_200
"""So many steps of the solver are enough for a whole plan, too: the same request gives the same plan, however busy the
machine is."""
CAR_START = 5_000.0
"""Micro-units for another start of a car."""
PROMISING = 1_000.0
"""Micro-units that an exchange must gain."""
TIRED = 0.6
"""What shares a step with a move that failed is believed so much less."""
STEP_S = 900.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A plan: its solution, what is on in it, and what it costs."""

    x: Array
    on: tuple[Switched, ...]
    cost: float

    def moved(self, number: int, move: Move) -> tuple[Switched, ...]:
        """What would be on after a move of one device."""
        return tuple(each.after(move) if index == number else each for index, each in enumerate(self.on))


def exchanged(model: Model, x: Array, driving: Mask) -> Array | None:
    """The solution `x` with what is switched exchanged as long as that gains; the program holds what it found.

    Batteries may turn round and peaks move meanwhile; `driving` are the slots in which a car charges.
    """
    switched = _switched(model, x)
    if not switched:
        return x
    free_batteries(model)
    model.free_peaks()
    model.keep_rooms(x)
    found = _searched(model, switched)
    if found is None:
        return None
    bind_batteries(model, found.x, driving)
    return model.lp.solve(model.home.request.time_limit_s)


def put_back(model: Model, x: Array, driving: Mask) -> None:
    """Bind what is switched as it is on in the solution `x` from before, and the batteries the way they go in it.

    Exchanges are judged with batteries that may do anything: they may place a load where only these could carry it. What
    was rounded before fits without them.
    """
    for each in _switched(model, x):
        _bind(model, each)
    bind_batteries(model, x, driving)


def _switched(model: Model, x: Array) -> tuple[Switched, ...]:
    """What may be exchanged, as it is on in a solution."""
    return tuple(each for each in (*switched_tanks(model, x), *switched_cars(model, x)) if each.able.any())


def _searched(model: Model, switched: tuple[Switched, ...]) -> Exchange | None:
    """The best that was found, bound in the program: move after move as long as they gain."""
    state = judged(model, switched, switched)
    if state is None:
        return None
    fine = model.home.slots.count > FINE
    tries, patience = (FINE_TRIES, FINE_PATIENCE) if fine else (TRIES, PATIENCE)
    options, vain, last = Options.of(model, state), 0, FINE_STEPS if fine else STEPS
    for _ in range(tries):
        found = options.best()
        if found is None or vain >= patience or model.lp.steps > last:
            break
        number, move = found
        on = state.moved(number, move)
        other = judged(model, on, (on[number],))
        if other is not None and other.cost < state.cost - PROMISING:
            state, vain, options = other, 0, Options.of(model, other)
        else:
            vain += 1
            options.failed(number, move)
            _bind(model, state.on[number])
    return state


@dataclass(slots=True)
class Options:
    """Moves by device with the least they can cost; those that share a step with one that failed wait for others."""

    moves: list[list[Move]]
    costs: list[Array]

    @staticmethod
    def of(model: Model, state: Exchange) -> Options:
        """All of a plan, by the prices of the last optimum, which is this plan."""
        now = [priced(model, each) for each in state.on]
        found = [each.promising(worth_of(model, each), state.x[each.own]) for each in now]
        return Options([moves for moves, _ in found], [costs for _, costs in found])

    def best(self) -> tuple[int, Move] | None:
        """The device and the move that should save most; None when none should."""
        least = [(float(costs.min()), number) for number, costs in enumerate(self.costs) if len(costs)]
        cost, number = min(least, default=(0.0, 0))
        return (number, self.moves[number][int(self.costs[number].argmin())]) if cost < -PROMISING else None

    def failed(self, number: int, move: Move) -> None:
        """A move gained nothing."""
        costs, steps = self.costs[number], set(move)
        for index, other in enumerate(self.moves[number]):
            if not steps.isdisjoint(other):
                costs[index] *= TIRED
        costs[self.moves[number].index(move)] = 0.0


def judged(model: Model, on: tuple[Switched, ...], changed: tuple[Switched, ...]) -> Exchange | None:
    """The plan with this on, of which the program has all but what `changed`; None where it cannot be."""
    for each in changed:
        _bind(model, each)
    x = model.lp.solve(model.home.request.time_limit_s)
    if x is None:
        return None
    return Exchange(x, on, model.lp.value(x) + sum(each.starts * each.start_micro for each in on))


def priced(model: Model, each: Switched) -> Switched:
    """The same with what its water is worth after the near slots, as of the last optimum."""
    if not isinstance(each.duty, Warmth):
        return each
    return replace(each, duty=replace(each.duty, end_micro=_end_micro(model, each.duty.tank, len(each.slots))))


def worth_of(model: Model, each: Switched) -> Array:
    """What one more W costs in each slot: as of the last optimum, without what warm water is worth in it."""
    worth = model.lp.reduced(each.own)
    if isinstance(each.duty, Warmth):
        tank = each.duty.tank
        rows = model.heat_rows[tank.device.id][each.slots]
        worth = worth - model.lp.duals(rows) * ((1 - tank.keep) * tank.gains_k_per_w)[each.slots]
    return worth


def _bind(model: Model, each: Switched) -> None:
    model.lp.bound(each.own, np.where(each.on, each.low_w, 0.0), np.where(each.on, each.high_w, 0.0))


def switched_tanks(model: Model, x: Array) -> Iterator[Switched]:
    """The relays of tanks as they are on in a solution, over the slots in which the planner decides them."""
    home, near = model.home, np.flatnonzero(model.home.slots.ahead_h < NEAR_H)
    hours, steps = home.slots.hours[near], _steps(home)[near]
    for tank in home.tanks:
        own, whole = model.power[tank.device.id][near], np.full(len(near), tank.power_w)
        duty = Warmth(tank, near, hours)
        able, price = tank.cap_w[near] >= tank.power_w, start_micro(home, tank)
        yield Switched(own, near, steps, hours, able, x[own] > 1.0, whole, whole, price, tank.running, duty)


def _end_micro(model: Model, tank: Heat, count: int) -> float:
    """What a kelvin more after the near slots costs (negative: saves), micro-units, as of the last optimum."""
    if count == model.home.slots.count:
        return -stored_value(model.home) * tank.wh_per_k
    rows = model.heat_rows[tank.device.id][count : count + 1]
    return float(model.lp.duals(rows)[0] * tank.keep[count])


def switched_cars(model: Model, x: Array) -> Iterator[Switched]:
    """The cars that charge when the plan chooses."""
    home = model.home
    count, hours = home.slots.count, home.slots.hours
    # Which way a battery may go depends on when a car charges, where it feeds the grid but not a car.
    if any(battery.export.any() for battery in home.batteries) and not home.request.preferences.battery_to_car:
        return
    for car in home.cars:
        own = model.power[car.device.id]
        able, on = car.window & (car.cap_w >= car.min_w), x[own] > 1.0
        if is_free(car) and on.any():
            duty = Departures(car, hours, car.min_w * float(hours.max()))
            low = np.full(count, car.min_w)
            yield Switched(
                own, np.arange(count), _steps(home), hours, able, on, low, car.cap_w, CAR_START, car.running, duty
            )


def _steps(home: Home) -> Where:
    """The number of the step each slot belongs to."""
    if home.slots.count <= FINE:
        return np.arange(home.slots.count)
    return np.unique(np.floor(home.slots.edges[:-1] / STEP_S), return_inverse=True)[1]
