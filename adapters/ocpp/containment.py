"""A charger that obeys no limit: it may charge freely, or not at all."""

from __future__ import annotations

import math

from adapters.ocpp.climb import Climb
from adapters.ocpp.evidence import TOLERANCE_A
from adapters.ocpp.pausing import START_AGAIN_S, Pauser
from adapters.ocpp.rungs import Rung
from adapters.ocpp.target import Target
from gateway.model.errors import CommandRefused
from gateway.model.session import EvSession

ASK_AGAIN_S, MOST_S = 5.0, 60.0
"""One that said yes to a stop and goes on is asked again after this, each time twice as late, s of home time."""


class Containment:
    """One connector's stops by `pauser`, as no profile helps."""

    def __init__(self, target: Target, pauser: Pauser) -> None:
        self._target = target
        self._pauser = pauser
        self._stopped_at = math.inf
        self._asked: tuple[Rung, int | None] | None = None
        """The stop last agreed to, and of which transaction."""
        self._ask_at, self._pause_s = -math.inf, ASK_AGAIN_S
        self.exceeds = False
        """Whether it was seen to take more than its maximum."""

    def look(self) -> None:
        """It was found not to honour its limit: by taking more than its maximum?"""
        drawn_a = self._target.drawn_a()
        self.exceeds = drawn_a is not None and drawn_a > self._target.spec.max_current_a + TOLERANCE_A

    def is_free(self, wish_a: float) -> bool:
        """Whether it may charge: at its maximum, unless it was seen to take more than that."""
        return wish_a >= self._target.spec.max_current_a and not self.exceeds

    def looks_again(self, now: float) -> bool:
        """Whether a look is due (monotonic home s): out of service it does not tell whether the car has gone."""
        return now - self._stopped_at >= START_AGAIN_S

    async def stop(self, climb: Climb, wish_a: float, session: EvSession | None) -> float:
        """By the resort in use; where it is refused by the next one in the same breath; what holds then, A."""
        try:
            return await self.hold(climb.rung, wish_a, session)
        except CommandRefused:
            following = climb.not_honoured(climb.rung, self._pauser.resorts())
            if following is None:
                raise
            return await self.hold(following, wish_a, session)

    async def hold(self, resort: Rung, wish_a: float, session: EvSession | None) -> float:
        """Let it charge or stop it by this resort; what holds then, A; raises CommandRefused, CallFailed."""
        target, pauser = self._target, self._pauser
        if self.is_free(wish_a):
            return target.spec.max_current_a
        if self._is_asked(resort, session):
            return 0.0
        if not await pauser.stop_by(resort, target.profiles, target.occasion(session)):
            if pauser.paused_by != resort:  # else it ends already
                raise CommandRefused(target.device, resort.words, "refused")
        elif pauser.paused_by != resort:
            self._stopped_at = target.clock.monotonic()
        pauser.paused_by = resort
        self._ask_at = target.clock.monotonic() + self._pause_s
        return 0.0

    def _is_asked(self, resort: Rung, session: EvSession | None) -> bool:
        """Whether it agreed to this stop a moment ago: the same once more in the same breath tells it nothing."""
        stop, now = (resort, session.transaction if session else None), self._target.clock.monotonic()
        another, self._asked = stop != self._asked, stop
        if another or self._pauser.paused_by != resort:
            self._pause_s = ASK_AGAIN_S
            return False
        if now < self._ask_at:
            return True
        self._pause_s = min(2 * self._pause_s, MOST_S)
        return False
