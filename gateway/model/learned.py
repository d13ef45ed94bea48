"""What the home learned of itself: the class of each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class DayShape:
    """The load shape of one local day.

    `shape` is a name a person recognises ("evening peak"), `confidence` 0-1, `profile` 24 hourly shares of the day's
    energy that sum to 1 (empty when the day could not be classed), `energy_wh` the day's consumption, `why` one sentence.
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
