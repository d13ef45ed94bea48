"""Dispatch for the battery: a band of power in which it follows the meter by itself."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.control.draws import in_force, spec_of
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind
from gateway.model.setpoint import LimitKind
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, Snapshot

CAR_DRAWS_W = 500.0


def battery_wish(site: Site, snapshot: Snapshot, device: Device, room_w: float | None) -> Wish:
    """The battery's band as a Wish: `low` and `value` W, charging positive.

    `room_w` is what the guard leaves it to take more from the grid; None (silent meter) holds it at zero.
    """
    spec = device.spec if isinstance(device.spec, BatterySpec) else BatterySpec(0.0, 0.0, 0.0)
    if room_w is None:
        return Wish(0.0, Authority.ELECTRICAL_SAFETY, "The battery rests because the main meter is silent.", low=0.0)
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    wish = _event(_intent(block, spec), snapshot, device, spec)
    wish = _override(wish, snapshot, device)
    wish = _spare_from_car(wish, site, snapshot)
    wish = _protect(wish, snapshot, device, spec)
    return _within_room(wish, snapshot, room_w)


def _intent(block: Block | None, spec: BatterySpec) -> Wish:
    full = Wish(
        spec.max_charge_w,
        Authority.DEFAULT,
        "The battery stores surplus sun and feeds the house.",
        low=-spec.max_discharge_w,
    )
    if block is None:
        return full
    planned = replace(full, authority=Authority.PLAN, reason=block.reason)
    if block.kind is IntentKind.HOLD:
        # Surplus sun is never given away while the battery waits.
        return replace(planned, low=0.0)
    if block.kind is IntentKind.SURPLUS_ONLY:
        return replace(planned, low=0.0)
    if block.kind is IntentKind.CHARGE_AT:
        power = min(block.power_w, spec.max_charge_w)
        return replace(planned, low=power, value=spec.max_charge_w)
    if block.kind is IntentKind.DISCHARGE_AT:
        power = max(-abs(block.power_w), -spec.max_discharge_w)
        return replace(planned, low=power, value=power)
    return planned


def _event(wish: Wish, snapshot: Snapshot, device: Device, spec: BatterySpec) -> Wish:
    for limit in snapshot.limits:
        if limit.device not in ("", device.id) or not limit.authority.may_undo(wish.authority):
            continue
        named = replace(wish, authority=limit.authority, reason=limit.reason, source=limit.source)
        if limit.kind is LimitKind.BATTERY_SETPOINT:
            power = max(-spec.max_discharge_w, min(limit.value, spec.max_charge_w))
            wish = replace(named, low=power, value=power)
        elif limit.kind is LimitKind.BATTERY_DISCHARGE and limit.value >= 2:
            wish = replace(named, low=-spec.max_discharge_w, value=-spec.max_discharge_w)
        elif limit.kind is LimitKind.BATTERY_DISCHARGE and limit.value >= 1:
            wish = replace(named, low=-spec.max_discharge_w, value=spec.max_charge_w)
    return wish


def _override(wish: Wish, snapshot: Snapshot, device: Device) -> Wish:
    for override in snapshot.overrides:
        if override.device == device.id and override.action == "pause":
            return wish.replaced(Wish(0.0, Authority.OWNER_OVERRIDE, "You paused the battery.", override.id, low=0.0))
    return wish


def _spare_from_car(wish: Wish, site: Site, snapshot: Snapshot) -> Wish:
    """The home battery is not drained into the car unless the owner wants it: it feeds the rest of the house only."""
    cars = sum(_car_w(site, snapshot, charger) for charger in site.of_role(Role.EV_CHARGER))
    grid, battery = snapshot.grid_w(), snapshot.battery_w()
    if snapshot.preferences.battery_to_car or cars < CAR_DRAWS_W or grid is None or battery is None:
        return wish
    others = grid - battery - cars
    least = -max(0.0, round(others, -2))
    if wish.low >= least or wish.authority <= Authority.BINDING_LIMIT:
        return wish
    return replace(wish, low=least, value=max(wish.value, least))


def _car_w(site: Site, snapshot: Snapshot, charger: Device) -> float:
    """What a car draws, W; while nothing tells, one in a transaction counts with the limit it stands at."""
    status = snapshot.chargers.get(charger.id)
    if status is None or status.power_w is not None:
        return 0.0 if status is None else status.power_w or 0.0
    draws = status.connected and (bool(status.transaction) or status.phase is ChargePhase.CHARGING)
    phases = status.phases_in_use or len(spec_of(charger).phases)
    return in_force(snapshot, charger) * phases * site.nominal_voltage_v if draws else 0.0


def _protect(wish: Wish, snapshot: Snapshot, device: Device, spec: BatterySpec) -> Wish:
    state = snapshot.devices.get(device.id)
    soc = snapshot.soc_percent() if state is None else next(
        (value for quantity, value in state.values.items() if quantity.value == "soc_percent"), None
    )  # fmt: skip
    if soc is None:
        return wish
    reserve = max(spec.min_soc_percent, snapshot.preferences.battery_reserve_percent)
    if soc <= reserve and wish.low < 0 and Authority.PROTECTION.may_undo(wish.authority):
        words = f"The battery keeps its reserve of {reserve:.0f} %."
        wish = replace(wish, low=0.0, value=max(0.0, wish.value), authority=Authority.PROTECTION, reason=words)
    if soc >= spec.max_soc_percent and wish.low > 0:
        wish = replace(wish, low=0.0, reason="The battery is full.")
    return wish


def _within_room(wish: Wish, snapshot: Snapshot, room_w: float) -> Wish:
    """Charging from the grid never takes more than the fuse and the import limit leave."""
    now_w = snapshot.battery_w() or 0.0
    most = max(0.0, now_w + room_w) if room_w < float("inf") else float("inf")
    if wish.low <= most:
        return wish
    words = "The battery charges less because the connection to the grid leaves no more."
    return replace(wish, low=most, value=max(most, 0.0), authority=Authority.ELECTRICAL_SAFETY, reason=words)
