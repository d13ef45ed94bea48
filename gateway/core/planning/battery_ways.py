"""Which way batteries go in each slot: all the same one, and out only for what the home lacks.

    sun 3 kW   |#################|                what a battery may give: the part of house and loads
    house      |####|                             that the sun does not cover, here 1 kW,
    loads           |##################|          not the car's, and nothing while sun is left over
                                 ^ 1 kW ^

Neither is a linear law: a solution tells the ways, and the program is solved again with the batteries bound to them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gateway.core.planning.home import Battery
from gateway.core.planning.limits import Mask
from gateway.core.planning.program import Model
from gateway.core.planning.slots import Array

MOVES_W = 1.0
"""Less is what rounding leaves."""


def bind_batteries(model: Model, x: Array, driving: Mask) -> None:
    """All batteries bound to the one way they go in each slot of a solution; none feeds the grid past a car."""
    inward = _inward(model, x)
    for battery in model.home.batteries:
        _one_way(model, battery, inward, driving)


def free_batteries(model: Model) -> None:
    """Each battery may go either way again."""
    count = model.home.slots.count
    for battery in model.home.batteries:
        name = battery.device.id
        model.lp.bound(model.charge[name], np.zeros(count), _most_w(model, battery))
        model.lp.bound(model.discharge[name], np.zeros(count), battery.discharge_w)


def feeding_home(model: Model, x: Array) -> Array | None:
    """The solution `x` where its batteries give only what the home lacks; else the best with the loads where they are.

    The program lets them give all that the loads draw, as if none of it came from the sun. None where loads that are
    placed fit beside the sun, within the connection and its phases, only with what the batteries gave.
    """
    lack = model.home.base_w + _served_w(model, x)
    given = sum((x[index] for index in model.discharge.values()), np.zeros(len(lack)))
    sunny = {
        battery.device.id: (model.home.base_w < 0) & ~_is_free(model, battery, x) for battery in model.home.batteries
    }
    too_much = given > np.maximum(0.0, lack) + MOVES_W
    if not any((held & too_much & (x[model.discharge[name]] > MOVES_W)).any() for name, held in sunny.items()):
        return x
    # Without what they gave no fuse may carry more.
    model.keep_rooms(x)
    _let_give(model, sunny, lack > 0, 0.0)
    found = model.lp.solve(model.home.request.time_limit_s)
    if found is not None:
        return found
    # To give at all they need loads that draw more than the sun. These may have no room for it: where a car takes more of
    # the sun than the connection can replace, or a phase is full. There they rest; elsewhere `x` gives only what is lacking.
    _let_give(model, sunny, (lack > 0) & ~too_much, MOVES_W)
    return model.lp.solve(model.home.request.time_limit_s)


def _let_give(model: Model, sunny: Mapping[str, Mask], giving: Mask, more_w: float) -> None:
    """Where there is sun: where `giving` at most what the home lacks and `more_w`, W; else nothing."""
    most = np.where(giving, model.home.base_w + more_w, 0.0)
    for name, held in sunny.items():
        rows, still = model.out_rows[name][held], model.discharge[name][held & ~giving]
        model.lp.bound_rows(rows, np.full(len(rows), -np.inf), most[held])
        model.lp.bound(still, np.zeros(len(still)), np.zeros(len(still)))


def _inward(model: Model, x: Array) -> Mask:
    """Where they charge: one that gives while another takes would only fill it.

    As in the tick one with an order says the way, and of two orders the one to charge.
    """
    taken, given, order = (np.zeros(model.home.slots.count) for _ in range(3))
    for battery in model.home.batteries:
        into, out = x[model.charge[battery.device.id]], x[model.discharge[battery.device.id]]
        taken, given = taken + into, given + out
        order = np.where((battery.reward < 0) & (out > MOVES_W) & (order <= 0), -1.0, order)
        order = np.where((battery.reward > 0) & (into > MOVES_W), 1.0, order)
    return np.where(order != 0, order > 0, taken > given)


def _one_way(model: Model, battery: Battery, inward: Mask, driving: Mask) -> None:
    name, home = battery.device.id, model.home
    charge, discharge = model.charge[name], model.discharge[name]
    zero = np.zeros(home.slots.count)
    model.lp.bound(charge, zero, np.where(inward, _most_w(model, battery), 0.0))
    model.lp.bound(discharge, zero, np.where(inward, 0.0, battery.discharge_w))
    if battery.export.any() and driving.any() and not home.request.preferences.battery_to_car:
        rows = model.out_rows[name][driving & battery.export]
        model.lp.bound_rows(rows, np.full(len(rows), -np.inf), np.maximum(0.0, home.base_w[driving & battery.export]))


def _is_free(model: Model, battery: Battery, x: Array) -> Mask:
    """Where it may feed the grid: no car charges, or it may feed that too."""
    if model.home.request.preferences.battery_to_car:
        return battery.export
    cars = [model.power[car.device.id] for car in model.home.cars]
    return battery.export & (sum((x[index] for index in cars), np.zeros(model.home.slots.count)) <= MOVES_W)


def _served_w(model: Model, x: Array) -> Array:
    """What the loads draw that a battery may feed, W."""
    home = model.home
    cars = set() if home.request.preferences.battery_to_car else {car.device.id for car in home.cars}
    served = [x[index] for name, index in model.power.items() if name not in cars]
    return sum(served, np.zeros(home.slots.count))


def _most_w(model: Model, battery: Battery) -> Array:
    sun = np.maximum(0.0, -model.home.base_w)
    return np.where(battery.only_sun, np.minimum(battery.charge_w, sun), battery.charge_w)
