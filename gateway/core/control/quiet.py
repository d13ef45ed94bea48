"""The tick keeps below the plan's quiet power: above it the import would be a peak that costs for a whole month.

    import   __/\\_ kettle _____       quiet ------------------------------
    car      ====\\__/==========       gives way first, down to its minimum, then waits
    battery  ----\\__/----------       gives what is still above, also while it rests or charges

A plan made of forecasts cannot see a kettle; the meter does. Whatever stands above the plan (a departure, the owner's
word, an event) is not held here.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint
from gateway.model.site import BatterySpec
from gateway.model.snapshot import Snapshot

CAR_WORDS = "The car takes less, so that the home makes no new peak."
STEP_W, PATIENCE_W = 500.0, 1_500.0
BATTERY_WORDS = "The battery helps, so that the home makes no new peak."


def quiet_room_w(snapshot: Snapshot, own_w: float) -> float | None:
    """What something that now takes `own_w` may take without a new peak, W; None when nobody knows."""
    quiet, grid = (snapshot.plan.quiet_w(snapshot.now) if snapshot.plan else None), snapshot.grid_w()
    return None if quiet is None or grid is None else quiet - (grid - own_w)


def quiet_car(wish: Wish, snapshot: Snapshot, own_w: float, per_amp_w: float, least_a: float) -> Wish:
    """A planned current, A per phase, with no more than makes no peak; below the least current the car waits."""
    room = quiet_room_w(snapshot, own_w)
    if room is None or wish.authority is not Authority.PLAN or room >= wish.value * per_amp_w:
        return wish
    amps = room / per_amp_w
    return replace(wish, value=amps if amps >= least_a else 0.0, reason=CAR_WORDS)


def _stepped(low: float, told: Setpoint | None) -> float:
    """The lower end in whole steps, never above what is wished."""
    if told is not None and told.reason == BATTERY_WORDS and 0.0 <= low - told.low < PATIENCE_W:
        return told.low
    return math.floor(low / STEP_W) * STEP_W


def quiet_battery(
    wish: Wish, snapshot: Snapshot, spec: BatterySpec, share: float = 1.0, told: Setpoint | None = None
) -> Wish:
    """A planned band, W, lowered so far that the battery gives what would be a peak, but nothing to the car.

    Of several batteries each gives its `share` of it, 0-1. In steps, and what was `told` stays while it does and is
    not much too low: an inverter is not written to for every kettle.
    """
    battery, grid = snapshot.battery_w(), snapshot.grid_w()
    room = None if battery is None else quiet_room_w(snapshot, battery)
    if room is None or grid is None or battery is None or wish.authority is not Authority.PLAN:
        return wish
    cars = 0.0 if snapshot.preferences.battery_to_car else sum(s.power_w or 0.0 for s in snapshot.chargers.values())
    most = min(spec.max_discharge_w, max(0.0, grid - battery - cars))
    low = max(-most, room) * share
    if wish.low <= low:
        return wish
    low = max(-most * share, _stepped(low, told))
    return replace(wish, low=low, value=max(low, min(wish.value, max(room * share, 0.0))), reason=BATTERY_WORDS)
