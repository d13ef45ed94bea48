"""The home as a linear program: columns of each device, what they share, and the balance of every slot.

Wishes are soft; what it costs to break one is their order (all micro-units per Wh unless said otherwise):

    hard       contract, envelope, binding limits, what a device can do: bounds and rows
 1 000 000     a phase of the main fuse or a circuit is overloaded      OVER_ROOM
    20 000     an appliance asked for does not run                      MISSED_RUN (loads.py)
    10 000     a departure is missed; 4 % more for each step of priority MISSED_DEPARTURE
               a car waits below the owner's minimum
     5 000     the pool pump lacks hours                                MISSED_HOURS (loads.py)
               the tank is too cold, per kelvin and hour; hygiene       TANK_K_H, MISSED_K (hot.py)
     2 000     a joined event is broken                                 JOINED_EVENT (limits.py)
     1 500     the owner's limit of price or CO2 is passed              THRIFT
     1 200     the import rises above the home's usual peak             OVER_PEAK (connection.py)
     1 000     sun is cut that could have been used                     CURTAIL (connection.py)
               the room is too cold, per kelvin and hour, by the owner's weight on comfort: ROOM_K_H
       100     the battery is below its reserve, per hour               BELOW_RESERVE
               money, carbon at the owner's price, peaks and tiers at theirs, the evening's reserve
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.charge_curve import limit_by_state
from gateway.core.planning.connection import Connection, connect
from gateway.core.planning.fallback import bargain
from gateway.core.planning.hedge import reserves, rooms_for_sun
from gateway.core.planning.home import Battery, Heat, Home
from gateway.core.planning.hot import add_goal
from gateway.core.planning.limits import JOINED_EVENT
from gateway.core.planning.loads import LoadColumns, add_loads
from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.peak_hedge import Reserve
from gateway.core.planning.schedule import stored_value
from gateway.core.planning.slots import Array

EARLY = 0.02
"""Micro-units per Wh and hour: what is free anyway is used early."""
WEAR = 0.5
"""Micro-units per Wh through the battery, so that it does not move for nothing."""
OVER_ROOM = 1_000_000.0
"""Dearer than what a battery saves that was charged so: it takes a third of its power from each phase."""
MISSED_DEPARTURE = 10_000.0
PRIORITY = 0.04
"""A step of priority makes a car's missed departure so much dearer than another's."""
THRIFT = 1_500.0
"""The owner's limits of price and CO2."""
BELOW_RESERVE = 100.0
"""Micro-units per Wh and hour."""
TANK_K_H = 2e6
ROOM_K_H = 1e6
"""Micro-units per kelvin and hour outside the band."""
STILL = 0.2
"""A peak is not moved for less than this share of its price."""
NOT_WARMER_K = 0.01
"""A tank's own thermostat opens at its maximum: it is hard, but for what rounding leaves."""
LEAST_COMFORT = 0.02
"""However little warmth counts to the owner, a home is not left to freeze."""

NOTHING = np.zeros(0, dtype=np.int32)
NOT_CONNECTED = Connection((), NOTHING, NOTHING, NOTHING, NOTHING)


@dataclass(slots=True)
class Model:
    """The program with the indices of its variables by device id."""

    lp: LinearProgram
    home: Home
    power: dict[str, Index] = field(default_factory=dict)
    charge: dict[str, Index] = field(default_factory=dict)
    discharge: dict[str, Index] = field(default_factory=dict)
    state: dict[str, Index] = field(default_factory=dict)
    heat_rows: dict[str, Index] = field(default_factory=dict)
    """What carries a temperature over each slot."""
    out_rows: dict[str, Index] = field(default_factory=dict)
    surplus: dict[str, Index] = field(default_factory=dict)
    over_rooms: dict[str, Index] = field(default_factory=dict)
    """What goes beyond what devices share, by the name of the room."""
    room_rows: list[tuple[Index, Array]] = field(default_factory=list)
    """The rows of the rooms with what they hold, W: unbound at first, as most of them never bind."""
    connection: Connection = NOT_CONNECTED
    balance: Index = field(default_factory=lambda: NOTHING)
    """The rows of the balance."""
    loads: LoadColumns = field(default_factory=LoadColumns)

    def below_peaks(self, x: Array) -> Array | None:
        """The optimum with the priced peaks of the solution `x`; with higher ones where those cannot be kept."""
        lp, tops, limit = self.lp, self.connection.tops, self.home.request.time_limit_s
        if not len(tops):
            return lp.solve(limit)
        lp.bound(tops, x[tops], np.full(len(tops), np.inf))
        return lp.solve(limit)

    def close_rooms(self) -> None:
        """What devices share holds from now on."""
        for rows, most in self.room_rows:
            self.lp.bound_rows(rows, np.full(len(rows), -np.inf), most)

    def keep_rooms(self, x: Array) -> None:
        """No circuit and no phase is loaded further than in a solution, whatever that would save."""
        for over in self.over_rooms.values():
            self.lp.bound(over, np.zeros(len(over)), np.maximum(0.0, x[over]))

    def free_peaks(self) -> None:
        """Each priced peak may be as high as it pays."""
        tops = self.connection.tops
        if len(tops):
            self.lp.bound(tops, np.zeros(len(tops)), np.full(len(tops), np.inf))

    def best_peaks(self, x: Array) -> Array | None:
        """The optimum from that of `below_peaks`: each peak may move to where its last W pays."""
        lp, tops, limit = self.lp, self.connection.tops, self.home.request.time_limit_s
        price = np.concatenate(lp.cost)[tops]
        for _ in range(2):
            worth = lp.reduced(tops)
            if (np.abs(worth) <= STILL * price).all():
                break
            lp.bound(tops, np.where(worth < 0, x[tops], 0.0), np.where(worth < 0, np.inf, x[tops]))
            found = lp.solve(limit, primal=True)
            if found is None:
                return None
            x = found
        return x


