"""EV charging sessions: one row of the ledger each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EvSession:
    """One charging session; energies in Wh from the charger's own register.

    `transaction` is unique for ever; `transaction_key` is how the charger repeats itself (charger, connector, tag,
    timestamp, meterStart), by which a repeated start is recognised. `end` is None while it is open.
    """

    transaction: int
    transaction_key: str
    charger: str
    connector: int
    tag: str
    start: datetime
    meter_start_wh: float
    meter_last_wh: float
    end: datetime | None = None
    meter_stop_wh: float | None = None
    stop_reason: str = ""

    @property
    def energy_wh(self) -> float:
        """Energy delivered so far, never negative."""
        last = self.meter_stop_wh if self.meter_stop_wh is not None else self.meter_last_wh
        return max(0.0, last - self.meter_start_wh)
