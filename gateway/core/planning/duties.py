"""What a tank and a car owe, of many ways to switch them at once: the part of their cost that prices do not tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.planning.cars import Car
from gateway.core.planning.home import Heat
from gateway.core.planning.hot import MISSED_K
from gateway.core.planning.limits import Mask
from gateway.core.planning.moves import Where
from gateway.core.planning.program import MISSED_DEPARTURE, TANK_K_H
from gateway.core.planning.rounding import ISLAND_H
from gateway.core.planning.slots import Array

SLACK = 1e-6
ISLAND = 20_000.0
"""Micro-units for a car that charges for less than ISLAND_H at a time."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """A tank stays within its band, becomes hot where it must, and what it holds at the end is worth `end_micro` a K."""

    tank: Heat
    slots: Where
    """From the first one without a gap."""
    hours: Array
    end_micro: float = 0.0

    def missed(self, on: Mask) -> Array:
        """What each row of `on` misses, micro-units; infinite where the water becomes too hot."""
        tank, count = self.tank, len(self.slots)
        keep, drive = tank.keep[:count], (1 - tank.keep[:count]) * tank.gains_k_per_w[:count]
        fallen = np.cumprod(keep)
        still = (1 - keep) * tank.around_c[:count] - drive * tank.draw_w[:count]
        rise = np.where(on, drive * tank.power_w, 0.0) + still
        water = fallen * (tank.start_c + np.cumsum(rise / fallen, axis=1))
        cold = (np.maximum(0.0, tank.low_c[:count] - water) * (TANK_K_H * self.hours)).sum(axis=1)
        cost = cold + self.end_micro * water[:, -1]
        if tank.hygiene is not None and tank.hygiene.slot < count:
            cost = cost + MISSED_K * np.maximum(0.0, tank.hygiene.goal_c - water[:, tank.hygiene.slot])
        return np.where((water > tank.high_c[:count] + SLACK).any(axis=1), np.inf, cost)


@dataclass(frozen=True, slots=True)
class Departures:
    """A car gets what it needs by each departure, hardly more, and not in snippets."""

    car: Car
    hours: Array
    most_extra_wh: float

    def missed(self, on: Mask) -> Array:
        """What each row of `on` misses at full power, micro-units; infinite where its least power is far too much."""
        cost = np.zeros(len(on))
        for stage in self.car.stages:
            most = np.where(on & stage.window, self.car.cap_w * self.hours, 0.0).sum(axis=1)
            cost += MISSED_DEPARTURE * np.maximum(0.0, stage.need_wh - most)
        cost += ISLAND * self._islands(on)
        least = np.where(on, self.car.min_w * self.hours, 0.0).sum(axis=1)
        return np.where(least > self.car.need_wh + self.most_extra_wh, np.inf, cost)

    def _islands(self, on: Mask) -> Array:
        """How many runs of each row are too short; one that goes on from before is not."""
        done = np.cumsum(np.where(on, self.hours, 0.0), axis=1)
        before = np.maximum.accumulate(np.where(on, 0.0, done), axis=1)
        ends = on & ~np.concatenate((on[:, 1:], np.zeros((len(on), 1), dtype=bool)), axis=1)
        begun = (before > 0) | ~on[:, :1] | (not self.car.running)
        return np.asarray((ends & begun & (done - before < ISLAND_H - SLACK)).sum(axis=1, dtype=float))
