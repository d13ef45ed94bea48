"""The learn loop: forecasts every quarter hour, day classes and the models of heat after local midnight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.core.learning.forecast import forecast_load, forecast_solar
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.core.learning.told import SUN_LEAD_H, Told
from gateway.model.learned import DayShape, DrawPattern, Learned, ThermalModel
from gateway.model.plan import Forecast
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval
from gateway.model.series import Series, SeriesKind
from gateway.model.site import Site
from gateway.ports import Clock, Store
from gateway.runtime.forecast_archive import ForecastArchive
from gateway.runtime.learn_car import HabitLearning
from gateway.runtime.learn_heat import HeatLearning
from gateway.runtime.learn_load import LoadLearning
from gateway.runtime.learn_shapes import ShapeLearning
from gateway.runtime.notices import Notices
from gateway.runtime.outdoor import told_outdoor

HISTORY_DAYS = 63
FORECAST_HOURS = 48
EVERY_S = 900.0
OUTDOOR_DEFAULT_C = 8.0
LEAD_H = {SeriesKind.TEMPERATURE: 0, SeriesKind.IRRADIANCE: SUN_LEAD_H}
"""How many hours before its own an hour of weather is noted as it is told."""


@dataclass(slots=True)
class Learn:
    """What the home knows of itself: day shapes and the forecasts of load, sun and outdoor temperature."""

    site: Site
    clock: Clock
    store: Store
    on_forecast: Callable[[], None] = lambda: None
    weather: Callable[[], Series | None] = lambda: None
    """Outdoor air as sources tell it, degC."""
    irradiance: Callable[[], Series | None] = lambda: None
    """Global horizontal irradiance as sources tell it, W/m2."""
    load: Forecast | None = None
    solar: Forecast | None = None
    outdoor: Forecast | None = None
    dictionary: ShapeDictionary | None = None
    """The named shapes; without them no day is classed."""
    notices: Notices | None = None
    preferences: Callable[[], Preferences] = Preferences
    """When the owner wants quiet: then a change of the days is not told."""
    days: ShapeLearning = field(init=False)
    heat: HeatLearning = field(init=False)
    load_model: LoadLearning = field(init=False)
    habits: HabitLearning = field(init=False)
    foretold: ForecastArchive = field(init=False)
    _told: dict[SeriesKind, Told] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.heat = HeatLearning(self.site, self.store)
        self.load_model = LoadLearning(self.site, self.store)
        self.habits = HabitLearning(self.site, self.store)
        self.foretold = ForecastArchive(self.site, self.store)
        self.days = ShapeLearning(self.site, self.store, self.dictionary, self.notices, self.preferences)

    @property
    def shapes(self) -> list[DayShape]:
        """The classes of past days, oldest first."""
        return self.days.days

    @property
    def thermal(self) -> dict[str, ThermalModel]:
        """How each heat pump's home keeps its heat, by device id, where it is known."""
        return self.heat.thermal

    @property
    def draws(self) -> dict[str, DrawPattern]:
        """The hot water of each tank, by device id, where it is known."""
        return self.heat.draws

    def learned(self) -> Learned:
        """What is known of the home's heat and hot water, and what is missing, for the owner."""
        return Learned(self.heat.thermal, self.heat.draws, self.heat.why)

    async def resume(self) -> None:
        """Take up what was learned before."""
        await self.days.resume()
        await self.heat.resume()
        await self.load_model.resume()
        self._told = {kind: Told.from_document(await self.store.get(_key(kind))) for kind in LEAD_H}

    async def run(self) -> None:
        """Learn now and at every quarter hour until cancelled."""
        await self.resume()
        while True:
            self._wake.clear()
            await self.once()
            await first_of_two(self._wake.wait(), self.clock.sleep(EVERY_S, real_floor=3.0))

    def hurry(self) -> None:
        """Learn again at once: the weather forecast has changed."""
        self._wake.set()

    async def once(self) -> None:
        """Refresh the forecasts and class every local day that ended and has no class yet."""
        now = self.clock.now()
        since = now - timedelta(days=HISTORY_DAYS)
        house = await self.store.intervals("house", since, now)
        sun = await self.store.intervals("solar", since, now)
        await self._note(now)
        await self.load_model.refresh(house, now)
        self.load, self.solar = found = await asyncio.to_thread(self._forecasts, house, sun, now)
        for forecast in found:
            await self.foretold.keep(forecast, now)
        await self.habits.refresh(house, now)
        self.outdoor = told_outdoor(self.weather(), await self._outdoor(now), now)
        await self.days.refresh(now)
        self.on_forecast()
        await self.heat.refresh(now, self._kept(SeriesKind.TEMPERATURE), self._kept(SeriesKind.IRRADIANCE))

    def _forecasts(self, house: list[Interval], sun: list[Interval], now: datetime) -> tuple[Forecast, Forecast]:
        site = self.site
        load = forecast_load(house, now, site.timezone, hours=FORECAST_HOURS, model=self.load_model.model)
        solar = forecast_solar(
            sun, now, site.timezone, site.latitude, site.longitude, hours=FORECAST_HOURS,
            told=self.irradiance(), kept=self._kept(SeriesKind.IRRADIANCE),
        )  # fmt: skip
        return load, solar

    async def _note(self, now: datetime) -> None:
        """Keep what the sources tell of the weather of these hours; a document a kind, written when an hour is new."""
        for kind, tell in ((SeriesKind.TEMPERATURE, self.weather), (SeriesKind.IRRADIANCE, self.irradiance)):
            before = self._kept(kind)
            after = before.noted(tell(), now, LEAD_H[kind], keep_days=kind is SeriesKind.TEMPERATURE)
            if after != before:
                self._told[kind] = after
                await self.store.put(_key(kind), after.to_document(), later=True)

    def told_outdoor(self) -> Told:
        """The outdoor temperature as sources told it."""
        return self._kept(SeriesKind.TEMPERATURE)

    def _kept(self, kind: SeriesKind) -> Told:
        return self._told.get(kind, Told())

    async def _outdoor(self, now: datetime) -> Forecast:
        """Outdoor temperature: the last day again (persistence), hourly; a mild default where nothing was measured."""
        series: dict[int, float] = {}
        for device in self.site.devices:
            quantity = Quantity.OUTDOOR_TEMPERATURE.value
            for row in await self.store.rollups(device.id, quantity, now - timedelta(days=1), now):
                series[int((row.start - now).total_seconds() // 3600) % 24] = row.mean
        known = sum(series.values()) / len(series) if series else OUTDOOR_DEFAULT_C
        mean = tuple(series.get(hour % 24, known) for hour in range(FORECAST_HOURS))
        return Forecast("outdoor", now, 3600, mean, unit="°C", method="the last day again")


async def first_of_two(one: Coroutine[Any, Any, Any], other: Coroutine[Any, Any, Any]) -> None:
    """Return when either has; the other is cancelled."""
    tasks = {asyncio.ensure_future(one), asyncio.ensure_future(other)}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _key(kind: SeriesKind) -> str:
    return f"told {kind.value}"
