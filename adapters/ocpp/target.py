"""One connector as its limiter sees it: what is known of it, and how it is asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.ocpp.dispatch import AnswerWrong, CallRefused
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.its_clock import ItsClock
from adapters.ocpp.live import LiveState
from adapters.ocpp.rungs import NOMINAL_VOLTAGE_V, Occasion, Profiles, Request, Rung, allowed_current
from adapters.ocpp.sessions import SessionBook
from gateway.model.quantity import CURRENTS, Quantity
from gateway.model.session import EvSession
from gateway.model.site import ChargerSpec
from gateway.ports import Clock

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
SETTLE_S = 7.0
"""A car may take 5 s to follow (IEC 61851-1), its meter 2 s to show it; s of home time."""


@dataclass(slots=True)
class Target:
    """The connector `connector` of a charger; `call` asks it and raises CallFailed."""

    device: str
    spec: ChargerSpec
    live: LiveState
    book: SessionBook
    facts: ChargerFacts
    clock: Clock
    call: Call
    profiles: Profiles
    connector: int
    phases_told: int = 0
    """On how many phases it was told to charge; 0: it never was."""
    phases_seen: int | None = None
    """On how many phases the car of this session was last seen drawing."""
    outlook: tuple[tuple[datetime, float], ...] = ()
    """What the plan means to give the car, where it told its needs."""
    begun: datetime | None = None
    """When the start of the session under way came, by our clock; None where it began before us."""
    its_clock: ItsClock = field(init=False)
    question: asyncio.Task[None] | None = None
    """What is asked in passing; it gives way to every command."""

    def __post_init__(self) -> None:
        self.its_clock = ItsClock(self.device, self.live)

    async def accepted(self, request: Request) -> bool:
        """Whether the charger says yes; "Scheduled" is yes too (1.6 section 5.2, 2.0.1 G03)."""
        if self.question is not None:
            self.question.cancel()
            self.question = None
        try:
            answer = await self.call(*request)
        except (CallRefused, AnswerWrong):
            return False
        return answer.get("status") in ("Accepted", "Scheduled")

    def occasion(self, session: EvSession | None) -> Occasion:
        """What a profile made now must know."""
        return Occasion(
            now=self.clock.now(),
            connector=session.connector if session else self.connector,
            slot=self.connector,
            transaction=session.transaction if session else None,
            their_id=session.their_id if session else "",
            started=(self.begun or session.start) if session else None,
            phases=self.phases_used(),
            wired_phases=len(self.spec.phases),
            voltage_v=self.live.voltage_v(NOMINAL_VOLTAGE_V),
            safe_a=self.safe_a(),
            phases_told=self.phases_told,
            outlook=self.outlook if session else (),
            skew_s=self.its_clock.skew_s(),
        )

    def form(self, rung: Rung) -> int:
        """What besides the current makes one profile different from another: its phases."""
        return self.phases_used() if rung.unit == "W" else self.phases_told

    def phases_used(self) -> int:
        """Phases that carry the current: as last seen in this session, else as told, else as wired."""
        self.phases_seen = self.live.active_phases() or self.phases_seen
        return self.phases_seen or self.phases_told or len(self.spec.phases)

    def drawn_a(self) -> float | None:
        """What the car draws on its worst phase, A; None while that is not known."""
        known = [value for quantity in CURRENTS if (value := self.live.value(quantity)) is not None]
        return max(known) if known else None

    def offered_a(self) -> float | None:
        """What the charger says it offers, A per phase."""
        return self.live.value(Quantity.CURRENT_OFFERED)

    def safe_a(self) -> float:
        """The safe current of the site file, A: 0, or at least the minimum."""
        return allowed_current(self.spec.safe_current_a, self.spec.min_current_a, self.spec.max_current_a)

    def sampled_since(self, at: float) -> bool:
        """Whether a sample shows what the car made of a limit written at `at` (monotonic home s)."""
        age_s = None if self.live.resting else self.live.age_s()
        return age_s is not None and age_s <= self.clock.monotonic() - at - self.patience_s(SETTLE_S, 0.5)

    def whole_a(self, wish_a: float) -> list[float]:
        """What to ask for in turn, A: the wish, and whole amperes for one that takes no others."""
        whole_a = float(math.floor(wish_a))
        if self.facts.get("whole_amps"):
            return [whole_a]
        return [wish_a] if whole_a == wish_a else [wish_a, whole_a]

    def told_a(self, current_a: float) -> float:
        """What to say for this current: less, where the charger is known to give more than it is told."""
        told_a = round(current_a - (self.facts.get("over_a") or 0.0), 1)
        return told_a if told_a >= self.spec.min_current_a else 0.0

    def patience_s(self, home_s: float, real_s: float) -> float:
        """How long to wait for the world, s of home time: where that runs fast, at least `real_s` of the world's."""
        return max(home_s, real_s * self.clock.speed)