def build(home: Home, fixed: dict[str, Array]) -> Model:
    """The relaxed program; `fixed` cars are given loads."""
    lp = LinearProgram()
    model = Model(lp, home)
    grid = model.connection = connect(lp, home)
    for car in home.cars:
        _add_car(model, car, fixed.get(car.device.id))
    room = ROOM_K_H * min(1.0, max(LEAST_COMFORT, home.request.preferences.comfort_weight))
    for tank in home.tanks:
        _add_heat(model, tank, TANK_K_H, most_over_k=NOT_WARMER_K)
    for pump in home.pumps:
        _add_heat(model, pump, room)
    model.loads = add_loads(lp, home)
    model.power |= model.loads.power
    for battery in home.batteries:
        _add_battery(model, battery)
    for battery in home.batteries:
        _bind_discharge(model, battery, fixed)
    _add_reserves(model)
    _add_rooms(model)
    model.balance = lp.rows(
        home.base_w, home.base_w, *((index, 1.0) for index in grid.bought), (grid.sold, -1.0), (grid.cut, -1.0),
        *((index, -1.0) for index in model.power.values()),
        *((index, -1.0) for index in model.charge.values()),
        *((index, 1.0) for index in model.discharge.values()),
    )  # fmt: skip
    return model


def _early(home: Home, device: str) -> Array:
    extra = home.extra.get(device)
    early = EARLY * home.slots.ahead_h
    return (early if extra is None else early + extra) * home.slots.hours


def _add_car(model: Model, car: Car, given: Array | None) -> None:
    """One car's power; one whose power is `given` has the same columns, so that any other way has the same shape."""
    home, lp = model.home, model.lp
    count, hours = home.slots.count, home.slots.hours
    cap = np.where(car.window, car.cap_w, 0.0) if given is None else given
    power = lp.columns(count, 0.0 if given is None else given, cap, _early(home, car.device.id) + car.dirt * hours)
    model.power[car.device.id] = power
    for most, penalty in ((car.soft_w, JOINED_EVENT), (car.thrift_w, THRIFT)):
        if np.isfinite(most).any():
            over = lp.columns(count, 0.0, np.inf, penalty * hours)
            lp.rows(-np.inf, most, (power, 1.0), (over, -1.0))
    missed_cost = bargain(home, car) if car.open_end else MISSED_DEPARTURE * (1 + PRIORITY * car.priority)
    # A slot may be longer than the car needs at its minimum: what it would take too much costs a little.
    most_extra = car.min_w * float(hours.max())
    for stage in car.stages:
        short = lp.columns(1, 0.0, np.inf, MISSED_DEPARTURE if stage.at_once else missed_cost)
        inside = np.flatnonzero(stage.window)
        if stage is car.stages[-1]:
            extra = lp.columns(1, 0.0, most_extra if given is None else np.inf, 5.0)
            lp.total(stage.need_wh, (power[inside], hours[inside]), (short, 1.0), (extra, -1.0))
            model.surplus[car.device.id] = extra
        else:
            beyond = lp.columns(1, 0.0, np.inf, 0.0)
            lp.total(stage.need_wh, (power[inside], hours[inside]), (short, 1.0), (beyond, -1.0))


def _add_rooms(model: Model) -> None:
    """What devices share: a phase of the fuse, a circuit."""
    home, lp = model.home, model.lp
    for room in home.rooms:
        where = np.flatnonzero(room.tight)
        over = lp.columns(len(where), 0.0, np.inf, OVER_ROOM * home.slots.hours[where])
        drawn = [(over, -1.0)]
        for columns, sign in ((model.power, 1.0), (model.charge, 1.0), (model.discharge, -1.0)):
            drawn += [(columns[name][where], sign * share) for name, share in room.shares.items() if name in columns]
        rows = lp.rows(-np.inf, np.inf, *drawn)
        model.room_rows.append((rows, np.maximum(0.0, room.room_w[where])))
        model.over_rooms[room.name] = over


