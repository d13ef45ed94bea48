"""What of a switched device may be moved in a plan: candidates, and the least that each can cost by the plan's own prices.

on       |##|__|__|##|##|__|
one      |##|__|##|##|##|__|       switched over
two      |##|__|##|__|##|__|       some off, some on
shifted  |##|__|##|##|__|__|       a run a step earlier or later
joined   |##|##|##|__|__|__|       a short run beside another one: a start less
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.limits import Mask
from gateway.core.planning.lp import Index
from gateway.core.planning.rounding import runs
from gateway.core.planning.slots import Array

Where = NDArray[np.intp]
Move = tuple[int, ...]
"""The steps that are switched over."""
LENGTHS_H = (1 / 12, 0.25, 0.5, 1.0)
"""So much at a time is switched over, h."""
BEST = 5
"""Of each length the most promising, of those that are on and of those that are off."""
SHORT = 4
"""Runs of up to so many steps are joined to others."""


class Duty(Protocol):
    """What a device owes beside what its power costs."""

    def missed(self, on: Mask) -> Array:
        """What each row of `on`, over the device's slots, misses at least, micro-units; infinite where it cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class Switched:
    """A device that is on or off in each of its slots; it is switched over a step of one or more slots at a time."""

    own: Index
    """Its columns."""
    slots: Where
    steps: Where
    """The number of the step of each slot, from 0 without a gap."""
    hours: Array
    able: Mask
    on: Mask
    low_w: Array
    """The least and the most it draws where it is on, W."""
    high_w: Array
    start_micro: float
    running: bool
    duty: Duty

    @property
    def starts(self) -> int:
        """How often it starts."""
        return int(self._starts(self.on[None, :])[0])

    def after(self, move: Move) -> Switched:
        """The same after a move."""
        return replace(self, on=self._moved([move])[0])

    def promising(self, worth: Array, power_w: Array) -> tuple[list[Move], Array]:
        """Moves, and the least that each can cost, micro-units (negative: it may gain), starts included.

        `worth` is what one more W costs in each slot beside the duty, `power_w` what it draws.
        """
        # What is on is given up with all it draws; what is off draws its least at least.
        change = np.where(self.able, np.where(self.on, -worth * power_w, worth * self.low_w), 0.0)
        gain = np.bincount(self.steps, change).astype(np.float64)
        found = list(dict.fromkeys(self._candidates(gain)))
        if not found:
            return [], np.zeros(0)
        on = self._moved(found)
        now = self.duty.missed(self.on[None, :])
        cost = np.where(on ^ self.on, change, 0.0).sum(axis=1) + self.duty.missed(on) - now
        return found, cost + self.start_micro * (self._starts(on) - self.starts)

    def _moved(self, found: list[Move]) -> Mask:
        """One row of slots for each move."""
        whole = np.bincount(self.steps, self.on & self.able) > 0
        over = np.zeros((len(found), len(whole)), dtype=bool)
        for row, move in enumerate(found):
            over[row, list(move)] = True
        over = over[:, self.steps] & self.able
        return np.where(over, ~whole[self.steps], self.on)

    def _starts(self, on: Mask) -> Array:
        before = np.concatenate((np.full((len(on), 1), self.running), on[:, :-1]), axis=1)
        return np.asarray((on & ~before).sum(axis=1, dtype=float))

    def _candidates(self, gain: Array) -> Iterator[Move]:
        able = np.bincount(self.steps, self.able) > 0
        on = np.bincount(self.steps, self.on & self.able) > 0
        hours = np.bincount(self.steps, self.hours).astype(np.float64)
        away, to = (
            [move for length in LENGTHS_H for move in _best(mask & able, gain, hours, length)] for mask in (on, ~on)
        )
        yield from (*away, *to)
        yield from ((*one, *other) for one, other in product(away, to))
        spans = runs(on)
        for start, end in spans:
            yield from _placed(on, able, (end - 1,), range(start - 1, start))
            yield from _placed(on, able, (start,), range(end, end + 1))
            for low, high in spans if end - start <= SHORT else ():
                if low != start:
                    steps = tuple(range(start, end))
                    yield from _placed(on, able, steps, range(low - len(steps), low))
                    yield from _placed(on, able, steps, range(high, high + len(steps)))


def _best(mask: Mask, gain: Array, hours: Array, length_h: float) -> list[Move]:
    """The most promising spans of about a length within a mask, none of them overlapping."""
    ends = np.concatenate(([0.0], np.cumsum(hours)))
    sums, out = np.concatenate(([0.0], np.cumsum(gain))), np.concatenate(([0], np.cumsum(~mask)))
    last = np.searchsorted(ends, ends[:-1] + length_h - 0.01)
    first = np.flatnonzero(last < len(ends))
    last = last[first]
    fits = (out[last] == out[first]) & (ends[last] - ends[first] < length_h + 0.01)
    first, last = first[fits], last[fits]
    found: list[Move] = []
    for index in np.argsort(sums[last] - sums[first], kind="stable")[: 6 * BEST]:
        span = range(int(first[index]), int(last[index]))
        if not any(step in each for each in found for step in (span[0], span[-1])):
            found.append(tuple(span))
        if len(found) == BEST:
            break
    return found


def _placed(on: Mask, able: Mask, away: Move, to: range) -> Iterator[Move]:
    if to[0] >= 0 and to[-1] < len(on) and all(able[step] and not on[step] for step in to) and able[list(away)].all():
        yield (*away, *to)
