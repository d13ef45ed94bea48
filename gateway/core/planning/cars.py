"""The cars as the planner sees them: what each needs by when, what it may draw, and what it should look for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gateway.core.control.car import CarWish
from gateway.core.planning.limits import Mask, caps, overridden
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.model.preferences import ChargeGoal, ChargeMode
from gateway.model.site import ChargerSpec, Device
from gateway.model.snapshot import ChargePhase, ChargerStatus

GREEN_MICRO_PER_WH = 1_000.0
"""What the dirtiest slot costs a car that looks for the greenest, more than the cleanest one: any price difference
is smaller, a joined event is not."""
BARGAIN = 0.25
"""A car that need not be ready within the plan takes only what is cheaper than this share of the hours."""
MOST_WH = 300_000.0


@dataclass(frozen=True, slots=True)
class Stage:
    """By `ready` the car should have got `need_wh` since now, Wh at the charger; `window` are the slots until then."""

    ready: datetime
    need_wh: float
    window: Mask
    at_once: bool = False
    """The owner's minimum: `ready` is as soon as the connection lets it."""


@dataclass(frozen=True, slots=True)
class Car:
    """One charger with its car: W, Wh; `cap_w` is hard, `soft_w` what joined events leave.

    `thrift_w` is what the owner's limits of price and CO2 leave; `dirt` is added to the cost of each Wh, micro-units,
    for a car that looks for the greenest.
    """

    device: Device
    wish: CarWish
    mode: ChargeMode
    plugged: bool
    running: bool
    min_w: float
    max_w: float
    stages: tuple[Stage, ...]
    """Soonest first, never empty, none asking for less than the one before."""
    open_end: bool
    """Whether it need not be ready within the plan."""
    window: Mask
    cap_w: Array
    soft_w: Array
    thrift_w: Array
    dirt: Array
    run: Mask
    """Slots in which the owner said: charge."""

    @property
    def need_wh(self) -> float:
        """All it should get within the plan, Wh."""
        return self.stages[-1].need_wh

    @property
    def ready(self) -> datetime:
        """Its next departure."""
        return self.departures[0].ready

    @property
    def departures(self) -> tuple[Stage, ...]:
        """The stages without the owner's minimum, never empty."""
        return tuple(stage for stage in self.stages if not stage.at_once)

    @property
    def at_once(self) -> Mask:
        """Slots in which it charges to the owner's minimum."""
        windows = [stage.window for stage in self.stages if stage.at_once and stage.need_wh > 0]
        return windows[0] if windows else np.zeros(len(self.window), dtype=bool)

    @property
    def phases(self) -> tuple[int, ...]:
        """The grid phases it loads."""
        return self.wish.phases

    @property
    def priority(self) -> int:
        """Higher is served first."""
        return self.wish.preference.priority

    @property
    def kind_w(self) -> Array:
        """What joined events and the owner's limits leave, W; all of it where the owner said: charge, or wants a minimum."""
        return np.where(self.run | self.at_once, np.inf, np.minimum(self.soft_w, self.thrift_w))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a car is planned in: powers W, prices micro-units per kWh, carbon g/kWh, each over the slots."""

    request: PlanRequest
    slots: Slots
    base_w: Array
    headroom_w: Array
    buy: Array
    carbon: Array

    @property
    def sun_w(self) -> Array:
        """Surplus sun, W."""
        return np.maximum(0.0, -self.base_w)


def make_car(around: Surroundings, device: Device, wish: CarWish) -> Car:
    """One charger frozen into arrays."""
    request, slots = around.request, around.slots
    spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
    status = request.snapshot.chargers.get(device.id)
    running = status is not None and status.phase is ChargePhase.CHARGING
    plugged = running or (status is not None and status.phase is ChargePhase.PLUGGED)
    low, high = _powers(request, spec, status, wish)
    hard, soft = caps(request, slots, device.id, high)
    hard = np.minimum(hard, np.minimum(_fuse_w(around, wish), around.headroom_w))
    stages = _stages(slots, wish, plugged and wish.mode is not ChargeMode.OFF)
    return Car(
        device, wish, wish.mode, plugged, running, low, high, stages,
        open_end=stages[0].ready.timestamp() > slots.edges[-1] + 1,
        window=stages[-1].window,
        cap_w=np.where(hard >= low, hard, 0.0),
        soft_w=np.where(soft >= low, soft, 0.0),
        thrift_w=_thrift(around, wish, low),
        dirt=_dirt(around, wish, low),
        run=overridden(request, slots, device.id, "run"),
    )  # fmt: skip


def _powers(
    request: PlanRequest, spec: ChargerSpec, status: ChargerStatus | None, wish: CarWish
) -> tuple[float, float]:
    """Least and most power, W; on one phase at the least where the charger can switch."""
    volts = request.site.nominal_voltage_v
    per_amp = len(wish.phases) * volts
    fewest = volts if status is not None and status.switches_phases else per_amp
    low, high = wish.min_a * fewest, wish.max_a * per_amp
    needs = status.needs if status else None
    if needs is not None and needs.max_power_w:
        high = min(high, needs.max_power_w)
    return low, max(low, _taken(status, high, per_amp)) if spec.max_current_a >= spec.min_current_a else 0.0


def _taken(status: ChargerStatus | None, high: float, per_amp: float) -> float:
    """What this car really takes at most, W: a car that draws clearly less than it is offered cannot do more."""
    if status is None or status.phase is not ChargePhase.CHARGING or not status.power_w or not status.offered_a:
        return high
    offered = min(high, status.offered_a * per_amp)
    return status.power_w if 500 < status.power_w < 0.7 * offered else high


def _fuse_w(around: Surroundings, wish: CarWish) -> Array:
    site = around.request.site
    phase_w = site.main_fuse_a * site.nominal_voltage_v - np.maximum(0.0, around.base_w) / site.phases
    return np.asarray(len(wish.phases) * phase_w)


def _stages(slots: Slots, wish: CarWish, counts: bool) -> tuple[Stage, ...]:
    """The goals within the plan, at least the first one; nothing is needed by a car that is away or switched off."""
    end = slots.edges[-1] + 1
    goals = [goal for goal in wish.goals if goal.ready.timestamp() <= end] or wish.goals[:1]
    found = []
    for goal in goals:
        need = max(goal.need_wh, wish.floor_wh) if counts and math.isfinite(goal.need_wh) else 0.0
        found.append(Stage(goal.ready, min(need, MOST_WH), slots.before(goal.ready)))
    return tuple(found)


def _thrift(around: Surroundings, wish: CarWish, low: float) -> Array:
    """Where power is dearer or dirtier than the owner's limit a smart car takes only the sun, W."""
    limits = wish.preference
    over = np.zeros(around.slots.count, dtype=bool)
    if wish.mode is ChargeMode.SMART and limits.max_price_micro_per_kwh is not None:
        over |= around.buy > limits.max_price_micro_per_kwh
    if wish.mode is ChargeMode.SMART and limits.max_co2_g_per_kwh is not None:
        over |= around.carbon > limits.max_co2_g_per_kwh
    sun = np.where(around.sun_w >= low, around.sun_w, 0.0)
    return np.where(over, sun, np.inf)


def _dirt(around: Surroundings, wish: CarWish, low: float) -> Array:
    """For the greenest: the grid's carbon from 0 (cleanest) to GREEN (dirtiest); what the sun gives is clean."""
    if wish.mode is not ChargeMode.SMART or wish.preference.goal is not ChargeGoal.GREENEST or low <= 0:
        return np.zeros(around.slots.count)
    carbon = around.carbon * np.clip(1 - around.sun_w / low, 0.0, 1.0)
    spread = float(np.ptp(carbon))
    return GREEN_MICRO_PER_WH * (carbon - carbon.min()) / spread if spread > 0 else np.zeros(around.slots.count)
