"""The optimiser: a linear program of the home, rounded to what devices can do, and solved again.

    relax  -->  round (cars 0 or >= 6 A, relay on or off, battery one way)  -->  solve again  -->  Schedule

The relaxation of a home's plan is almost exact; integers would cost seconds and gain nothing a person could see.
Wishes are soft, in the order of authority: departure and comfort stand above joined events, binding limits are hard.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.fallback import bargain, charging, missed, over_limit
from gateway.core.planning.home import Battery, Heat, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.rooms import Rooms
from gateway.core.planning.rounding import car_slots, relay
from gateway.core.planning.schedule import Schedule, stored_value
from gateway.core.planning.slots import Array
from gateway.model.preferences import ChargeMode

EARLY = 0.02
"""Micro-units per Wh and hour: what is free anyway is used early."""
WEAR = 0.5
"""Micro-units per Wh through the battery, so that it does not move for nothing."""
OVER_LIMIT = 100_000.0
OVER_ROOM = 50_000.0
"""The fuses are the guard's; a plan that cannot be carried out is only useless."""
MISSED_DEPARTURE = 10_000.0
PRIORITY = 0.04
"""A step of priority makes a car's missed departure so much dearer than another's."""
JOINED_EVENT = 2_000.0
THRIFT = 1_500.0
"""The owner's limits of price and CO2."""
CURTAIL = 1_000.0
"""All micro-units per Wh."""
BELOW_RESERVE = 100.0
"""Micro-units per Wh and hour."""
TANK_K_H = 2e6
ROOM_K_H = 1e6
"""Micro-units per kelvin and hour outside the band."""


@dataclass(slots=True)
class Model:
    """The program with the indices of its variables by device id."""

    lp: LinearProgram
    home: Home
    power: dict[str, Index] = field(default_factory=dict)
    charge: dict[str, Index] = field(default_factory=dict)
    discharge: dict[str, Index] = field(default_factory=dict)
    state: dict[str, Index] = field(default_factory=dict)
    out_rows: dict[str, Index] = field(default_factory=dict)
    surplus: dict[str, Index] = field(default_factory=dict)
    cut: Index = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    over: Index = field(default_factory=lambda: np.zeros(0, dtype=np.int32))


def optimise(home: Home) -> Schedule | None:
    """The best schedule, or None when the solver found none in time; raises ImportError without the solver."""
    fixed = _by_rule(home)
    model = build(home, fixed)
    limit = home.request.time_limit_s
    first = model.lp.solve(limit)
    if first is None:
        return None
    _round(model, first, fixed)
    second = model.lp.solve(limit)
    return None if second is None else _schedule(model, second)


def _by_rule(home: Home) -> dict[str, Array]:
    """Cars whose mode leaves nothing to choose."""
    left, rooms, result = home.headroom_w.copy(), Rooms(home.rooms), {}
    for car in home.cars:
        if car.mode is not ChargeMode.SMART or car.run.any() or car.need_wh <= 0:
            power = result[car.device.id] = charging(home, car, rooms.left_w(car, left))
            rooms.take(car, power)
            left = np.maximum(0.0, left - power)
    return result


