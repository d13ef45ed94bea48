"""A dictionary fitted to many homes: the named shapes move to where the homes' days are, and what has no name gets one.

Each round looks at all days in pieces and keeps sums alone. The names never change their meaning: every prototype is
held by its former place and goes no further than REACH, so that two samples of homes give nearly the same dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gateway.core.learning.shape_day import HOURS, Array, features
from gateway.core.learning.shape_dictionary import MAX_NAMES, ShapeDictionary
from gateway.core.learning.shape_fit import k_means
from gateway.core.learning.shape_words import hill_name

ROUNDS = 4
HELD = 200.0
"""A prototype's former place counts as so many days."""
REACH = 1.0
"""No prototype moves further than this (in standard deviations of a day)."""
FAR = 8.0
"""A day further than this from every prototype has none of the names."""
FOUND_SHARE = 0.02
"""A new shape holds at least this part of all days."""
KEPT = 5000
"""So many days without a name are kept to find new shapes in."""
MERGED = 2.5
"""Shapes nearer than this are one."""
MOST_FOUND = 6


@dataclass(slots=True)
class Round:
    """The sums of one look at the days."""

    base: ShapeDictionary
    dice: np.random.Generator
    days: int = 0
    far: int = 0
    sums: Array = field(init=False)
    counts: Array = field(init=False)
    curves: Array = field(init=False)
    kept: list[Array] = field(default_factory=list)
    """Some of the days far from all names, drawn so that each of them has the same chance to be here."""

    def __post_init__(self) -> None:
        self.sums, self.counts = np.zeros_like(self.base.prototypes), np.zeros(len(self.base.owner))
        self.curves = np.zeros((len(self.base.names), HOURS))

    def take(self, shares: Array) -> None:
        """Some days more: n x 24 shares over what was turned over."""
        at = features(shares) @ self.base.projection
        squares = _squares(at, self.base.prototypes)
        nearest, away = squares.argmin(axis=1), np.sqrt(squares.min(axis=1))
        near = away <= FAR
        np.add.at(self.sums, nearest[near], at[near])
        np.add.at(self.counts, nearest[near], 1.0)
        np.add.at(self.curves, np.array(self.base.owner)[nearest[near]], shares[near])
        self.days += len(shares)
        for row in shares[~near]:
            self.far += 1
            if len(self.kept) < KEPT:
                self.kept.append(row)
            elif (place := int(self.dice.integers(self.far))) < KEPT:
                self.kept[place] = row

    def fitted(self, anchor: ShapeDictionary) -> ShapeDictionary:
        """The dictionary with its prototypes where the days are, held by `anchor`, which every round began from."""
        moved = (self.sums + HELD * anchor.prototypes) / (self.counts + HELD)[:, None] - anchor.prototypes
        length = np.sqrt((moved**2).sum(axis=1, keepdims=True))
        prototypes = anchor.prototypes + moved * np.minimum(1.0, REACH / np.maximum(length, 1e-12))
        weights = self.counts + HELD * anchor.weights
        counts = np.bincount(anchor.owner, weights=self.counts, minlength=len(anchor.names))[:, None]
        curves = (self.curves + HELD * anchor.curves) / (counts + HELD)
        return replace(anchor, prototypes=prototypes, weights=weights / weights.sum(), curves=curves)


def with_found(book: ShapeDictionary, last: Round) -> ShapeDictionary:
    """The dictionary with shapes of the days that no name fits; equal ones are merged, few days make none."""
    least = FOUND_SHARE * last.days
    if last.far < least or len(last.kept) < 10:
        return book
    shares = np.array(last.kept)
    points = features(shares) @ book.projection
    part = last.far / len(last.kept)
    _, nearest = k_means(points, MOST_FOUND, last.dice)
    names, curves = list(book.names), [*book.curves]
    places, weights, owner = [*book.prototypes], [*(book.weights * last.days)], list(book.owner)
    for members in _merged(points, nearest):
        middle, curve = points[members].mean(axis=0), shares[members].mean(axis=0)
        apart = np.sqrt(((np.array(places) - middle) ** 2).sum(axis=1))
        name = names[owner[int(apart.argmin())]] if apart.min() < MERGED else hill_name(curve)
        if members.sum() * part < least or (name not in names and len(names) >= MAX_NAMES):
            continue
        if name not in names:
            names.append(name)
            curves.append(curve)
        places.append(middle)
        weights.append(members.sum() * part)
        owner.append(names.index(name))
    order = np.argsort(owner, kind="stable")
    total = np.array(weights)[order]
    return replace(
        book,
        names=tuple(names),
        curves=np.array(curves),
        prototypes=np.array(places)[order],
        weights=total / total.sum(),
        owner=tuple(int(owner[i]) for i in order),
    )


def _merged(
    points: Array, nearest: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> list[np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The groups' members, those of near equal middles together, the largest first."""
    groups = [nearest == group for group in np.unique(nearest)]
    groups.sort(key=lambda members: -int(members.sum()))
    kept: list[np.ndarray[tuple[int], np.dtype[np.bool_]]] = []
    for members in groups:
        middle = points[members].mean(axis=0)
        for i, other in enumerate(kept):
            if float(np.sqrt(((points[other].mean(axis=0) - middle) ** 2).sum())) < MERGED:
                kept[i] = other | members
                break
        else:
            kept.append(members)
    return kept


def _squares(points: Array, centres: Array) -> Array:
    inner: Array = points @ centres.T
    squares: Array = (points**2).sum(axis=1)[:, None] - 2 * inner + (centres**2).sum(axis=1)[None]
    return np.maximum(squares, 0.0)
