"""Whether a heat pump warms or cools now: as the plan in force decided, else by the room and the air outside."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from gateway.model.quantity import Quantity
from gateway.model.site import Device, HeatPumpSpec
from gateway.model.snapshot import Snapshot

VACATION_COOL_C = 28.0
"""An empty home is not cooled below this."""
REST_C = 30.0
"""The target of a thermostat in cooling that must not run."""


def cools_now(snapshot: Snapshot, device: Device, zone: ZoneInfo) -> bool:
    """Whether `device` cools; without a plan only where room and outdoors are both above the comfort band."""
    spec, plan = device.spec, snapshot.plan
    if not isinstance(spec, HeatPumpSpec) or spec.cooling_eer is None:
        return False
    block = plan.block(device.id, snapshot.now) if plan is not None else None
    if block is not None:
        return block.cools
    state = snapshot.devices.get(device.id)
    room, outdoor_c = state.get(Quantity.TEMPERATURE) if state else None, _outdoor_c(snapshot)
    if room is None or outdoor_c is None:
        return False
    return min(room, outdoor_c) > snapshot.preferences.comfort_at(snapshot.now.astimezone(zone))[1]


def _outdoor_c(snapshot: Snapshot) -> float | None:
    """The coldest of the home's sensors, as the sun may shine on another."""
    said = [state.get(Quantity.OUTDOOR_TEMPERATURE) for state in snapshot.devices.values()]
    return min((value for value in said if value is not None), default=None)
