"""What the home learned of itself: the class of each day, how it keeps its heat, when it draws hot water."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class DayShape:
    """The load shape of one local day.

    `shape` is a name a person recognises ("evening peak"), `confidence` 0-1, `profile` 24 hourly shares of the day's
    energy from the grid that sum to 1 (an hour of export is 0; empty when the day could not be classed), `energy_wh` the
    day's net energy, `why` one sentence.
    """

    day: date
    shape: str
    confidence: float
    energy_wh: float
    profile: tuple[float, ...]
    why: str
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other shapes with their probability, most likely first."""
    coverage: float = 1.0
    """Share of the day that was measured, 0-1."""


@dataclass(frozen=True, slots=True)
class NotLearned:
    """Why something could not be learned; what the site file states holds."""

    reason: str
    """One sentence for the owner."""


@dataclass(frozen=True, slots=True)
class ThermalModel:
    """A heated home as one resistance and one capacity, as its own measurements show it.

    C dT/dt = (outdoor - T) / R + cop * electric + gains_w + sun_gain * sun. What electricity alone shows is R * cop
    and C / cop: `cop` is the site file's, and R and C are right as far as it is.
    """

    resistance_k_per_w: float
    capacitance_wh_per_k: float
    gains_w: float
    """Heat of people and appliances, W; with `sun_from` empty the mean of the sun is part of it."""
    cop: float
    error_k: float
    """RMSE of the room's temperature a day ahead, on days that were not learned from, with the weather as it came."""
    days: int
    """Days that were learned from."""
    method: str
    sun_gain: float = 0.0
    """W of heat per unit of `sun_from`."""
    sun_w: float = 0.0
    """Mean heat of the sun over the days learned from, W."""
    sun_from: str = ""
    """What was taken for the sun: "irradiance" (W/m2), "panels" (W produced), or nothing."""

    @property
    def loss_w_per_k(self) -> float:
        """Heat lost per K of inside over outside, W/K."""
        return 1 / self.resistance_k_per_w

    @property
    def time_constant_h(self) -> float:
        """Hours in which the unheated home goes 63 % of the way to its surroundings."""
        return self.resistance_k_per_w * self.capacitance_wh_per_k


@dataclass(frozen=True, slots=True)
class DrawPattern:
    """Hot water by local hour, W of heat drawn from the tank: 24 means for working days and weekends, and quantiles."""

    workday_w: tuple[float, ...]
    weekend_w: tuple[float, ...]
    workday_high_w: tuple[float, ...]
    """The 90 % quantile of each hour."""
    weekend_high_w: tuple[float, ...]
    day_wh: float
    """Mean of a day of the week, Wh of heat."""
    error_wh: float
    """RMSE of a day's sum, on days that were not learned from, Wh."""
    days: int
    method: str

    def at(self, local: datetime) -> float:
        """The mean draw in the hour of a local time, W of heat."""
        return (self.weekend_w if local.weekday() >= 5 else self.workday_w)[local.hour]

    def high_at(self, local: datetime) -> float:
        """The 90 % quantile of the hour of a local time, W of heat."""
        return (self.weekend_high_w if local.weekday() >= 5 else self.workday_high_w)[local.hour]


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of the home's heat by now, by device id; `why` says in words what is missing."""

    thermal: Mapping[str, ThermalModel]
    draws: Mapping[str, DrawPattern]
    why: Mapping[str, str]
