"""A charger that obeys no limit: it may charge freely, or not at all."""

from __future__ import annotations

import math

from adapters.ocpp.evidence import TOLERANCE_A
from adapters.ocpp.pausing import START_AGAIN_S, Pauser
from adapters.ocpp.rungs import Rung
from adapters.ocpp.target import Target
from gateway.model.errors import CommandRefused
from gateway.model.session import EvSession


class Containment:
    """One connector's stops by `pauser`, as no profile helps."""

    def __init__(self, target: Target, pauser: Pauser) -> None:
        self._target = target
        self._pauser = pauser
        self._stopped_at = math.inf
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

    async def hold(self, resort: Rung, wish_a: float, session: EvSession | None) -> float:
        """Let it charge or stop it by this resort; what holds then, A; raises CommandRefused, CallFailed."""
        target, pauser = self._target, self._pauser
        if self.is_free(wish_a):
            return target.spec.max_current_a
        if not await pauser.stop_by(resort, target.profiles, target.occasion(session)):
            if pauser.paused_by != resort:  # else it ends already
                raise CommandRefused(target.device, resort.words, "refused")
        elif pauser.paused_by != resort:
            self._stopped_at = target.clock.monotonic()
        pauser.paused_by = resort
        return 0.0
