"""Dispatch for chargers: from charge mode, plan, events and overrides to one current, A per phase."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind
from gateway.model.preferences import ChargeMode, ChargingPreference
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import ChargerSpec, Device, Site
from gateway.model.snapshot import ChargerStatus, Snapshot

ONBOARD_EFFICIENCY = 0.9
"""What of the energy at the charger's meter arrives in a car's battery; 0.87 to 0.94 in cars of 11 kW."""
SOLAR_START_S = 60.0
"""Sun must have been enough this long before a car starts on it."""


@dataclass(frozen=True, slots=True)
class SolarMemory:
    """Smoothed surplus of the last minute, W, and when it was last updated (monotonic home s)."""

    surplus_w: float
    at: float


def charging_wish(site: Site, snapshot: Snapshot, device: Device, surplus_w: float) -> Wish:
    """The current one charger should be set to before the guard has its say, A per phase.

    Tried from the lowest authority to the highest, each bending what is below it: charge mode and plan (7), joined
    events (6), departure (5), override (4), binding limits (2).
    """
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    status = snapshot.chargers.get(device.id)
    wish = _mode_wish(site, snapshot, device, spec, surplus_w)
    off = snapshot.preferences.charging_of(device.id).mode is ChargeMode.OFF
    caps = [limit for limit in snapshot.limits if _binds(limit, device.id)]
    for limit in caps:
        if limit.authority is Authority.DEMAND_RESPONSE:
            wish = _limited(wish, limit, _amps(limit.value, spec, site), off)
    wish = _departure(wish, snapshot, device, spec, status, site)
    wish = _override(wish, snapshot.overrides, device.id, spec)
    for limit in caps:
        if limit.authority is not Authority.DEMAND_RESPONSE:
            wish = _limited(wish, limit, _amps(limit.value, spec, site), off)
    return wish


def _limited(wish: Wish, limit: Limit, amps: float, off: bool) -> Wish:
    """A car switched off owes nothing to the event; a plan that waits says more than the event: its words stay."""
    if off:
        return wish.capped(amps, limit.authority, limit.reason, limit.source)
    planned = wish.value == amps == 0 and wish.authority is Authority.PLAN
    return wish.limited(amps, limit.authority, wish.reason if planned else limit.reason, limit.source)


def next_departure(now: datetime, wish: ChargingPreference, zone: ZoneInfo) -> datetime:
    """The next local occurrence of `ready_by` after `now`, aware UTC-comparable."""
    local = now.astimezone(zone)
    ready = local.replace(hour=wish.ready_by.hour, minute=wish.ready_by.minute, second=0, microsecond=0)
    return ready if ready > local else ready + timedelta(days=1)


def needed_wh(status: ChargerStatus, wish: ChargingPreference, spec: ChargerSpec) -> float:
    """Energy the car still needs, Wh at the charger: from its state of charge when known, else target minus session."""
    if status.soc_percent is not None:
        return max(0.0, (wish.target_soc_percent - status.soc_percent) / 100 * spec.ev_battery_wh / ONBOARD_EFFICIENCY)
    return max(0.0, wish.target_wh - status.session_wh)


def surplus(snapshot: Snapshot, memory: SolarMemory | None, mono: float) -> SolarMemory:
    """What the cars could take without importing, W (negative: none), smoothed over a minute.

    Surplus = what the cars and the battery take now minus what is imported: cars come before the home battery.
    """
    grid = snapshot.grid_w()
    if grid is None:
        return memory or SolarMemory(0.0, mono)
    cars = sum(status.power_w or 0.0 for status in snapshot.chargers.values())
    free = cars - grid + (snapshot.battery_w() or 0.0)
    if memory is None:
        return SolarMemory(free, mono)
    weight = 1 - math.exp(-max(0.0, mono - memory.at) / SOLAR_START_S)
    return SolarMemory(memory.surplus_w + weight * (free - memory.surplus_w), mono)


def _mode_wish(site: Site, snapshot: Snapshot, device: Device, spec: ChargerSpec, surplus_w: float) -> Wish:
    mode = snapshot.preferences.charging_of(device.id).mode
    solar = _amps(max(0.0, surplus_w), spec, site)
    solar = solar if solar >= spec.min_current_a else 0.0
    if mode is ChargeMode.OFF:
        return Wish(0.0, Authority.PLAN, "Charging is switched off.")
    if mode is ChargeMode.NOW:
        return Wish(spec.max_current_a, Authority.PLAN, "You asked to charge now.")
    if mode is ChargeMode.SOLAR:
        words = "Charging on surplus sun." if solar else "Waiting for enough surplus sun."
        return Wish(solar, Authority.PLAN, words)
    if mode is ChargeMode.MIN_SOLAR:
        return Wish(
            max(spec.min_current_a, solar), Authority.PLAN, "Charging at the minimum, and more when the sun allows."
        )
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    return _plan_wish(block, solar, spec, site)


def _plan_wish(block: Block | None, solar: float, spec: ChargerSpec, site: Site) -> Wish:
    if block is None:
        return Wish(
            spec.min_current_a, Authority.DEFAULT, "There is no plan for it now, so the car charges at its minimum."
        )
    if block.kind is IntentKind.SURPLUS_ONLY:
        return Wish(solar, Authority.PLAN, block.reason)
    if block.kind in (IntentKind.CHARGE_AT, IntentKind.RUN):
        amps = min(spec.max_current_a, max(spec.min_current_a, _amps(block.power_w, spec, site)))
        return Wish(max(amps, solar), Authority.PLAN, block.reason)
    return Wish(0.0, Authority.PLAN, block.reason)


def _departure(
    wish: Wish, snapshot: Snapshot, device: Device, spec: ChargerSpec, status: ChargerStatus | None, site: Site
) -> Wish:
    """The owner's floor: once the remaining time is only just enough at full power, the car charges."""
    preference = snapshot.preferences.charging_of(device.id)
    if status is None or not status.transaction or preference.mode in (ChargeMode.OFF, ChargeMode.SOLAR):
        return wish
    left_s = (next_departure(snapshot.now, preference, site.timezone) - snapshot.now).total_seconds()
    full_w = spec.max_current_a * len(spec.phases) * site.nominal_voltage_v
    must_s = needed_wh(status, preference, spec) / full_w * 3600 * 1.1
    if must_s < 60 or must_s < left_s - 300:
        return wish
    words = f"Charging now, or the car would not be ready by {preference.ready_by:%H:%M}."
    return wish.raised(spec.max_current_a, Authority.OWNER_FLOOR, words)


def _override(wish: Wish, overrides: Iterable[Override], device: str, spec: ChargerSpec) -> Wish:
    for override in overrides:
        if override.device != device:
            continue
        if override.action == "run":
            return wish.replaced(
                Wish(spec.max_current_a, Authority.OWNER_OVERRIDE, "You asked to charge now.", override.id)
            )
        if override.action == "pause":
            return wish.replaced(Wish(0.0, Authority.OWNER_OVERRIDE, "You paused charging.", override.id))
    return wish


def _binds(limit: Limit, device: str) -> bool:
    return limit.kind is LimitKind.DEVICE_POWER and limit.device in ("", device)


def _amps(power_w: float, spec: ChargerSpec, site: Site) -> float:
    return power_w / (len(spec.phases) * site.nominal_voltage_v)
