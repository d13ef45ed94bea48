"""Dispatch for the battery: a band of power in which it follows the meter by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.core.control.draws import in_force, spec_of
from gateway.core.control.permissions import permitted
from gateway.core.control.quiet import quiet_battery
from gateway.core.control.storm import kept_for_storm, storm_limits
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.preferences import USUAL_RESERVE_PERCENT
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, Snapshot

CAR_DRAWS_W = 500.0


SILENT = Wish(0.0, Authority.ELECTRICAL_SAFETY, "The battery rests because the main meter is silent.", low=0.0)
SHORT = timedelta(minutes=10)
"""A plan that is made anew every five minutes often begins with a slot or two of something else."""
SOC_NEAR = 1.0
"""So near a state of charge that was asked for counts as there, percent: most batteries tell whole numbers."""
SOC_STEP = 0.05
"""Where the most power depends on the state of charge the band follows it in steps of this share of the greatest."""
RESERVE_POINTS = 1.0
"""A battery that stopped at its reserve gives again so much above it, percent points."""


def battery_wish(
    site: Site, snapshot: Snapshot, device: Device, room_w: float | None, *, overloaded: bool = False
) -> Wish:
    """The band of a battery that is alone as a Wish: `low` and `value` W, charging positive.

    `room_w` is what the guard leaves it to take more from the grid; None (silent meter) holds it at zero.
    While the main fuse is `overloaded` it gives no less than it does.
    """
    if room_w is None:
        return SILENT
    power_w = snapshot.battery_w()
    wish = own_wish(site, snapshot, device)
    if power_w is not None:
        wish = spare_from_car(wish, site, snapshot, overloaded, power_w=power_w)
    return within_room(wish, power_w or 0.0, room_w)


def own_wish(site: Site, snapshot: Snapshot, device: Device) -> Wish:
    """The band it should have by plan, events, overrides and its own protection, whatever stands beside it."""
    spec = device.spec if isinstance(device.spec, BatterySpec) else BatterySpec(0.0, 0.0, 0.0)
    spec = at_state(spec, soc_of(snapshot, device))
    block = _worth_a_write(snapshot.plan, device, snapshot.now) if snapshot.plan else None
    limits = (*snapshot.limits, *storm_limits(site, snapshot.preferences, snapshot.now, snapshot))
    wish = permitted(_event(_intent(block, spec), limits, device, spec, soc_of(snapshot, device)), spec)
    several = sum(isinstance(other.spec, BatterySpec) for other in site.devices)
    wish = quiet_battery(
        _override(wish, snapshot, device),
        snapshot,
        spec,
        share=1 / max(1, several),
        told=snapshot.commanded.get(device.id),
    )
    return _protect(kept_for_storm(wish, site, snapshot, spec), snapshot, device, spec)


def at_state(spec: BatterySpec, soc_percent: float | None) -> BatterySpec:
    """A battery with no more power than its state of charge allows, in steps: not a write for each percent of it."""
    if not spec.power_by_soc:
        return spec
    now = spec.at(soc_percent)
    return replace(
        now,
        max_charge_w=_step_below(now.max_charge_w, spec.max_charge_w),
        max_discharge_w=_step_below(now.max_discharge_w, spec.max_discharge_w),
    )


def _step_below(power_w: float, most_w: float) -> float:
    """The step below; what is less than one step is left as it is, or the last percent would never be charged."""
    step = most_w * SOC_STEP
    return max(step * math.floor(power_w / step + 1e-9), min(power_w, step)) if step > 0 else power_w


def _worth_a_write(plan: Plan, device: Device, now: datetime) -> Block | None:
    """The block in force, or the next where this one is too short to tell an inverter twice for it."""
    block = plan.block(device.id, now)
    if block is None or block.end - block.start >= SHORT:
        return block
    after = plan.block(device.id, block.end)
    return block if after is None else after


def power_of(snapshot: Snapshot, device: Device) -> float | None:
    """What one battery does, W, charging positive; None when unknown."""
    state = snapshot.devices.get(device.id)
    kind = Quantity.BATTERY_POWER if device.role is Role.HYBRID_INVERTER else Quantity.POWER
    return state.get(kind) if state is not None else None


def soc_of(snapshot: Snapshot, device: Device) -> float | None:
    """State of charge of one battery, percent; None when unknown."""
    state = snapshot.devices.get(device.id)
    return state.get(Quantity.SOC) if state is not None else None


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


def _event(wish: Wish, limits: Iterable[Limit], device: Device, spec: BatterySpec, soc_percent: float | None) -> Wish:
    for limit in limits:
        if limit.device not in ("", device.id) or not limit.authority.may_undo(wish.authority):
            continue
        named = replace(wish, authority=limit.authority, reason=limit.reason, source=limit.source)
        if limit.kind is LimitKind.BATTERY_SETPOINT:
            power = max(-spec.max_discharge_w, min(limit.value, spec.max_charge_w))
            wish = replace(named, low=power, value=power)
        elif limit.kind is LimitKind.BATTERY_SOC:
            wish = _towards(named, limit.value, soc_percent, spec)
        elif limit.kind is LimitKind.BATTERY_DISCHARGE and limit.value >= 2:
            wish = replace(named, low=-spec.max_discharge_w, value=-spec.max_discharge_w)
        elif limit.kind is LimitKind.BATTERY_DISCHARGE and limit.value >= 1:
            wish = replace(named, low=-spec.max_discharge_w, value=spec.max_charge_w)
    return wish


def _towards(wish: Wish, target_percent: float, soc_percent: float | None, spec: BatterySpec) -> Wish:
    """To a state of charge and no further: charging at full power below it, feeding the house only above it, else at rest.

    A battery that does not tell its charge may take the sun and gives nothing: nobody can say that it is too full.
    """
    if soc_percent is None:
        return replace(wish, low=0.0, value=spec.max_charge_w)
    if soc_percent < target_percent - SOC_NEAR:
        return replace(wish, low=spec.max_charge_w, value=spec.max_charge_w)
    if soc_percent > target_percent + SOC_NEAR:
        return replace(wish, low=-spec.max_discharge_w, value=0.0)
    return replace(wish, low=0.0, value=0.0)


def _override(wish: Wish, snapshot: Snapshot, device: Device) -> Wish:
    for override in snapshot.overrides:
        if override.device == device.id and override.action == "pause":
            return wish.replaced(Wish(0.0, Authority.OWNER_OVERRIDE, "You paused the battery.", override.id, low=0.0))
    return wish


def spare_from_car(
    wish: Wish, site: Site, snapshot: Snapshot, overloaded: bool, *, share: float = 1.0, power_w: float = 0.0
) -> Wish:
    """The home battery is not drained into the car unless the owner wants it: it feeds the rest of the house only.

    Of several each feeds its `share` of it (0-1); `power_w` is what this one does, W, charging positive. In an
    overload it does not pull back: what the car gives up there would be taken by the battery.
    """
    cars = sum(_car_w(site, snapshot, charger) for charger in site.of_role(Role.EV_CHARGER))
    grid, battery = snapshot.grid_w(), snapshot.battery_w()
    if snapshot.preferences.battery_to_car or cars < CAR_DRAWS_W or grid is None or battery is None:
        return wish
    others = (grid - battery - cars) * share
    least = -max(0.0, round(others, -2))
    if overloaded:
        least = min(least, max(wish.low, power_w))
    if wish.low >= least or wish.authority <= Authority.BINDING_LIMIT:
        return wish
    return replace(wish, low=least, value=max(wish.value, least))


def _car_w(site: Site, snapshot: Snapshot, charger: Device) -> float:
    """What a car draws, W, no more than the limit it stands at: a sample from before a cut is of the past.

    While nothing tells, one in a transaction counts with its limit.
    """
    status = snapshot.chargers.get(charger.id)
    if status is None:
        return 0.0
    phases = status.phases_in_use or len(spec_of(charger).phases)
    limit_w = in_force(snapshot, charger) * phases * site.nominal_voltage_v
    if status.power_w is not None:
        return min(status.power_w, limit_w) if charger.id not in snapshot.disobeying else status.power_w
    draws = status.connected and (bool(status.transaction) or status.phase is ChargePhase.CHARGING)
    return limit_w if draws else 0.0


def _protect(wish: Wish, snapshot: Snapshot, device: Device, spec: BatterySpec) -> Wish:
    """The reserve holds against all but what binds; what the battery itself bears holds against everything."""
    soc = soc_of(snapshot, device) if device.id in snapshot.devices else snapshot.soc_percent()
    reserve = max(spec.min_soc_percent, snapshot.preferences.battery_reserve_percent)
    if soc is None:
        # A reserve that nobody asked for must not idle a battery that never tells; its own least protects it.
        asked = reserve > max(spec.min_soc_percent, USUAL_RESERVE_PERCENT)
        unsure = asked and wish.low < 0 and Authority.PROTECTION.may_undo(wish.authority)
        words = f"The battery does not tell its state of charge, so it keeps its reserve of {reserve:.0f} %."
        return _stopped(wish, spec, words) if unsure else wish
    if soc <= spec.min_soc_percent and wish.low < 0:
        return _stopped(wish, spec, f"The battery is at its least of {spec.min_soc_percent:.0f} %.")
    if soc <= reserve + _patience(snapshot, device) and wish.low < 0 and Authority.PROTECTION.may_undo(wish.authority):
        wish = _stopped(wish, spec, f"The battery keeps its reserve of {reserve:.0f} %.")
    if soc >= spec.max_soc_percent and wish.low > 0:
        wish = replace(wish, low=0.0, reason="The battery is full.")
    return wish


def _stopped(wish: Wish, spec: BatterySpec, words: str) -> Wish:
    """It gives no more; the sun may fill it again, unless what binds had ordered it to give."""
    gave = wish.value <= 0 and Authority.PROTECTION.may_undo(wish.authority)
    most = spec.max_charge_w if gave else max(0.0, wish.value)
    return replace(wish, low=0.0, value=most, authority=Authority.PROTECTION, reason=words)


def _patience(snapshot: Snapshot, device: Device) -> float:
    """What must be above the reserve before it gives again, percent points: it does not start and stop for a tenth."""
    before = snapshot.commanded.get(device.id)
    rests = before is not None and before.low == 0.0 and before.authority is Authority.PROTECTION
    return RESERVE_POINTS if rests else 0.0


def within_room(wish: Wish, power_w: float, room_w: float, source: str = "") -> Wish:
    """Charging from the grid never takes more than the fuse and the import limit leave beside its own `power_w`, W.

    `source` names the event whose limit that is.
    """
    most = max(0.0, power_w + room_w) if room_w < float("inf") else float("inf")
    if wish.low <= most:
        return wish
    words = "The battery charges less because the connection to the grid leaves no more."
    return replace(
        wish, low=most, value=max(most, 0.0), authority=Authority.ELECTRICAL_SAFETY, reason=words, source=source
    )
