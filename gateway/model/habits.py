"""When people and cars are usually at home, as far as the home's own past shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

Week = tuple[tuple[float, ...], ...]
"""A chance, 0-1, by weekday (Monday first) and local hour: 7 x 24."""


class Quantiles(NamedTuple):
    """The 10, 50 and 90 % quantile."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class EvDay:
    """A car's day of one kind (working days or weekends).

    `arrives` is the chance that it is plugged in at all on such a day. `arrival_h` and `departure_h` are local hours of
    the clock, 0-24, departure told by the day it falls on; where a later quantile is the smaller number it lies after
    midnight. `energy_wh` is what a stay took, which is less than what was needed where the car left before it was full.
    """

    arrives: float
    arrival_h: Quantiles
    departure_h: Quantiles
    energy_wh: Quantiles


@dataclass(frozen=True, slots=True)
class EvHabit:
    """The habit of the cars at one charger, from the sessions of `days` days."""

    charger: str
    plugged: Week
    """The chance of being plugged in, whatever the car does now."""
    workday: EvDay
    weekend: EvDay
    stays: int
    days: int
    method: str

    def on(self, local: datetime) -> EvDay:
        """The day of a local time."""
        return self.weekend if local.weekday() >= 5 else self.workday


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The chance that somebody is at home: an estimate from the load alone, which sees no person.

    An hour counts as lived in when the uncontrolled load is above `active_above_w`; a night does when the evening
    before it or the morning after it was. `base_w` is the home's own base level.
    """

    home: Week
    base_w: float
    active_above_w: float
    days: int
    method: str


def at_hours(week: Week, local: Sequence[datetime]) -> tuple[float, ...]:
    """The chance at each of these local times."""
    return tuple(week[when.weekday()][when.hour] for when in local)
