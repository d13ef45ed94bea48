"""Heat pumps with a least run and a least pause: the relaxation's power gathered into runs they may make."""

from __future__ import annotations

import numpy as np

from gateway.core.planning.home import Heat, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.runs import spans
from gateway.core.planning.slots import Array
from gateway.model.site import HeatPumpSpec

LEAST = 0.25
"""A compressor that runs takes at least this share of its power."""
HARDLY = 0.05
"""Less than this share of its power is none."""


def compressor_bounds(home: Home, pump: Heat, power: Array, left_w: Array) -> tuple[Array, Array] | None:
    """Lower and upper bound of its power, W, so that it runs and rests long enough; None when it looks after itself."""
    spec = pump.device.spec
    if not isinstance(spec, HeatPumpSpec) or max(spec.min_run_s, spec.min_pause_s) <= 0:
        return None
    cap = np.minimum(pump.cap_w, left_w)
    least = LEAST * pump.power_w
    able = cap >= least
    on = gathered(home, pump, (power > HARDLY * pump.power_w) & able, able)
    # What runs now goes on as it does, be that less than another run would take.
    given = np.minimum(pump.given_w, cap)
    return np.where(given > 0, given, np.where(on, least, 0.0)), np.where(on, cap, given)


def gathered(home: Home, pump: Heat, on: Mask, able: Mask | None = None) -> Mask:
    """Slots of running in which no pause and no run is too short; what it does now counts for how long it did."""
    spec = pump.device.spec
    if not isinstance(spec, HeatPumpSpec) or max(spec.min_run_s, spec.min_pause_s) <= 0:
        return on
    allowed = np.ones_like(on) if able is None else able
    result, hours = _begun(home, pump, spec, on) & allowed, home.slots.hours
    for start, end in spans(~result):
        inside = start > 0 and end < len(result)
        if inside and hours[start:end].sum() < spec.min_pause_s / 3600 - 1e-6 and allowed[start:end].all():
            result[start:end] = True
    for start, end in spans(result):
        if start > 0 or not pump.running:
            result = _lengthened(result, allowed, hours, start, end, spec.min_run_s / 3600)
    return result


def _begun(home: Home, pump: Heat, spec: HeatPumpSpec, on: Mask) -> Mask:
    """What it does now it goes on with until that was long enough."""
    loads, now, ahead = home.request.snapshot.loads, home.request.now, home.slots.ahead_h * 3600
    ran, rested = loads.seen_s(pump.device.id, 1.0, now), loads.seen_s(pump.device.id, 0.0, now)
    if ran is not None:
        return np.asarray(on | (ahead < spec.min_run_s - ran))
    return np.asarray(on & ~(ahead < spec.min_pause_s - rested)) if rested is not None else on


def _lengthened(on: Mask, able: Mask, hours: Array, start: int, end: int, least_h: float) -> Mask:
    """A run made long enough, forwards first; dropped where that is not allowed."""
    result, last = on.copy(), end
    while hours[start:last].sum() < least_h - 1e-6 and last < len(on) and able[last]:
        last += 1
    first = start
    while hours[first:last].sum() < least_h - 1e-6 and first > 0 and able[first - 1]:
        first -= 1
    whole = hours[first:last].sum() >= least_h - 1e-6 or last == len(on)
    result[first:last] = whole
    return result
