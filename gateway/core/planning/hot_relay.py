"""The relay of a tank that must become hot: whole slots until the goal is reached."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.fallback import step
from gateway.core.planning.home import Heat
from gateway.core.planning.slots import Array


def hot_enough(heat: Heat, power: Array, left_w: Array) -> Array:
    """The relay's slots with as many more, nearest before the goal, as it takes to reach it."""
    if heat.hygiene is None:
        return power
    result = power.copy()
    able = (np.minimum(heat.cap_w, left_w) >= heat.power_w) & (result <= 0)
    for index in range(heat.hygiene.slot, -1, -1):
        if temperatures(heat, result)[heat.hygiene.slot] >= heat.hygiene.goal_c:
            break
        if able[index]:
            result[index] = heat.power_w
            if (temperatures(heat, result) > heat.high_c + 1e-6).any():
                result[index] = 0.0
    return result


def temperatures(heat: Heat, power: Array) -> Array:
    """At the end of each slot, degC."""
    now, found = heat.start_c, np.zeros(len(power))
    for index in range(len(power)):
        now = found[index] = step(heat, index, now, float(power[index]))
    return found
