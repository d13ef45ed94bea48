"""What a device usually does at a time of day, learned from its own intervals: for spreading the energy of gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

NEWEST = 0.3
"""Weight of the newest day; the days before share the rest."""


@dataclass(slots=True)
class TypicalDays:
    """The mean power of each series by quarter hour of the local day."""

    zone: ZoneInfo
    _days: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)

    def add(self, interval: Interval) -> None:
        """Learn from one quarter hour; only valid ones teach."""
        if interval.quality is not IntervalQuality.VALID or interval.duration_s != INTERVAL_S:
            return
        day, slot = self._days.setdefault(interval.device, {}), self._slot(interval.start)
        new = ((interval.import_wh or 0.0) * 4, (interval.export_wh or 0.0) * 4)
        old = day.get(slot, new)
        day[slot] = (old[0] + NEWEST * (new[0] - old[0]), old[1] + NEWEST * (new[1] - old[1]))

    def power_w(self, name: str, when: datetime) -> tuple[float, float] | None:
        """What the series takes and gives at that time of day, W, both >= 0; None when it was never seen then."""
        return self._days.get(name, {}).get(self._slot(when))

    def _slot(self, when: datetime) -> int:
        local = when.astimezone(self.zone)
        return (local.hour * 3600 + local.minute * 60) // INTERVAL_S
