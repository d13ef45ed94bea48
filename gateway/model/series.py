"""What the world tells about prices, carbon and weather, as series over time; past and future alike."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SeriesKind(StrEnum):
    """What a series carries; the unit is fixed by the kind."""

    SPOT = "spot"
    """Wholesale price of energy without taxes and fees, micro-units of `currency` per kWh; may be negative."""
    CARBON = "carbon"
    """Carbon intensity of grid energy, g CO2 per kWh."""
    TEMPERATURE = "temperature"
    """Outdoor air, degC."""
    IRRADIANCE = "irradiance"
    """Global horizontal irradiance, W/m2."""
    CLOUD = "cloud"
    """Cloud cover, percent 0-100."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value that holds over the half-open [start, end), aware UTC."""

    start: datetime
    end: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one kind in order of start, without overlap; gaps are times that nobody told of."""

    kind: SeriesKind
    points: tuple[Point, ...]
    source: str
    """Which source told it, as its name in the site file."""
    fetched_at: datetime
    """When it was told, aware UTC."""
    currency: str = ""
    """ISO 4217, of prices only."""

    def at(self, when: datetime) -> float | None:
        """The value that holds at `when`; None where nothing is told."""
        index = bisect_right(self.points, when, key=lambda point: point.start) - 1
        if index < 0 or when >= self.points[index].end:
            return None
        return self.points[index].value

    @property
    def end(self) -> datetime | None:
        """The end of the last point; None without points."""
        return self.points[-1].end if self.points else None
