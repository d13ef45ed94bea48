"""An on/off heater over the slots: the cheapest switching that keeps the water warm, by dynamic programming.

    value of a temperature, from the last slot back     V(T) = min over on, off of cost + cold + V'(T')
    then forward from the real temperature              the cheaper of the two, slot by slot

What a slot costs is told by the relaxation (its market), so the relay finds the sun, the cheap hours and the room that
the other devices leave. Beyond NEAR_H the power stays free: it is planned again many times before it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def best_relay(home: Home, tank: Heat, market: Market, room_w: Array) -> Array:
    """Power of the heater in each slot, W, never above `room_w`: whole where it is near, levels where it is far."""
    grid = np.linspace(min(tank.start_c, float(tank.low_c.min())) - BELOW_K, float(tank.high_c.max()), GRID)
    slots = _slots(home, tank, market, room_w)
    start = SWITCH_H * tank.power_w * float(np.median(home.buy_cost))
    end = -stored_value(home) * tank.wh_per_k * grid
    values = [(end, end)]
    for slot in reversed(slots):
        values.append(_values(slot, grid, *values[-1], start))
    values.reverse()
    power, now, running = np.zeros(len(slots)), tank.start_c, tank.running
    for index, slot in enumerate(slots):
        way = _chosen(slot, grid, now, *values[index + 1], 0.0 if running else start)
        power[index], running = way.power_w, way.power_w > 0
        now = slot.keep * now + slot.drift_k + way.rise_k
    return power


def _slots(home: Home, tank: Heat, market: Market, room_w: Array) -> list[Slot]:
    hours = home.slots.hours
    drift = (1 - tank.keep) * (tank.around_c - tank.gain_k_per_w * tank.draw_w)
    ways = _ways(home, tank, market, room_w)
    goal = tank.hygiene
    return [
        Slot(
            float(tank.keep[i]), float(drift[i]), TANK_K_H * float(hours[i]), float(tank.low_c[i]),
            float(tank.high_c[i]), goal.goal_c if goal and goal.slot == i else -np.inf, tuple(ways[i]),
        )
        for i in range(home.slots.count)
    ]  # fmt: skip


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


def _values(slot: Slot, grid: Array, after_off: Array, after_on: Array, start: float) -> tuple[Array, Array]:
    """The least cost from each temperature of the grid to the end, of a heater that is off, and of one that is on."""
    then = slot.keep * grid + slot.drift_k
    off = _missed(slot, then) + np.interp(then, grid, after_off)
    on = np.full(len(grid), np.inf)
    for way in slot.ways:
        warm = then + way.rise_k
        cost = way.cost + _missed(slot, warm) + np.interp(warm, grid, after_on)
        on = np.minimum(on, np.where(warm > slot.high_c, np.inf, cost))
    return np.minimum(off, on + start), np.minimum(off, on)


def _missed(slot: Slot, then: Array) -> Array:
    missed = slot.cold * np.maximum(0.0, slot.low_c - then)
    return missed if slot.goal_c == -np.inf else missed + MISSED_K * np.maximum(0.0, slot.goal_c - then)


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
