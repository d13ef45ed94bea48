"""What this home is good for in demand response: flexible power by hour, suitability by kind of program, joining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ProgramKind(StrEnum):
    """Kinds of programs that a home is rated for."""

    EVENING_SHED = "evening_shed"
    """Draw less from 17 to 21 h local."""
    EV_SHIFT = "ev_shift"
    """Keep cars from charging from 16 to 22 h local."""
    PRE_CONDITION = "pre_condition"
    """Heat or cool ahead, and rest from 17 to 21 h local."""
    MIDDAY_SOAK = "midday_soak"
    """Draw more from 10 to 15 h local."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A power in W, a magnitude: mean of the days, and the 80 % interval in which the next day's is expected."""

    mean_w: float
    low_w: float
    high_w: float
    days: int = 0
    """Days that it rests on."""


@dataclass(frozen=True, slots=True)
class HourFlex:
    """What the home could draw less and more in one local hour, from the days measured; `offered_*` what the plan offers now."""

    hour: int
    less: Amount | None
    """None: not known yet."""
    more: Amount | None
    offered_less_w: float | None = None
    """None: the plan made no offer that begins in this hour."""
    offered_more_w: float | None = None


@dataclass(frozen=True, slots=True)
class Suitability:
    """One kind of program: `score` 0-100, its label ("none", "low", "medium", "high"), and why in sentences.

    While it is not known, the score is None and the label "unknown".
    """

    program: ProgramKind
    score: int | None
    label: str
    amount: Amount | None
    """Mean power over the program's hours that could be moved; None where no day is known."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joining:
    """The probability of taking part in an event, 0-1, with its 80 % interval; `answers` is their weight, old ones count less."""

    probability: float
    low: float
    high: float
    joined: float
    answers: float
    prior: str
    """Where it started, in words."""


@dataclass(frozen=True, slots=True)
class TemperatureResponse:
    """Daily energy against outdoor temperature: base + heating * K below `heat_below_c` + cooling * K above `cool_above_c`.

    Slopes in Wh per K and day, >= 0, with their 80 % intervals; None where the days show no such response.
    """

    base_wh: float
    days: int
    error_wh: float
    """RMSE of a day."""
    heat_below_c: float | None = None
    heating_wh_per_k: float | None = None
    heating_low: float | None = None
    heating_high: float | None = None
    cool_above_c: float | None = None
    cooling_wh_per_k: float | None = None
    cooling_low: float | None = None
    cooling_high: float | None = None


@dataclass(frozen=True, slots=True)
class Habit:
    """The home's class from its days: the most frequent name, its share 0-1, and the entropy of all names in bits."""

    name: str
    share: float
    entropy_bits: float
    steady: float
    """1: every day alike; 0: all classes equally often."""
    days: int


@dataclass(frozen=True, slots=True)
class Targeting:
    """All of it as of `made_at`; `left_out` says of each device that is not counted why."""

    made_at: datetime
    hours: tuple[HourFlex, ...]
    suitability: tuple[Suitability, ...]
    joining: Joining
    habit: Habit | None
    response: TemperatureResponse | None
    counted: tuple[str, ...] = ()
    """Ids of the devices that are counted."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Device id -> reason."""
