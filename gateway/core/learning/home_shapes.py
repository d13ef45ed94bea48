"""One home's days, one after the other: the class of each, what the home is like, what tomorrow will be, what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from gateway.core.learning.shape_day import MIN_COVERAGE, Array, DayNumbers, day_numbers, features
from gateway.core.learning.shape_dictionary import AWAY, ShapeDictionary
from gateway.core.learning.shape_drift import Drift
from gateway.core.learning.shape_tomorrow import EXPERTS, NextDay
from gateway.core.learning.shape_words import why
from gateway.model.learned import DayShape
from gateway.model.shapes import HomeShape, ShapeChances

UNKNOWN = "unknown"
PRIOR = 0.6
"""How much the home's own days count beside the shape of the day itself (0 not at all, 1 as Bayes would)."""
TOLD = 2.0
"""A day counts for tomorrow by its chances to this power: more by the name that is told than by the doubts about it."""
AWAY_WH = 3000.0
"""A day of less than this speaks for "away" while the home's usual day is not known."""
AWAY_PART = 0.5
"""A day of less than this part of the home's usual speaks for "away"."""
AWAY_LOG = 2.0
"""At most so much (natural logarithm of the odds) does the level speak."""
OWN_DAYS = 20.0
"""A home's own days move a shape halfway to themselves after so many of them."""
OWN_REACH = 1.0
"""No shape is moved further than this (in standard deviations of a day of it): its name stays what it was."""
OWN_KEPT = 100.0
SURE = 0.7
"""Only a day as sure as this teaches."""
LEVEL_PART = 0.05
KIND = "hearth home shapes"
VERSION = 1


