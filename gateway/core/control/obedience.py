"""Whether a battery, a relay or a thermostat is seen to do what it was told: True, False, or None while unknown."""

from __future__ import annotations

from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Device, Role
from gateway.model.snapshot import DeviceState

OUTSIDE_W, OUTSIDE_SHARE = 250.0, 0.1
"""A battery this far outside its band, W and as a share of its power, does not follow it: losses and lag are less."""
DRAWS_W, RESTS_W = 50.0, 20.0
"""A closed relay's load draws at least this; an open one's less, W."""
TARGET_K = 0.6
"""A thermostat rounds its target to half a degree at most."""


def obeys(device: Device, state: DeviceState | None, power_w: float | None, told: Setpoint) -> bool | None:
    """Whether the device does now what it accepted some time ago; `power_w` is a battery's, W, charging positive."""
    if state is None or not state.online:
        return None
    if told.kind is SetpointKind.BATTERY_BAND and isinstance(device.spec, BatterySpec):
        return _in_band(device.spec, state, power_w, told)
    if told.kind is SetpointKind.SWITCH:
        return _switched(device, state, told)
    if told.kind is SetpointKind.TEMPERATURE:
        target = state.get(Quantity.TARGET_TEMPERATURE)
        return None if target is None else abs(target - told.value) <= TARGET_K
    return None


def _in_band(spec: BatterySpec, state: DeviceState, power_w: float | None, told: Setpoint) -> bool | None:
    """Above or below the band; less than it was forced to do is an excuse where it is full or empty."""
    if power_w is None:
        return None
    slack = OUTSIDE_W + OUTSIDE_SHARE * max(spec.max_charge_w, spec.max_discharge_w)
    soc = state.get(Quantity.SOC)
    if power_w > told.value + slack:
        # Charging more than told while it must discharge may be an empty battery's own protection.
        return None if soc is not None and soc <= spec.min_soc_percent and power_w < slack else False
    if power_w < told.low - slack:
        tapered = soc is None or soc >= min(spec.max_soc_percent, 100.0) - 10.0
        return None if told.low > 0 and power_w > -slack and tapered else False
    return True


def _switched(device: Device, state: DeviceState, told: Setpoint) -> bool | None:
    """By its power where it measures some, else by what it says of its contact.

    A closed relay without power proves nothing of a load with a thermostat or a door of its own; a pump has none.
    """
    on, power = state.get(Quantity.ON), state.get(Quantity.POWER)
    if told.value == 1 and device.role is Role.POOL_PUMP and power is not None and power < RESTS_W:
        return False
    if told.value == 0 and power is not None and power > DRAWS_W:
        return False
    if on is not None:
        return bool(on) == bool(told.value)
    if told.value == 0 and power is not None:
        return True if power < RESTS_W else None
    return True if power is not None and power > DRAWS_W else None
