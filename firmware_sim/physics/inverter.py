"""The hybrid inverter: panels and battery on one DC bus, three balanced phases outwards.

panels --pv_dc--> DC bus --(dc - loss)--> AC (production negative)
                    ^
                    +-- battery_dc (charging positive), one-way efficiency 0.96 to the cells
"""

from __future__ import annotations

import math
from dataclasses import dataclass

EFFICIENCY = 0.97
RATED_W = 8_000.0
LAG_S = 1.5
"""Time constant of the inverter's own zero-grid control, s."""


@dataclass
class Battery:
    """10 kWh of cells; `stored_wh` is what they hold."""

    stored_wh: float = 6_000.0
    capacity_wh: float = 10_000.0
    power_w: float = 5_000.0
    efficiency: float = 0.96

    @property
    def soc_percent(self) -> float:
        return 100 * self.stored_wh / self.capacity_wh

    def bounds(self, dt_s: float, reserve_percent: float) -> tuple[float, float]:
        """(lowest, highest) DC power for the next `dt_s`, W, charging positive."""
        hours = dt_s / 3600
        usable = max(0.0, self.stored_wh - reserve_percent / 100 * self.capacity_wh)
        room = max(0.0, self.capacity_wh - self.stored_wh)
        return (
            -min(self.power_w, usable * self.efficiency / hours),
            min(self.power_w, room / self.efficiency / hours),
        )

    def step(self, dc_w: float, dt_s: float) -> float:
        """Charge (+) or discharge (-) at `dc_w` for `dt_s`; returns the energy lost, Wh."""
        energy = dc_w * dt_s / 3600
        change = energy * self.efficiency if energy >= 0 else energy / self.efficiency
        self.stored_wh += change
        return energy - change


@dataclass
class Orders:
    """What the inverter was told; the defaults are plain self-consumption."""

    low_w: float = -5_000.0
    high_w: float = 5_000.0
    pv_limit_percent: float = 100.0
    reserve_percent: float = 5.0
    grid_charge: bool = True


@dataclass(frozen=True)
class Flow:
    """One step of the inverter, W: panels >= 0, battery charging positive, AC consumption positive."""

    pv_w: float
    battery_w: float
    ac_w: float

    @property
    def loss_w(self) -> float:
        return self.pv_w - self.battery_w + self.ac_w


def to_ac(dc_w: float) -> float:
    """AC power (production negative) for `dc_w` leaving the DC bus, W."""
    return -dc_w * EFFICIENCY if dc_w >= 0 else -dc_w / EFFICIENCY


def to_dc(ac_w: float) -> float:
    """DC power leaving the bus for an AC power (production negative), W."""
    return -ac_w / EFFICIENCY if ac_w <= 0 else -ac_w * EFFICIENCY


class HybridInverter:
    """Keeps the grid at zero inside the ordered band [low_w, high_w] of AC-side battery power."""

    def __init__(self, battery: Battery) -> None:
        self.battery = battery
        self.orders = Orders()
        self._battery_ac_w = 0.0

    def step(self, pv_available_w: float, rest_w: float, dt_s: float) -> tuple[Flow, float]:
        """Run `dt_s` against the home's other load `rest_w`; returns the flow and the cells' loss in Wh."""
        self._follow(-(rest_w + to_ac(pv_available_w)), dt_s)
        lowest, highest = self.battery.bounds(dt_s, self.orders.reserve_percent)
        if not self.orders.grid_charge:
            highest = min(highest, pv_available_w)
        wanted = pv_available_w - to_dc(to_ac(pv_available_w) + self._battery_ac_w)
        battery_w = min(max(wanted, lowest), highest)
        flow = self._within_rating(pv_available_w, battery_w)
        return flow, self.battery.step(flow.battery_w, dt_s)

    def _follow(self, wish_w: float, dt_s: float) -> None:
        low, high = min(self.orders.low_w, self.orders.high_w), self.orders.high_w
        target = min(max(wish_w, low), high)
        gap = target - self._battery_ac_w
        self._battery_ac_w = target if abs(gap) < 2 else self._battery_ac_w + gap * (1 - math.exp(-dt_s / LAG_S))

    def _within_rating(self, pv_w: float, battery_w: float) -> Flow:
        """Too much for the AC side: first the battery gives less, then the panels are throttled."""
        most_dc = RATED_W * min(100.0, max(0.0, self.orders.pv_limit_percent)) / 100 / EFFICIENCY
        excess = pv_w - battery_w - most_dc
        if excess > 0 and battery_w < 0:
            relief = min(excess, -battery_w)
            battery_w, excess = battery_w + relief, excess - relief
        if excess > 0:
            pv_w -= min(excess, pv_w)
        return Flow(pv_w, battery_w, to_ac(pv_w - battery_w))
