"""What an event delivered: baseline minus measurement, per device with its own meter and for the whole home."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow, energy_in
from gateway.model.reading import INTERVAL_S, Interval

DEVICE_ERROR_SHARE = 0.1
"""Stated half width of a device's delivered energy, as a share of its baseline energy; a baseline that starts or stops
inside the event may do so a quarter hour off, as plans are made in such steps: that comes on top."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Energy delivered, Wh (less consumption is positive), with its 80 % interval; None when not known.

    `energy_wh` is the sum of the sub-metered devices when there are any, else the whole home's. `home_wh` with its own
    interval is the whole home's, as an independent witness; `method`, `error_percent` and `placebos` are its baseline's.
    """

    energy_wh: float | None
    low_wh: float | None
    high_wh: float | None
    per_device: Mapping[str, float] = field(default_factory=dict)
    home_wh: float | None = None
    home_low_wh: float | None = None
    home_high_wh: float | None = None
    method: str = ""
    error_percent: float | None = None
    placebos: int = 0


def delivered(
    devices: Mapping[str, Sequence[BaselineRow]],
    measured: Mapping[str, Sequence[Interval]],
    *,
    home: Baseline | None = None,
    home_measured: Sequence[Interval] = (),
) -> Delivered:
    """Baseline minus measurement; a device with a gap in its measurement is left out rather than guessed."""
    per_device: dict[str, float] = {}
    error_wh = 0.0
    for device, rows in devices.items():
        used = [energy_in(measured.get(device, ()), row.start, row.end) for row in rows]
        known = [value for value in used if value is not None]
        if rows and len(known) == len(rows):
            expected = sum(row.energy_wh for row in rows)
            per_device[device] = expected - sum(known)
            error_wh += math.hypot(DEVICE_ERROR_SHARE * expected, _step_wh(rows))
    whole, low, high = _whole(home, home_measured, error_wh)
    how = (home.method, home.error_percent, home.placebos) if home is not None and home.rows else ("", None, 0)
    if not per_device:
        return Delivered(whole, low, high, {}, whole, low, high, *how)
    energy = sum(per_device.values())
    return Delivered(energy, energy - error_wh, energy + error_wh, per_device, whole, low, high, *how)


def summed(parts: Sequence[Delivered]) -> Delivered:
    """What was delivered over several stretches (at least one): the sum, not known where one part is not.

    A baseline that misses does so in all of them alike, so the intervals add up. Its method and error are told of the last.
    """
    devices = dict.fromkeys(device for part in parts for device in part.per_device)
    return replace(
        parts[-1],
        energy_wh=_sum([part.energy_wh for part in parts]),
        low_wh=_sum([part.low_wh for part in parts]),
        high_wh=_sum([part.high_wh for part in parts]),
        per_device={device: sum(part.per_device.get(device, 0.0) for part in parts) for device in devices},
        home_wh=_sum([part.home_wh for part in parts]),
        home_low_wh=_sum([part.home_low_wh for part in parts]),
        home_high_wh=_sum([part.home_high_wh for part in parts]),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _step_wh(rows: Sequence[BaselineRow]) -> float:
    """The largest change from one row to the next, as the energy of a quarter hour, Wh."""
    powers = [row.energy_wh / row.duration_s for row in rows if row.duration_s > 0]
    return max((abs(b - a) for a, b in pairwise(powers)), default=0.0) * INTERVAL_S


def _whole(
    home: Baseline | None, measured: Sequence[Interval], error_wh: float
) -> tuple[float | None, float | None, float | None]:
    """The whole home's figure and interval. The misses of house and devices are their own, so their squares add up."""
    if home is None or home.energy_wh is None:
        return None, None, None
    used = energy_in(measured, home.rows[0].start, home.rows[-1].end)
    if used is None:
        return None, None, None
    whole = home.energy_wh - used
    if home.low_wh is None or home.high_wh is None:
        return whole, None, None
    middle, half = (home.low_wh + home.high_wh) / 2 - used, math.hypot((home.high_wh - home.low_wh) / 2, error_wh)
    return whole, middle - half, middle + half
