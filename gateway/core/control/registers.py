"""The energy register as a witness: what a car was given in all cannot be less than what it draws.

A charger's samples of current may tell what it was told instead of what flows; its register is what it is billed by.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

VOLTAGE_SLACK = 1.1
"""The voltage may be this much above the nominal one."""
LEAST_A, SHARE = 1.0, 0.05
"""What a car may take above its limit without being accused, A and as a share."""
HISTORY = 60
"""How many limits and steps of the register are remembered."""


@dataclass(slots=True)
class Trail:
    """The limits of one charger and the steps of its register since a beginning; times in monotonic home s, Wh."""

    since: float = -math.inf
    """Nothing before counts: a new transaction, another way of limiting, a gap that a queue may fill later."""
    _limits: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _steps: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _last_wh: float | None = None
    _began_at: float | None = None
    _heard: bool = False

    def begin_anew(self, at: float, register_wh: float | None = None) -> None:
        """Forget what was; steps count from `at` on, where the register is known to begin at `register_wh`."""
        self.since, self._last_wh, self._began_at, self._heard = at, register_wh, None, False
        self._limits.clear()
        self._steps.clear()
        if register_wh is not None:
            self._steps.append((at, register_wh))
            self._began_at = at

    @property
    def is_begun(self) -> bool:
        """Whether anything was read since."""
        return self._heard

    def limited(self, at: float, limit_a: float) -> None:
        """From `at` on this limit holds, A per phase."""
        if not self._limits or self._limits[-1][1] != limit_a:
            self._limits.append((at, limit_a))

    def read(self, at: float, register_wh: float) -> None:
        """What the register shows now; only its steps are kept, as it may move seldom."""
        if at < self.since:
            return
        self._heard = True
        if self._last_wh is not None and register_wh > self._last_wh:
            self._steps.append((at, register_wh))
        elif self._last_wh is not None and register_wh < self._last_wh:
            self._steps.clear()
        self._last_wh = register_wh

    def most_a(self, since: float) -> float | None:
        """The highest limit in force from `since` on, A; None when that is not known so far back."""
        earlier = [limit for at, limit in self._limits if at <= since]
        if not earlier:
            return None
        return max(earlier[-1], *[limit for at, limit in self._limits if at > since], earlier[-1])

    def exceeds(self, phases: int, voltage_v: float, interval_s: float, settle_s: float, unlimited_a: float) -> bool:
        """Whether it rose over two sampling intervals and more by what no limit in force then allowed.

        A step may tell of energy from up to one interval before it, except where a transaction began with the first.
        Before its first limit the charger may give `unlimited_a`, A per phase.
        """
        if not self._steps:
            return False
        last_at, last_wh = self._steps[-1]
        watts = phases * voltage_v * VOLTAGE_SLACK
        for at, wh in self._steps:
            since = at if at == self._began_at else at - interval_s
            if last_at - at < 1.9 * interval_s:
                break
            allowed_as = self._ampere_seconds(since, last_at, settle_s, unlimited_a)
            if last_wh - wh > allowed_as * watts / 3600:
                return True
        return False

    def _ampere_seconds(self, since: float, until: float, settle_s: float, unlimited_a: float) -> float:
        """What the limits allow from `since` to `until`, each lowered one from when a car must have followed, A s."""
        found, start, limit_a = 0.0, since, unlimited_a
        for at, following_a in self._limits:
            end = min(until, max(start, at + settle_s if following_a < limit_a else at))
            found += (end - start) * _tolerated_a(limit_a)
            start, limit_a = end, following_a
        return found + (until - start) * _tolerated_a(limit_a)


def _tolerated_a(limit_a: float) -> float:
    return limit_a + max(LEAST_A, SHARE * limit_a)
