"""What the home's days amount to: its usual class, how varied they are, tomorrow's chances, and what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class DriftKind(StrEnum):
    """Why the days are no longer as they were."""

    VACATION = "vacation"
    NEW_EV = "new EV"
    NEW_PV = "new PV"
    NEW_HEAT_PUMP = "new heat pump"
    CHANGED = "changed"
    """Something else, or not sure what."""


@dataclass(frozen=True, slots=True)
class ShapeDrift:
    """The home's days have changed from those before: since when, seen on which day, and why we think so in a sentence."""

    kind: DriftKind
    since: date
    seen: date
    why: str


@dataclass(frozen=True, slots=True)
class ShapeChances:
    """The chance of each shape for one local day to come, most likely first; they sum to 1."""

    day: date
    chances: tuple[tuple[str, float], ...]
    why: str
    """What weighed most, in a sentence."""


@dataclass(frozen=True, slots=True)
class HomeShape:
    """The home as its classed days show it: the latest weigh most, a day's weight halves in about three months."""

    shape: str
    """Its most frequent shape."""
    share: float
    """How large a part of its days that is, 0-1."""
    entropy_bits: float
    """How varied the days are: 0 all alike, log2 of the number of shapes when none is preferred."""
    days: int
    """Days that had a class."""
    counts: tuple[tuple[str, int], ...]
    """Shape -> days, since the first; the most frequent first."""
    transitions: tuple[tuple[str, str, float], ...]
    """(shape, shape of the day after, chance of it), for what was seen at least three times."""
    drift: ShapeDrift | None
    """What has changed lately; None while the days are as they were, or the usual is not known."""
    usual_in_days: int = 0
    """So many measured days must pass before the usual is known, against which a change is seen."""
