"""From powers that a linear program may choose freely to powers that devices can do: 0 or >= 6 A, on or off."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.home import Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.market import Market
from gateway.core.planning.slots import Array

GAP_H = 0.5
"""Pauses shorter than this are not worth a switch of the car."""
ISLAND_H = 0.25
NEAR_H = 24.0
"""Slots further ahead stay fractional: they are planned again many times before they come."""


def car_slots(home: Home, car: Car, power: Array, left: Array, contested: Mask, market: Market) -> Mask:
    """The slots in which a car charges: those the relaxation uses, made whole, with enough room for its energy.

    Of the `contested` ones, in which there is no room for a second car, it keeps no more than it needs.
    """
    hours = home.slots.hours
    cap = np.minimum(car.cap_w, left)
    able = car.window & (cap >= car.min_w)
    on = able & (power >= 0.5 * car.min_w)
    energy = float(power @ hours)
    if energy <= 1:
        return np.zeros_like(on)
    kind = car.kind_w >= car.min_w
    on = _without_islands(home, on, cap, energy)
    on = _without_gaps(home, on, able & kind)
    least = np.full(len(hours), max(car.min_w, 1.0))
    cost = market.cost(least) / (least * hours) + car.dirt + np.where(kind, 0.0, 1e4)
    wanted = [(able & s.window, min(float(power[s.window] @ hours[s.window]), s.need_wh)) for s in car.stages]
    wanted.append((able, energy))
    for window, need in wanted:
        on = _enough(home, on, window, cap, need, cost)
    on = _yielding(home, on, contested, cap, wanted, cost)
    return _not_too_much(home, on, car, energy, cost)


def _yielding(home: Home, on: Mask, contested: Mask, cap: Array, wanted: list[tuple[Mask, float]], cost: Array) -> Mask:
    """Contested slots given up, the dearest and latest first, while the rest still holds the energy at full power."""
    hours, result = home.slots.hours, on.copy()
    open_to_others = np.flatnonzero(on & contested)
    for index in open_to_others[np.lexsort((-open_to_others, -cost[open_to_others]))]:
        rest = result.copy()
        rest[index] = False
        if all(float(cap[rest & window] @ hours[rest & window]) >= need for window, need in wanted):
            result = rest
    return result


def _without_gaps(home: Home, on: Mask, able: Mask) -> Mask:
    result = on.copy()
    for start, end in runs(~on):
        inside = start > 0 and end < len(on)
        same = inside and np.ptp(home.buy_cost[start - 1 : end + 1]) < 1.0
        if same and able[start:end].all() and home.slots.hours[start:end].sum() <= GAP_H:
            result[start:end] = True
    return result


def _without_islands(home: Home, on: Mask, cap: Array, energy: float) -> Mask:
    result = on.copy()
    for start, end in runs(on):
        rest = result.copy()
        rest[start:end] = False
        short = home.slots.hours[start:end].sum() < ISLAND_H - 1e-6
        if short and start > 0 and float(cap[rest] @ home.slots.hours[rest]) >= energy:
            result = rest
    return result


def _enough(home: Home, on: Mask, able: Mask, cap: Array, energy: float, cost: Array) -> Mask:
    """Slots added, the cheapest first, until those of `able` hold the energy."""
    result = on.copy()
    hours = home.slots.hours
    while float(cap[result & able] @ hours[result & able]) < energy - 1:
        free = np.flatnonzero(able & ~result)
        if not len(free):
            break
        near = np.flatnonzero(result)
        away = np.abs(free[:, None] - near[None, :]).min(axis=1) if len(near) else free
        result[free[np.lexsort((free, away, np.round(cost[free], 1)))[0]]] = True
    return result


def _not_too_much(home: Home, on: Mask, car: Car, energy: float, cost: Array) -> Mask:
    result = on.copy()
    hours = home.slots.hours
    while result.sum() > 1 and car.min_w * float(hours[result].sum()) > energy + 1:
        used = np.flatnonzero(result)
        result[used[np.lexsort((-used, -cost[used]))[0]]] = False
    return result


def runs(mask: Mask) -> list[tuple[int, int]]:
    """The half-open index ranges in which a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
