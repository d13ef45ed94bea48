"""Ridge regression of an event's slots on how the day began, the temperature and the kind of day.

Each of the last 60 days is a row; features are standardised, so one penalty suits all. A feature that hardly varied in
training says nothing about a day on which it does: its deviation is floored and its standardised value bounded, and no
slot is predicted outside what was seen there.
"""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from gateway.core.demand_response.baseline.history import History, Window
from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow

RIDGE = "ridge"
DAYS = 60
LEAST_DAYS = 15
PENALTY = 5.0
BOUND = 3.0
WARM_C, HOT_C = 16.0, 22.0
"""Heating is needed below the first, cooling above the second, degC."""
Array = NDArray[np.float64]


def ridge(history: History, start: datetime, end: datetime) -> Baseline:
    """The baseline of [start, end) by regression; without rows with fewer than 15 days to learn from."""
    window, before = history.window(start, end), history.adjusting(start)
    today = _features(history, window.day, window, before)
    days, rows, targets = [], [], []
    for day in history.days_before(window, DAYS, alike=False) if today is not None else ():
        features, energies = _features(history, day, window, before), history.energies(day, window)
        if features is not None and energies is not None:
            days.append(day)
            rows.append(features)
            targets.append(energies)
    if today is None or len(days) < LEAST_DAYS:
        return Baseline(method=RIDGE)
    return _told(window, days, _predict(rows, np.array(targets), today))


def _told(window: Window, days: list[date], energies: Array) -> Baseline:
    cells = zip(window.slots, energies, strict=True)
    rows = tuple(BaselineRow(slot, seconds, float(energy)) for (slot, seconds), energy in cells)
    return Baseline(rows, 1.0, tuple(days), RIDGE)


def _features(history: History, day: date, window: Window, before: Window) -> list[float] | None:
    """How the day began, Wh; its kind; heating and cooling degrees, not a number where they are not known."""
    began = history.total(day, before)
    if began is None:
        return None
    outdoor = history.outdoor_c(day, window)
    degrees = [np.nan, np.nan] if outdoor is None else [max(0.0, WARM_C - outdoor), max(0.0, outdoor - HOT_C)]
    return [began, float(history.works(day)), *degrees]


def _predict(rows: list[list[float]], targets: Array, today: list[float]) -> Array:
    seen, now = np.array(rows), np.array(today)
    known = ~np.isnan(now) & (np.isnan(seen).mean(axis=0) < 0.2)
    seen, now = seen[:, known], now[known]
    centre = np.nanmean(seen, axis=0)
    seen = np.where(np.isnan(seen), centre, seen)
    scale = np.maximum(seen.std(axis=0), np.maximum(1e-9, 0.02 * np.abs(centre)))
    design = np.clip((seen - centre) / scale, -BOUND, BOUND)
    point = np.clip((now - centre) / scale, -BOUND, BOUND)
    mean = targets.mean(axis=0)
    weights = np.linalg.solve(design.T @ design + PENALTY * np.eye(design.shape[1]), design.T @ (targets - mean))
    told: Array = np.clip(mean + point @ weights, targets.min(axis=0), targets.max(axis=0))
    return told
