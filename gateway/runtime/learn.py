"""The learn loop: forecasts every quarter hour, day classes after local midnight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from gateway.core.learning.forecast import forecast_load, forecast_solar
from gateway.core.learning.shapes import classify_day, hourly
from gateway.model.learned import DayShape
from gateway.model.plan import Forecast
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval
from gateway.model.site import Site
from gateway.ports import Clock, Store

HISTORY_DAYS = 63
FORECAST_HOURS = 48
EVERY_S = 900.0
OUTDOOR_DEFAULT_C = 8.0


@dataclass(slots=True)
class Learn:
    """What the home knows of itself: day shapes and the forecasts of load, sun and outdoor temperature."""

    site: Site
    clock: Clock
    store: Store
    on_forecast: Callable[[], None] = lambda: None
    load: Forecast | None = None
    solar: Forecast | None = None
    outdoor: Forecast | None = None
    shapes: list[DayShape] = field(default_factory=list)

    async def run(self) -> None:
        """Learn now and at every quarter hour until cancelled."""
        self.shapes = await self.store.day_shapes()
        while True:
            await self.once()
            await self.clock.sleep(EVERY_S, real_floor=3.0)

    async def once(self) -> None:
        """Refresh the forecasts and class every local day that ended and has no class yet."""
        now = self.clock.now()
        since = now - timedelta(days=HISTORY_DAYS)
        house = await self.store.intervals("house", since, now)
        sun = await self.store.intervals("solar", since, now)
        self.load, self.solar = await asyncio.to_thread(self._forecasts, house, sun, now)
        self.outdoor = await self._outdoor(now)
        await self._class_days(house, now)
        self.on_forecast()

    def _forecasts(self, house: list[Interval], sun: list[Interval], now: datetime) -> tuple[Forecast, Forecast]:
        site = self.site
        load = forecast_load(house, now, site.timezone, hours=FORECAST_HOURS)
        solar = forecast_solar(sun, now, site.timezone, site.latitude, site.longitude, hours=FORECAST_HOURS)
        return load, solar

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

    async def _class_days(self, house: list[Interval], now: datetime) -> None:
        today = now.astimezone(self.site.timezone).date()
        known = {shape.day for shape in self.shapes}
        first = house[0].start.astimezone(self.site.timezone).date() if house else today
        days = [first + timedelta(days=i) for i in range((today - first).days)]
        new = [self._class_day(house, day) for day in days if day not in known]
        if new:
            await self.store.save_day_shapes(new)
            self.shapes = sorted([*self.shapes, *new], key=lambda shape: shape.day)

    def _class_day(self, house: list[Interval], day: date) -> DayShape:
        zone = self.site.timezone
        start = datetime.combine(day, time(), zone)
        end = datetime.combine(day + timedelta(days=1), time(), zone)
        return classify_day(day, hourly([i for i in house if start <= i.start < end], day, zone))
