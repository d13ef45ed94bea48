"""How much of a home could be moved, by day and local hour, from what its devices did on past days.

    load of the car, kW      18 h |7.2|7.2|3.0|0 ...          less: what ran could have waited
    more at noon                  |<- the energy it took in the 24 h after, up to its rating, while it was there

All arrays are days x 24 local hours, W, NaN where not known. Less and more are magnitudes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.model.site import BatterySpec, Role
from gateway.model.targeting import Amount

Array = NDArray[np.float64]
HOURS = 24
COVERAGE = 0.8
LEAST_DAYS = 9
"""Days whose lowest and highest bound 80 % (8 of 10 places); with fewer the interval is all from 0 to the rating."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceDays:
    """What one device did: `load_w` (batteries: charging positive), `ready` the share of each hour it could have taken more."""

    device: str
    name: str
    role: Role
    rated_w: float
    load_w: Array
    ready: Array | None = None
    """None: always."""
    battery: BatterySpec | None = None
    soc_percent: Array | None = None
    reserve_percent: float = 0.0

    @property
    def measured(self) -> bool:
        """Whether any hour of it is known."""
        return bool(np.isfinite(self.load_w).any())


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one device could draw less and more in each hour, W, and how much from that hour on, Wh: days x 24 each."""

    less_w: Array
    more_w: Array
    less_wh: Array
    more_wh: Array


@dataclass(frozen=True, slots=True, eq=False)
class Movable:
    """What the whole home could draw less and more, and what of it each device."""

    less_w: Array
    more_w: Array
    rated_w: float
    parts: dict[str, Part] = field(default_factory=dict)


def movable(devices: Sequence[DeviceDays], grid_w: Array) -> Movable:
    """The sum over devices; `grid_w` (import positive) bounds a battery that must not feed in. NaN where one is not known."""
    parts = {device.device: _load_part(device) for device in devices if device.battery is None}
    less = _total([part.less_w for part in parts.values()], grid_w)
    for device in devices:
        if device.battery is not None:
            room = np.maximum(grid_w - less, 0.0) if not device.battery.grid_export else np.full_like(grid_w, np.inf)
            part = parts[device.device] = _battery_part(device, device.battery, room)
            less = less + part.less_w
    more = _total([part.more_w for part in parts.values()], grid_w)
    return Movable(less, more, sum(device.rated_w for device in devices), parts)


def _total(parts: Sequence[Array], like: Array) -> Array:
    result: Array = sum(parts, np.zeros_like(like))
    return result


def _load_part(device: DeviceDays) -> Part:
    """Less is what it drew; more, while it could take it, is up to its rating and to what it took in the 24 h after."""
    load = np.clip(device.load_w, 0.0, device.rated_w)
    flat = np.nan_to_num(load).ravel()
    total = np.concatenate([[0.0], np.cumsum(flat)])
    index = np.arange(flat.size)
    after = (total[np.minimum(index + HOURS, flat.size)] - total[index + 1]).reshape(load.shape)
    room = np.minimum(device.rated_w - load, after)
    more: Array = np.maximum(room, 0.0) * (1.0 if device.ready is None else device.ready)
    return Part(load, more, np.full_like(load, np.inf), after)


def _battery_part(device: DeviceDays, spec: BatterySpec, room_w: Array) -> Part:
    """Discharge down to the reserve, and charge up to full, beyond what it did."""
    soc = np.full_like(device.load_w, np.nan) if device.soc_percent is None else device.soc_percent
    floor = max(device.reserve_percent, spec.min_soc_percent)
    gives = np.maximum(soc - floor, 0) / 100 * spec.capacity_wh * spec.discharge_efficiency
    gives = gives + np.maximum(device.load_w, 0)
    takes = np.maximum(spec.max_soc_percent - soc, 0) / 100 * spec.capacity_wh / spec.charge_efficiency
    less = np.minimum(np.minimum(spec.max_discharge_w + device.load_w, gives), room_w)
    more = np.minimum(spec.max_charge_w - device.load_w, takes)
    return Part(np.maximum(less, 0.0), np.maximum(more, 0.0), gives, takes)


def less_over(parts: Sequence[Part], hours: range) -> Array:
    """Each day's mean power that could be left off over some hours on end, W; NaN for a day of which one is not known."""
    return _mean_over([(part.less_w, part.less_wh) for part in parts], hours)


def more_over(parts: Sequence[Part], hours: range) -> Array:
    """The same for drawing more: the energy to be had earlier can be had once."""
    return _mean_over([(part.more_w, part.more_wh) for part in parts], hours)


def _mean_over(parts: Sequence[tuple[Array, Array]], hours: range) -> Array:
    energies = [np.minimum(watts[:, hours].sum(axis=1), budget[:, hours[0]]) for watts, budget in parts]
    result: Array = np.sum(energies, axis=0) / len(hours)
    return result


def amount(samples: Array, rated_w: float) -> Amount | None:
    """Mean and 80 % prediction interval for another day like these: order statistics, free of any distribution.

    None where no day is known.

    Of n sorted days the ends stand at the places 0.1 (n + 1) and 0.9 (n + 1), between two days by a straight line; with
    fewer than 9 days these lie outside all of them, so the interval is all that is possible.
    """
    known = np.sort(samples[np.isfinite(samples)])
    if known.size == 0:
        return None
    mean = float(known.mean())
    if known.size < LEAST_DAYS:
        return Amount(mean, 0.0, max(rated_w, float(known[-1])), known.size)
    place = (known.size + 1) * (1 - COVERAGE) / 2
    low, high = np.interp([place, known.size + 1 - place], np.arange(1, known.size + 1), known)
    return Amount(mean, float(low), float(high), known.size)
