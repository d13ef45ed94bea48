"""The chance of each shape for the next day: simple experts of one home, weighed by how well each has told so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.core.learning.shape_day import Array

EXPERTS = (
    "the days before",
    "days of this kind (workday or weekend)",
    "the same weekday",
    "what follows such a day",
    "yesterday",
)
"""What each expert counts: all days, workdays or weekends, one weekday, days after such a day, the last days alone."""
HALF_LIFE = (30.0, 60.0, 120.0, 120.0, 3.0)
"""Days (of the expert's own kind counted in home days) after which a day counts half."""
FIRM = (2.0, 2.0, 2.0, 2.0, 1.0)
"""So many days of the wider expert's opinion are added to an expert's own counts."""
SHARE = 0.01
"""Of the weights this part is given out anew each day, so that an expert that was wrong for long can come back."""
FLOOR = 0.004
"""No shape is less likely than this: the home can always surprise."""
_ALL, _KINDS, _WEEKDAYS, _LATELY, _AFTER = 0, 1, 3, 10, 11
"""Where each expert's rows of counts begin: one, workday and weekend, seven, one, and one for each shape of yesterday."""
_FIRM = np.array(FIRM)


def _keeps(shapes: int) -> Array:
    """What a day leaves of each row of counts."""
    days = [HALF_LIFE[0], *[HALF_LIFE[1]] * 2, *[HALF_LIFE[2]] * 7, HALF_LIFE[4], *[HALF_LIFE[3]] * shapes]
    return np.array([[0.5 ** (1 / half)] for half in days])


@dataclass(slots=True)
class NextDay:
    """Decayed counts of one home; `step` after each day, `chances` for any day to come."""

    start: Array
    """What is thought of a home of which nothing is known; sums to 1."""
    counts: Array
    """(11 + shapes) x shapes: see _ALL and the others."""
    weights: Array
    """How much each expert is believed; sums to 1."""
    _keep: Array

    @classmethod
    def fresh(cls, start: Array) -> NextDay:
        """Nothing seen yet."""
        n = len(start)
        return cls(start, np.zeros((_AFTER + n, n)), np.full(len(EXPERTS), 1 / len(EXPERTS)), _keeps(n))

    @property
    def all_days(self) -> Array:
        """Decayed days of each shape."""
        return np.asarray(self.counts[_ALL])

    @property
    def after(self) -> Array:
        """Decayed days of each shape (columns) that came after a day of each (rows)."""
        return np.asarray(self.counts[_AFTER:])

    def experts(self, weekday: int, before: Array | None) -> Array:
        """What each expert says of a day (experts x n, rows sum to 1); `before` are the chances of the day before it."""
        kind = _KINDS + (weekday >= 5)
        rows = self.counts[[_ALL, kind, _WEEKDAYS + weekday, _AFTER, _LATELY]]
        rows[3] = 0.0 if before is None else before @ self.counts[_AFTER:]
        part = (1.0 / (rows.sum(axis=1) + _FIRM))[:, None]
        rows *= part
        part *= _FIRM[:, None]
        rows[0] += part[0] * self.start
        rows[1] += part[1] * rows[0]
        rows[2:4] += part[2:4] * rows[1]
        rows[4] += part[4] * rows[0]
        return rows

    def chances(self, weekday: int, before: Array | None) -> Array:
        """The chance of each shape on a day of this weekday."""
        return self.mixed(self.experts(weekday, before))

    def mixed(self, experts: Array) -> Array:
        """The experts' weighed opinion, never below the floor."""
        chances: Array = (1 - FLOOR * experts.shape[1]) * (self.weights @ experts) + FLOOR
        return chances

    def step(self, weekday: int, before: Array | None, seen: Array, experts: Array) -> None:
        """Take a day: `seen` are the chances of its shapes, `experts` what was said of it before."""
        right = self.weights * (experts @ seen + 1e-6)
        self.weights = right * ((1 - SHARE) / right.sum()) + SHARE / len(EXPERTS)
        self.counts *= self._keep
        self.counts[[_ALL, _KINDS + (weekday >= 5), _WEEKDAYS + weekday, _LATELY]] += seen
        if before is not None:
            self.counts[_AFTER:] += before[:, None] * seen

    def to_document(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {"counts": self.counts.tolist(), "weights": self.weights.tolist()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], start: Array) -> NextDay:
        """What `to_document` wrote; raises ValueError, KeyError or TypeError when it does not fit."""
        fresh = cls.fresh(start)
        for name in ("counts", "weights"):
            found = np.array(document[name], dtype=float)
            if found.shape != getattr(fresh, name).shape or not np.isfinite(found).all() or (found < 0).any():
                raise ValueError(f"{name} does not fit")
            setattr(fresh, name, found)
        return fresh
