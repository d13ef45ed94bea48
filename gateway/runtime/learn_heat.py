"""What the home learns of its heat and hot water: anew after each local midnight, kept in the store, taken up at a start."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.blocks import SLOTS
from gateway.core.learning.cooled import heating_only
from gateway.core.learning.draws import learn_draws
from gateway.core.learning.quarters import means, powers
from gateway.core.learning.thermal import fit_thermal
from gateway.core.learning.told import Told
from gateway.model.errors import StoreError
from gateway.model.learned import DrawPattern, NotLearned, ThermalModel
from gateway.model.quantity import Quantity
from gateway.model.site import Device, HeatPumpSpec, Site, WaterHeaterSpec
from gateway.ports import Store

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
KEY, VERSION = "learned heat", 1
DAYS = 28
Model = TypeVar("Model", ThermalModel, DrawPattern)
PANELS_W = 200.0
"""Panels that never made as much tell nothing of the sun."""


@dataclass(slots=True)
class HeatLearning:
    """The learned models by device id, and why there is none, in words for the owner."""

    site: Site
    store: Store
    thermal: dict[str, ThermalModel] = field(default_factory=dict)
    draws: dict[str, DrawPattern] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    _day: str = ""
    """The local day whose midnight was the last one learned after."""

    async def resume(self) -> None:
        """Take up what was kept of devices whose site file still says the same; what cannot be read is left."""
        document = await self.store.get(KEY) or {}
        if document.get("version") != VERSION:
            return
        try:
            self._take_up(document)
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("what was learned of the home's heat cannot be read and is learned anew")
            self.thermal, self.draws, self.why, self._day = {}, {}, {}, ""

    async def refresh(self, now: datetime, temperature: Told, irradiance: Told) -> bool:
        """Learn anew when a local day has ended since the last time; whether that was so. Raises StoreError."""
        today = now.astimezone(self.site.timezone).date()
        if today.isoformat() == self._day:
            return False
        end = datetime.combine(today, time(), self.site.timezone).astimezone(UTC)
        start = end - timedelta(days=DAYS)
        if _specs(self.site):
            await self._learn(start, temperature, irradiance)
        self._day = today.isoformat()
        await self._keep()
        return True

    async def _learn(self, start: datetime, temperature: Told, irradiance: Told) -> None:
        outdoor = await self._outdoor(start, temperature)
        sun, sun_from = await self._sun(start, irradiance)
        for device in self.site.devices:
            spec = device.spec
            if not isinstance(spec, HeatPumpSpec | WaterHeaterSpec):
                continue
            warm, power = await self._mean(device, Quantity.TEMPERATURE, start), await self._power(device, start)
            if isinstance(spec, HeatPumpSpec):
                power = power if spec.cooling_eer is None else heating_only(power, outdoor)
                fitted = await asyncio.to_thread(fit_thermal, warm, outdoor, power, spec.cop, sun, sun_from)
                self._found(self.thermal, device, fitted)
            else:
                found = await asyncio.to_thread(_draws, self.site, spec, warm, power, start)
                self._found(self.draws, device, found)

    def _found(self, known: dict[str, Model], device: Device, found: Model | NotLearned) -> None:
        """Nothing new, as of a heating in summer, leaves what was learned before."""
        self.why.pop(device.id, None)
        if not isinstance(found, NotLearned):
            known[device.id] = found
        elif device.id not in known:
            self.why[device.id] = found.reason

    async def _mean(self, device: Device, quantity: Quantity, start: datetime) -> Array:
        """Quarter hours of a momentary value; a day at a time, as minutes are many."""
        days = []
        for day in range(DAYS):
            begin = start + timedelta(days=day)
            rows = await self.store.rollups(device.id, quantity.value, begin, begin + timedelta(days=1))
            days.append(means(rows, begin, SLOTS))
        return np.concatenate(days)

    async def _power(self, device: Device, start: datetime) -> Array:
        """Electric W as metered; where nothing meters it, its rated power while it is on."""
        rows = await self.store.intervals(device.id, start, start + timedelta(days=DAYS))
        power = powers(rows, start, DAYS * SLOTS)
        if not np.isnan(power).all():
            return power
        spec, on = device.spec, await self._mean(device, Quantity.ON, start)
        rated = spec.max_power_w if isinstance(spec, HeatPumpSpec) else 0.0
        return on * (spec.power_w if isinstance(spec, WaterHeaterSpec) else rated)

    async def _outdoor(self, start: datetime, told: Told) -> Array:
        """The mean of the home's own sensors; where they say nothing, what was told."""
        total, seen = np.zeros(DAYS * SLOTS), np.zeros(DAYS * SLOTS)
        for device in self.site.devices:
            values = await self._mean(device, Quantity.OUTDOOR_TEMPERATURE, start)
            total, seen = total + np.nan_to_num(values), seen + ~np.isnan(values)
        own = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
        return np.where(np.isnan(own), told.quarters(start, own.size), own)

    async def _sun(self, start: datetime, told: Told) -> tuple[Array | None, str]:
        """The home's own panels, which the plan foresees anyway; else the irradiance told; else nothing."""
        rows = await self.store.intervals("solar", start, start + timedelta(days=DAYS))
        made = -powers(rows, start, DAYS * SLOTS)
        if not np.isnan(made).all() and np.nanmax(made) >= PANELS_W:
            return np.maximum(made, 0.0), "panels"
        light = told.quarters(start, DAYS * SLOTS)
        return (None, "") if np.isnan(light).mean() > 0.5 else (light, "irradiance")

    async def _keep(self) -> None:
        document = {
            "version": VERSION,
            "day": self._day,
            "specs": _specs(self.site),
            "thermal": {name: asdict(model) for name, model in self.thermal.items()},
            "draws": {name: asdict(pattern) for name, pattern in self.draws.items()},
            "why": self.why,
        }
        try:
            await self.store.put(KEY, document, later=True)
        except StoreError as error:
            log.error("what was learned of the home's heat is not kept on disk: %s", error)

    def _take_up(self, document: dict[str, Any]) -> None:
        specs = _specs(self.site)
        same = {name for name, spec in document["specs"].items() if specs.get(name) == spec}
        self.thermal = {name: ThermalModel(**kept) for name, kept in document["thermal"].items() if name in same}
        self.draws = {name: _pattern(kept) for name, kept in document["draws"].items() if name in same}
        self.why = {name: str(words) for name, words in document["why"].items() if name in same}
        self._day = str(document["day"]) if same == set(specs) else ""


def _specs(site: Site) -> dict[str, list[float]]:
    """What of the site file the models rest on, by device id; with other values they are learned anew."""
    found: dict[str, list[float]] = {}
    for device in site.devices:
        if isinstance(device.spec, HeatPumpSpec):
            found[device.id] = [device.spec.cop]
        elif isinstance(device.spec, WaterHeaterSpec):
            found[device.id] = [device.spec.volume_l, device.spec.loss_w_per_k]
    return found


def _draws(site: Site, spec: WaterHeaterSpec, water: Array, power: Array, start: datetime) -> DrawPattern | NotLearned:
    return learn_draws(water, power, start, site.timezone, volume_l=spec.volume_l, loss_w_per_k=spec.loss_w_per_k)


def _pattern(kept: dict[str, Any]) -> DrawPattern:
    values: dict[str, Any] = {name: tuple(kept[name]) if isinstance(kept[name], list) else kept[name] for name in kept}
    return DrawPattern(**values)
