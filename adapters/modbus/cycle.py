"""How long sweeps of a device take against how often they are wanted."""

from __future__ import annotations

from collections import deque
from statistics import median

SWEEPS = 10
"""One slow sweep says nothing; the median of so many does."""


class Cycle:
    """The time sweeps take, s of the world, waiting for the bus included; `period_s` is what is wanted."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._taken: deque[float] = deque(maxlen=SWEEPS)

    def took(self, seconds: float) -> None:
        """One more whole sweep."""
        self._taken.append(seconds)

    @property
    def last_s(self) -> float | None:
        """How long the last whole sweep took, s; None before the first."""
        return self._taken[-1] if self._taken else None

    @property
    def warning(self) -> str:
        """That the period cannot be met and what helps, in words; empty while it can, and before enough sweeps."""
        if len(self._taken) < SWEEPS or (usual_s := median(self._taken)) <= self._period_s:
            return ""
        return (
            f"reading takes {usual_s:.1f} s, longer than its period of {self._period_s:g} s: "
            "raise period_s, raise the baud rate or read fewer devices on this line"
        )
