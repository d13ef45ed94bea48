"""Verification: whether a charger is seen to honour the limit it accepted."""

from __future__ import annotations

from gateway.core.control.timing import ControlTiming
from gateway.model.setpoint import Setpoint
from gateway.model.snapshot import ChargerStatus

TOLERANCE_A = 1.0


def honours(status: ChargerStatus, setpoint: Setpoint | None, since_s: float, timing: ControlTiming) -> bool | None:
    """True or False when the measured current says so; None while it is too early or nothing is measured.

    `since_s`: home seconds since this limit was accepted. Judged after max(15 s, two sampling intervals), on a
    sample younger than one and a half intervals.
    """
    wait = max(timing.verify_s, 2 * status.sample_interval_s)
    if setpoint is None or since_s < wait or status.meter_age_s is None:
        return None
    if status.meter_age_s > 1.5 * status.sample_interval_s or status.meter_age_s > since_s - timing.settle_s:
        return None
    measured = [current for current in status.current_a if current is not None]
    if not measured:
        return None
    return max(measured) <= setpoint.value + max(TOLERANCE_A, 0.05 * setpoint.value)
