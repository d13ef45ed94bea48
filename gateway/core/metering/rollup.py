"""One-minute roll-ups of every series, gathered in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading, Rollup

LATE_S = 120.0
"""A reading older than the open minute by less than this is late and left out; by more, the clock was set back."""


@dataclass(slots=True)
class _Minute:
    """The open minute of one series."""

    start: datetime
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    last: float = 0.0
    count: int = 0
    suspect: int = 0

    def add(self, reading: Reading) -> None:
        if reading.quality is not Quality.VALID or reading.value is None:
            self.suspect += reading.quality is Quality.SUSPECT
            return
        value = self.last = reading.value
        self.total += value
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.count += 1

    def close(self, device: str, quantity: Quantity) -> list[Rollup]:
        if not self.count:
            return []
        # The rounding of the division must not carry the mean past the extremes.
        mean = min(self.high, max(self.low, self.total / self.count))
        return [Rollup(device, quantity, self.start, mean, self.low, self.high, self.last, self.count, self.suspect)]


@dataclass(slots=True)
class MinuteBuffer:
    """The open minute of each series; a minute without a valid reading leaves no roll-up."""

    _open: dict[tuple[str, Quantity], _Minute] = field(default_factory=dict)

    def add(self, reading: Reading) -> list[Rollup]:
        """Take a checked reading; returns the roll-up of the minute it ends, if it ends one."""
        key = (reading.device, reading.quantity)
        start = reading.time.replace(second=0, microsecond=0)
        minute = self._open.get(key)
        if minute is None:
            minute = self._open[key] = _Minute(start)
        closed: list[Rollup] = []
        if start != minute.start:
            if timedelta(0) < minute.start - start < timedelta(seconds=LATE_S):
                return []
            closed = minute.close(*key)
            minute = self._open[key] = _Minute(start)
        minute.add(reading)
        return closed

    def flush(self) -> list[Rollup]:
        """Close every open minute, complete or not (at the end of the process)."""
        closed = [rollup for key, minute in self._open.items() for rollup in minute.close(*key)]
        self._open.clear()
        return closed