@dataclass(slots=True)
class HomeShapes:
    """The streaming state of one home; `step` once for each local day in order, a left out day does no harm."""

    dictionary: ShapeDictionary
    next_day: NextDay = field(init=False)
    drift: Drift = field(default_factory=Drift)
    own: Array = field(init=False)
    """How far the home's days of each name lie from the dictionary's (names x d), and `own_days` how many they are."""
    own_days: Array = field(init=False)
    level_wh: float = 0.0
    """What the home usually turns over on a day, Wh; 0 while not known."""
    counts: Array = field(init=False)
    """Days of each name since the first, whole numbers."""
    last: date | None = None
    """The last day taken."""
    before: Array | None = None
    """The chances of its shapes; None when it had no class."""
    _centres: Array = field(init=False)
    _begins: list[int] = field(init=False)
    _groups: list[slice] = field(init=False)
    """Where the prototypes of each name stand."""
    _away: int = field(init=False)

    def __post_init__(self) -> None:
        book, n = self.dictionary, len(self.dictionary.names)
        if list(book.owner) != sorted(book.owner):
            raise ValueError("the prototypes of a name must stand together")
        start = np.bincount(book.owner, weights=book.weights, minlength=n).astype(float)
        self.next_day = NextDay.fresh(start)
        self.own, self.own_days, self.counts = np.zeros((n, book.prototypes.shape[1])), np.zeros(n), np.zeros(n)
        self._begins = [book.owner.index(i) for i in range(n)]
        self._groups = [slice(begin, end) for begin, end in pairwise([*self._begins, len(book.owner)])]
        self._away = book.names.index(AWAY) if AWAY in book.names else -1
        self._centres = book.prototypes.copy()

    def step(self, day: date, hourly_wh: Sequence[float | None]) -> DayShape:
        """Class a local day by its 23 to 25 hourly net energies in Wh (import positive, None where not measured).

        The shape counts, not the size, and the home's own days help. Confidence is 0-1; a day that was measured too
        little or used nothing is "unknown" with an empty profile. Raises ValueError for a day that is not after the last.
        """
        if self.last is not None and day <= self.last:
            raise ValueError(f"{day} is not after {self.last}, the last day taken")
        numbers = day_numbers(hourly_wh)
        after = self.before if self.last == day - timedelta(days=1) else None
        self.last, self.before = day, None
        if not numbers.known:
            return _unknown(day, numbers)
        at = features(numbers.shares) @ self.dictionary.projection
        said = self.next_day.experts(day.weekday(), after)
        chances = self._chances(at, numbers.turned_wh, self.next_day.mixed(said))
        self._learn(at, chances, numbers.turned_wh)
        surer = chances**TOLD
        self.next_day.step(day.weekday(), after, surer / surer.sum(), said)
        self.drift.step(day, numbers.hours_wh, chances)
        self.before = chances
        return self._told(day, numbers, chances)

    def _chances(self, at: Array, turned_wh: float, prior: Array) -> Array:
        """The chance of each name: nearness to its prototypes, what the home does on such days, and its level."""
        book = self.dictionary
        apart = self._centres - at
        log = -0.5 * np.einsum("ij,ij->i", apart, apart)
        near = np.add.reduceat(np.exp(log - log.max()) * book.weights, self._begins) / self.next_day.start
        odds = book.sharpness * np.log(near + 1e-9) + PRIOR * np.log(prior)
        if self._away >= 0:
            usual, most = (AWAY_PART * self.level_wh, AWAY_LOG) if self.level_wh else (AWAY_WH, 0.5)
            odds[self._away] += max(-most, min(most, 1.5 * math.log(usual / turned_wh)))
        weights = np.exp(odds - odds.max())
        return np.asarray(weights / weights.sum())

    def _learn(self, at: Array, chances: Array, turned_wh: float) -> None:
        """Move the shape the day surely had a little towards it; take up the level of days with people."""
        best = int(chances.argmax())
        self.counts[best] += 1
        if chances[best] < SURE:
            return
        if best != self._away:
            self.level_wh += (turned_wh - self.level_wh) * (LEVEL_PART if self.level_wh else 1.0)
        group = self._groups[best]
        apart = at - self.dictionary.prototypes[group]
        nearest = apart[int(np.einsum("ij,ij->i", apart, apart).argmin())]
        self.own_days[best] += 1
        # The mean so far at first, later the last hundred days: a home changes its habits.
        self.own[best] += (nearest - self.own[best]) / min(float(self.own_days[best]), OWN_KEPT)
        self._move(best)

    def _move(self, name: int) -> None:
        """Put the prototypes of a name where the home's own days say, within reach."""
        count = min(float(self.own_days[name]), OWN_KEPT)
        own = self.own[name]
        length = math.sqrt(float(own @ own))
        part = min(count / (count + OWN_DAYS), OWN_REACH / length) if length > 0 else 0.0
        group = self._groups[name]
        np.add(self.dictionary.prototypes[group], own * part, out=self._centres[group])

    def _told(self, day: date, numbers: DayNumbers, chances: Array) -> DayShape:
        names = self.dictionary.names
        known = chances.tolist()
        order = sorted(range(len(known)), key=known.__getitem__, reverse=True)
        best = names[order[0]]
        positive = np.maximum(numbers.hours_wh, 0.0)
        used = float(positive.sum())
        profile = tuple((positive / used).tolist()) if used > 0 else (1 / 24,) * 24
        # What was not measured may have made it another day: so much less sure.
        part = numbers.coverage
        others = tuple((names[i], round(known[i] * part, 4)) for i in order[1:4])
        reason = why(best, numbers.shares, numbers.net_wh)
        return DayShape(day, best, known[order[0]] * part, numbers.net_wh, profile, reason, others, numbers.coverage)

    def chances(self, day: date) -> ShapeChances:
        """The chance of each shape for a day to come; before the first day the dictionary's own."""
        after = self.before if self.last == day - timedelta(days=1) else None
        experts = self.next_day.experts(day.weekday(), after)
        mixed = self.next_day.mixed(experts)
        names = self.dictionary.names
        rows = tuple((names[i], float(mixed[i])) for i in np.argsort(-mixed, kind="stable"))
        if not self.counts.sum():
            return ShapeChances(day, rows, "Nothing is known of this home yet; so do homes in general.")
        return ShapeChances(
            day,
            rows,
            f"Weighed most: {EXPERTS[int(self.next_day.weights.argmax())]}, which told this home's days best so far.",
        )

    def home(self) -> HomeShape | None:
        """What the home is like; None before its first classed day."""
        if not self.counts.sum():
            return None
        names, mean = self.dictionary.names, self.next_day.all_days / self.next_day.all_days.sum()
        best = int(mean.argmax())
        entropy = -float((mean[mean > 0] * np.log2(mean[mean > 0])).sum())
        counts = sorted(
            ((name, int(n)) for name, n in zip(names, self.counts, strict=True) if n), key=lambda row: -row[1]
        )
        return HomeShape(
            names[best],
            float(mean[best]),
            max(0.0, entropy),
            int(self.counts.sum()),
            tuple(counts),
            self._transitions(),
            self.drift.told,
        )

    def _transitions(self) -> tuple[tuple[str, str, float], ...]:
        names, after = self.dictionary.names, self.next_day.after
        rows = []
        for i, j in np.argwhere(after >= 3.0):
            rows.append((names[i], names[j], float(after[i, j] / after[i].sum())))
        return tuple(sorted(rows, key=lambda row: -row[2]))

    def to_document(self) -> dict[str, Any]:
        """The whole state as JSON of a few KiB, less the dictionary."""
        return {
            "kind": KIND,
            "version": VERSION,
            "names": list(self.dictionary.names),
            "next_day": self.next_day.to_document(),
            "drift": self.drift.to_document(),
            "own": self.own.tolist(),
            "own_days": self.own_days.tolist(),
            "level_wh": self.level_wh,
            "counts": self.counts.tolist(),
            "last": self.last and self.last.isoformat(),
            "before": None if self.before is None else self.before.tolist(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], dictionary: ShapeDictionary) -> HomeShapes:
        """What `to_document` wrote with this dictionary; raises ValueError for another one's, or what is none."""
        try:
            if document["kind"] != KIND or document["version"] != VERSION:
                raise ValueError("not a document of this version")
            if tuple(document["names"]) != dictionary.names:
                raise ValueError("it was written with another dictionary")
            return cls._read(document, dictionary)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"cannot be read: {error!r}") from error

    @classmethod
    def _read(cls, document: Mapping[str, Any], dictionary: ShapeDictionary) -> HomeShapes:
        state = cls(dictionary)
        n = len(dictionary.names)
        state.next_day = NextDay.from_document(document["next_day"], state.next_day.start)
        state.drift = Drift.from_document(document["drift"], n)
        state.own = _fits(document["own"], state.own.shape)
        state.own_days, state.counts = _fits(document["own_days"], (n,)), _fits(document["counts"], (n,))
        state.level_wh = float(document["level_wh"])
        state.last = None if document["last"] is None else date.fromisoformat(document["last"])
        state.before = None if document["before"] is None else _fits(document["before"], (n,))
        for name in range(n):
            state._move(name)
        return state


def _fits(rows: Any, shape: tuple[int, ...]) -> Array:
    found = np.array(rows, dtype=float)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError("it was written with another dictionary")
    return found


def _unknown(day: date, numbers: DayNumbers) -> DayShape:
    little = numbers.coverage < MIN_COVERAGE
    reason = "Too little of the day was measured." if little else "Hardly any energy was used."
    return DayShape(day, UNKNOWN, 0.0, numbers.net_wh, (), reason, (), numbers.coverage)
