"""A pool's filter pump and a dishwasher, each behind a plug: what they draw while their plug has power."""

from __future__ import annotations

from dataclasses import dataclass

POOL_W = 1_100.0
WASH = ((0.0, 120.0), (300.0, 1950.0), (1500.0, 90.0), (3600.0, 1900.0), (4800.0, 70.0), (6600.0, 0.0))
"""From so many s after the start it draws so many W: fill, heat, wash, heat the last rinse, dry, done."""


@dataclass
class PoolPump:
    """Draws its power whenever the plug has some."""

    relay_on: bool = False
    rated_w: float = POOL_W

    def power_w(self) -> float:
        """Now, W."""
        return self.rated_w if self.relay_on else 0.0


@dataclass
class Dishwasher:
    """Loaded and switched on: it begins when its plug gets power again, and goes on where it was cut off."""

    relay_on: bool = True
    ran_s: float | None = None
    """How far its programme is, s; None: none is under way."""

    def plug(self, *, closed: bool) -> None:
        """The relay before it moves."""
        if closed and not self.relay_on and self.ran_s is None:
            self.ran_s = 0.0
        self.relay_on = closed

    def power_w(self) -> float:
        """Now, W."""
        if not self.relay_on or self.ran_s is None:
            return 0.0
        return next((watts for since, watts in reversed(WASH) if self.ran_s >= since), 0.0)

    def step(self, dt_s: float) -> None:
        """Let `dt_s` pass."""
        if self.ran_s is None or not self.relay_on:
            return
        self.ran_s += dt_s
        if self.ran_s >= WASH[-1][0]:
            self.ran_s = None
