"""A load that runs one fixed profile, whole: the washing machine, the dishwasher."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from gateway.core.planning.limits import JOINED_EVENT, Mask, caps, overridden
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.runs import ENOUGH
from gateway.core.planning.slots import Array, Slots
from gateway.model.loads import ApplianceRun, RunPhase, duration
from gateway.model.quantity import Quantity
from gateway.model.site import ApplianceSpec, Device

MOST_STARTS = 96
"""So many starts are looked at; between them a quarter of an hour is no loss."""
LATE = 600.0
"""Micro-units per Wh and hour: what a run costs more that is done too late."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One run that waits: row i of `shapes` is its power over the slots, W, when it starts at slot `starts[i]`.

    `late_h` says by how much each start misses the deadline; `price` is added to each Wh, micro-units.
    """

    device: Device
    run: ApplianceRun
    energy_wh: float
    starts: tuple[int, ...]
    shapes: Array
    late_h: Array
    price: Array
    held: Mask
    """Slots in which a limit leaves it without power: it must not start to run through them."""
    lasts: timedelta

    @property
    def extra(self) -> Array:
        """What each start costs besides energy, micro-units: lateness."""
        return LATE * self.late_h * self.energy_wh

    def fits(self, left_w: Array) -> Mask:
        """The starts whose whole profile finds `left_w` W in every slot and meets no limit that stops it."""
        over = (self.shapes > left_w[None, :] + 1e-6) | ((self.shapes > 0) & self.held[None, :])
        return np.asarray(~over.any(axis=1))


def profile_of(spec: ApplianceSpec, slots: Slots, starts: Array) -> Array:
    """Mean power over each slot, W, for each start (s since 1970); one row per start."""
    times = np.arange(len(spec.profile_w) + 1) * float(spec.step_s)
    energy = np.concatenate(([0.0], np.cumsum(spec.profile_w))) * spec.step_s
    since = slots.edges[None, :] - starts[:, None]
    return np.asarray(np.diff(np.interp(since, times, energy), axis=1) / np.diff(slots.edges)[None, :])


def under_way(request: PlanRequest, slots: Slots, device: Device, spec: ApplianceSpec) -> Array | None:
    """Power of a run under way, W, its first slot as measured; None when none is."""
    run = request.snapshot.loads.run(device.id)
    if run is None or run.phase is not RunPhase.RUNNING or run.ends_at is None:
        return None
    begun = run.ends_at.timestamp() - duration(spec).total_seconds()
    power: Array = profile_of(spec, slots, np.array([begun]))[0]
    state = request.snapshot.devices.get(device.id)
    measured = state.get(Quantity.POWER) if state and state.online else None
    if measured is not None:
        power[0] = max(0.0, measured)
    return power


def make_profile(request: PlanRequest, slots: Slots, device: Device, spec: ApplianceSpec) -> Profile | None:
    """A run that waits, with the starts it has; None when none is asked for or its plug is silent."""
    run, state = request.snapshot.loads.run(device.id), request.snapshot.devices.get(device.id)
    if run is None or run.phase is not RunPhase.WAITING or state is None or not state.online or not spec.profile_w:
        return None
    hard, soft = caps(request, slots, device.id, np.inf)
    joined = soft < ENOUGH * max(spec.profile_w)
    starts = _starts(request, slots, run, spec, joined)
    edges = slots.edges[list(starts)]
    shapes = profile_of(spec, slots, edges)
    late = np.maximum(0.0, edges + duration(spec).total_seconds() - run.done_by.timestamp() - 1) / 3600
    if overridden(request, slots, device.id, "run")[0]:
        late = np.where(np.array(starts) == 0, 0.0, late + 1e3)
    price = np.where(joined, JOINED_EVENT, 0.0)
    held = hard < max(spec.profile_w)
    energy = sum(spec.profile_w) * spec.step_s / 3600
    return Profile(device, run, energy, starts, shapes, late, price, held, duration(spec))


def _starts(
    request: PlanRequest, slots: Slots, run: ApplianceRun, spec: ApplianceSpec, joined: Mask
) -> tuple[int, ...]:
    """The slots it may start at; those that end in time where there are any, else all that end within the plan.

    In a joined event the tick lets it start only once it could not be done in time any more.
    """
    first = request.now if overridden(request, slots, run.device, "run")[0] else max(request.now, run.not_before)
    lasts = duration(spec)
    late_s = max(run.done_by - lasts, run.not_before).timestamp() - 1
    free = np.flatnonzero((slots.edges[:-1] >= first.timestamp() - 1) & ~(joined & (slots.edges[:-1] < late_s)))
    whole = free[slots.edges[free] + lasts.total_seconds() <= slots.edges[-1]]
    timely = whole[slots.edges[whole] + lasts.total_seconds() <= run.done_by.timestamp() + 1]
    # Some late ones stay open: a limit may forbid all that are in time.
    late = whole[len(timely) :]
    late = late[slots.edges[late] <= _latest(slots, run, lasts)]
    found = np.concatenate((_thinned(timely), _thinned(late)))
    return tuple(int(index) for index in found) or ((int(free[0]),) if len(free) else (0,))


def _latest(slots: Slots, run: ApplianceRun, lasts: timedelta) -> float:
    return max(float(slots.edges[0]), (run.done_by - lasts).timestamp()) + 24 * 3600.0


def _thinned(starts: Array) -> Array:
    step = max(1, -(-len(starts) // MOST_STARTS))
    return starts[::step]
