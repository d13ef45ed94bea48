"""The tick's decision: from one Snapshot to the whole wish, one setpoint per device.

    Snapshot -> guard (fuse, silent meter, import limit) -> wishes by authority -> setpoints

A pure function: the same snapshot and memory give the same setpoints, so that a restart at any instant is harmless.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.core.control.charging import SolarMemory, charging_wish, surplus
from gateway.core.control.guard import Guarded, Room, guard
from gateway.core.control.heating import tank_wish, thermostat_wish
from gateway.core.control.storage import battery_wish
from gateway.core.control.timing import ControlTiming
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, ChargerSpec, Device, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import Snapshot

CURRENT_STEP_A = 0.5
"""Smallest rise worth a command, A; a reduction is always worth one."""
BAND_STEP_W = 100.0


@dataclass(frozen=True, slots=True)
class ControlMemory:
    """What the tick remembers: when each charger's limit was last changed and paused (monotonic home s), the sun."""

    changed_at: Mapping[str, float] = field(default_factory=dict)
    drawn_a: Mapping[str, float] = field(default_factory=dict)
    """The most each car may have been drawing when its limit was last changed, A per phase."""
    meter_a: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """What the main meter showed at that moment, A per phase."""
    paused_at: Mapping[str, float] = field(default_factory=dict)
    solar: SolarMemory | None = None
    heating: Mapping[str, float] = field(default_factory=dict)
    """Since when each tank is wished on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One tick's result: the whole wish, the memory for the next tick, and what a person must know."""

    setpoints: tuple[Setpoint, ...]
    memory: ControlMemory
    alarms: tuple[tuple[str, str], ...]


def decide(site: Site, snapshot: Snapshot, memory: ControlMemory, timing: ControlTiming, monotonic: float) -> Decision:
    """The whole wish for one tick; `monotonic` in s of home time."""
    guarded = guard(site, snapshot, timing, memory.changed_at, memory.drawn_a, memory.meter_a, monotonic)
    solar = surplus(snapshot, memory.solar, monotonic)
    changed, drawn, paused = dict(memory.changed_at), dict(memory.drawn_a), dict(memory.paused_at)
    seen = dict(memory.meter_a)
    setpoints: list[Setpoint] = []
    heating = _heating(site, snapshot, memory, monotonic)
    guarded = _reserve(site, guarded, heating, timing, monotonic)
    for device in site.of_role(Role.EV_CHARGER):
        room = guarded.room(device)
        setpoint = _charger(site, snapshot, device, room, solar.surplus_w, memory, timing, monotonic)
        before = snapshot.commanded.get(device.id)
        if not setpoint.same_wish(before):
            changed[device.id] = monotonic
            drawn[device.id] = _most_drawn(guarded, device, before)
            seen[device.id] = guarded.current_a
        stopped = setpoint.value == 0 and (before is None or before.value > 0)
        by_limit = room.binding and setpoint.authority is Authority.BINDING_LIMIT
        if stopped and (by_limit or setpoint.authority is Authority.ELECTRICAL_SAFETY):
            # Only the stop itself: a rest that counted anew at every tick would never end.
            paused[device.id] = monotonic
        guarded = guarded.spent(device, setpoint.value)
        setpoints.append(setpoint)
    setpoints += _others(site, snapshot, guarded, timing)
    return Decision(
        tuple(setpoints),
        ControlMemory(changed_at=changed, drawn_a=drawn, meter_a=seen, paused_at=paused, solar=solar, heating=heating),
        guarded.alarms,
    )


def _reserve(site: Site, guarded: Guarded, heating: Mapping[str, float], timing: ControlTiming, now: float) -> Guarded:
    """Room for the tanks just switched on: a car and a tank that start together share the fuse."""
    for device in site.of_role(Role.WATER_HEATER):
        fresh = now - heating.get(device.id, -math.inf) < timing.raise_pause_s
        if fresh and isinstance(device.spec, WaterHeaterSpec):
            guarded = guarded.reserved(device.spec.phase, device.spec.power_w)
    return guarded


def _heating(site: Site, snapshot: Snapshot, memory: ControlMemory, now: float) -> dict[str, float]:
    """Since when each tank is wished on; one that was on at our first tick has been on for ever."""
    wished = [d.id for d in site.of_role(Role.WATER_HEATER) if tank_wish(snapshot, d).value]
    return {tank: memory.heating.get(tank, now if memory.solar is not None else -math.inf) for tank in wished}


