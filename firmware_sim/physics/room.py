"""The heated or cooled home as one resistance and one capacity, with an on/off heat pump."""

from __future__ import annotations

from dataclasses import dataclass

HEAT_PUMP_W, COP, EER = 2_500.0, 3.0, 3.2
LOSS_W_PER_K = 180.0
WH_PER_K = 8_000.0
SUN_M2 = 3.0
PEOPLE_W = 300.0
HYSTERESIS_K = 0.3


@dataclass
class Room:
    """Temperature of the home and the state of its heat pump."""

    temperature_c: float = 20.3
    target_c: float = 20.5
    running: bool = False
    cools: bool = False
    """Whether its thermostat stands in cooling: then it runs while the room is above its target."""

    @property
    def stored_wh(self) -> float:
        """Heat above 0 degC, Wh."""
        return WH_PER_K * self.temperature_c

    @property
    def heat_per_w(self) -> float:
        """Heat that a W of power brings into the room, W; negative while it cools."""
        return -EER if self.cools else COP

    def power_w(self) -> float:
        """Electric power of the heat pump now, W."""
        lacks_k = (self.target_c - self.temperature_c) * (-1 if self.cools else 1)
        if lacks_k >= HYSTERESIS_K:
            self.running = True
        elif lacks_k <= -HYSTERESIS_K:
            self.running = False
        return HEAT_PUMP_W if self.running else 0.0

    def step(self, electric_w: float, irradiance_w_m2: float, outdoor_c: float, dt_s: float) -> tuple[float, float]:
        """Heat or cool, and lose, for `dt_s`; returns (gains from sun and people, lost to outdoors) in Wh."""
        gains = (SUN_M2 * irradiance_w_m2 + PEOPLE_W) * dt_s / 3600
        lost = LOSS_W_PER_K * (self.temperature_c - outdoor_c) * dt_s / 3600
        self.temperature_c += (electric_w * self.heat_per_w * dt_s / 3600 + gains - lost) / WH_PER_K
        return gains, lost
