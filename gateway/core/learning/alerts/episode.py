"""One alert for one cause: raised at the first sign, ended when it has been quiet for long enough."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.model.alert import AlertKind

QUIET = {
    AlertKind.SPIKE: timedelta(hours=6),
    AlertKind.LEFT_ON: timedelta(hours=24),
    AlertKind.ALWAYS_ON: timedelta(days=14),
    AlertKind.PV_LOW: timedelta(days=14),
    AlertKind.BATTERY_LOSS: timedelta(days=14),
    AlertKind.HEAT_DRIFT: timedelta(days=14),
    AlertKind.PUMP_DRIFT: timedelta(days=14),
    AlertKind.METER: timedelta(days=3),
    AlertKind.HIGH_BILL: timedelta(days=5),
}
"""So long must no sign be seen before the same cause may be told anew."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What is known of one kind: since when it is seen, and when last; both None while there is nothing."""

    kind: AlertKind
    begun: datetime | None = None
    last: datetime | None = None

    def step(self, seen: bool, now: datetime) -> Episode:
        """The same one look later; `begun` equals `now` exactly when it is to be told."""
        if seen:
            return replace(self, begun=self.begun or now, last=now)
        if self.last is not None and now - self.last > QUIET[self.kind]:
            return Episode(self.kind)
        return self
