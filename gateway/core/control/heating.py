"""Dispatch for the water heater's relay and the heat pump's thermostat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from gateway.core.control.comfort import dip_c, reach_c
from gateway.core.control.season import VACATION_COOL_C, cools_now
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.loads import hygiene_due
from gateway.model.plan import IntentKind
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Device, HeatPumpSpec, WaterHeaterSpec
from gateway.model.snapshot import Snapshot

HYSTERESIS_K = 3.0
LEAST_SWITCH = timedelta(minutes=5)
"""A tank's relay stays as it is for so long when nothing above the plan switches it: each plan is a little different."""
FROST_C = 12.0
"""No limit lets the room fall below this."""
VACATION_C = 15.0


def tank_wish(snapshot: Snapshot, device: Device) -> Wish:
    """Relay of the water heater: 1 heats, 0 does not.

    Plan (7), then a joined event (6), the owner's minimum (5), an override (4), hygiene that is overdue (3), a
    binding limit (2). The tank's own thermostat keeps it below its maximum.
    """
    spec = device.spec if isinstance(device.spec, WaterHeaterSpec) else WaterHeaterSpec(0.0, 0.0)
    state = snapshot.devices.get(device.id)
    water = state.get(Quantity.TEMPERATURE) if state else None
    heating = _is_heating(snapshot, device)
    wish = _steady(_tank_plan(snapshot, device, spec, water, heating), snapshot, device)
    sheds = [x for x in snapshot.limits if x.device in ("", device.id) and x.kind in _TANK_KINDS]
    for limit in (x for x in sheds if x.authority >= Authority.DEMAND_RESPONSE):
        wish = _shed(wish, limit)
    floor = max(snapshot.preferences.water_min_c, spec.min_temperature_c)
    if water is not None and water < floor + (HYSTERESIS_K if heating else 0.0):
        words = f"The water is below your minimum of {floor:.0f} °C."
        if water >= floor:
            words = f"The water is being heated to {floor + HYSTERESIS_K:.0f} °C, a little above your minimum."
        wish = wish.raised(1.0, Authority.OWNER_FLOOR, words)
    wish = _override(wish, snapshot, device.id, 1.0, 0.0)
    due = hygiene_due(snapshot.preferences, spec, snapshot.loads, device.id)
    if due is not None and snapshot.now >= due:
        hot = f"{snapshot.preferences.hygiene_c:.0f} °C for {snapshot.preferences.hygiene_days} days"
        wish = wish.raised(1.0, Authority.PROTECTION, f"The water was not at {hot}: it is heated against legionella.")
    for limit in (x for x in sheds if x.authority < Authority.DEMAND_RESPONSE):
        wish = _shed(wish, limit)
    if water is not None and water >= spec.max_temperature_c and wish.value:
        return replace(wish, value=0.0, reason="The tank is hot.")
    return wish


_TANK_KINDS = (LimitKind.TANK_SHED, LimitKind.TANK_LOAD_UP, LimitKind.DEVICE_POWER)


def _tank_plan(snapshot: Snapshot, device: Device, spec: WaterHeaterSpec, water: float | None, heating: bool) -> Wish:
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    if block is not None:
        return Wish(1.0 if block.kind is IntentKind.RUN else 0.0, Authority.PLAN, block.reason)
    if water is None:
        return Wish(1.0, Authority.DEFAULT, "There is no plan for it now, so the tank keeps itself warm.")
    keep = (spec.min_temperature_c + spec.max_temperature_c) / 2
    on = water < keep + (HYSTERESIS_K if heating else -HYSTERESIS_K)
    return Wish(float(on), Authority.DEFAULT, f"There is no plan for it now, so the tank keeps {keep:.0f} °C.")


def _is_heating(snapshot: Snapshot, device: Device) -> bool:
    """Whether the relay was told to heat; before the first command, whether it says that it does.

    Its own word comes later than the command, and is off for a moment when the command's life ends before the next one.
    """
    told, state = snapshot.loads.stands.get(device.id), snapshot.devices.get(device.id)
    return bool(told.value) if told is not None else bool(state and state.get(Quantity.ON))


def _steady(wish: Wish, snapshot: Snapshot, device: Device) -> Wish:
    """The relay as it stands while it was switched a moment ago."""
    told = snapshot.loads.stands.get(device.id)
    if told is None or told.value == wish.value or snapshot.now - told.since >= LEAST_SWITCH:
        return wish
    stays = "on" if told.value else "off"
    least = f"{LEAST_SWITCH / timedelta(minutes=1):.0f} minutes"
    return replace(wish, value=told.value, reason=f"The relay stays {stays} for at least {least}.")