def build(home: Home, fixed: dict[str, Array]) -> Model:
    """The relaxed program; `fixed` cars are given loads."""
    lp, count, hours = LinearProgram(), home.slots.count, home.slots.hours
    model = Model(lp, home)
    loads = home.base_w + sum(fixed.values(), np.zeros(count))
    # An export price above the import price would pay for sending the same energy round in circles.
    sell = np.minimum(home.sell / 1000, home.buy_cost)
    forced = np.maximum(0.0, loads - home.import_w)
    bought = lp.columns(count, 0.0, np.inf, home.buy_cost * hours)
    sold = lp.columns(count, 0.0, home.export_w, -sell * hours)
    model.cut = lp.columns(count, 0.0, -home.pv_w, CURTAIL * hours)
    model.over = lp.columns(count, 0.0, forced, OVER_LIMIT * hours)
    lp.rows(-np.inf, home.import_w, (bought, 1.0), (model.over, -1.0))
    if np.isfinite(home.soft_import_w).any():
        over = lp.columns(count, 0.0, np.inf, JOINED_EVENT * hours)
        lp.rows(-np.inf, home.soft_import_w, (bought, 1.0), (over, -1.0))
    for car in home.cars:
        if car.device.id not in fixed:
            _add_car(model, car)
    _add_rooms(model, fixed)
    for heat, penalty in [*((t, TANK_K_H) for t in home.tanks), *((p, ROOM_K_H) for p in home.pumps)]:
        _add_heat(model, heat, penalty)
    for battery in home.batteries:
        _add_battery(model, battery)
    for battery in home.batteries:
        _bind_discharge(model, battery, fixed)
    lp.rows(
        loads, loads, (bought, 1.0), (sold, -1.0), (model.cut, -1.0),
        *((index, -1.0) for index in model.power.values()),
        *((index, -1.0) for index in model.charge.values()),
        *((index, 1.0) for index in model.discharge.values()),
    )  # fmt: skip
    return model


def _early(home: Home, device: str) -> Array:
    extra = home.extra.get(device)
    early = EARLY * home.slots.ahead_h
    return (early if extra is None else early + extra) * home.slots.hours


def _add_car(model: Model, car: Car) -> None:
    home, lp = model.home, model.lp
    count, hours = home.slots.count, home.slots.hours
    cap = np.where(car.window, car.cap_w, 0.0)
    power = lp.columns(count, 0.0, cap, _early(home, car.device.id) + car.dirt * hours)
    model.power[car.device.id] = power
    for most, penalty in ((car.soft_w, JOINED_EVENT), (car.thrift_w, THRIFT)):
        if np.isfinite(most).any():
            over = lp.columns(count, 0.0, np.inf, penalty * hours)
            lp.rows(-np.inf, most, (power, 1.0), (over, -1.0))
    missed_cost = bargain(home, car) if car.open_end else MISSED_DEPARTURE * (1 + PRIORITY * car.priority)
    # A slot may be longer than the car needs at its minimum: what it would take too much costs a little.
    most_extra = car.min_w * float(hours.max())
    for stage in car.stages:
        short = lp.columns(1, 0.0, np.inf, missed_cost)
        inside = np.flatnonzero(stage.window)
        if stage is car.stages[-1]:
            extra = lp.columns(1, 0.0, most_extra, 5.0)
            lp.total(stage.need_wh, (power[inside], hours[inside]), (short, 1.0), (extra, -1.0))
            model.surplus[car.device.id] = extra
        else:
            beyond = lp.columns(1, 0.0, np.inf, 0.0)
            lp.total(stage.need_wh, (power[inside], hours[inside]), (short, 1.0), (beyond, -1.0))


def _add_rooms(model: Model, fixed: dict[str, Array]) -> None:
    """What cars share: a phase of the fuse, a circuit."""
    home, lp = model.home, model.lp
    for room in home.rooms:
        free = [(model.power[name], share) for name, share in room.shares.items() if name in model.power]
        if not free:
            continue
        used = sum(
            (share * fixed[name] for name, share in room.shares.items() if name in fixed), np.zeros(len(room.room_w))
        )
        over = lp.columns(home.slots.count, 0.0, np.inf, OVER_ROOM * home.slots.hours)
        lp.rows(-np.inf, np.maximum(0.0, room.room_w - used), *free, (over, -1.0))


