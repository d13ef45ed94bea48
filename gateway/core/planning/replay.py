"""A replay: the twin of a home lives through a record under one controller; what its meter shows is billed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gateway.core.planning.controllers import Controller, Planned, standing, without_batteries
from gateway.core.planning.replay_forecast import Forecaster
from gateway.core.planning.twin import DAY, HOURS, METER, STEP_S, Array, Record, Setup, Twin
from gateway.core.tariff.bill import bill_of
from gateway.core.tariff.metered import Metered
from gateway.model.plan import Plan
from gateway.model.series import Series
from gateway.model.site import BatterySpec, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.tariff import Bill, Tariff
from gateway.model.whatif import Control

COLD_K = 0.3
"""So much below the least temperature is not yet cold: a thermostat's own play."""
WATER_COLD_K = 3.0
"""A draw of hot water may take a tank so far below its least temperature before the relay has brought it back."""
MISSED_WH = 100.0
HORIZON_H = 24
Told = Callable[[float], bool]
"""Hears the share done, 0-1; answers whether to go on."""


class Stopped(Exception):
    """A replay that was told to stop."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gave: mean W by device and quarter hour ("meter" is the grid), and what went wrong in it."""

    site: Site
    record: Record
    power_w: dict[str, Array]
    missed_departures: int
    cold_k_h: float
    """Kelvin hours below the comfort bands."""
    switches: int
    """Changes of what a battery was meant to do."""
    plans: int = 0
    fallbacks: int = 0
    solve_ms: float = 0.0
    stored_wh: float = 0.0
    """What the batteries hold at the end."""

    @property
    def grid_w(self) -> Array:
        """The meter, W, import positive."""
        return self.power_w[METER]

    @property
    def metered(self) -> Metered:
        """What the meter counted."""
        at: Array = self.record.start.timestamp() + np.arange(self.record.count, dtype=np.float64) * STEP_S
        wh = self.grid_w * HOURS
        return Metered(at, at + STEP_S, np.maximum(0.0, wh), np.maximum(0.0, -wh))

    def bill(self, tariff: Tariff, spot: Series | None = None) -> Bill:
        """What the replayed time costs."""
        return bill_of(tariff, self.metered, spot)


def replay(setup: Setup, record: Record, control: Control, spot: Series | None = None, told: Told | None = None) -> Replayed:  # fmt: skip
    """The record lived through under a kind of control; raises Stopped when `told` says so."""
    if control is Control.NONE:
        setup = without_batteries(setup)
    return run(setup, record, controller_of(setup, record, control, spot), told)


def controller_of(setup: Setup, record: Record, control: Control, spot: Series | None) -> Controller:
    """The controller of a kind; foresight plans every three hours for two days, as nothing surprises it."""
    if control in (Control.NONE, Control.SELF_CONSUMPTION):
        return standing(setup.site, record.start)
    if control is Control.PLAN:
        return Planned(setup, Forecaster(record, setup.site, hours=HORIZON_H + 4), spot)
    knows = Forecaster(record, setup.site, hours=48, knows=True)
    return Planned(setup, knows, spot, every=12, steps=((48.0, 900),), knows=True)


def run(setup: Setup, record: Record, controller: Controller, told: Told | None = None) -> Replayed:
    """The record lived through under a controller."""
    twin = Twin(setup, record)
    names = [METER, *(device.id for device in setup.site.devices if device.role not in (Role.MAIN_METER, Role.PV))]
    power = {name: np.zeros(record.count) for name in names}
    watch = _Watch(setup, twin)
    for index in range(record.count):
        if told is not None and index % DAY == 0 and not told(index / record.count):
            raise Stopped
        watch.before(index)
        plan = controller.plan(twin, index, power[METER])
        for name, watts in twin.step(index, plan).items():
            power[name][index] = watts
        watch.after(index, plan)
    made = controller if isinstance(controller, Planned) else None
    return Replayed(
        setup.site, record, power, watch.missed, watch.cold_k_h, watch.switches, *(
            (made.made, made.fallbacks, made.spent_ms) if made else (0, 0, 0.0)
        ), stored_wh=sum(twin.stored_wh.values()),
    )  # fmt: skip


class _Watch:
    """Counts what a person would mind."""

    def __init__(self, setup: Setup, twin: Twin) -> None:
        self._setup, self._twin = setup, twin
        self.missed, self.cold_k_h, self.switches = 0, 0.0, 0
        self._kinds: dict[str, object] = {}
        self._leaving = sorted(twin.record.visits, key=lambda visit: visit.last)
        self._got: dict[str, float] = {}

    def before(self, index: int) -> None:
        """Cars that leave as the quarter hour begins."""
        while self._leaving and self._leaving[0].last <= index:
            visit = self._leaving.pop(0)
            self.missed += self._got.get(visit.charger, 0.0) < visit.need_wh - MISSED_WH

    def after(self, index: int, plan: Plan | None) -> None:
        """Comfort and intents of the quarter hour that ended."""
        self._got = dict(self._twin.got_wh)
        now = self._twin.record.at(index)
        for device in self._setup.site.devices:
            if isinstance(device.spec, BatterySpec) and plan is not None:
                block = plan.block(device.id, now)
                kind = block.kind if block is not None else None
                self.switches += self._kinds.setdefault(device.id, kind) is not kind
                self._kinds[device.id] = kind
            elif isinstance(device.spec, WaterHeaterSpec):
                low = max(self._setup.preferences.water_min_c, device.spec.min_temperature_c) - WATER_COLD_K
                self._cold(low - self._twin.heat_c[device.id])
            elif isinstance(device.spec, HeatPumpSpec):
                low = self._setup.preferences.comfort_at(now.astimezone(self._setup.site.timezone))[0] - COLD_K
                self._cold(low - self._twin.heat_c[device.id])

    def _cold(self, below_k: float) -> None:
        self.cold_k_h += max(0.0, below_k) * HOURS