def _shed(wish: Wish, limit: Limit) -> Wish:
    if limit.kind is LimitKind.TANK_LOAD_UP:
        return wish.raised(1.0, limit.authority, limit.reason, limit.source)
    off = limit.kind is LimitKind.TANK_SHED or limit.value <= 0
    return wish.limited(0.0, limit.authority, limit.reason, limit.source) if off else wish


def thermostat_wish(snapshot: Snapshot, device: Device, zone: ZoneInfo) -> Wish:
    """Target of the heat pump's thermostat, degC; offsets of events apply to the normal target and never add up.

    In cooling all of it is mirrored: the plan runs towards the lower end of the band, and an event that would lower
    the target of heating raises it.
    """
    preferences, cools = snapshot.preferences, cools_now(snapshot, device, zone)
    low, high = preferences.comfort_at(snapshot.now.astimezone(zone))
    least, most = (high, low) if cools else (low, high)
    away = preferences.vacation_until is not None and snapshot.now < preferences.vacation_until
    if away:
        empty_c = max(high, VACATION_COOL_C) if cools else VACATION_C
        wish = Wish(empty_c, Authority.PLAN, f"You are away: the home keeps {empty_c:.0f} °C.")
    else:
        reach = dip_c(preferences, snapshot.now, zone) if cools else reach_c(preferences, snapshot.now, zone)
        wish = _kept(_room_plan(snapshot, device, least, reach), snapshot, device, cools=cools)
    offsets = [x for x in snapshot.limits if x.kind is LimitKind.TEMPERATURE_OFFSET and x.device in ("", device.id)]
    joined = [x for x in offsets if x.authority >= Authority.DEMAND_RESPONSE]
    binding = [x for x in offsets if x.authority < Authority.DEMAND_RESPONSE]
    if joined:
        wish = _offset(wish, min(joined, key=lambda x: x.value), cools=cools)
        if not away and cools:
            wish = wish.capped(high, Authority.OWNER_FLOOR, f"Your comfort band ends at {high:.1f} °C.")
        elif not away:
            wish = wish.raised(low, Authority.OWNER_FLOOR, f"Your comfort band starts at {low:.1f} °C.")
    wish = _override(wish, snapshot, device.id, most, least)
    if binding:
        wish = _offset(wish, min(binding, key=lambda x: x.value), cools=cools)
    return wish.raised(FROST_C, Authority.PROTECTION, "Frost protection.") if wish.value < FROST_C else wish


def _room_plan(snapshot: Snapshot, device: Device, least: float, most: float) -> Wish:
    """The end of the band that costs least, or while the plan runs it the other one."""
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    if block is None:
        return Wish(
            round((least + most) / 2, 1),
            Authority.DEFAULT,
            "There is no plan for it now: the middle of your comfort band.",
        )
    return Wish(most if block.kind is IntentKind.RUN else least, Authority.PLAN, block.reason)


def _kept(wish: Wish, snapshot: Snapshot, device: Device, *, cools: bool) -> Wish:
    """The target stays while its compressor has not run, or rested, as long as it should at least."""
    spec, loads, now = device.spec, snapshot.loads, snapshot.now
    told = loads.stands.get(device.id)
    if not isinstance(spec, HeatPumpSpec) or told is None or told.value == wish.value:
        return wish
    stops = (wish.value < told.value) is not cools
    least_s = spec.min_run_s if stops else spec.min_pause_s
    done_s = loads.seen_s(device.id, 1.0 if stops else 0.0, now) if device.id in loads.seen else None
    if device.id not in loads.seen:
        done_s = (now - told.since).total_seconds()
    if done_s is None or done_s >= least_s:
        return wish
    words = f"The heat pump {'runs' if stops else 'rests'} at least {least_s / 60:.0f} minutes at a time."
    return replace(wish, value=told.value, reason=words)


def _offset(wish: Wish, limit: Limit, *, cools: bool) -> Wish:
    """The target moved by an event's K, which are told for heating: less of it is a lower target, of cooling a higher."""
    if not limit.authority.may_undo(wish.authority):
        return wish
    by_k = -limit.value if cools else limit.value
    return replace(wish, value=wish.value + by_k, authority=limit.authority, reason=limit.reason, source=limit.source)


def _override(wish: Wish, snapshot: Snapshot, device: str, run: float, pause: float) -> Wish:
    for override in snapshot.overrides:
        if override.device == device and override.action == "run":
            return wish.replaced(Wish(run, Authority.OWNER_OVERRIDE, "You asked for it now.", override.id))
        if override.device == device and override.action == "pause":
            return wish.replaced(Wish(pause, Authority.OWNER_OVERRIDE, "You paused it.", override.id))
    return wish
