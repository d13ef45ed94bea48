"""From the relaxation to what devices can do: cars 0 or >= 6 A, relays on or off, compressors, batteries one way.

    cars by the relaxation's prices  -->  solve  -->  relays by the new prices, each way judged by the program itself

What is rounded keeps out of a peak that the relaxation did not want, as long as it can.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gateway.core.planning.battery_ways import bind_batteries
from gateway.core.planning.cars import Car
from gateway.core.planning.compressor import compressor_bounds
from gateway.core.planning.fallback import charging
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.hot_relay import hot_enough
from gateway.core.planning.limits import Mask
from gateway.core.planning.loads import forced_w
from gateway.core.planning.lp import Index
from gateway.core.planning.market import Market, solved_market
from gateway.core.planning.program import Model
from gateway.core.planning.quiet import is_enough, quiet_w, rooms_for
from gateway.core.planning.rooms import Rooms, Spare
from gateway.core.planning.rounding import NEAR_H, car_slots
from gateway.core.planning.slots import Array
from gateway.core.planning.tank_relay import best_relay
from gateway.model.preferences import ChargeMode

FULL_WH = 100.0
"""What the relaxation gives a car must be more: no start, and no peak, for so little."""
REFINED = 300
"""With more slots than this a relay is placed once: the first way is nearly as good, unless it costs this much more."""
WORSE = 500_000.0


def by_rule(home: Home) -> dict[str, Array]:
    """Cars whose mode leaves nothing to choose."""
    spare, result = Spare(np.maximum(0.0, home.headroom_w - home.given_w), home.free_rooms()), dict[str, Array]()
    forced_w(home, spare)
    for car in home.cars:
        if not is_free(car):
            name = car.device.id
            result[name] = charging(home, car, spare.of(name), spare.left_w - home.asked_w)
            spare.take(name, result[name])
    return result


def is_free(car: Car) -> bool:
    """Whether the plan chooses when a car charges."""
    return car.mode is ChargeMode.SMART and not car.run.any() and car.need_wh > 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left once the cars are rounded; what of it would make a peak, W; where a car charges."""

    spare: Spare
    loud_w: Array
    driving: Mask
    forced: dict[str, Array]
    """What loads that must run take of it before their turn, W."""


def round_cars(model: Model, first: Array, fixed: dict[str, Array]) -> Taken:
    home = model.home
    spare = Spare(np.maximum(0.0, home.headroom_w - home.given_w), home.free_rooms())
    forced = forced_w(home, spare)
    for name, power in fixed.items():
        spare.take(name, power)
    left, rooms = spare.left_w, spare.rooms
    driven = sum((*forced.values(), *fixed.values()), home.base_w + home.given_w)
    # What goes beyond it makes a peak that the relaxation did not want.
    loud = left - np.maximum(0.0, quiet_w(home, _bought(model, first)) - driven)
    driving = np.zeros(home.slots.count, dtype=bool)
    for car in home.cars:
        if car.device.id not in fixed:
            room = _quiet_room(home, car, rooms, left, loud)
            contested = _contested(model, first, car, room)
            own = model.power[car.device.id]
            on = car_slots(home, car, first[own], room, contested, market_beside(model, first, [own]))
            if float(first[own] @ home.slots.hours) <= FULL_WH:
                on[:] = False
            cap = np.minimum(car.cap_w, rooms.left_w(car.device.id, left))
            low = np.where(on, car.min_w, 0.0)
            model.lp.bound(model.power[car.device.id], low, np.where(on, cap, 0.0))
            left = np.maximum(0.0, left - low)
            rooms.take(car.device.id, low)
            driving |= on
    return Taken(Spare(left, rooms), loud, driving, forced)


