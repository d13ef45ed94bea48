"""Batteries and what keeps a temperature as the planner sees them: frozen into arrays over the slots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.planning.hygiene import Hygiene
from gateway.core.planning.limits import Mask
from gateway.core.planning.slots import Array
from gateway.model.site import BatterySpec, Device


@dataclass(frozen=True, slots=True)
class Battery:
    """One battery: energies Wh inside; `only_sun` slots forbid charging from the grid, `export` slots allow it out."""

    device: Device
    spec: BatterySpec
    start_wh: float
    floor_wh: float
    full_wh: float
    charge_w: Array
    discharge_w: Array
    only_sun: Mask
    export: Mask
    reward: Array
    """Micro-units per Wh charged (positive) or discharged (negative) that a utility's setpoint is worth."""


@dataclass(frozen=True, slots=True)
class Heat:
    """Something that keeps a temperature: T' = keep T + (1 - keep) (around + gain (P - draw)); W, degC.

    `price` is added to the cost of each Wh in micro-units: joined events make heating dear, a load-up cheap.
    """

    device: Device
    start_c: float
    low_c: Array
    high_c: Array
    keep: Array
    around_c: Array
    gain_k_per_w: Array | float
    """By slot where a plan warms and cools; negative where power cools."""
    draw_w: Array
    cap_w: Array
    price: Array
    running: bool
    power_w: float
    wh_per_k: float
    """Electric energy that one kelvin is worth at the end; negative, like `gain_k_per_w`, where power cools then."""
    hygiene: Hygiene | None = None
    """A tank that must become hot once."""
    spare_k: Array | float = 0.0
    """So much of the lower end is kept for a heavy hour of hot water, K: to fall into it misses no wish."""
    given_w: Array | float = 0.0
    """What it draws whatever is planned: it runs now."""
    firm: Array | float = 1.0
    """So many times more it costs to leave the band: the owner's floors hold against joined events."""
    beyond_k: Array | float = 0.0
    """So far the other end of the band was opened for a room that passes it by itself, K: no power mends that."""

    @property
    def cooling(self) -> Mask:
        """In which slots power lowers the temperature."""
        return np.broadcast_to(np.asarray(self.gain_k_per_w) < 0, self.keep.shape)

    @property
    def cools(self) -> bool:
        """Whether power lowers the temperature at the end of the plan."""
        return bool(self.cooling[-1])

    @property
    def gains_k_per_w(self) -> Array:
        """`gain_k_per_w` of each slot."""
        return np.broadcast_to(np.asarray(self.gain_k_per_w, dtype=float), self.keep.shape)

    @property
    def least_c(self) -> Array:
        """The end of the band that costs least to keep, degC."""
        return np.where(self.cooling, self.high_c, self.low_c)
