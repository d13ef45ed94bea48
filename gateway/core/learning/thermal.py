"""How the home keeps its heat: one resistance and one capacity, from what its room, its pump and the weather did.

Each day is a free run of the model from an unknown start. For a given time constant the rest is linear (variable
projection, Golub and Pereyra 1973), so the search has one dimension; the error that is made small is that of a whole
day's temperature, which is what a plan needs, and noise of the sensor does not bias it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.learning.blocks import SLOTS, Array
from gateway.core.learning.quarters import bridged
from gateway.model.learned import NotLearned, ThermalModel

LEAST_DAYS = 7
KNOWN_SHARE = 0.9
"""A day with less of its temperature measured teaches nothing."""
BRIDGE = 8
"""Gaps of up to so many quarter hours are bridged."""
TAU_H = (3.0, 400.0)
GRID = 41
RESISTANCE_K_PER_W = (0.001, 0.05)
"""From a draughty house (1000 W/K) to a well insulated flat (20 W/K)."""
CAPACITANCE_WH_PER_K = (500.0, 60_000.0)
GAINS_W = (-500.0, 3000.0)
RUNS_W, RUNS_DAYS = 50.0, 5
"""A pump that took more than this on average on fewer days than that shows nothing of the home."""
MOST_ERROR_K = 1.5
APART = 0.5
"""How far the halves of the days may be apart, as a share of the whole's resistance and capacity."""
HUBER, ROUNDS = 1.5, 3
RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class _Days:
    """Rows are days of 96 quarter hours; `weight` is 0 where the room was not measured."""

    room: Array
    weight: Array
    outdoor: Array
    inputs: tuple[Array, ...]
    """Electric W, ones, and the sun where it is known."""

    def __len__(self) -> int:
        return len(self.room)

    def pick(self, rows: slice) -> _Days:
        """Some of the days."""
        return _Days(self.room[rows], self.weight[rows], self.outdoor[rows], tuple(x[rows] for x in self.inputs))


@dataclass(frozen=True, slots=True)
class _Fit:
    """T = outdoor filtered by `tau_h` + sum of inputs filtered times `gains` (K per unit)."""

    tau_h: float
    gains: Array


