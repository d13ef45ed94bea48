"""The formulas of a home's shapes written out in full, slow and easy to check: the witness for the product's fast ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from gateway.core.learning import home_shapes as own
from gateway.core.learning import shape_tomorrow as next_day
from gateway.core.learning.shape_day import Array, features
from gateway.core.learning.shape_dictionary import ShapeDictionary

ALL, KINDS, WEEKDAYS, LATELY, AFTER = 0, 1, 3, 10, 11


@dataclass
class PlainHome:
    """One home whose days are all measured, of 24 hours, and follow one another."""

    book: ShapeDictionary
    day: int = 0
    level_wh: float = 0.0
    before: Array | None = None
    said: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        n, d = len(self.book.names), self.book.prototypes.shape[1]
        self.start = np.array([self.book.weights[np.array(self.book.owner) == i].sum() for i in range(n)])
        self.counts, self.weights = np.zeros((AFTER + n, n)), np.full(5, 0.2)
        self.own, self.own_days = np.zeros((n, d)), np.zeros(n)

    def step(self, weekday: int, hours: list[float]) -> Array:
        """The chances of the shapes of a day; `said` is what was said of it before."""
        wh = np.array(hours)
        turned = np.abs(wh).sum()
        at = features(wh / turned) @ self.book.projection
        experts = self.experts(weekday)
        self.said = (1 - next_day.FLOOR * len(self.start)) * self.weights @ experts + next_day.FLOOR
        chances = self.chances(at, turned)
        self.learn(at, turned, chances)
        self.count(weekday, experts, chances**own.TOLD / (chances**own.TOLD).sum())
        self.before = chances
        self.day += 1
        return chances

    def experts(self, weekday: int) -> Array:
        """Each expert's opinion: its counts, with some days of a wider expert's opinion added."""
        follows = np.zeros(len(self.start)) if self.before is None else self.before @ self.counts[AFTER:]
        rows = [self.counts[ALL], self.counts[KINDS + (weekday >= 5)], self.counts[WEEKDAYS + weekday], follows]
        found: list[Array] = []
        for row, firm, wider in zip([*rows, self.counts[LATELY]], next_day.FIRM, (None, 0, 1, 1, 0), strict=True):
            wide = self.start if wider is None else found[wider]
            found.append((row + firm * wide) / (row.sum() + firm))
        return np.array(found)

    def centres(self) -> Array:
        """The prototypes, each moved by what the home's own days of its name say."""
        found = self.book.prototypes.copy()
        for p, name in enumerate(self.book.owner):
            count, length = min(self.own_days[name], own.OWN_KEPT), np.linalg.norm(self.own[name])
            if length > 0:
                found[p] += self.own[name] * min(count / (count + own.OWN_DAYS), own.OWN_REACH / length)
        return found

    def chances(self, at: Array, turned: float) -> Array:
        """Bayes, with the day's shape and the home's habit each to a power."""
        log = -0.5 * ((self.centres() - at) ** 2).sum(axis=1)
        shape = np.zeros(len(self.start))
        for p, name in enumerate(self.book.owner):
            shape[name] += self.book.weights[p] / self.start[name] * np.exp(log[p] - log.max())
        odds = self.book.sharpness * np.log(shape + 1e-9) + own.PRIOR * np.log(self.said)
        usual, most = (own.AWAY_PART * self.level_wh, own.AWAY_LOG) if self.level_wh else (own.AWAY_WH, 0.5)
        odds[self.book.names.index("away")] += np.clip(1.5 * math.log(usual / turned), -most, most)
        likely = np.exp(odds - odds.max())
        return np.asarray(likely / likely.sum())

    def learn(self, at: Array, turned: float, chances: Array) -> None:
        """What the home's sure days say of its shapes and of its level."""
        best = int(chances.argmax())
        if chances[best] < own.SURE:
            return
        if self.book.names[best] != "away":
            self.level_wh += (turned - self.level_wh) * (own.LEVEL_PART if self.level_wh else 1.0)
        apart = at - self.book.prototypes[np.array(self.book.owner) == best]
        self.own_days[best] += 1
        nearest = apart[(apart**2).sum(axis=1).argmin()]
        self.own[best] += (nearest - self.own[best]) / min(self.own_days[best], own.OWN_KEPT)

    def count(self, weekday: int, experts: Array, seen: Array) -> None:
        """Believe the experts by what came; add the day to the counts."""
        right = self.weights * (experts @ seen + 1e-6)
        self.weights = (1 - next_day.SHARE) * right / right.sum() + next_day.SHARE / 5
        all_, kind, same, follows, lately = (0.5 ** (1 / half) for half in next_day.HALF_LIFE)
        self.counts *= np.array([all_, kind, kind, *[same] * 7, lately, *[follows] * len(seen)])[:, None]
        for row in (ALL, KINDS + (weekday >= 5), WEEKDAYS + weekday, LATELY):
            self.counts[row] += seen
        if self.before is not None:
            self.counts[AFTER:] += np.outer(self.before, seen)