def round_rest(model: Model, first: Array, taken: Taken) -> None:
    """Bind relays, compressors and batteries beside the cars, and take what they need of what is left."""
    home, spare = model.home, taken.spare
    for tank in home.tanks:
        name, quiet = tank.device.id, np.maximum(0.0, spare.left_w - taken.loud_w)
        power, first = _place_relay(model, tank, first, spare.of(name), quiet)
        spare.take(name, power)
    for pump in home.pumps:
        name, given = pump.device.id, np.broadcast_to(pump.given_w, home.slots.count)
        spare.give_back(name, given)
        bounds = compressor_bounds(home, pump, first[model.power[name]], spare.of(name))
        if bounds is not None:
            model.lp.bound(model.power[name], *bounds)
        spare.take(name, given if bounds is None else bounds[0])
    for name, power in taken.forced.items():
        spare.give_back(name, power)
    bind_batteries(model, first, taken.driving)


def _place_relay(model: Model, tank: Heat, first: Array, left: Array, quiet: Array) -> tuple[Array, Array]:
    """The relay bound to the best of a few ways: its power, W, and the solution with it.

    Each way is judged by the program itself; the best one's own prices tell one more.
    """
    home, own, value = model.home, model.power[tank.device.id], model.lp.value
    near, fine = home.slots.ahead_h < NEAR_H, home.slots.count > REFINED
    best: tuple[float, Array, Array, Array] | None = None
    rooms = rooms_for(home, tank, left, quiet)
    markets = [(room, market_beside(model, first, [own])) for room in rooms]
    while markets:
        room, market = markets.pop(0)
        power = hot_enough(tank, best_relay(home, tank, market, room), room)
        model.lp.bound(own[near], power[near], power[near])
        x = model.below_peaks(first)
        if x is None:
            break
        if best is None or value(x) < best[0]:
            best = value(x), power, x, room
            again = market_beside(model, x, [own])
        if fine and best[0] < value(first) + WORSE:
            break
        if not markets and rooms and not fine:
            markets, rooms = [(best[3], again)], []
    if best is None:
        return np.zeros(home.slots.count), first
    model.lp.bound(own[near], best[1][near], best[1][near])
    return best[1], best[2]


def _bought(model: Model, x: Array) -> Array:
    return sum((x[index] for index in model.connection.bought), np.zeros(model.home.slots.count))


def _quiet_room(home: Home, car: Car, rooms: Rooms, left: Array, loud: Array) -> Array:
    """What is left for a car, W: without a new peak, or with the least one that its departures need."""
    hours, most = home.slots.hours, rooms.left_w(car.device.id, left)
    quiet = np.minimum(car.cap_w, rooms.left_w(car.device.id, np.maximum(0.0, left - loud)))
    quiet = np.where(quiet >= car.min_w, quiet, 0.0)
    # All hours at the minimum make less of a peak than few hours at all it can.
    slow = np.where(np.minimum(car.cap_w, most) >= car.min_w, np.maximum(quiet, car.min_w), 0.0)
    for room in (quiet, slow):
        if all(is_enough(stage.need_wh, room[stage.window], hours[stage.window]) for stage in car.stages):
            return room
    return most


def market_beside(model: Model, first: Array, placed: Iterable[Index]) -> Market:
    """What a Wh more costs beside the loads that are still to be placed."""
    home, grid = model.home, model.connection
    bought, nothing = _bought(model, first), np.zeros(home.slots.count)
    spare = first[grid.sold] + first[grid.cut] + sum((first[index] for index in model.charge.values()), nothing)
    own = sum((first[index] for index in placed), nothing)
    return solved_market(home, model.lp.duals(model.balance), spare, bought, own)


def beside_cars(model: Model, first: Array, fixed: dict[str, Array], taken: Taken) -> Spare:
    """What is left beside a new peak and what the relaxation gave the cars that may still move."""
    free = {name: first[model.power[name]] for name in (car.device.id for car in model.home.cars) if name not in fixed}
    loud = np.minimum(taken.loud_w, taken.spare.left_w)
    return taken.spare.less(sum(free.values(), loud), free)


def _contested(model: Model, first: Array, car: Car, room: Array) -> Mask:
    """Slots that another car of the relaxation uses too, and in which there is no room for both minima."""
    result = np.zeros(len(room), dtype=bool)
    for other in model.home.cars:
        if other is not car and other.device.id in model.power:
            used = first[model.power[other.device.id]] > 1
            result |= used & (room < car.min_w + other.min_w)
    return result
