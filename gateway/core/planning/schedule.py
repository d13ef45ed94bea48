"""What a solution is, whoever made it: powers and states over the slots, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.planning.home import Heat, Home
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
    """What the grid's power adds to the bill, micro-units: energy, tiers and new peaks; export earns."""
    wh = grid_w * home.slots.hours
    return float(np.sum(np.maximum(wh, 0) * home.buy + np.minimum(wh, 0) * home.sell)) / 1000 + home.charges.micro(
        grid_w, home.slots.hours
    )


def usual_peak_w(home: Home, plain: Schedule) -> float:
    """The import a home reaches without a plan, W: in this reference, in the month or in the year so far.

    A thermostat's tank draws all its power or none, so a slot in which it heats counts with all of it.
    """
    hidden = sum(
        (np.where(plain.power_w[t.device.id] > 0, t.power_w - plain.power_w[t.device.id], 0.0) for t in home.tanks),
        np.zeros(home.slots.count),
    )
    seen = [peak for _, peaks in home.request.to_date.peaks_w for peak in peaks]
    return float(max((plain.grid_w(home) + hidden).max(), home.request.peak_so_far_w, *seen, 0.0))


def carbon_g(home: Home, grid_w: Array) -> float:
    """Carbon of the imported energy, g."""
    return float(np.sum(np.maximum(grid_w * home.slots.hours, 0) * home.carbon)) / 1000


def stored_micro(home: Home, schedule: Schedule) -> float:
    """What is stored at the end is worth, micro-units: battery, tank, rooms, and cars that leave later than the plan."""
    return stored_value(home) * stored_wh(home, schedule)


def stored_wh(home: Home, schedule: Schedule) -> float:
    """What is stored at the end, Wh at the connection: what `stored_micro` counts."""
    hours = home.slots.hours
    cars = sum(min(float(schedule.power_w[c.device.id] @ hours), c.need_wh) for c in home.cars if c.open_end)
    total = sum(schedule.state[b.device.id][-1] * b.spec.discharge_efficiency for b in home.batteries)
    heat = sum(_useful_c(h, schedule.state[h.device.id][-1]) * h.wh_per_k for h in (*home.tanks, *home.pumps))
    return float(total + heat + cars)


def _useful_c(heat: Heat, end_c: float) -> float:
    """What is beyond the band, warm or cold, is worth nothing."""
    return max(end_c, float(heat.low_c[-1])) if heat.cools else min(end_c, float(heat.high_c[-1]))


def stored_value(home: Home) -> float:
    """Micro-units per Wh: the cheapest price seen, so that the end of the horizon neither drains nor fills anything."""
    return max(0.0, float(home.buy_cost.min()))