def _most_drawn(guarded: Guarded, device: Device, before: Setpoint | None) -> float:
    known = guarded.draws.get(device.id)
    if known is not None:
        return known.most
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    return before.value if before is not None else spec.max_current_a


def _charger(
    site: Site,
    snapshot: Snapshot,
    device: Device,
    room: Room,
    surplus_w: float,
    memory: ControlMemory,
    timing: ControlTiming,
    monotonic: float,
) -> Setpoint:
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    wish = charging_wish(site, snapshot, device, surplus_w)
    before = snapshot.commanded.get(device.id)
    # Before our first command the charger stands at its own safe default.
    current = before.value if before is not None else spec.safe_current_a
    wish = _by_room(wish, current, room, memory, device.id, timing, monotonic, snapshot, spec)
    amps = _step(wish.value, spec)
    if before is not None and current < amps < current + CURRENT_STEP_A and current >= spec.min_current_a:
        amps = current
    until = snapshot.now + timedelta(seconds=timing.command_life_s)
    return Setpoint(device.id, SetpointKind.CURRENT, amps, until, wish.authority, wish.reason, source=wish.source)


def _by_room(
    wish: Wish,
    current: float,
    room: Room,
    memory: ControlMemory,
    device: str,
    timing: ControlTiming,
    monotonic: float,
    snapshot: Snapshot,
    spec: ChargerSpec,
) -> Wish:
    """What the guard leaves of a wish: reductions at once, raises only with room, fresh data and some patience."""
    authority = Authority.BINDING_LIMIT if room.binding else Authority.ELECTRICAL_SAFETY
    reason = f"Held back: {room.reason}." if room.reason else "Held back by the guard."
    if current > room.high:
        return wish.capped(room.high, authority, reason)
    most = max(current, room.low)
    if wish.value > current:
        meter = snapshot.main_meter()
        stale = meter is None or meter.age_s is None or meter.age_s > timing.raise_age_s
        recent = monotonic - memory.changed_at.get(device, -math.inf) < timing.raise_pause_s and current > 0
        rest = monotonic - memory.paused_at.get(device, -math.inf) < timing.resume_pause_s
        # A safe current on a silent meter is not a raise: it is what the device may draw when nothing is known.
        if ((stale or recent or rest) and wish.authority is not Authority.OWNER_OVERRIDE) or stale or rest:
            most = current
        if current == 0 and most < spec.min_current_a:
            most = 0.0
    return wish.capped(most, authority, reason)


def _step(amps: float, spec: ChargerSpec) -> float:
    """Down to 0.1 A; nothing between 0 and the car's minimum."""
    value = math.floor(min(amps, spec.max_current_a) * 10 + 1e-6) / 10
    return value if value >= spec.min_current_a else 0.0


def _others(site: Site, snapshot: Snapshot, guarded: Guarded, timing: ControlTiming) -> list[Setpoint]:
    until = snapshot.now + timedelta(seconds=timing.command_life_s)
    result: list[Setpoint] = []
    for device in site.devices:
        if device.role in (Role.BATTERY, Role.HYBRID_INVERTER) and isinstance(device.spec, BatterySpec):
            wish = _still(battery_wish(snapshot, device, guarded.battery_room_w()), snapshot.commanded.get(device.id))
            kind = SetpointKind.BATTERY_BAND
        elif device.role is Role.WATER_HEATER:
            wish, kind = tank_wish(snapshot, device), SetpointKind.SWITCH
        elif device.role is Role.HEAT_PUMP:
            wish, kind = thermostat_wish(snapshot, device), SetpointKind.TEMPERATURE
        else:
            continue
        result.append(
            Setpoint(device.id, kind, wish.value, until, wish.authority, wish.reason, low=wish.low, source=wish.source)
        )
    return result


def _still(wish: Wish, before: Setpoint | None) -> Wish:
    """A band that hardly moved stays as it was: fewer writes to the inverter; safety moves at once."""
    if before is None or wish.authority is Authority.ELECTRICAL_SAFETY:
        return wish
    if abs(wish.low - before.low) < BAND_STEP_W and abs(wish.value - before.value) < BAND_STEP_W:
        return replace(wish, low=before.low, value=before.value)
    return wish