def fit_thermal(
    room_c: Array, outdoor_c: Array, power_w: Array, cop: float, sun: Array | None = None, sun_from: str = ""
) -> ThermalModel | NotLearned:  # fmt: skip
    """The home's heat from quarter hours of whole days (degC, degC, electric W, W/m2 or W of the panels; NaN unknown).

    All arrays have the same length, a multiple of 96. Never a model outside physical ranges, nor one whose own days do
    not agree with each other.
    """
    days = _days(room_c, outdoor_c, power_w, sun)
    if len(days) < LEAST_DAYS:
        return NotLearned(f"{len(days)} of {LEAST_DAYS} days of room and outdoor temperature are known so far.")
    if int((days.inputs[0].mean(axis=1) > RUNS_W).sum()) < RUNS_DAYS:
        return NotLearned("The heat pump hardly ran on the days that are known.")
    whole = _fit(days)
    problem = _problem(days, whole, cop)
    if problem:
        return NotLearned(problem)
    judged = days.pick(slice(len(days) * 3 // 4, None))
    error_k = _error_k(judged, _fit(days.pick(slice(None, len(days) * 3 // 4))))
    if not error_k <= MOST_ERROR_K:
        return NotLearned(f"A day ahead the learned model is wrong by {error_k:.1f} K.")
    return _model(days, whole, cop, error_k, sun_from if sun is not None else "")


def _days(room_c: Array, outdoor_c: Array, power_w: Array, sun: Array | None) -> _Days:
    """The days of which enough is known; gaps of the inputs that remain are taken as the day's mean."""
    room = bridged(_sane(room_c, -10, 50), BRIDGE).reshape(-1, SLOTS)
    raw = [bridged(_sane(outdoor_c, -60, 60), 2 * BRIDGE), bridged(_sane(power_w, -10, 1e5), BRIDGE)]
    raw += [] if sun is None else [bridged(_sane(np.abs(sun), 0, 1e5), BRIDGE)]
    parts = [part.reshape(-1, SLOTS) for part in raw]
    good = np.all([(~np.isnan(part)).mean(axis=1) >= KNOWN_SHARE for part in (room, *parts)], axis=0)
    outdoor, power, *rest = (_filled(part[good]) for part in parts)
    known = ~np.isnan(room[good])
    return _Days(np.where(known, room[good], 0.0), known.astype(float), outdoor, (power, np.ones_like(power), *rest))


def _sane(values: Array, low: float, high: float) -> Array:
    with np.errstate(invalid="ignore"):
        result: Array = np.where((values >= low) & (values <= high), values, np.nan)
    return result


def _filled(rows: Array) -> Array:
    result: Array = np.where(np.isnan(rows), np.nanmean(rows, axis=1, keepdims=True) if len(rows) else 0.0, rows)
    return result


def _fit(days: _Days) -> _Fit:
    """The time constant and gains with the smallest robust error over all days."""
    weight = days.weight
    grid = np.geomspace(*TAU_H, GRID)
    best = _Fit(float(grid[0]), np.zeros(len(days.inputs)))
    for _ in range(ROUNDS):
        best = _finest(days, weight, grid)
        left = _left(days, weight, best)
        scale = 1.4826 * float(np.median(np.abs(left[days.weight > 0]))) + 1e-3
        weight = days.weight * np.minimum(1.0, HUBER * scale / np.maximum(np.abs(left), 1e-9))
    return best


def _finest(days: _Days, weight: Array, grid: Array) -> _Fit:
    """The best of the grid, then of a finer one around it."""
    found = [_at_tau(days, weight, float(tau)) for tau in grid]
    index = int(np.argmin([error for error, _ in found]))
    finer = np.geomspace(grid[max(0, index - 1)], grid[min(len(grid) - 1, index + 1)], 9)
    found += [_at_tau(days, weight, float(tau)) for tau in finer]
    return min(found, key=lambda item: item[0])[1]


def _at_tau(days: _Days, weight: Array, tau_h: float) -> tuple[float, _Fit]:
    """The weighted squared error of the best gains for one time constant."""
    target, columns = _projected(days, weight, tau_h)
    flat = columns.reshape(len(columns), -1)
    gram = flat @ flat.T
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    gram = gram / np.outer(scale, scale) + RIDGE * np.eye(len(columns))
    gains = np.linalg.solve(gram, flat @ target.ravel() / scale) / scale
    left = target - np.tensordot(gains, columns, axes=1)
    return float((left**2).sum()), _Fit(tau_h, gains)


def _projected(days: _Days, weight: Array, tau_h: float) -> tuple[Array, Array]:
    """What is to be explained and what explains it, each day's own start projected out, times sqrt(weight)."""
    response, decay = _response(tau_h)
    root = np.sqrt(weight)
    start = root * decay
    norm = np.maximum((start**2).sum(axis=1, keepdims=True), 1e-9)

    def without_start(rows: Array) -> Array:
        rows = root * rows
        result: Array = rows - (rows * start).sum(axis=1, keepdims=True) / norm * start
        return result

    target = without_start(days.room - days.outdoor @ response.T)
    return target, np.stack([without_start(x @ response.T) for x in days.inputs])


def _response(tau_h: float) -> tuple[Array, Array]:
    """What each quarter hour's input does to each later one's mean (at its middle), and what is left of the start."""
    per_slot = 24 / SLOTS / tau_h
    lag = np.arange(SLOTS)[:, None] - np.arange(SLOTS)[None, :]
    before = np.exp(-per_slot * np.maximum(lag - 0.5, 0.0)) - np.exp(-per_slot * np.maximum(lag + 0.5, 0.0))
    return np.where(lag >= 0, before, 0.0), np.exp(-per_slot * (np.arange(SLOTS) + 0.5))


def _left(days: _Days, weight: Array, fit: _Fit) -> Array:
    """Residuals in K of a fit whose days start where it is best, 0 where nothing was measured."""
    response, decay = _response(fit.tau_h)
    rows = days.room - days.outdoor @ response.T
    rows = rows - sum(gain * (x @ response.T) for gain, x in zip(fit.gains, days.inputs, strict=True))
    norm = np.maximum((weight * decay**2).sum(axis=1, keepdims=True), 1e-9)
    result: Array = days.weight * (rows - (weight * rows * decay).sum(axis=1, keepdims=True) / norm * decay)
    return result


def _problem(days: _Days, fit: _Fit, cop: float) -> str:
    """Why a fit is none of a home, in words; empty when it can be one."""
    if not _physical(fit, cop):
        return "What was measured does not fit a home that is heated by this pump."
    halves = [_fit(days.pick(rows)) for rows in (slice(0, None, 2), slice(1, None, 2))]
    whole = np.array(_rc(fit, cop))
    apart = max(float(np.max(np.abs(np.array(_rc(half, cop)) / whole - 1))) for half in halves)
    return f"The days known so far disagree by {100 * apart:.0f} %." if not apart <= APART else ""


def _rc(fit: _Fit, cop: float) -> tuple[float, float]:
    resistance = float(fit.gains[0]) / cop
    return resistance, fit.tau_h / resistance if resistance > 0 else -1.0


def _physical(fit: _Fit, cop: float) -> bool:
    resistance, capacitance = _rc(fit, cop)
    if not (RESISTANCE_K_PER_W[0] <= resistance <= RESISTANCE_K_PER_W[1]):
        return False
    gains = float(fit.gains[1]) / resistance
    within = CAPACITANCE_WH_PER_K[0] <= capacitance <= CAPACITANCE_WH_PER_K[1]
    return within and TAU_H[0] < fit.tau_h < TAU_H[1] and GAINS_W[0] <= gains <= GAINS_W[1]


def _error_k(days: _Days, fit: _Fit) -> float:
    """RMSE of the last hour of a day whose first hour is known, K."""
    response, decay = _response(fit.tau_h)
    rows = days.room - days.outdoor @ response.T
    rows = rows - sum(gain * (x @ response.T) for gain, x in zip(fit.gains, days.inputs, strict=True))
    first = _mean(rows, days.weight, slice(0, 4)) / decay[:4].mean()
    last = _mean(rows, days.weight, slice(-4, None)) - first * decay[-4:].mean()
    known = last[~np.isnan(last)]
    return float(np.sqrt((known**2).mean())) if known.size else float("nan")


def _mean(rows: Array, weight: Array, part: slice) -> Array:
    seen = weight[:, part].sum(axis=1)
    total = (rows * weight)[:, part].sum(axis=1)
    result: Array = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
    return result


def _model(days: _Days, fit: _Fit, cop: float, error_k: float, sun_from: str) -> ThermalModel:
    resistance, capacitance = _rc(fit, cop)
    sun_gain = max(0.0, float(fit.gains[2]) / resistance) if sun_from else 0.0
    return ThermalModel(
        resistance,
        capacitance,
        float(fit.gains[1]) / resistance,
        cop,
        error_k,
        len(days),
        "free runs of whole days; efficiency (COP) as the site file states it",
        sun_gain,
        sun_gain * float(days.inputs[2].mean()) if sun_from else 0.0,
        sun_from,
    )
