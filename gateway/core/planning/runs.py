"""A load that runs at its one power for so many hours of each day, in whole blocks: the pool's pump."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from gateway.core.planning.limits import JOINED_EVENT, Mask, caps, overridden
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.loads import next_window
from gateway.model.quantity import Quantity
from gateway.model.site import Device, PoolPumpSpec

ENOUGH = 0.9
"""A joined event that leaves less than this share of its power leaves it none: a relay knows no less."""
LOCKED = 1e9
STEPS = 20
"""Halvings in the search for the value of an hour."""


@dataclass(frozen=True, slots=True)
class Day:
    """Within the slots of `window` it should run `need_h` hours more; `ends` is the deadline."""

    window: Mask
    need_h: float
    ends: datetime


@dataclass(frozen=True, slots=True)
class Runs:
    """One such load: W; `price` is added to the cost of each Wh, micro-units; in `must` slots it runs."""

    device: Device
    power_w: float
    min_run_h: float
    days: tuple[Day, ...]
    cap_w: Array
    price: Array
    must: Mask
    running: bool
    opens: tuple[Mask, ...] = ()

    @property
    def window(self) -> Mask:
        """The slots in which it may run."""
        inside = self.must.copy()
        for day in self.days:
            inside |= day.window
        return inside


def make_runs(request: PlanRequest, slots: Slots, device: Device, spec: PoolPumpSpec) -> Runs:
    """A pool pump frozen into arrays; what runs now enters with the power it really draws."""
    state = request.snapshot.devices.get(device.id)
    power = state.get(Quantity.POWER) if state else None
    running = bool(state and state.get(Quantity.ON)) or (power or 0.0) > 0.3 * spec.power_w
    rated = real_power(spec.power_w, power if running else None)
    hard, soft = caps(request, slots, device.id, rated)
    joined = soft < ENOUGH * spec.power_w
    must = overridden(request, slots, device.id, "run")
    since = request.snapshot.loads.seen_s(device.id, 1.0, request.now)
    if running and since is not None:
        must = must | ((slots.ahead_h < spec.min_run_h - since / 3600) & ~joined)
    days = _days(request, slots, device, spec)
    cap = np.where(joined & ~_last_moments(slots, days, joined), 0.0, hard)
    price = np.where(joined, JOINED_EVENT, 0.0)
    return Runs(device, rated, max(0.0, spec.min_run_h), days, cap, price, must, running)


def _last_moments(slots: Slots, days: tuple[Day, ...], joined: Mask) -> Mask:
    """The slots of joined events in which it runs all the same: from when only all that is left of a day meets its hours.

    The tick keeps the relay open in an event until then, whatever is planned; the hours outside the event are used first.
    """
    found = np.zeros(slots.count, dtype=bool)
    for day in days:
        free_h = np.where(day.window & ~joined, slots.hours, 0.0)
        before_h = np.cumsum(free_h) - free_h
        after_h = (min(day.ends.timestamp(), slots.edges[-1]) - slots.edges[1:]) / 3600
        found |= day.window & joined & (after_h < day.need_h - before_h - 1e-6)
    return found


def real_power(rated_w: float, measured_w: float | None) -> float:
    """What a load that runs draws, W: measured where that can be its power, else as the site file says."""
    plausible = measured_w is not None and 0.5 * rated_w <= measured_w <= 1.3 * rated_w
    return measured_w if plausible and measured_w is not None else max(0.0, rated_w)


def _days(request: PlanRequest, slots: Slots, device: Device, spec: PoolPumpSpec) -> tuple[Day, ...]:
    """Each window within the plan; of the last one only what the rest of it could not hold is needed."""
    found: list[Day] = []
    ran_h = max(0.0, request.snapshot.loads.ran_s.get(device.id, 0.0)) / 3600
    when, last = request.now, slots.start(slots.count)
    while when < last:
        start, end = next_window(spec, request.site.timezone, when)
        beyond_h = max(0.0, (end - max(last, start)).total_seconds() / 3600)
        need = max(0.0, spec.hours_per_day - (ran_h if not found else 0.0) - beyond_h)
        window = slots.touched(start, end) & (slots.edges[:-1] >= start.timestamp() - 1) & slots.before(end)
        if end > last:
            window = slots.touched(start, None) & (slots.edges[:-1] >= start.timestamp() - 1)
        if window.any():
            found.append(Day(window, need, end))
        when = end
    return tuple(found)


def blocks(
    cost: Array, hours: Array, able: Mask, need_h: float, min_run_h: float, start_cost: float, must: Mask, *, on: bool
) -> Mask:
    """The cheapest slots with `need_h` hours in runs of at least `min_run_h`, each start costing `start_cost`.

    For a given worth of an hour the best runs follow exactly from one pass over the slots; that worth is searched
    until the hours suffice. All able slots, as far as they make whole runs, when even they are too few.
    """
    forced = must & able
    if need_h <= 1e-6 and not forced.any():
        return np.zeros_like(able)
    least = min(min_run_h, float(max((hours[a:b].sum() for a, b in spans(able)), default=0.0)))
    low, high = float(cost.min(initial=0.0)) - 1.0, float(cost.max(initial=0.0)) + start_cost / max(least, 0.1) + 1.0
    low, high = min(low, 0.0) - start_cost, high + LOCKED * 1e-3
    best = _pass(cost, hours, able, high, least, start_cost, forced, on)
    for _ in range(STEPS if hours[best].sum() > need_h else 0):
        middle = (low + high) / 2
        found = _pass(cost, hours, able, middle, least, start_cost, forced, on)
        if hours[found].sum() >= need_h - 1e-6:
            best, high = found, middle
        else:
            low = middle
    return _trimmed(best, cost, hours, need_h, least, forced)


def _pass(
    cost: Array, hours: Array, able: Mask, worth: float, least_h: float, start_cost: float, forced: Mask, on: bool
) -> Mask:
    """The runs that earn most when an hour is worth `worth` and costs `cost` (both per hour)."""
    gains = np.where(able, (worth - cost) * hours, -1000 * LOCKED) + np.where(forced, LOCKED, 0.0)
    lengths = np.concatenate(([0.0], np.cumsum(hours)))
    begin = (np.searchsorted(lengths, lengths - least_h + 1e-9, side="right") - 1).tolist()
    # Plain lists: the loop below reads one number at a time.
    gain, length = gains.tolist(), lengths.tolist()
    ahead = np.concatenate(([0.0], np.cumsum(gains))).tolist()
    off, run = [0.0], [0.0 if on else -np.inf]
    came: list[int] = [0]
    for index in range(1, len(length)):
        first = min(begin[index], index - 1)
        fresh = off[first] + ahead[index] - ahead[first] - start_cost if length[index] >= least_h - 1e-9 else -np.inf
        longer = run[-1] + gain[index - 1]
        run.append(max(fresh, longer))
        came.append(first if fresh > longer else -1)
        off.append(max(off[-1], run[-1]))
    return _traced(off, run, came, len(able))


def _traced(off: list[float], run: list[float], came: list[int], count: int) -> Mask:
    mask, index = np.zeros(count, dtype=bool), count
    while index > 0:
        if off[index] == off[index - 1]:
            index -= 1
            continue
        while index > 0 and came[index] < 0:
            index -= 1
            mask[index] = True
        if index > 0:
            mask[came[index] : index] = True
            index = came[index]
    return mask


def _trimmed(mask: Mask, cost: Array, hours: Array, need_h: float, least_h: float, forced: Mask) -> Mask:
    """The dearest ends of runs given back as long as hours and runs stay long enough."""
    result = mask.copy()
    while True:
        spare = float(hours[result].sum()) - need_h
        ends = [
            end for a, b in spans(result) for end in (a, b - 1)
            if not forced[end] and hours[end] <= spare + 1e-9 and hours[a:b].sum() - hours[end] >= least_h - 1e-9
        ]  # fmt: skip
        if not ends:
            return result
        result[max(ends, key=lambda end: (cost[end], end))] = False


def spans(mask: Mask) -> list[tuple[int, int]]:
    """The half-open index ranges in which a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in list(pairwise(edges))[::2]]
