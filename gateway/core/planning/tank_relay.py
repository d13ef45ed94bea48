"""An on/off heater over the slots: the cheapest switching that keeps the water warm, by dynamic programming.

    value of a temperature, from the last slot back     V(T) = min over on, off of cost + cold + V'(T')
    then forward from the real temperature              the cheaper of the two, slot by slot

What a slot costs is told by the relaxation (its market), so the relay finds the sun, the cheap hours and the room that
the other devices leave. Beyond NEAR_H the power stays free: it is planned again many times before it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.home import Heat, Home
from gateway.core.planning.hot import MISSED_K
from gateway.core.planning.market import Market
from gateway.core.planning.rounding import NEAR_H
from gateway.core.planning.schedule import stored_value
from gateway.core.planning.slots import Array

TANK_K_H = 2e6
"""Micro-units per kelvin and hour below the band."""
SWITCH_H = 0.01
"""A start costs as much as so many hours at the middle price: what is equal is not switched often."""
GRID = 193
BELOW_K = 8.0
EARLY = 0.02
"""Micro-units per Wh and hour: what costs the same is heated early."""
LEVELS = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Of the power, in far slots longer than half an hour."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way through a slot: how many kelvin its power adds, and what it costs in micro-units."""

    power_w: float
    rise_k: float
    cost: float


OFF = Way(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one slot does to the water: T' = keep T + drift + rise of the way taken; `cold` per kelvin below `low_c`."""

    keep: float
    drift_k: float
    cold: float
    low_c: float
    high_c: float
    goal_c: float
    """A hygiene goal at its end; -inf: none."""
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """Where one way through a slot leads from each temperature of the grid, and what is missed there, micro-units."""

    missed: Array
    """Infinite where it would become too hot."""
    left: NDArray[np.intp]
    share: Array
    """It leads between two points of the grid: to `left`, and by `share` of the way to the next one."""

    def cost(self, after: Array) -> Array:
        """With what follows, from each temperature."""
        here = after.take(self.left)
        return np.asarray(self.missed + here + self.share * (after.take(self.left + 1) - here))


def best_relay(home: Home, tank: Heat, market: Market, room_w: Array) -> Array:
    """Power of the heater in each slot, W, never above `room_w`: whole where it is near, levels where it is far."""
    grid = np.linspace(min(tank.start_c, float(tank.low_c.min())) - BELOW_K, float(tank.high_c.max()), GRID)
    slots = _slots(home, tank, market, room_w)
    start = start_micro(home, tank)
    end = -stored_value(home) * tank.wh_per_k * grid
    values = _values(slots, grid, end, start)
    power, now, running = np.zeros(len(slots)), tank.start_c, tank.running
    for index, slot in enumerate(slots):
        way = _chosen(slot, grid, now, *values[index], 0.0 if running else start)
        power[index], running = way.power_w, way.power_w > 0
        now = slot.keep * now + slot.drift_k + way.rise_k
    return power


def start_micro(home: Home, tank: Heat) -> float:
    """What a start must gain, micro-units."""
    return SWITCH_H * tank.power_w * float(np.median(home.buy_cost))


def _slots(home: Home, tank: Heat, market: Market, room_w: Array) -> list[Slot]:
    drift = (1 - tank.keep) * (tank.around_c - tank.gain_k_per_w * tank.draw_w)
    cold, ways, goal = TANK_K_H * tank.firm * home.slots.hours, _ways(home, tank, market, room_w), tank.hygiene
    columns = (tank.keep.tolist(), drift.tolist(), cold.tolist(), tank.low_c.tolist(), tank.high_c.tolist())
    return [
        Slot(keep, drift_k, cold_k, low, high, goal.goal_c if goal and goal.slot == i else -np.inf, tuple(ways[i]))
        for i, (keep, drift_k, cold_k, low, high) in enumerate(zip(*columns, strict=True))
    ]


def _ways(home: Home, tank: Heat, market: Market, room_w: Array) -> list[list[Way]]:
    """What each slot offers beside staying off."""
    hours, ahead = home.slots.hours, home.slots.ahead_h
    cap = np.minimum(tank.cap_w, room_w)
    far = (ahead >= NEAR_H) & (hours > 0.5)
    extra, rise = (tank.price + EARLY * ahead) * hours, (1 - tank.keep) * tank.gain_k_per_w
    result: list[list[Way]] = [[] for _ in range(home.slots.count)]
    for level in LEVELS:
        power = np.where(far, level * cap, tank.power_w)
        cost = market.cost(power) + extra * power
        able = (power > 1.0) & (far | ((cap >= tank.power_w) & (level == 1.0)))
        for index in np.flatnonzero(able).tolist():
            watts = float(power[index])
            result[index].append(Way(watts, float(rise[index]) * watts, float(cost[index])))
    return result


def _values(slots: list[Slot], grid: Array, end: Array, start: float) -> list[tuple[Array, Array]]:
    """The least cost from each temperature at the end of each slot, of a heater that is off, and of one that is on."""
    known: dict[tuple[float, ...], Reach] = {}

    def reach(slot: Slot, rise_k: float) -> Reach:
        # Most slots of one length and hour do the same to the water.
        key = (slot.keep, slot.drift_k, slot.cold, slot.low_c, slot.high_c, slot.goal_c, rise_k)
        if key not in known:
            known[key] = _reach(slot, grid, rise_k)
        return known[key]

    after_off, after_on, result = end, end, [(end, end)]
    for slot in reversed(slots[1:]):
        off, on = reach(slot, 0.0).cost(after_off), np.full(len(grid), np.inf)
        for way in slot.ways:
            on = np.minimum(on, reach(slot, way.rise_k).cost(after_on) + way.cost)
        after_off, after_on = np.minimum(off, on + start), np.minimum(off, on)
        result.append((after_off, after_on))
    return result[::-1]


def _reach(slot: Slot, grid: Array, rise_k: float) -> Reach:
    then = slot.keep * grid + (slot.drift_k + rise_k)
    missed = slot.cold * np.maximum(0.0, slot.low_c - then) + MISSED_K * np.maximum(0.0, slot.goal_c - then)
    if rise_k > 0:
        missed[then > slot.high_c] = np.inf
    place = np.clip((then - grid[0]) / (grid[1] - grid[0]), 0.0, len(grid) - 1.001)
    left = place.astype(np.intp)
    return Reach(missed, left, place - left)


def _chosen(slot: Slot, grid: Array, now: float, after_off: Array, after_on: Array, start: float) -> Way:
    then = slot.keep * now + slot.drift_k
    best, least = OFF, _cost(slot, grid, then, after_off)
    for way in slot.ways:
        warm = then + way.rise_k
        cost = way.cost + start + _cost(slot, grid, warm, after_on)
        if warm <= slot.high_c and cost < least:
            best, least = way, cost
    return best


def _cost(slot: Slot, grid: Array, then: float, after: Array) -> float:
    """As the value of one temperature: the grid is even, so its neighbours are found without a search."""
    low, step_k = float(grid[0]), float(grid[1] - grid[0])
    place = min(max((then - low) / step_k, 0.0), GRID - 1.001)
    left = int(place)
    value = float(after[left]) + (place - left) * float(after[left + 1] - after[left])
    missed = slot.cold * max(0.0, slot.low_c - then)
    return value + missed + MISSED_K * max(0.0, slot.goal_c - then)