def _add_heat(model: Model, heat: Heat, penalty: float) -> None:
    home, lp, name = model.home, model.lp, heat.device.id
    count, hours = home.slots.count, home.slots.hours
    power = lp.columns(count, 0.0, heat.cap_w, _early(home, name) + heat.price * hours)
    worth = np.zeros(count)
    worth[-1] = -stored_value(home) * heat.wh_per_k
    state = lp.columns(count, -np.inf, np.inf, worth)
    low = lp.columns(count, 0.0, np.inf, penalty * hours)
    high = lp.columns(count, 0.0, np.inf, penalty * hours)
    drive = (1 - heat.keep) * heat.gain_k_per_w
    target = (1 - heat.keep) * heat.around_c - drive * heat.draw_w
    target[0] += heat.keep[0] * heat.start_c
    lp.rows(target[:1], target[:1], (state[:1], 1.0), (power[:1], -drive[:1]))
    lp.rows(target[1:], target[1:], (state[1:], 1.0), (state[:-1], -heat.keep[1:]), (power[1:], -drive[1:]))
    lp.rows(heat.low_c, np.inf, (state, 1.0), (low, 1.0))
    lp.rows(-np.inf, heat.high_c, (state, 1.0), (high, -1.0))
    model.power[name], model.state[name] = power, state


def _add_battery(model: Model, battery: Battery) -> None:
    home, lp, spec, name = model.home, model.lp, battery.spec, battery.device.id
    count, hours = home.slots.count, home.slots.hours
    sun = np.maximum(0.0, -home.base_w)
    most = np.where(battery.only_sun, np.minimum(battery.charge_w, sun), battery.charge_w)
    early, wear = _early(home, name), WEAR * hours
    gain = np.maximum(0.0, battery.reward) * hours
    charge = lp.columns(count, 0.0, most, early + wear - gain)
    spent = wear + spec.wear_cost_micro_per_wh * hours + np.minimum(0.0, battery.reward) * hours
    discharge = lp.columns(count, 0.0, battery.discharge_w, EARLY * home.slots.ahead_h * hours + spent)
    worth = np.zeros(count)
    worth[-1] = -stored_value(home) * spec.discharge_efficiency
    state = lp.columns(count, min(battery.start_wh, battery.floor_wh), battery.full_wh, worth)
    into, out = hours * spec.charge_efficiency, hours / spec.discharge_efficiency
    start = np.array([battery.start_wh])
    lp.rows(start, start, (state[:1], 1.0), (charge[:1], -into[:1]), (discharge[:1], out[:1]))
    lp.rows(0.0, 0.0, (state[1:], 1.0), (state[:-1], -1.0), (charge[1:], -into[1:]), (discharge[1:], out[1:]))
    if battery.start_wh < battery.floor_wh:
        under = lp.columns(count, 0.0, np.inf, BELOW_RESERVE * hours)
        lp.rows(battery.floor_wh, np.inf, (state, 1.0), (under, 1.0))
    model.charge[name], model.discharge[name], model.state[name] = charge, discharge, state


def _bind_discharge(model: Model, battery: Battery, fixed: dict[str, Array]) -> None:
    """A battery feeds the house, not the grid, and not the car unless the owner wants it."""
    home, cars = model.home, {car.device.id for car in model.home.cars}
    to_car = home.request.preferences.battery_to_car
    load = home.base_w + (sum(fixed.values(), np.zeros(home.slots.count)) if to_car else 0.0)
    served = [(index, -1.0) for name, index in model.power.items() if to_car or name not in cars]
    others = [(index, 1.0) for name, index in model.discharge.items() if name != battery.device.id]
    driving = sum(fixed.values(), np.zeros(home.slots.count)) > 0
    free = battery.export & (to_car | ~driving)
    high = np.where(free, np.inf, np.maximum(0.0, load))
    own = (model.discharge[battery.device.id], 1.0)
    model.out_rows[battery.device.id] = model.lp.rows(-np.inf, high, own, *others, *served)


