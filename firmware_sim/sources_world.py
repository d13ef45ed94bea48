"""What the simulated services know: prices of the market, its carbon, and the weather forecast of the simulated home."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from firmware_sim.physics.replay import Replay

MARKET = ZoneInfo("Europe/Berlin")
PUBLISHED = time(13)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class World:
    """The same seed tells the same of each hour, whenever it is asked."""

    seed: int
    weather: Replay

    def price_eur_mwh(self, hour: datetime) -> float:
        """Day-ahead price of the hour, EUR/MWh: two peaks a day, a dent at noon that sinks below zero in a strong sun."""
        dice = random.Random(f"{self.seed} price {hour.isoformat()}")
        level = 70 + 35 * random.Random(f"{self.seed} day {hour.astimezone(MARKET).date()}").uniform(-1, 1)
        local = hour.astimezone(MARKET).hour
        peaks = 45 * math.exp(-(((local - 8) / 2) ** 2)) + 80 * math.exp(-(((local - 18.5) / 2) ** 2))
        sun = 0.16 * self.irradiance_w_m2(hour)
        return round(level - 15 + peaks - sun + dice.gauss(0, 3), 2)

    def carbon_g_kwh(self, hour: datetime) -> float:
        """Carbon intensity of the hour, g/kWh: high where prices are, low in the sun."""
        return round(min(max(150 + 2.2 * self.price_eur_mwh(hour), 40), 700), 1)

    def temperature_c(self, hour: datetime, told_at: datetime) -> float:
        """Forecast of the outdoor temperature, degC; it errs more the further ahead."""
        ahead = max((hour - told_at) / DAY, 0.0)
        slip = random.Random(f"{self.seed} temperature {hour.isoformat()} {told_at.date()}").gauss(0, 0.8 * ahead)
        return round(self.weather.outdoor_c(hour) + slip, 1)

    def irradiance_w_m2(self, hour: datetime) -> float:
        """Mean global irradiance of the hour from `hour` on, W/m2."""
        minutes = (self.weather.irradiance_w_m2(hour + timedelta(minutes=m)) for m in range(0, 60, 10))
        return round(sum(minutes) / 6, 1)

    def cloud_percent(self, hour: datetime) -> int:
        """Cloud cover, percent."""
        return round(100 * random.Random(f"{self.seed} cloud {hour.date()}").random())


def hours(start: datetime, end: datetime) -> list[datetime]:
    """The full hours in [start, end), at most 1000."""
    first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = max(0, min(math.ceil((end - first) / HOUR), 1000))
    return [first + i * HOUR for i in range(count)]


def published_until(now: datetime) -> datetime:
    """The end of the last local day whose prices are out: tomorrow's from 13:00."""
    local = now.astimezone(MARKET)
    days = 2 if local.time() >= PUBLISHED else 1
    return datetime.combine(local.date() + timedelta(days=days), time(), MARKET).astimezone(UTC)
