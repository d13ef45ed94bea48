"""The sun as the inverters measure it now, where nobody holds it back."""

from __future__ import annotations

from gateway.model.setpoint import SetpointKind, slot_of
from gateway.model.site import Role
from gateway.model.snapshot import Snapshot


def free_sun_w(snapshot: Snapshot) -> float | None:
    """Solar power, W, zero or negative; None where an inverter is silent or held back: then it does not tell what shines."""
    inverters = [state for state in snapshot.devices.values() if state.role in (Role.PV, Role.HYBRID_INVERTER)]
    if not all(state.online for state in inverters):
        return None
    for state in inverters:
        told = snapshot.commanded.get(slot_of(state.id, SetpointKind.PV_LIMIT))
        if told is not None and told.value < 100.0:
            return None
    return snapshot.pv_w()