def _round(model: Model, first: Array, fixed: dict[str, Array]) -> None:
    home = model.home
    left = np.maximum(0.0, home.import_w - home.base_w - sum(fixed.values(), np.zeros(home.slots.count)))
    driving = np.zeros(home.slots.count, dtype=bool)
    rooms = Rooms(home.rooms)
    for car in home.cars:
        if car.device.id in fixed:
            rooms.take(car, fixed[car.device.id])
    for car in home.cars:
        if car.device.id not in fixed:
            room = rooms.left_w(car, left)
            contested = _contested(model, first, car, room)
            on = car_slots(home, car, first[model.power[car.device.id]], room, contested)
            cap = np.minimum(car.cap_w, room)
            low = np.where(on, car.min_w, 0.0)
            model.lp.bound(model.power[car.device.id], low, np.where(on, cap, 0.0))
            left = np.maximum(0.0, left - low)
            rooms.take(car, low)
            driving |= on
    for tank in home.tanks:
        power = relay(home, tank, first[model.power[tank.device.id]], left)
        model.lp.bound(model.power[tank.device.id], power, power)
        left = np.maximum(0.0, left - power)
    for battery in home.batteries:
        _one_way(model, battery, first, driving)


def _contested(model: Model, first: Array, car: Car, room: Array) -> Mask:
    """Slots that another car of the relaxation uses too, and in which there is no room for both minima."""
    result = np.zeros(len(room), dtype=bool)
    for other in model.home.cars:
        if other is not car and other.device.id in model.power:
            used = first[model.power[other.device.id]] > 1
            result |= used & (room < car.min_w + other.min_w)
    return result


def _one_way(model: Model, battery: Battery, first: Array, driving: Mask) -> None:
    name, home = battery.device.id, model.home
    charge, discharge = model.charge[name], model.discharge[name]
    inward = first[charge] > first[discharge]
    sun = np.maximum(0.0, -home.base_w)
    most = np.where(battery.only_sun, np.minimum(battery.charge_w, sun), battery.charge_w)
    zero = np.zeros(home.slots.count)
    model.lp.bound(charge, zero, np.where(inward, most, 0.0))
    model.lp.bound(discharge, zero, np.where(inward, 0.0, battery.discharge_w))
    if battery.export.any() and driving.any() and not home.request.preferences.battery_to_car:
        rows = model.out_rows[name][driving & battery.export]
        model.lp.bound_rows(rows, np.full(len(rows), -np.inf), np.maximum(0.0, home.base_w[driving & battery.export]))


def _schedule(model: Model, x: Array) -> Schedule:
    home = model.home
    power = {name: _clean(x[index]) for name, index in model.power.items()}
    for name, load in _by_rule(home).items():
        power[name] = load
    for name in model.charge:
        power[name] = _clean(x[model.charge[name]] - x[model.discharge[name]])
    state = {name: x[index] for name, index in model.state.items()}
    relaxed = [words for car in home.cars for words in missed(home, car, power[car.device.id])]
    relaxed += [words for car in home.cars for words in over_limit(home, car, power[car.device.id])]
    relaxed += _uncomfortable(model, state)
    if x[model.over].max(initial=0.0) > 1:
        relaxed.append("The house alone draws more than the limit of its connection.")
    if x[model.cut] @ home.slots.hours > 10:
        relaxed.append("Some sun cannot be used or exported.")
    ordered = {d.id: power[d.id] for d in home.request.site.devices if d.id in power}
    return Schedule(ordered, state, home.pv_w + x[model.cut], "optimised", tuple(relaxed), model.lp.seconds)


def _uncomfortable(model: Model, state: dict[str, Array]) -> list[str]:
    words = []
    for heat in (*model.home.tanks, *model.home.pumps):
        short = np.maximum(0.0, heat.low_c - state[heat.device.id] - 0.2) @ model.home.slots.hours
        if short > 0.5:
            worst = float((heat.low_c - state[heat.device.id]).max())
            words.append(f"{heat.device.name} will be up to {worst:.1f} K below your minimum.")
    return words


def _clean(power: Array) -> Array:
    return np.where(np.abs(power) < 1.0, 0.0, np.round(power, 3))
