"""How one device stands with its commands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind

LOWER_A = 1.0
"""A wish lower by this is worth another try at once, A."""


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
    refusals: int = 0
    """Commands in a row that were not accepted."""
    refused: Setpoint | None = None
    """The last of them."""
    rung_at: float = -math.inf
    confirmed_at: float = -1.0
    """`accepted_at` of the wish that was last seen working."""
    row: Setpoint | None = None
    """The wish of the newest "commanded" row of the audit."""
    confirmed: Setpoint | None = None
    """The `row` that was last seen working, of a device that is no charger."""

    own_life_s: float | None = None
    """How long the device keeps the accepted command, s; None: as long as any."""

    def keeps(self, setpoint: Setpoint, at: datetime) -> None:
        """A battery's band and a cut of the sun say themselves how long they last, as each renewal is a write."""
        lasts = setpoint.kind in (SetpointKind.BATTERY_BAND, SetpointKind.PV_LIMIT)
        self.own_life_s = (setpoint.until - at).total_seconds() if lasts else None

    def life_s(self, usual_s: float) -> float:
        """How long the accepted command lasts, s."""
        return usual_s if self.own_life_s is None else self.own_life_s

    def in_force(self, now: float, life_s: float) -> Setpoint | None:
        """The accepted setpoint until its end; after that the device stands at its own safe value.

        By the monotonic clock: a step of the system's time neither ends a command nor keeps a dead one.
        """
        return self.accepted if now - self.sent_at < self.life_s(life_s) else None

    def taken_over(self, setpoint: Setpoint) -> bool:
        """Whether what the device does already is now wished by an event or a person whom no row names for it."""
        row, band = self.row, setpoint.kind is SetpointKind.BATTERY_BAND
        named = row is not None and row.source == setpoint.source and (band or setpoint.same_wish(row))
        return bool(setpoint.source) and setpoint.same_wish(self.accepted) and not named

    def may_try(self, setpoint: Setpoint, now: float, safety: Collection[Authority]) -> bool:
        """Whether the pause after a failure is over, or does not count, as the wish became a lower one for safety."""
        if not self.failing or now >= self.retry_at:
            return True
        before = self.refused
        if before is None or setpoint.kind is not SetpointKind.CURRENT or setpoint.authority not in safety:
            return False
        return setpoint.value <= before.value - LOWER_A or before.authority not in safety

    def want(self, setpoint: Setpoint, now: float) -> None:
        """The newest wish; the time counts from when its value became another."""
        if not setpoint.same_wish(self.wanted):
            self.wanted_at = now
        self.wanted = setpoint
