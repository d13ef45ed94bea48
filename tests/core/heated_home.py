"""A heated home made by the firmware simulator's room, which shares no code with what learns from it."""

from __future__ import annotations

import math
import random

import numpy as np

from firmware_sim.physics import room
from firmware_sim.physics.room import Room

QUARTERS, MINUTES = 96, 15


def weather(days: int, seed: int) -> tuple[list[float], list[float]]:
    """Outdoor degC and irradiance W/m2 per quarter hour of winter days that follow each other by chance."""
    dice = random.Random(seed)
    outdoor, sun, level, clear = [], [], 4.0, 0.5
    for _ in range(days):
        level = 4 + 0.7 * (level - 4) + dice.gauss(0, 2.5)
        clear = dice.random()
        for quarter in range(QUARTERS):
            hour = quarter / 4
            light = max(0.0, math.sin(math.pi * (hour - 8) / 9)) if 8 < hour < 17 else 0.0
            sun.append(450 * light * clear * dice.uniform(0.7, 1.1))
            outdoor.append(level + 3 * math.sin(2 * math.pi * (hour - 9) / 24) + 1.5 * clear * light)
    return outdoor, sun


def live(days: int, seed: int, noise_k: float = 0.1) -> dict[str, np.ndarray]:
    """`days` of quarter hours: what the room's sensor said (with noise, in steps of 0.1 K), outdoors, pump W, sun."""
    dice, home = random.Random(seed + 1), Room()
    outdoor, sun = weather(days, seed)
    room_c, power_w = [], []
    for quarter, (out_c, light) in enumerate(zip(outdoor, sun, strict=True)):
        home.target_c = 20.8 if 6 <= quarter % QUARTERS / 4 < 22 else 19.8
        felt, used = 0.0, 0.0
        for _ in range(MINUTES):
            electric = home.power_w()
            home.step(electric, light, out_c, 60.0)
            felt, used = felt + home.temperature_c / MINUTES, used + electric / MINUTES
        room_c.append(round(felt + dice.gauss(0, noise_k), 1))
        power_w.append(used)
    return {"room": np.array(room_c), "outdoor": np.array(outdoor), "power": np.array(power_w), "sun": np.array(sun)}


LOSS_W_PER_K, WH_PER_K, PEOPLE_W, SUN_M2, COP = (
    room.LOSS_W_PER_K,
    room.WH_PER_K,
    room.PEOPLE_W,
    room.SUN_M2,
    room.COP,
)
