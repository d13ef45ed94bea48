"""What holds while a tick cannot decide: the safe currents, so that no car is left at what it was told before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.core.control.draws import spec_of
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role, Site

REASON = "Hearth could not decide: what is safe when nothing is known."


def safe_setpoints(
    site: Site, told: Mapping[str, Setpoint], now: datetime, timing: ControlTiming
) -> tuple[Setpoint, ...]:
    """Safe currents for all chargers, rest for batteries told a power of their own; `now` is aware UTC.

    All other devices keep what they were `told` last until that ends by itself; then each falls to its own safe value.
    """
    until = now + timedelta(seconds=timing.command_life_s)
    cars = [_current(device, told.get(device.id), until) for device in site.of_role(Role.EV_CHARGER)]
    forced = [
        last for last in told.values() if last.kind is SetpointKind.BATTERY_BAND and (last.low > 0 or last.value < 0)
    ]
    rests = [
        Setpoint(last.device, SetpointKind.BATTERY_BAND, 0.0, until, Authority.ELECTRICAL_SAFETY, REASON)
        for last in forced
    ]
    return (*cars, *rests)


def _current(device: Device, last: Setpoint | None, until: datetime) -> Setpoint:
    """A charger's safe current, A per phase; less where it was told less."""
    safe_a = spec_of(device).safe_current_a
    amps, phases = (safe_a, 0) if last is None else (min(safe_a, last.value), last.phases)
    return Setpoint(device.id, SetpointKind.CURRENT, amps, until, Authority.ELECTRICAL_SAFETY, REASON, phases=phases)
