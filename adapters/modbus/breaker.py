"""A unit that does not answer costs one time-out per back-off."""

from __future__ import annotations

SILENCE = 3
"""After so many time-outs in a row a unit may have lost its power, and have started anew."""


class Breaker:
    """Keeps a dead unit from costing more than one time-out per back-off; times in s of the world."""

    def __init__(self, *, main: bool) -> None:
        self._first_s, self._max_s = (0.5, 2.0) if main else (2.0, 30.0)
        self._delay_s = 0.0
        self._until = 0.0
        self._in_a_row = 0
        self.main = main
        self.failures = 0
        """Time-outs since the start."""
        self.silences = 0
        """How often it was silent for so long that it may have restarted."""

    def is_open(self, now_s: float) -> bool:
        """Whether the unit must not be asked yet."""
        return now_s < self._until

    def failed(self, now_s: float) -> None:
        """One more time-out: wait twice as long as the last time."""
        self.failures += 1
        self._in_a_row += 1
        self.silences += self._in_a_row == SILENCE
        self._delay_s = min(self._max_s, max(self._first_s, self._delay_s * 2))
        self._until = now_s + self._delay_s

    def answered(self) -> None:
        """The unit is alive."""
        self._delay_s = self._until = 0.0
        self._in_a_row = 0
