"""Dispatch for chargers: from charge mode, plan, events and overrides to one current, A per phase."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.core.control.car import CarWish, car_of
from gateway.core.control.quiet import quiet_car
from gateway.core.control.sun import SOLAR_LEAST_ON_S, SolarMemory, falls_short, has_solar, share_sun, surplus
from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import Device, Site
from gateway.model.snapshot import ChargerStatus, Snapshot

__all__ = ["SolarMemory", "charging_wish", "share_sun", "surplus", "urgency"]

SPARE = 1.1
"""A car is given so much more time than it needs at full power."""
EARLY_S = 300.0
"""... and begins so long before the last moment."""
NO_SOLAR = "Hearth knows no solar system in this home"
KEPT_ON = f"at the minimum, for {SOLAR_LEAST_ON_S / 60:.0f} minutes at most, to spare the contactor"


def charging_wish(site: Site, snapshot: Snapshot, device: Device, surplus_w: float, phases: int = 0) -> Wish:
    """The current one charger should be set to before the guard has its say, A per phase.

    `surplus_w` is the sun this charger may take (`SolarMemory.share_w`); `phases` on how many it will charge, 0 for
    as many as the car has. Tried from the lowest authority to the highest, each bending what is below it: charge mode
    and plan (7), joined events (6), departure (5), override (4), binding limits (2).
    """
    car = car_of(snapshot, device, site)
    volts = (min(phases, len(car.phases)) or len(car.phases)) * site.nominal_voltage_v
    wish = _mode_wish(snapshot, device, car, surplus_w / volts, volts, site)
    off = car.mode is ChargeMode.OFF
    caps = [limit for limit in snapshot.limits if _binds(limit, device.id)]
    for limit in caps:
        if limit.authority is Authority.DEMAND_RESPONSE:
            wish = _limited(wish, limit, limit.value / volts, off)
    wish = _minimum(_departure(wish, snapshot, device, car, site), car)
    wish = _override(wish, snapshot.overrides, device.id, car)
    for limit in caps:
        if limit.authority is not Authority.DEMAND_RESPONSE:
            wish = _limited(wish, limit, limit.value / volts, off)
    return wish


def urgency(snapshot: Snapshot, device: Device, site: Site) -> float:
    """How much of the time left the car needs at full power: 0 has all the time, 1 must charge at its most now."""
    car = car_of(snapshot, device, site)
    status = snapshot.chargers.get(device.id)
    if car.floor_wh > 0:
        return 1.0
    if status is None or not status.transaction or car.mode in (ChargeMode.OFF, ChargeMode.SOLAR):
        return 0.0
    return max(_share_of_time(car, goal.need_wh, goal.ready, snapshot.now, site) for goal in car.goals)


def _share_of_time(car: CarWish, need_wh: float, ready: datetime, now: datetime, site: Site) -> float:
    must_s, left_s = _full_power_s(car, need_wh, site), (ready - now).total_seconds()
    if must_s < 60:
        return 0.0
    return 1.0 if left_s <= EARLY_S else min(1.0, must_s / (left_s - EARLY_S))


def _full_power_s(car: CarWish, need_wh: float, site: Site) -> float:
    full_w = car.max_a * len(car.phases) * site.nominal_voltage_v
    return need_wh / full_w * 3600 * SPARE if full_w > 0 else 0.0


def _limited(wish: Wish, limit: Limit, amps: float, off: bool) -> Wish:
    """A car switched off owes nothing to the event; a plan that waits says more than the event: its words stay."""
    if off:
        return wish.capped(amps, limit.authority, limit.reason, limit.source)
    planned = wish.value == amps == 0 and wish.authority is Authority.PLAN
    return wish.limited(amps, limit.authority, wish.reason if planned else limit.reason, limit.source)


def _mode_wish(snapshot: Snapshot, device: Device, car: CarWish, sun_a: float, volts: float, site: Site) -> Wish:
    sun = min(car.max_a, sun_a) if sun_a >= car.min_a - 1e-6 else 0.0
    if car.mode is ChargeMode.OFF:
        return Wish(0.0, Authority.PLAN, "Charging is switched off.")
    if car.guest:
        words = f"A guest's car charges at once, with at most {car.max_a:g} A."
        return Wish(car.max_a, Authority.PLAN, words)
    if car.mode is ChargeMode.NOW:
        return Wish(car.max_a, Authority.PLAN, "You asked to charge now.")
    kept_on = 0 < sun <= car.min_a + 0.1 and falls_short(snapshot, sun * volts)
    if car.mode in (ChargeMode.SOLAR, ChargeMode.MIN_SOLAR):
        return _solar_wish(car, snapshot.chargers.get(device.id), sun, kept_on, has_solar(site))
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    status = snapshot.chargers.get(device.id)
    own_w = (status.power_w or 0.0) if status is not None else 0.0
    return quiet_car(_plan_wish(block, sun, car, volts, kept_on), snapshot, own_w, volts, car.min_a)


def _solar_wish(car: CarWish, status: ChargerStatus | None, sun_a: float, kept_on: bool, solar: bool) -> Wish:
    if status is not None and status.soc_percent is not None and max(goal.need_wh for goal in car.goals) <= 0:
        return Wish(0.0, Authority.PLAN, "The car is as full as you asked.")
    if car.mode is ChargeMode.MIN_SOLAR:
        more = "and more when the sun allows." if solar or sun_a else f"and no more: {NO_SOLAR}."
        return Wish(max(car.min_a, sun_a), Authority.PLAN, f"Charging at the minimum, {more}")
    if not solar and not sun_a:
        return Wish(0.0, Authority.PLAN, f"{NO_SOLAR}, so charging on sun only does not start.")
    if kept_on:
        return Wish(sun_a, Authority.PLAN, f"Too little sun: charging goes on {KEPT_ON}.")
    words = "Charging on surplus sun." if sun_a else "Waiting for enough surplus sun."
    return Wish(sun_a, Authority.PLAN, words)


def _plan_wish(block: Block | None, sun_a: float, car: CarWish, volts: float, kept_on: bool) -> Wish:
    if block is None:
        return Wish(car.min_a, Authority.DEFAULT, "There is no plan for it now, so the car charges at its minimum.")
    if block.kind is IntentKind.SURPLUS_ONLY:
        words = f"Too little sun: charging goes on {KEPT_ON}. {block.reason}" if kept_on else block.reason
        return Wish(sun_a, Authority.PLAN, words)
    if block.kind in (IntentKind.CHARGE_AT, IntentKind.RUN):
        amps = min(car.max_a, max(car.min_a, block.power_w / volts))
        return Wish(max(amps, sun_a), Authority.PLAN, block.reason)
    return Wish(0.0, Authority.PLAN, block.reason)


def _departure(wish: Wish, snapshot: Snapshot, device: Device, car: CarWish, site: Site) -> Wish:
    """The owner's floor: once the remaining time is only just enough at full power, the car charges."""
    status = snapshot.chargers.get(device.id)
    if status is None or not status.transaction or car.mode in (ChargeMode.OFF, ChargeMode.SOLAR):
        return wish
    late = next((g for g in car.goals if _share_of_time(car, g.need_wh, g.ready, snapshot.now, site) >= 1), None)
    if late is None:
        return wish
    words = f"Charging now, or the car would not be ready by {late.ready.astimezone(site.timezone):%H:%M}."
    return wish.raised(car.max_a, Authority.OWNER_FLOOR, words)


def _minimum(wish: Wish, car: CarWish) -> Wish:
    """The owner's floor: below the minimum the car charges at once, in every mode but off, whatever power costs."""
    if car.floor_wh <= 0:
        return wish
    words = f"The car charges at once to your minimum of {car.floor_words}."
    return wish.replaced(Wish(car.max_a, Authority.OWNER_FLOOR, words))


def _override(wish: Wish, overrides: Iterable[Override], device: str, car: CarWish) -> Wish:
    for override in overrides:
        if override.device != device:
            continue
        if override.action == "run":
            return wish.replaced(Wish(car.max_a, Authority.OWNER_OVERRIDE, "You asked to charge now.", override.id))
        if override.action == "pause":
            return wish.replaced(Wish(0.0, Authority.OWNER_OVERRIDE, "You paused charging.", override.id))
    return wish


def _binds(limit: Limit, device: str) -> bool:
    return limit.kind is LimitKind.DEVICE_POWER and limit.device in ("", device)
