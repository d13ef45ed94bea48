"""Energy counters as shown outwards: they never fall, whatever happens to the register behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from adapters.mqtt.decode import decimal

NOISE_WH = 100.0
"""A register this little below its last value is noise, not a new register."""


@dataclass(slots=True)
class Counters:
    """The last value shown of each counter, and what lies between it and the device's register.

    A register that starts anew (a reset, another meter) goes on from the last value shown: nobody downstream sees a
    fall, which would be booked as a whole register's worth of energy.

        register  5000 5100 | 3  10      shown  5000 5100 | 5100 5107
    """

    shown: dict[str, int] = field(default_factory=dict)
    _offset: dict[str, float] = field(default_factory=dict)

    def remember(self, key: str, payload: bytes) -> None:
        """Take up what was shown before a restart, as the broker kept it; anything unreadable is left."""
        value = decimal(payload.decode("ascii", "replace"))
        if key not in self.shown and value is not None and value >= 0:
            self.shown[key] = int(value)

    def show(self, key: str, register_wh: float) -> int:
        """The value to show for a register, whole Wh."""
        last = self.shown.get(key, 0)
        value = register_wh + self._offset.get(key, 0.0)
        if value < last - NOISE_WH:
            self._offset[key] = last - register_wh
            value = last
        self.shown[key] = max(last, math.floor(value))
        return self.shown[key]
