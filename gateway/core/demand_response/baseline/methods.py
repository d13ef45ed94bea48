"""The methods a baseline can be made by, each under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.matching import (
    FIVE_IN_TEN,
    TEN_IN_TEN,
    TEN_IN_TEN_WIDE,
    WEATHER,
    Rule,
    matched,
)
from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow

Method = Callable[[History, datetime, datetime], Baseline]
AUTO = "auto"
"""Chosen per home by how the methods did on days without an event."""
DEFAULT = TEN_IN_TEN.name


def _by(rule: Rule, history: History, start: datetime, end: datetime) -> Baseline:
    return matched(history, start, end, rule)


def _ridge(history: History, start: datetime, end: datetime) -> Baseline:
    # Numbers are wanted only once an event is over: the array library is not loaded before.
    from gateway.core.demand_response.baseline.regression import ridge

    return ridge(history, start, end)


def _mean(history: History, start: datetime, end: datetime) -> Baseline:
    """The mean of the regression and 10-in-10 +-40 %: their misses differ, so the mean misses less than either."""
    one, other = _ridge(history, start, end), matched(history, start, end, TEN_IN_TEN_WIDE)
    if not one.rows or not other.rows:
        return Baseline(method="mean")
    pairs = zip(one.rows, other.rows, strict=True)
    rows = tuple(BaselineRow(a.start, a.duration_s, (a.energy_wh + b.energy_wh) / 2) for a, b in pairs)
    return Baseline(rows, other.adjustment, other.days, "mean")


METHODS: Mapping[str, Method] = {
    TEN_IN_TEN.name: partial(_by, TEN_IN_TEN),
    TEN_IN_TEN_WIDE.name: partial(_by, TEN_IN_TEN_WIDE),
    FIVE_IN_TEN.name: partial(_by, FIVE_IN_TEN),
    WEATHER.name: partial(_by, WEATHER),
    "ridge": _ridge,
    "mean": _mean,
}
WORDS: Mapping[str, str] = {
    TEN_IN_TEN.name: "10-in-10 with same-day adjustment ±20 %",
    TEN_IN_TEN_WIDE.name: "10-in-10 with same-day adjustment ±40 %",
    FIVE_IN_TEN.name: "highest 5-in-10 with same-day adjustment ±40 %",
    WEATHER.name: "four days of like weather, adjustment ±40 %",
    "ridge": "regression on temperature and the hours before",
    "mean": "mean of regression and 10-in-10 ±40 %",
}
"""Each method in words, for a person."""
