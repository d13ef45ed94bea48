"""Relays and thermostats: what each is told, and which of them has just been switched on beside a car."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from gateway.core.control.guard import Starting
from gateway.core.control.heating import FROST_C, tank_wish, thermostat_wish
from gateway.core.control.loads import relay_until, relay_wish
from gateway.core.control.season import REST_C, cools_now
from gateway.core.control.timing import ControlTiming
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ApplianceSpec, PoolPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import Snapshot


def starting(site: Site, since: Mapping[str, float], timing: ControlTiming, now: float) -> list[Starting]:
    """The tanks just switched on: a car and a tank that start together share the fuse."""
    found = []
    for device in site.of_role(Role.WATER_HEATER, Role.POOL_PUMP, Role.APPLIANCE):
        fresh = now - since.get(device.id, -math.inf) < timing.raise_pause_s
        if fresh and isinstance(device.spec, WaterHeaterSpec | PoolPumpSpec):
            found.append(Starting(device.circuit, device.spec.phase, device.spec.power_w))
        elif fresh and isinstance(device.spec, ApplianceSpec):
            found.append(Starting(device.circuit, device.spec.phase, max(device.spec.profile_w, default=0.0)))
    return found


def heating(
    site: Site, snapshot: Snapshot, before: Mapping[str, float], now: float, off: Mapping[str, str], *, first: bool
) -> dict[str, float]:
    """Since when each tank is wished on; one that was on at our first tick has been on for ever."""
    wished = [d.id for d in site.of_role(Role.WATER_HEATER) if tank_wish(snapshot, d).value]
    wished += [d.id for d in site.of_role(Role.POOL_PUMP) if relay_wish(site, snapshot, d).value]
    wished += [d.id for d in site.of_role(Role.APPLIANCE) if snapshot.loads.run(d.id)
               and relay_wish(site, snapshot, d).value]  # fmt: skip
    since = -math.inf if first else now
    return {tank: before.get(tank, since) for tank in wished if tank not in off}


def switch_setpoints(site: Site, snapshot: Snapshot, timing: ControlTiming, off: Mapping[str, str]) -> list[Setpoint]:
    """The commands for relays and thermostats; `off`: devices that are off while the grid is lost, and why."""
    until = snapshot.now + timedelta(seconds=timing.command_life_s)
    result: list[Setpoint] = []
    for device in site.devices:
        if device.role is Role.WATER_HEATER:
            wish, kind = tank_wish(snapshot, device), SetpointKind.SWITCH
        elif device.role is Role.HEAT_PUMP:
            wish, kind = thermostat_wish(snapshot, device, site.timezone), SetpointKind.TEMPERATURE
        elif isinstance(device.spec, PoolPumpSpec | ApplianceSpec):
            wish, kind = relay_wish(site, snapshot, device), SetpointKind.SWITCH
        else:
            continue
        if device.id in off:
            rest = 0.0
            if kind is SetpointKind.TEMPERATURE:
                rest = REST_C if cools_now(snapshot, device, site.timezone) else FROST_C
            wish = Wish(rest, Authority.PROTECTION, off[device.id])
        ends = relay_until(snapshot, device, until)
        result.append(
            Setpoint(device.id, kind, wish.value, ends, wish.authority, wish.reason, low=wish.low, source=wish.source)
        )
    return result
