"""Heat pumps that run now, whatever is planned: their own thermostats started them, and they draw their real power.

slot 0 and until its least run is over: what it draws      after that: as planned
"""

from __future__ import annotations

import numpy as np

from gateway.core.planning.limits import Mask
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.quantity import Quantity
from gateway.model.site import Device, HeatPumpSpec

RUNS = 0.05
"""More than this share of its power and it runs; less is its electronics."""


def drawn_w(request: PlanRequest, device: Device, spec: HeatPumpSpec) -> float:
    """What a heat pump draws now, W: measured, else all it can where only its relay says that it runs; 0 at rest."""
    state = request.snapshot.devices.get(device.id)
    if state is None or not state.online or spec.max_power_w <= 0:
        return 0.0
    power, on = state.get(Quantity.POWER), state.get(Quantity.ON)
    if power is None:
        return spec.max_power_w if on is not None and on >= 0.5 else 0.0
    return power if power > RUNS * spec.max_power_w else 0.0


def given_w(request: PlanRequest, slots: Slots, device: Device, spec: HeatPumpSpec, cap_w: Array) -> Array:
    """What it draws in each slot before it can be stopped, W, never above `cap_w`."""
    ran_s = request.snapshot.loads.seen_s(device.id, 1.0, request.now)
    still: Mask = slots.ahead_h * 3600 < (0.0 if ran_s is None else spec.min_run_s - ran_s)
    still[0] = True
    return np.where(still, np.minimum(drawn_w(request, device, spec), cap_w), 0.0)
