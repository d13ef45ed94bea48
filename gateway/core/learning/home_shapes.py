"""One home's days, one after the other: the class of each, what the home is like, what tomorrow will be, what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from math import exp, log
from typing import Any

import numpy as np

from gateway.core.learning.shape_day import FEATURES, MIN_COVERAGE, Array, DayNumbers, day_features, day_numbers
from gateway.core.learning.shape_dictionary import AWAY, ShapeDictionary
from gateway.core.learning.shape_drift import Drift
from gateway.core.learning.shape_rest import Rest
from gateway.core.learning.shape_tomorrow import EXPERTS, NextDay
from gateway.core.learning.shape_words import why
from gateway.model.learned import DayShape
from gateway.model.shapes import HomeShape, ShapeChances

UNKNOWN = "unknown"
PRIOR = 0.6
"""How much the home's own days count beside the shape of the day itself (0 not at all, 1 as Bayes would)."""
TOLD = 2.0
"""A day counts for tomorrow by its chances to this power: more by the name that is told than by the doubts about it."""
SURER = 1.15
"""Tomorrow is told by its chances to this power: the experts together are less sure than they are right.

Chosen on the hard synthetic homes of seeds 1 to 3: there the calibration error falls from 0.032-0.034 to 0.006-0.009."""
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
FAR = 50.0
"""What is further than this (natural logarithm) from being the nearest adds nothing that counts beside the 1e-9."""
DAY = timedelta(days=1)
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
    own_days: list[float] = field(init=False)
    level_wh: float = 0.0
    """What the home usually turns over on a day, Wh; 0 while not known."""
    counts: list[float] = field(init=False)
    """Days of each name since the first, whole numbers."""
    last: date | None = None
    """The last day taken."""
    before: Array | None = None
    """The chances of its shapes; None when it had no class."""
    _centres: Array = field(init=False)
    _halves: Array = field(init=False)
    """Half the square of each centre's length."""
    _plane: Array = field(init=False)
    """The dictionary's projection, a row for each direction."""
    _groups: list[slice] = field(init=False)
    """Where the prototypes of each name stand."""
    _still: list[tuple[Array, Array]] = field(init=False)
    """Of each name the dictionary's prototypes, and half the squares of their lengths."""
    _moved: list[tuple[Array, Array]] = field(init=False)
    """The same of the centres: windows on them."""
    _weights: list[float] = field(init=False)
    """Of each prototype within its name."""
    _away: int = field(init=False)

    def __post_init__(self) -> None:
        book, n = self.dictionary, len(self.dictionary.names)
        if list(book.owner) != sorted(book.owner):
            raise ValueError("the prototypes of a name must stand together")
        start = np.bincount(book.owner, weights=book.weights, minlength=n).astype(float)
        self.next_day = NextDay.fresh(start)
        self.own, self.own_days, self.counts = np.zeros((n, book.prototypes.shape[1])), [0.0] * n, [0.0] * n
        begins = [book.owner.index(i) for i in range(n)]
        self._groups = [slice(begin, end) for begin, end in pairwise([*begins, len(book.owner)])]
        self._away = book.names.index(AWAY) if AWAY in book.names else -1
        self._centres, self._plane = book.prototypes.copy(), np.ascontiguousarray(book.projection.T)
        self._halves = 0.5 * (self._centres**2).sum(axis=1)
        self._still = [(book.prototypes[group], self._halves[group].copy()) for group in self._groups]
        self._moved = [(self._centres[group], self._halves[group]) for group in self._groups]
        self._weights = (book.weights / start[list(book.owner)]).tolist()

    def step(self, day: date, hourly_wh: Sequence[float | None], rest: Rest | None = None) -> DayShape:
        """Class a local day by its 23 to 25 hourly net energies in Wh (import positive, None where not measured).

        The shape counts, not the size, and the home's own days help. Confidence is 0-1; a day that was measured too
        little or used nothing is "unknown" with an empty profile. `rest` is what of the day no device of the site file
        explains, where what has changed is looked for; None: all of it. Raises ValueError for a day that is not after the last.
        """
        if self.last is not None and day <= self.last:
            raise ValueError(f"{day} is not after {self.last}, the last day taken")
        numbers = day_numbers(hourly_wh)
        after = self.before if self.last == day - DAY else None
        self.last, self.before = day, None
        if not numbers.known:
            return _unknown(day, numbers)
        at = self._place(numbers)
        said = self.next_day.said(day.weekday(), after)
        chances = self._chances(at, numbers.turned_wh, said.chances)
        order = sorted(range(len(chances)), key=chances.__getitem__, reverse=True)
        self._learn(at, order[0], chances[order[0]], numbers.turned_wh)
        self.next_day.step(day.weekday(), after, np.array(_of_one([chance**TOLD for chance in chances])), said)
        self._look_for_change(day, numbers, chances, rest)
        self.before = np.array(chances)
        return self._told(day, numbers, chances, order)

    def _look_for_change(self, day: date, numbers: DayNumbers, chances: list[float], rest: Rest | None) -> None:
        if rest is None:
            self.drift.step(day, numbers, chances)
            return
        if rest.imported and self.drift.begun and not self.drift.imported:
            return  # a gap that was filled from elsewhere says nothing against the hub's own days
        fresh = self.drift.begun_anew(rest)
        if fresh is not None:
            begun, self.drift = self.drift.begun, fresh
            if begun:
                return  # of this day one part means this and the other that
        if rest.parts:
            numbers = day_numbers(rest.hours_wh)
            if not numbers.known:
                return
            alike = [1 / len(chances)] * len(chances)
            at = self._place(numbers)
            chances = self._chances(at, numbers.turned_wh, alike)
        self.drift.step(day, numbers, chances, rest.explained)

    def _place(self, numbers: DayNumbers) -> Array:
        """Where a day lies in the dictionary's plane."""
        found: Array = self._plane.dot(np.fromiter(day_features(numbers.shares), float, FEATURES))
        return found

    def _chances(self, at: Array, turned_wh: float, prior: list[float]) -> list[float]:
        """The chance of each name: nearness to its prototypes, what the home does on such days, and its level."""
        # Minus half the squared distance to each centre, but for the day's own half square, which is the same for all.
        logs = (self._centres.dot(at) - self._halves).tolist()
        top = max(logs)
        far = top - FAR
        nears = [w * exp(at - top) if at > far else 0.0 for w, at in zip(self._weights, logs, strict=True)]
        sharpness = self.dictionary.sharpness
        odds = [
            sharpness * log(sum(nears[group]) + 1e-9) + PRIOR * log(chance)
            for group, chance in zip(self._groups, prior, strict=True)
        ]
        if self._away >= 0:
            usual, most = (AWAY_PART * self.level_wh, AWAY_LOG) if self.level_wh else (AWAY_WH, 0.5)
            odds[self._away] += max(-most, min(most, 1.5 * log(usual / turned_wh)))
        top = max(odds)
        return _of_one([exp(odd - top) for odd in odds])

    def _learn(self, at: Array, best: int, chance: float, turned_wh: float) -> None:
        """Move the shape the day surely had a little towards it; take up the level of days with people."""
        self.counts[best] += 1
        if chance < SURE:
            return
        if best != self._away:
            self.level_wh += (turned_wh - self.level_wh) * (LEVEL_PART if self.level_wh else 1.0)
        prototypes, halves = self._still[best]
        nearest = prototypes[(prototypes.dot(at) - halves).argmax()]
        self.own_days[best] += 1
        # The mean so far at first, later the last hundred days: a home changes its habits.
        own = self.own[best]
        own += (at - nearest - own) / min(self.own_days[best], OWN_KEPT)
        self._move(best)

    def _move(self, name: int) -> None:
        """Put the prototypes of a name where the home's own days say, within reach."""
        count = min(self.own_days[name], OWN_KEPT)
        own = self.own[name]
        length = math.sqrt(own.dot(own))
        part = min(count / (count + OWN_DAYS), OWN_REACH / length) if length > 0 else 0.0
        centres, halves = self._moved[name]
        np.add(self._still[name][0], own * part, out=centres)
        np.add.reduce(centres * centres, axis=1, out=halves)
        halves *= 0.5

    def _told(self, day: date, numbers: DayNumbers, chances: list[float], order: list[int]) -> DayShape:
        """The answer; `order` are the names by their chances, the likeliest first."""
        names = self.dictionary.names
        best, profile = names[order[0]], numbers.profile()
        # What was not measured may have made it another day: so much less sure.
        part = numbers.coverage
        others = tuple([(names[i], round(chances[i] * part, 4)) for i in order[1:4]])
        reason = why(best, numbers.hours_wh, profile, numbers.net_wh)
        return DayShape(day, best, chances[order[0]] * part, numbers.net_wh, profile, reason, others, part)

    def chances(self, day: date) -> ShapeChances:
        """The chance of each shape for a day to come; before the first day the dictionary's own."""
        after = self.before if self.last == day - DAY else None
        mixed, names = self.next_day.chances(day.weekday(), after), self.dictionary.names
        known = any(self.counts)
        told = _of_one([chance**SURER for chance in mixed]) if known else mixed
        rows = tuple((names[i], told[i]) for i in sorted(range(len(names)), key=told.__getitem__, reverse=True))
        if not known:
            return ShapeChances(day, rows, "Nothing is known of this home yet; so do homes in general.")
        weights = self.next_day.weights
        most = EXPERTS[weights.index(max(weights))]
        return ShapeChances(day, rows, f"Weighed most: {most}, which told this home's days best so far.")

    def home(self) -> HomeShape | None:
        """What the home is like; None before its first classed day."""
        if not any(self.counts):
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
            int(sum(self.counts)),
            tuple(counts),
            self._transitions(),
            self.drift.told,
            self.drift.blind_days,
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
            "own_days": list(self.own_days),
            "level_wh": self.level_wh,
            "counts": list(self.counts),
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
        state.own_days, state.counts = (_fits(document[part], (n,)).tolist() for part in ("own_days", "counts"))
        state.level_wh = float(document["level_wh"])
        state.last = None if document["last"] is None else date.fromisoformat(document["last"])
        state.before = None if document["before"] is None else _fits(document["before"], (n,))
        for name in range(n):
            state._move(name)
        return state


def _of_one(parts: list[float]) -> list[float]:
    """The parts over their sum."""
    total = sum(parts)
    return [part / total for part in parts]


def _fits(rows: Any, shape: tuple[int, ...]) -> Array:
    found = np.array(rows, dtype=float)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError("it was written with another dictionary")
    return found


def _unknown(day: date, numbers: DayNumbers) -> DayShape:
    little = numbers.coverage < MIN_COVERAGE
    reason = "Too little of the day was measured." if little else "Hardly any energy was used."
    return DayShape(day, UNKNOWN, 0.0, numbers.net_wh, (), reason, (), numbers.coverage)
