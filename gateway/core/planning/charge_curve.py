r"""A battery's most power by its state of charge, as linear cuts of the plan.

    5000 W ________
                   \           each segment of the curve is a row per slot:
                    \          power <= a * state + b
     500 W           \_
           0       80  100 %

A linear program knows concave curves only: where a battery's is not, the cuts are those of its concave envelope, the
lowest concave curve that is nowhere below it. There the plan may promise more than the battery does, while the rules,
the twin and the tick keep to the curve itself, and the next plan starts from what was really stored. The same holds,
by a few per cent, in a long slot in which the state passes a bend; within one segment the cut is exact.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.slots import Array
from gateway.model.site import BatterySpec

CHARGE, DISCHARGE = 1, 2
STEEP = 50.0
"""In a slot that is so many times longer than the curve takes to fall, longer makes no difference."""


def most_w(spec: BatterySpec, low_soc: float, high_soc: float) -> tuple[float, float]:
    """The most it takes and the most it gives anywhere between two states of charge (percent), W."""
    if not spec.power_by_soc:
        return spec.max_charge_w, spec.max_discharge_w
    charge, discharge = (max(w for _, w in _points(spec, side, low_soc, high_soc)) for side in (CHARGE, DISCHARGE))
    return charge, discharge


def limit_by_state(
    lp: LinearProgram, spec: BatterySpec, start_wh: float, span_wh: tuple[float, float], hours: Array,
    charge: Index, discharge: Index, state: Index,
) -> None:  # fmt: skip
    """Rows that keep each slot's mean power under the curve; `state` Wh at each slot's end lies within `span_wh`."""
    if not spec.power_by_soc:
        return
    unit = spec.capacity_wh / 100
    low, high = span_wh[0] / unit, span_wh[1] / unit
    for side, power, per_wh in (
        (CHARGE, charge, -hours * spec.charge_efficiency),
        (DISCHARGE, discharge, hours / spec.discharge_efficiency),
    ):
        for (x, y), (to_x, to_y) in pairwise(_concave(_points(spec, side, low, high))):
            slope = (to_y - y) / (to_x - x) / unit
            if abs(slope) * (high - low) * unit < 1.0:
                continue
            late = _late(slope * per_wh)
            most = np.full(len(hours), y - slope * x * unit)
            most[0] += slope * (1 - late[0]) * start_wh
            lp.rows(-np.inf, most[:1], (power[:1], 1.0), (state[:1], -slope * late[:1]))
            lp.rows(
                -np.inf, most[1:], (power[1:], 1.0), (state[1:], -slope * late[1:]), (state[:-1], -slope * (1 - late[1:]))
            )  # fmt: skip


def _late(falls: Array) -> Array:
    """Where between start (0) and end (1) of a slot the state stands for the slot's mean power.

    Power that follows a straight line of the state falls as exp(-`falls` * t) over a slot; its mean is then exactly
    that of the state so far from the slot's start. Half way in a short slot, near the end where it falls fast.
    """
    falls = np.clip(falls, -STEEP, STEEP)
    small = np.abs(falls) < 1e-4
    safe = np.where(small, 1.0, falls)
    return np.asarray(np.where(small, 0.5 + falls / 12, -1 / np.expm1(-safe) - 1 / safe))


def _points(spec: BatterySpec, side: int, low_soc: float, high_soc: float) -> list[tuple[float, float]]:
    """The curve from `low_soc` to `high_soc`: (SoC percent, W), at least one point."""
    inside = [row[0] for row in spec.power_by_soc if low_soc < row[0] < high_soc]
    at = [low_soc, *inside, high_soc] if high_soc > low_soc else [low_soc]
    specs = [spec.at(soc) for soc in at]
    watts = [one.max_charge_w if side == CHARGE else one.max_discharge_w for one in specs]
    return list(zip(at, watts, strict=True))


def _concave(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of the concave envelope, from left to right."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        while len(kept) > 1 and _is_below(kept[-2], kept[-1], (x, y)):
            kept.pop()
        kept.append((x, y))
    return kept


def _is_below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether the middle point is on or under the line between the other two."""
    run, rise = right[0] - left[0], right[1] - left[1]
    return (middle[1] - left[1]) * run <= rise * (middle[0] - left[0])
