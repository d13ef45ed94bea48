"""A 200 litre water heater, 2 kW."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

WH_PER_LITRE_K = 1.163
HEATER_W = 2_000.0
COLD_C, USE_C, CELLAR_C = 10.0, 42.0, 18.0
CUT_OUT_C, CUT_IN_C = 65.0, 60.0
LOSS_W_PER_K = 1.6


def tapped_l_per_h(seed: int, local: datetime) -> float:
    """Warm water of 42 degC tapped in this minute, litres per hour: showers in the morning, kitchen and bath at night."""
    dice = random.Random(f"{seed} taps {local.date().isoformat()}")
    minute = local.hour * 60 + local.minute
    flow = 0.0
    for earliest, latest, litres, lasts in (
        (385, 450, 45, 7),
        (395, 480, 40, 6),
        (1110, 1200, 25, 8),
        (1215, 1320, 50, 10),
    ):
        start, amount = dice.randint(earliest, latest), litres * dice.uniform(0.7, 1.3)
        if start <= minute < start + lasts:
            flow += amount * 60 / lasts
    return flow


@dataclass
class Tank:
    """One well-mixed body of water."""

    temperature_c: float = 54.0
    litres: float = 200.0
    relay_on: bool = False
    closed: bool = True

    @property
    def stored_wh(self) -> float:
        """Heat above cold water, Wh."""
        return self.litres * WH_PER_LITRE_K * (self.temperature_c - COLD_C)

    def power_w(self) -> float:
        """Electric power now, W: the relay and the thermostat in series."""
        if self.temperature_c >= CUT_OUT_C:
            self.closed = False
        elif self.temperature_c <= CUT_IN_C:
            self.closed = True
        return HEATER_W if self.relay_on and self.closed else 0.0

    def step(self, heat_w: float, tapped: float, dt_s: float) -> tuple[float, float]:
        """Heat, lose and tap for `dt_s`; returns (drawn, lost) in Wh."""
        mix = min(1.0, max(0.0, (self.temperature_c - COLD_C) / (USE_C - COLD_C)))
        drawn = tapped * WH_PER_LITRE_K * (USE_C - COLD_C) * mix * dt_s / 3600
        lost = LOSS_W_PER_K * (self.temperature_c - CELLAR_C) * dt_s / 3600
        self.temperature_c += (heat_w * dt_s / 3600 - drawn - lost) / (self.litres * WH_PER_LITRE_K)
        return drawn, lost
