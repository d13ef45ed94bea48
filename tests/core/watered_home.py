"""A tank that people draw from, made by the firmware simulator, which shares no code with what learns from it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from firmware_sim.physics.tank import LOSS_W_PER_K, Tank, tapped_l_per_h

ZONE = ZoneInfo("Europe/Brussels")
START = datetime(2026, 11, 1, 23, 0, tzinfo=UTC)
"""A local midnight; the day that begins is a Monday."""
LITRES = 200.0


def live(days: int, seed: int, noise_k: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per quarter hour: degC as the sensor said, electric W, and what was really drawn in W of heat."""
    dice, tank = random.Random(seed), Tank(relay_on=True)
    water, power, drawn = [], [], []
    for quarter in range(days * 96):
        felt, used, out = 0.0, 0.0, 0.0
        for minute in range(15):
            local = (START + timedelta(minutes=15 * quarter + minute)).astimezone(ZONE)
            electric = tank.power_w()
            tapped, _ = tank.step(electric, tapped_l_per_h(seed, local), 60.0)
            felt, used, out = felt + tank.temperature_c / 15, used + electric / 15, out + tapped * 4
        water.append(round(felt + dice.gauss(0, noise_k), 1))
        power.append(used)
        drawn.append(out)
    return np.array(water), np.array(power), np.array(drawn)


TANK_LOSS_W_PER_K = LOSS_W_PER_K
