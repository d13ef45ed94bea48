"""How one device stands with its commands."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from gateway.model.setpoint import Setpoint


@dataclass(slots=True)
class Sent:
    """How one device stands with its commands."""

    accepted: Setpoint | None = None
    accepted_at: float = 0.0
    """Monotonic home s at which the present value was first accepted."""
    sent_at: float = -math.inf
    """Monotonic home s at which the newest accepted command went out: its life counts from here."""
    wanted: Setpoint | None = None
    wanted_at: float = 0.0
    """Monotonic home s since which the present value is wanted."""
    task: asyncio.Task[None] | None = None
    sending: Setpoint | None = None
    """What the task under way sends."""
    begun: float = 0.0
    """Monotonic home s at which the task under way began."""
    failing: str = ""
    """Why the last command was not accepted; empty when it was."""
    failing_since: float = 0.0
    told: str = ""
    """The reason a person was told."""
    retry_at: float = 0.0
    rung_at: float = -math.inf
    confirmed_at: float = -1.0
    """`accepted_at` of the wish that was last seen working."""

    def in_force(self, now: float, life_s: float) -> Setpoint | None:
        """The accepted setpoint until its end; after that the device stands at its own safe value.

        By the monotonic clock: a step of the system's time neither ends a command nor keeps a dead one.
        """
        return self.accepted if now - self.sent_at < life_s else None

    def want(self, setpoint: Setpoint, now: float) -> None:
        """The newest wish; the time counts from when its value became another."""
        if not setpoint.same_wish(self.wanted):
            self.wanted_at = now
        self.wanted = setpoint
