"""What the home could do for the grid: flexibility offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Direction(StrEnum):
    """Which way the home would move."""

    DOWN = "down"
    """Draw less, or feed in more."""
    UP = "up"
    """Draw more, or feed in less."""


@dataclass(frozen=True, slots=True)
class FlexOffer:
    """How much the home could move over [start, start + duration_s), and what that would cost it.

    `energy_wh` is a magnitude, with its 80 % interval; `cost_micro` in micro-units of the currency and `co2_g` over the
    whole horizon, what is made up for later included; `per_device` Wh by device, magnitudes in the same direction.
    """

    direction: Direction
    start: datetime
    duration_s: float
    energy_wh: float
    low_wh: float
    high_wh: float
    cost_micro: int
    co2_g: float
    per_device: Mapping[str, float] = field(default_factory=dict)
    made_at: datetime | None = None

    @property
    def power_w(self) -> float:
        """The mean power over the window, W, a magnitude."""
        return self.energy_wh * 3600 / self.duration_s if self.duration_s > 0 else 0.0
