"""Hygiene of tanks in the solver and in the rules: a goal for the end of one slot, and the words when it is missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.core.planning.home import Heat, Home
from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.slots import Array

MISSED_K = 5e6
"""Micro-units per kelvin below the goal: above joined events, below what is hard."""
NEAR_ENOUGH_K = 0.5


def add_goal(lp: LinearProgram, heat: Heat, state: Index) -> None:
    """The tank's goal in the program, soft."""
    if heat.hygiene is not None:
        missed = lp.columns(1, 0.0, np.inf, MISSED_K)
        lp.total((heat.hygiene.goal_c, np.inf), (state[[heat.hygiene.slot]], 1.0), (missed, 1.0))


def held_hot(heat: Heat) -> Heat:
    """For the rules: a tank whose thermostat is turned up in the slots before its goal."""
    goal = heat.hygiene
    if goal is None:
        return heat
    low = heat.low_c.copy()
    low[goal.begins : goal.slot + 1] = np.minimum(goal.goal_c, heat.high_c[goal.begins : goal.slot + 1])
    return replace(heat, low_c=low)


def missed_heat(home: Home, state: dict[str, Array]) -> list[str]:
    """A sentence for each tank that will not become as hot as it should in time."""
    words, zone = [], home.request.site.timezone
    for heat in home.tanks:
        goal = heat.hygiene
        if goal is None:
            continue
        reached = float(state[heat.device.id][: goal.slot + 1].max())
        if reached < goal.asked_c - NEAR_ENOUGH_K:
            due = f"{goal.due.astimezone(zone):%A %H:%M}"
            words.append(
                f"{heat.device.name} will reach {reached:.0f} °C, "
                f"not the {goal.asked_c:.0f} °C that hygiene asks for by {due}."
            )
    return words
