"""Load shapes: which kind of day it was, how sure that is, and why, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.dictionary import AWAY, HOURS, SHAPES, Array, NamedShape, curves
from gateway.model.learned import DayShape
from gateway.model.reading import Interval

UNKNOWN = "unknown"
MIN_COVERAGE = 0.6
"""A day measured less than this has no class."""
MIN_ENERGY_WH = 50.0
SHARPNESS = 300.0
"""Softmax weight of a squared distance; tuned so that confidence agrees with how often the class is right."""
AWAY_WH = 2500.0
"""A flat day around this energy is as likely "away" as "flat"."""

_FLAT = next(index for index, shape in enumerate(SHAPES) if shape.name == "flat")
_BLUR = sum(weight * np.roll(np.eye(HOURS), shift, 0) for shift, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)))
"""A circular three-hour average as a matrix: an hour's jitter is not another shape."""

_CURVES = curves()
_SMOOTHED = _CURVES @ _BLUR
_NAMES = [*(shape.name for shape in SHAPES), AWAY]


def typical_shapes() -> dict[str, tuple[float, ...]]:
    """The dictionary: name -> 24 hourly shares that sum to 1."""
    return {shape.name: tuple(float(x) for x in row) for shape, row in zip(SHAPES, _CURVES, strict=True)}


def hourly(intervals: Iterable[Interval], day: date, tz: ZoneInfo) -> list[float | None]:
    """The net energy of each hour of a local day in Wh, in order: 24 values, 23 or 25 when the clock changes.

    An hour with a part missing is scaled up from at least half of it; with less it is None.
    """
    start = datetime.combine(day, time(), tz).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(), tz).astimezone(UTC)
    count = round((end - start).total_seconds() / 3600)
    energy, covered = [0.0] * count, [0.0] * count
    for interval in intervals:
        index = int((interval.start - start).total_seconds() // 3600)
        net = interval.net_wh
        if net is not None and 0 <= index < count:
            energy[index] += net
            covered[index] += interval.duration_s
    return [e / min(1.0, c / 3600) if c >= 1800 else None for e, c in zip(energy, covered, strict=True)]


def classify_day(day: date, hourly_wh: Sequence[float | None]) -> DayShape:
    """The class of one local day from its hourly energies in Wh (23 to 25 of them, None where not measured).

    The shape counts, not the size: the day is scaled to a sum of 1. Confidence is 0-1; a day that was measured too
    little or used nothing is "unknown" with an empty profile.
    """
    raw = np.array([math.nan if wh is None else wh for wh in hourly_wh], dtype=float)
    known = ~np.isnan(raw)
    coverage = float(known.mean()) if raw.size else 0.0
    energy = float(raw[known].sum()) if raw.size else 0.0
    if coverage < MIN_COVERAGE or energy < MIN_ENERGY_WH:
        why = "too little of the day was measured" if coverage < MIN_COVERAGE else "hardly any energy was used"
        return DayShape(day, UNKNOWN, 0.0, energy, (), f"{why}.", (), coverage)
    profile = _profile(raw, known)
    names, chances = _chances(profile, energy / coverage)
    order = np.argsort(chances)[::-1]
    best = names[order[0]]
    others = tuple((names[i], round(float(chances[i]), 4)) for i in order[1:4])
    confidence = float(chances[order[0]]) * coverage
    return DayShape(
        day, best, confidence, energy, tuple(profile.tolist()), _why(best, profile, energy), others, coverage
    )


def _profile(raw: Array, known: Array) -> Array:
    """24 hourly shares that sum to 1; gaps are bridged, the changed clock's hour is merged or bridged."""
    filled = raw if known.all() else np.interp(np.arange(raw.size), np.flatnonzero(known), raw[known])
    if filled.size == HOURS + 1:
        # The repeated hour (02 to 03 in most of Europe) is one hour on the dial: its mean.
        filled = np.concatenate([filled[:2], [(filled[2] + filled[3]) / 2], filled[4:]])
    elif filled.size == HOURS - 1:
        filled = np.concatenate([filled[:2], [(filled[1] + filled[2]) / 2], filled[2:]])
    filled = np.maximum(filled, 0.0)
    total = filled.sum()
    return filled / total if total > 0 else np.full(HOURS, 1.0 / HOURS)


def _chances(profile: Array, energy_wh: float) -> tuple[list[str], Array]:
    """Each shape's probability by its distance from the smoothed day."""
    apart = profile @ _BLUR - _SMOOTHED
    distance = np.einsum("ij,ij->i", apart, apart)
    weights = np.exp(-SHARPNESS * (distance - distance.min()))
    weights /= weights.sum()
    away = 1.0 / (1.0 + (max(energy_wh, 0.0) / AWAY_WH) ** 4)
    chances = np.append(weights, weights[_FLAT] * away)
    chances[_FLAT] *= 1 - away
    return _NAMES, chances


def _why(name: str, profile: Array, energy_wh: float) -> str:
    if name == AWAY:
        return f"Only {energy_wh / 1000:.1f} kWh all day, and no hour stands out."
    shape = next(item for item in SHAPES if item.name == name)
    if name == "flat":
        return f"The hours differ little: the busiest holds {100 * float(profile.max()):.0f} % of the day's energy."
    share = sum(float(profile[begin:end].sum()) for begin, end in shape.window)
    only = "Only " if shape.dip else ""
    return f"{only}{100 * share:.0f} % of the day's energy falls {_hours(shape)}."


def _hours(shape: NamedShape) -> str:
    return " and ".join(f"between {begin} and {end} h" for begin, end in shape.window)
