"""The chance of each shape for the next day: simple experts of one home, weighed by how well each has told so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import add, mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
"""Where each expert's rows of counts begin: one, workday and weekend, seven, one, and one for each shape of yesterday.

Below them stands one more row: the start."""
_FOLLOWS = 3
"""The expert that looks at several rows: what follows such a day."""


def _keeps(shapes: int) -> Array:
    """What a day leaves of each row of counts; all of the start."""
    days = [HALF_LIFE[0], *[HALF_LIFE[1]] * 2, *[HALF_LIFE[2]] * 7, HALF_LIFE[4], *[HALF_LIFE[3]] * shapes, np.inf]
    return np.array([[0.5 ** (1 / half)] * shapes for half in days])


@dataclass(slots=True)
class Said:
    """What the experts say of one day.

    An expert's opinion is `part` x its row of counts + `wide` x the opinion of a wider expert: of the first for the
    second and the fifth, of the second for the third and the fourth; the first expert's is the start.
    """

    rows: Array
    """(experts + 1) x shapes: the counts each expert looks at, and last the start."""
    part: list[float]
    wide: list[float]
    chances: list[float]
    """The weighed opinion on each shape."""

    def given(self, seen: Array) -> list[float]:
        """The chance each expert gave to what was seen (chances of the shapes)."""
        r0, r1, r2, r3, r4, start = self.rows.dot(seen).tolist()
        (p0, p1, p2, p3, p4), (f0, f1, f2, f3, f4) = self.part, self.wide
        first = p0 * r0 + f0 * start
        second = p1 * r1 + f1 * first
        return [first, second, p2 * r2 + f2 * second, p3 * r3 + f3 * second, p4 * r4 + f4 * first]


@dataclass(slots=True)
class NextDay:
    """Decayed counts of one home; `step` after each day, `chances` for any day to come.

    The experts' opinions are never written out (experts x shapes): what is asked of them is linear in the rows of
    counts, so that a few products do.
    """

    start: Array
    """What is thought of a home of which nothing is known; sums to 1."""
    counts: Array
    """(11 + shapes + 1) x shapes: see _ALL and the others."""
    weights: list[float]
    """How much each expert is believed; sums to 1."""
    _keep: Array
    _looks: list[NDArray[np.intp]]
    """For each weekday the row of counts each expert looks at (the first of several), and last the start."""
    _adds: list[Array]
    """For each weekday the rows that such a day goes into (a column of ones and zeros)."""
    _ones: Array

    @classmethod
    def fresh(cls, start: Array) -> NextDay:
        """Nothing seen yet."""
        n = len(start)
        counts = np.zeros((_AFTER + n + 1, n))
        counts[-1] = start
        looks, adds = [], np.zeros((7, len(counts), 1))
        for weekday in range(7):
            of_day = [_ALL, _KINDS + (weekday >= 5), _WEEKDAYS + weekday]
            looks.append(np.array([*of_day, _AFTER, _LATELY, -1]))
            adds[weekday, [*of_day, _LATELY]] = 1.0
        weights = [1 / len(EXPERTS)] * len(EXPERTS)
        return cls(start, counts, weights, _keeps(n), looks, list(adds), np.ones(n))

    @property
    def all_days(self) -> Array:
        """Decayed days of each shape."""
        return np.asarray(self.counts[_ALL])

    @property
    def after(self) -> Array:
        """Decayed days of each shape (columns) that came after a day of each (rows)."""
        return np.asarray(self.counts[_AFTER:-1])

    def said(self, weekday: int, before: Array | None) -> Said:
        """What is said of a day of this weekday; `before` are the chances of the shapes of the day before it."""
        rows = self.counts.take(self._looks[weekday], axis=0)
        rows[_FOLLOWS] = 0.0 if before is None else before.dot(self.counts[_AFTER:-1])
        part = [1.0 / days for days in map(add, rows.dot(self._ones).tolist(), FIRM)]
        wide = list(map(mul, FIRM, part))
        w0, w1, w2, w3, w4 = self.weights
        second = w1 + w2 * wide[2] + w3 * wide[3]
        first = w0 + w4 * wide[4] + second * wide[1]
        believed = [first * part[0], second * part[1], w2 * part[2], w3 * part[3], w4 * part[4], first * wide[0]]
        rest = 1 - FLOOR * len(self.start)
        chances = [rest * x + FLOOR for x in np.array(believed).dot(rows).tolist()]
        return Said(rows, part, wide, chances)

    def chances(self, weekday: int, before: Array | None) -> list[float]:
        """The chance of each shape on a day of this weekday, none below the floor; they sum to 1."""
        return self.said(weekday, before).chances

    def step(self, weekday: int, before: Array | None, seen: Array, said: Said) -> None:
        """Take a day: `seen` are the chances of its shapes, `said` what was said of it before."""
        right = [w * (x + 1e-6) for w, x in zip(self.weights, said.given(seen), strict=True)]
        part, anew = (1 - SHARE) / sum(right), SHARE / len(EXPERTS)
        self.weights = [part * x + anew for x in right]
        self.counts *= self._keep
        into = self._adds[weekday]
        into[_AFTER:-1, 0] = 0.0 if before is None else before
        self.counts += into.dot(seen[None])  # a column times a row; numpy's own broadcasting costs twice as much

    def to_document(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {"counts": self.counts[:-1].tolist(), "weights": self.weights}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], start: Array) -> NextDay:
        """What `to_document` wrote; raises ValueError, KeyError or TypeError when it does not fit."""
        fresh = cls.fresh(start)
        counts, weights = (np.array(document[name], dtype=float) for name in ("counts", "weights"))
        for name, found, fits in (("counts", counts, fresh.counts[:-1]), ("weights", weights, fresh.weights)):
            if found.shape != np.shape(fits) or not np.isfinite(found).all() or (found < 0).any():
                raise ValueError(f"{name} does not fit")
        fresh.counts[:-1], fresh.weights = counts, weights.tolist()
        return fresh