def _add_heat(model: Model, heat: Heat, penalty: float, *, most_over_k: float = np.inf) -> None:
    """What it draws and its temperature; `penalty` per kelvin and hour outside the band, above which it may be `most_over_k`."""
    home, lp, name = model.home, model.lp, heat.device.id
    count, hours = home.slots.count, home.slots.hours
    power = lp.columns(count, heat.given_w, heat.cap_w, _early(home, name) + heat.price * hours)
    worth = np.zeros(count)
    worth[-1] = -stored_value(home) * heat.wh_per_k
    state = lp.columns(count, -np.inf, np.inf, worth)
    under = lp.columns(count, 0.0, np.inf, penalty * heat.firm * hours)
    over = lp.columns(count, 0.0, most_over_k, penalty * hours)
    drive = (1 - heat.keep) * heat.gain_k_per_w
    target = (1 - heat.keep) * heat.around_c - drive * heat.draw_w
    target[0] += heat.keep[0] * heat.start_c
    first = lp.rows(target[:1], target[:1], (state[:1], 1.0), (power[:1], -drive[:1]))
    rest = lp.rows(target[1:], target[1:], (state[1:], 1.0), (state[:-1], -heat.keep[1:]), (power[1:], -drive[1:]))
    model.heat_rows[name] = np.concatenate((first, rest))
    lp.rows(heat.low_c, heat.high_c, (state, 1.0), (under, 1.0), (over, -1.0))
    model.power[name], model.state[name] = power, state
    add_goal(lp, heat, state)


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
    # What is left at the end must still be taken out: were it worth as much as now, it would be kept for nothing.
    later = EARLY * float(home.slots.ahead_h[-1]) + WEAR + spec.wear_cost_micro_per_wh
    worth[-1] = -max(0.0, stored_value(home) - later) * spec.discharge_efficiency
    state = lp.columns(count, min(battery.start_wh, battery.floor_wh), battery.full_wh, worth)
    into, out = hours * spec.charge_efficiency, hours / spec.discharge_efficiency
    start = np.array([battery.start_wh])
    lp.rows(start, start, (state[:1], 1.0), (charge[:1], -into[:1]), (discharge[:1], out[:1]))
    lp.rows(0.0, 0.0, (state[1:], 1.0), (state[:-1], -1.0), (charge[1:], -into[1:]), (discharge[1:], out[1:]))
    if battery.start_wh < battery.floor_wh:
        under = lp.columns(count, 0.0, np.inf, BELOW_RESERVE * hours)
        lp.rows(battery.floor_wh, np.inf, (state, 1.0), (under, 1.0))
    span = min(battery.start_wh, battery.floor_wh), battery.full_wh
    limit_by_state(lp, spec, battery.start_wh, span, hours, charge, discharge, state)
    model.charge[name], model.discharge[name], model.state[name] = charge, discharge, state


def _bind_discharge(model: Model, battery: Battery, fixed: dict[str, Array]) -> None:
    """A battery feeds the house, not the grid, and not the car unless the owner wants it."""
    home, cars = model.home, {car.device.id for car in model.home.cars}
    to_car = home.request.preferences.battery_to_car
    served = [(index, -1.0) for name, index in model.power.items() if to_car or name not in cars]
    others = [(index, 1.0) for name, index in model.discharge.items() if name != battery.device.id]
    driving = sum(fixed.values(), np.zeros(home.slots.count)) > 0
    free = battery.export & (to_car | ~driving)
    high = np.where(free, np.inf, np.maximum(0.0, home.base_w))
    own = (model.discharge[battery.device.id], 1.0)
    model.out_rows[battery.device.id] = model.lp.rows(-np.inf, high, own, *others, *served)


def _add_reserves(model: Model) -> None:
    """What is worth keeping in the batteries, and what room in them, against a day other than expected."""
    least = sum(min(b.start_wh, b.floor_wh) for b in model.home.batteries)
    for kept in reserves(model.home):
        _reward(model, kept, (least, np.inf), -1.0)
    full = sum(b.full_wh for b in model.home.batteries)
    for room in rooms_for_sun(model.home):
        _reward(model, room, (-np.inf, full), 1.0)


def _reward(model: Model, kept: Reserve, within: tuple[float, float], sign: float) -> None:
    """Parts of what the batteries hold (`sign` -1) or have room for (1), each with its worth."""
    lp = model.lp
    parts = [lp.columns(1, 0.0, width, -worth) for width, worth in zip(kept.widths_wh, kept.worth, strict=True)]
    held = [(model.state[name][kept.index : kept.index + 1], 1.0) for name in model.charge]
    lp.total(within, *held, *((part, sign) for part in parts))
