"""Who controls a home in a replay: nobody, plain self-consumption, or the planner with its own or perfect forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from gateway.core.planning.replay_forecast import Forecaster, Foreseen
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.core.planning.twin import HOURS, STEP_S, Array, Setup, Twin
from gateway.core.tariff.metered import Metered
from gateway.core.tariff.peaks import day_peaks
from gateway.core.tariff.tiers import tier_period
from gateway.core.tariff.windows import midnight
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.series import Series
from gateway.model.site import Role, Site
from gateway.model.tariff import Tariff, ToDate

DAY_STEPS = ((24.0, 900),)
FOR_EVER = timedelta(days=36_500)


class Controller(Protocol):
    """Gives the plan in force; `grid_w` is the meter's past, W, of which [0, index) is written."""

    def plan(self, twin: Twin, index: int, grid_w: Array) -> Plan | None:
        """The plan for quarter hour `index`."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """One plan for ever."""

    standing: Plan

    def plan(self, twin: Twin, index: int, grid_w: Array) -> Plan | None:
        """The same at all times."""
        return self.standing


def standing(site: Site, start: datetime) -> Standing:
    """Self-consumption, charging on arrival and plain thermostats, as one plan."""
    kinds = {
        Role.BATTERY: IntentKind.ZERO_GRID,
        Role.EV_CHARGER: IntentKind.CHARGE_AT,
        Role.WATER_HEATER: IntentKind.IDLE,
        Role.HEAT_PUMP: IntentKind.IDLE,
    }
    blocks = tuple(
        Block(device.id, kinds[device.role], start, start + FOR_EVER, 1e6, 0.0, "Always.")
        for device in site.devices
        if device.role in kinds
    )
    return Standing(Plan(start, "replay", "rules", (), blocks, 0, 0, 0.0, 0.0))


@dataclass(slots=True)
class Planned:
    """The product's planner, asked anew every `every` quarter hours, when a car comes, and when its plan ends."""

    setup: Setup
    forecaster: Forecaster
    spot: Series | None = None
    every: int = 4
    forecast_every: int = 12
    """A forecast is used so long, quarter hours."""
    steps: tuple[tuple[float, int], ...] = DAY_STEPS
    made: int = 0
    fallbacks: int = 0
    spent_ms: float = 0.0
    """What the solver alone took."""
    knows: bool = False
    _plan: Plan | None = None
    _next: int = 0
    _foreseen: Foreseen | None = None
    _foreseen_at: int = 0
    _cars: tuple[object, ...] = ()
    _peak_w: float = 0.0
    _peak_to: int = 0

    def plan(self, twin: Twin, index: int, grid_w: Array) -> Plan | None:
        """The plan in force, made anew when it is time."""
        cars = tuple(twin.visit(device.id, index) for device in self.setup.of_kind(Role.EV_CHARGER))
        if self._plan is None or index >= self._next or cars != self._cars:
            self._cars, self._next = cars, index - index % self.every + self.every
            self._plan = make_plan(self._request(twin, index, grid_w), alternatives=False)
            self.made += 1
            self.fallbacks += self._plan.method != "optimised"
            self.spent_ms += self._plan.solve_ms
        return self._plan

    def _request(self, twin: Twin, index: int, grid_w: Array) -> PlanRequest:
        if self._foreseen is None or index - self._foreseen_at >= (1 if self.knows else self.forecast_every):
            self._foreseen, self._foreseen_at = self.forecaster.at(index), index
        setup, record = self.setup, twin.record
        # What is seen at the moment of planning is the quarter hour that ended; who knows all, knows the next one.
        seen = index if self.knows else max(0, index - 1)
        net_w = float(record.house_w[seen] + record.solar_w[index])
        snapshot = twin.snapshot(index, None, net_w, {})
        return PlanRequest(
            setup.site, snapshot, self._foreseen.load, self._foreseen.solar, self._foreseen.outdoor, setup.tariff,
            setup.preferences, (), (), setup.site.co2_g_per_kwh, record.at(index), "replay", steps=self.steps,
            spot=self.spot, to_date=to_date(setup.tariff, record.start, grid_w, index),
            peak_so_far_w=self._highest(grid_w, index),
        )  # fmt: skip

    def _highest(self, grid_w: Array, index: int) -> float:
        new = grid_w[self._peak_to : index]
        if len(new):
            self._peak_w, self._peak_to = max(self._peak_w, float(new.max())), index
        return self._peak_w


def to_date(tariff: Tariff, start: datetime, grid_w: Array, index: int) -> ToDate:
    """What the running month holds so far of the replay's own meter."""
    if not tariff.demand and tariff.tiers is None:
        return ToDate()
    origin = start.timestamp()
    now = datetime.fromtimestamp(origin + index * STEP_S, start.tzinfo)
    first = midnight(tariff, now.astimezone(tariff.timezone).date().replace(day=1)).timestamp()
    month = _metered(origin, grid_w, max(0, int((first - origin) // STEP_S)), index)
    tier = tier_period(tariff, now)[0].timestamp()
    days = {charge.name: (charge, day_peaks(tariff, charge, month)) for charge in tariff.demand}
    today = now.astimezone(tariff.timezone).date()
    return ToDate(
        float(month.import_wh[month.start >= tier].sum()) if tariff.tiers is not None else 0.0,
        tuple(
            (name, tuple(sorted((p.power_w for p in peaks), reverse=True)[: charge.mean_of]))
            for name, (charge, peaks) in days.items()
        ),
        today,
        tuple((name, p.power_w) for name, (_, peaks) in days.items() for p in peaks if p.day == today),
    )


def _metered(origin: float, grid_w: Array, first: int, last: int) -> Metered:
    at: Array = origin + np.arange(first, last, dtype=np.float64) * STEP_S
    wh = grid_w[first:last] * HOURS
    return Metered(at, at + STEP_S, np.maximum(0.0, wh), np.maximum(0.0, -wh))


def without_batteries(setup: Setup) -> Setup:
    """The same home without its batteries."""
    site = setup.site
    devices = tuple(device for device in site.devices if device.role is not Role.BATTERY)
    return replace(setup, site=replace(site, devices=devices))
