"""What pool pumps, heat pumps and tanks have behind them: hours run, since when, the last hot day."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.model.errors import StoreError
from gateway.model.loads import ApplianceRun, Loads, Standing, next_window
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ApplianceSpec, Device, HeatPumpSpec, PoolPumpSpec, Site, WaterHeaterSpec
from gateway.model.snapshot import DeviceState, Snapshot
from gateway.ports import Clock, Store

log = logging.getLogger(__name__)

DOCUMENT = "loads"
LONGEST_GAP_S = 300.0
"""Of a longer silence nobody knows what was done in it."""
NEAR_K = 0.5
"""A probe that shows so much less is hot enough."""
KEEP_S = 60.0


@dataclass(slots=True)
class Ran:
    """A pool pump's run since the end of its last window, s, and when the present one ends."""

    until: datetime
    seconds: float = 0.0


@dataclass(slots=True)
class LoadWatch:
    """Looks at each tick; `loads` is what the next decision and the next plan may know."""

    site: Site
    clock: Clock
    store: Store
    ran: dict[str, Ran] = field(default_factory=dict)
    hot_at: dict[str, datetime] = field(default_factory=dict)
    stands: dict[str, Standing] = field(default_factory=dict)
    seen: dict[str, Standing] = field(default_factory=dict)
    _at: float | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    async def resume(self) -> None:
        """Take up what was known before a restart; what cannot be read begins anew."""
        kept = await self.store.get(DOCUMENT) or {}
        try:
            self.hot_at = {name: datetime.fromisoformat(at) for name, at in kept.get("hot_at", {}).items()}
            self.ran = {
                name: Ran(datetime.fromisoformat(item["until"]), float(item["seconds"]))
                for name, item in kept.get("ran", {}).items()
            }
        except (ValueError, TypeError, KeyError) as error:
            log.error("what was known of pumps and tanks cannot be read (%s): it begins anew", error)

    def loads(self, runs: Mapping[str, ApplianceRun]) -> Loads:
        """What is known now, with the runs of the appliances."""
        ran = {name: entry.seconds for name, entry in self.ran.items()}
        return Loads(dict(runs), ran, dict(self.stands), dict(self.seen), dict(self.hot_at))

    def observe(self, snapshot: Snapshot, setpoints: Mapping[str, Setpoint]) -> None:
        """Count the time since the last tick, and note what changed."""
        mono, before = self.clock.monotonic(), self._at
        passed_s = 0.0 if before is None else min(mono - before, LONGEST_GAP_S)
        self._at = mono
        for device in self.site.devices:
            state = snapshot.devices.get(device.id)
            if isinstance(device.spec, WaterHeaterSpec):
                self._look_at_tank(device, state, snapshot)
            elif isinstance(device.spec, HeatPumpSpec | PoolPumpSpec | ApplianceSpec):
                self._look_at_load(device, state, snapshot.now)
                if isinstance(device.spec, PoolPumpSpec):
                    self._count(device.id, device.spec, snapshot.now, passed_s)
        for setpoint in setpoints.values():
            if setpoint.kind in (SetpointKind.SWITCH, SetpointKind.TEMPERATURE):
                self._stand(self.stands, setpoint.device, setpoint.value, snapshot.now)

    def _look_at_tank(self, device: Device, state: DeviceState | None, snapshot: Snapshot) -> None:
        water = state.get(Quantity.TEMPERATURE) if state is not None else None
        if device.id not in self.hot_at or (water is not None and water >= snapshot.preferences.hygiene_c - NEAR_K):
            self.hot_at[device.id] = snapshot.now

    def _look_at_load(self, device: Device, state: DeviceState | None, now: datetime) -> None:
        draws = drawing(device, state)
        if draws is None:
            self.seen.pop(device.id, None)
        else:
            self._stand(self.seen, device.id, float(draws), now)

    def _count(self, name: str, spec: PoolPumpSpec, now: datetime, passed_s: float) -> None:
        entry = self.ran.get(name)
        if entry is None or now >= entry.until:
            start, end = next_window(spec, self.site.timezone, now)
            # Nobody knows what a pump did before its first look: it is taken to have kept to its hours evenly.
            passed = max(0.0, (now - start) / (end - start)) if entry is None else 0.0
            entry = self.ran[name] = Ran(end, spec.hours_per_day * 3600 * passed)
        doing = self.seen.get(name)
        if doing is not None and doing.value == 1.0:
            entry.seconds += passed_s

    @staticmethod
    def _stand(stands: dict[str, Standing], name: str, value: float, now: datetime) -> None:
        known = stands.get(name)
        if known is None or known.value != value:
            stands[name] = Standing(value, now)

    async def run(self) -> None:
        """Write it down once a minute where it changed, until cancelled; with the next commit, none of its own."""
        while True:
            await self.clock.sleep(KEEP_S, real_floor=1.0)
            await self.keep()

    async def keep(self) -> None:
        """Write down what is not kept yet."""
        document = {
            "ran": {name: {"until": e.until.isoformat(), "seconds": round(e.seconds)} for name, e in self.ran.items()},
            "hot_at": {name: at.replace(microsecond=0).isoformat() for name, at in self.hot_at.items()},
        }
        if document == self._kept:
            return
        try:
            await self.store.put(DOCUMENT, document, later=True)
            self._kept = document
        except StoreError as error:
            log.error("what is known of pumps and tanks cannot be kept: %s", error)


def drawing(device: Device, state: DeviceState | None) -> bool | None:
    """Whether a load draws its power, by its own meter, else by what its relay says; None when nobody knows."""
    if state is None or not state.online:
        return None
    power, on = state.get(Quantity.POWER), state.get(Quantity.ON)
    if power is not None:
        return power > 0.05 * _rated_w(device)
    return None if on is None else on >= 0.5


def _rated_w(device: Device) -> float:
    spec = device.spec
    if isinstance(spec, PoolPumpSpec):
        return spec.power_w
    if isinstance(spec, HeatPumpSpec):
        return spec.max_power_w
    return max(spec.profile_w, default=0.0) if isinstance(spec, ApplianceSpec) else 0.0
