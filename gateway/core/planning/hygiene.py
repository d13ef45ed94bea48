"""A tank that must become hot once in so many days: when in the plan, how the solver is told, and what was missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.loads import hygiene_due
from gateway.model.site import Device, WaterHeaterSpec

MARGIN_K = 1.0
"""Planned so much above the goal, where the tank's thermostat lets it: a plan is not the water."""


@dataclass(frozen=True, slots=True)
class Hygiene:
    """At the end of slot `slot` the water should have `goal_c`, degC; `due` is the deadline, `asked_c` the owner's."""

    slot: int
    goal_c: float
    asked_c: float
    due: datetime
    begins: int
    """About the first slot in which it is heated for this."""


def hygiene_goal(
    request: PlanRequest,
    slots: Slots,
    device: Device,
    spec: WaterHeaterSpec,
    water_c: float | None,
    buy_cost: Array,
    base_w: Array,
    spare_k: float = 0.0,
) -> Hygiene | None:
    """The cheapest time within the plan to reach the temperature; None when it is not due in it, or out of reach.

    `spare_k` is what a heavy hour of hot water takes, K: it is reached so early that this can be heated again in time.
    """
    due = hygiene_due(request.preferences, spec, request.snapshot.loads, device.id)
    if due is None or due >= slots.start(slots.count) or spec.power_w <= 0 or water_c is None:
        return None
    asked = request.preferences.hygiene_c
    goal = min(asked + MARGIN_K, max(asked, spec.max_temperature_c - 0.5))
    need_h = max(0.25, (goal - min(water_c, goal)) * max(1.0, spec.volume_l) * 1.163 / spec.power_w)
    sun = base_w < -0.5 * spec.power_w
    price = np.where(sun, 0.5 * buy_cost, buy_cost)
    ends = np.concatenate(([0.0], np.cumsum(slots.hours)))
    spent = np.concatenate(([0.0], np.cumsum(price * slots.hours)))
    spare_s = max(0.0, spare_k) * max(1.0, spec.volume_l) * 1.163 / spec.power_w * 3600
    late = np.maximum(due.timestamp() - spare_s, slots.edges[0] + need_h * 3600)
    fits = (ends[1:] >= need_h - 1e-6) & (slots.edges[1:] <= late + 900.0)
    last = np.flatnonzero(fits)
    if not len(last):
        last = np.array([min(slots.count - 1, int(np.searchsorted(ends[1:], need_h)))])
    cost = spent[1:][last] - np.interp(ends[1:][last] - need_h, ends, spent)
    # Equal prices: as late as may be, so that it comes as seldom as asked.
    slot = int(last[np.lexsort((-last, np.round(cost, 6)))[0]])
    begins = int(np.searchsorted(ends, ends[slot + 1] - need_h, side="right")) - 1
    return Hygiene(slot, goal, asked, due, max(0, begins))
