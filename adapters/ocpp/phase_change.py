"""From three phases to one and back, where a charger announced that it can: at rest, never under current."""

from __future__ import annotations

from adapters.ocpp.target import Target
from gateway.model.snapshot import ChargePhase

REST_WAIT_S = 30.0
"""A charger that does not say that it rests changes its phases after so long at 0 A all the same, s of home time."""


class PhaseChange:
    """One connector's change of phases.

    wish  16 A, 3p ------> 6 A, 1p
    sent  16 A, 3p --> 0 A, 3p .... it rests .... 6 A, 1p
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._to: tuple[int, float] | None = None
        """The phases on the way to, and since when (monotonic home s)."""
        self.announced = False

    def bend(self, wish_a: float, phases: int) -> float:
        """The wish on `phases` (0: as it stands), A; 0 while the charger must come to rest first."""
        if not self.announced or phases not in (1, 3):
            self._to = None
            return wish_a
        target, charging = self._target, self._target.live.phase is ChargePhase.CHARGING
        stands = target.phases_told == 0 and target.live.active_phases() == phases
        at_rest = not charging or (self._to is not None and self._to[0] == phases and self.rests())
        if phases == target.phases_told or stands or at_rest:
            if phases != target.phases_told:
                target.phases_told, target.phases_seen = phases, None
            self._to = None
            return wish_a
        if self._to is None or self._to[0] != phases:
            self._to = (phases, target.clock.monotonic())
        return 0.0

    def is_ready(self) -> bool:
        """Whether a charger on its way to other phases may be told them now."""
        return self._to is not None and self.rests()

    def rests(self) -> bool:
        """Whether the charger at 0 A said that it rests, or was given time enough."""
        if self._to is None:
            return True
        since_s, age_s = self._target.clock.monotonic() - self._to[1], self._target.live.age_s()
        if self._target.live.phase is not ChargePhase.CHARGING or since_s >= self._target.patience_s(REST_WAIT_S, 2.0):
            return True
        return age_s is not None and age_s < since_s and self._target.drawn_a() == 0
