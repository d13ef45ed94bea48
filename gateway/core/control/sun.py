"""Surplus sun for the cars: how much there is, who gets it, and when a car starts and stops on it.

            enough for a minute -> on            too little for three minutes -> off
    sun   ___/~~~~~~~~~~~~~~~~~~~~~~~\\_cloud_/~~~~~~~\\______________
    car   ______|=====================min=====|=======|==min==|____
                |<------- never off within the first five minutes: the contactor is spared

A car that is on gets at least its minimum, if need be from the grid, until it goes off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.control.car import CarWish, car_of
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeMode
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import ChargePhase, Snapshot

SOLAR_START_S = 60.0
"""Sun must have been enough this long before a car starts on it."""
SOLAR_STOP_S = 180.0
"""A cloud shorter than this stops no car."""
SOLAR_LEAST_ON_S = 300.0
ENOUGH = 0.9
"""With this part of its share a car counts as charging on the sun."""


@dataclass(frozen=True, slots=True)
class SunRun:
    """How one car stands with the sun: `changed_at` it went on or off, `turning_since` it would be the other way."""

    on: bool
    changed_at: float
    turning_since: float | None = None


@dataclass(frozen=True, slots=True)
class SolarMemory:
    """Surplus of the last minute, smoothed, W, when it was last updated (monotonic home s), and who charges on it."""

    surplus_w: float
    at: float
    runs: Mapping[str, SunRun] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def share_w(self, device: str) -> float:
        """What one charger may take because of the sun now, W; 0 when it does not charge on it."""
        return self.shares.get(device, 0.0)


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
    return SolarMemory(memory.surplus_w + weight * (free - memory.surplus_w), mono, memory.runs, memory.shares)


def share_sun(site: Site, snapshot: Snapshot, memory: SolarMemory | None, mono: float) -> SolarMemory:
    """`surplus`, given to the cars that charge on sun, by priority, each at least its minimum while it is on.

    Cars that charge anyway take theirs first: what they draw is not there for the others.
    """
    found = surplus(snapshot, memory, mono)
    cars = {device.id: car_of(snapshot, device, site) for device in site.of_role(Role.EV_CHARGER)}
    takers = [d for d in site.of_role(Role.EV_CHARGER) if _takes_sun(snapshot, d, cars[d.id])]
    takers.sort(key=lambda device: -cars[device.id].preference.priority)
    served = {device.id for device in takers}
    left = found.surplus_w - sum(s.power_w or 0.0 for name, s in snapshot.chargers.items() if name not in served)
    runs, shares = dict[str, SunRun](), dict[str, float]()
    for device in takers:
        low, high = power_range(site, snapshot, device, cars[device.id])
        run = _next(_before(site, snapshot, device, memory), left >= low, mono)
        runs[device.id] = run
        shares[device.id] = max(low, min(high, left)) if run.on else 0.0
        left -= shares[device.id]
    return SolarMemory(found.surplus_w, found.at, runs, shares)


def has_solar(site: Site) -> bool:
    """Whether the home has anything known to give sun; without, only an export at the main meter tells of some."""
    return bool(site.of_role(Role.PV, Role.HYBRID_INVERTER))


def falls_short(snapshot: Snapshot, share_w: float) -> bool:
    """Whether the sun gives clearly less now than this share of it, W, which then comes from the grid."""
    return snapshot.grid_w() is not None and surplus(snapshot, None, 0.0).surplus_w < ENOUGH * share_w


def power_range(site: Site, snapshot: Snapshot, device: Device, car: CarWish) -> tuple[float, float]:
    """Least and most power of a car, W; on one phase at the least where the charger can switch."""
    status = snapshot.chargers.get(device.id)
    fewest = 1 if status is not None and status.switches_phases else len(car.phases)
    volts = site.nominal_voltage_v
    return car.min_a * fewest * volts, car.max_a * len(car.phases) * volts


def _takes_sun(snapshot: Snapshot, device: Device, car: CarWish) -> bool:
    status = snapshot.chargers.get(device.id)
    if status is None or not status.transaction:
        return False
    if car.mode in (ChargeMode.SOLAR, ChargeMode.MIN_SOLAR):
        return True
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    # What the plan gives a smart car comes from the plan; more, where the sun has more.
    kinds = (IntentKind.SURPLUS_ONLY, IntentKind.CHARGE_AT, IntentKind.RUN)
    return car.mode is ChargeMode.SMART and block is not None and block.kind in kinds


def _before(site: Site, snapshot: Snapshot, device: Device, memory: SolarMemory | None) -> SunRun:
    """How the car stood; one that charges already, as after a restart, is on where the home has any sun."""
    known = memory.runs.get(device.id) if memory is not None else None
    if known is not None:
        return known
    status = snapshot.chargers.get(device.id)
    return SunRun(has_solar(site) and status is not None and status.phase is ChargePhase.CHARGING, -math.inf)


def _next(run: SunRun, enough: bool, mono: float) -> SunRun:
    if enough == run.on:
        return SunRun(run.on, run.changed_at)
    since = mono if run.turning_since is None else run.turning_since
    patience = SOLAR_STOP_S if run.on else SOLAR_START_S
    rested = not run.on or mono - run.changed_at >= SOLAR_LEAST_ON_S
    if mono - since >= patience and rested:
        return SunRun(enough, mono)
    return SunRun(run.on, run.changed_at, since)
