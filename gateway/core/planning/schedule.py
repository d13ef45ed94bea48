"""What a solution is, whoever made it: powers and states over the slots, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.planning.home import Home
from gateway.core.planning.slots import Array


@dataclass(frozen=True, slots=True)
class Schedule:
    """Power of each device in W (sign rule), and its state at the END of each slot: Wh of a battery, degC of heat."""

    power_w: dict[str, Array]
    state: dict[str, Array]
    pv_w: Array
    method: str
    relaxed: tuple[str, ...] = ()
    solve_s: float = 0.0

    def grid_w(self, home: Home) -> Array:
        """Power at the connection: the sum of all parts, W."""
        return np.asarray(home.house_w + self.pv_w + sum(self.power_w.values(), np.zeros(home.slots.count)))


def bill_micro(home: Home, grid_w: Array) -> float:
    """What the grid's power costs over the slots, micro-units; export earns."""
    wh = grid_w * home.slots.hours
    return float(np.sum(np.maximum(wh, 0) * home.buy + np.minimum(wh, 0) * home.sell)) / 1000


def carbon_g(home: Home, grid_w: Array) -> float:
    """Carbon of the imported energy, g."""
    return float(np.sum(np.maximum(grid_w * home.slots.hours, 0) * home.carbon)) / 1000


def stored_micro(home: Home, schedule: Schedule) -> float:
    """What is stored at the end is worth, micro-units: battery, tank, rooms, and cars that leave later than the plan."""
    value = stored_value(home)
    hours = home.slots.hours
    cars = sum(min(float(schedule.power_w[c.device.id] @ hours), c.need_wh) for c in home.cars if c.open_end)
    total = sum(schedule.state[b.device.id][-1] * b.spec.discharge_efficiency for b in home.batteries)
    heat = sum(
        min(schedule.state[h.device.id][-1], float(h.high_c[-1])) * h.wh_per_k for h in (*home.tanks, *home.pumps)
    )
    return float(value * (total + heat + cars))


def stored_value(home: Home) -> float:
    """Micro-units per Wh: the cheapest price seen, so that the end of the horizon neither drains nor fills anything."""
    return max(0.0, float(home.buy_cost.min()))
