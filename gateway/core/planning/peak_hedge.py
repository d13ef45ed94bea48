"""What is kept in the batteries against a load that no forecast can tell: it would make a peak that a month is billed by.

    expected load  ____/----\\____      level, up to which a peak is free  ------------
    what comes     __|_/--|-\\_|__       an excursion above it lasts half an hour, more or less

How far a quarter hour lies above what was expected falls off exponentially: from the 90 % quantile follows how often it
passes the level. The energy of an excursion does too, so each further Wh is needed less often than the one before. A Wh
kept lowers the peak by its power over the excursion: its worth is the peak's price of that, times the chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gateway.core.planning.charges import PeakMonth
from gateway.core.planning.doubt import band_w
from gateway.core.planning.home import Home
from gateway.core.planning.slots import Array

TAIL = math.log(10) - 1
"""The 90 % quantile of an exponential lies so many times its own width above its mean."""
PIECE_H = 3.0
"""What is kept is looked at so often: between, there is time to charge again."""
SPELL_H = 0.5
"""Energy of an excursion within a piece over its mean power: 0.35 to 0.6 h in five real homes, at all levels."""
PARTS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Edges of the parts of what is kept, in mean excursions; the last is hardly ever needed, but keeping it is often free."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """At the end of slot `index` each Wh (inside the batteries) of `widths_wh` is worth `worth` micro-units."""

    index: int
    widths_wh: tuple[float, ...]
    worth: tuple[float, ...]


def against_peaks(home: Home) -> tuple[Reserve, ...]:
    """What is worth keeping against peaks that cost, at the end of every three hours."""
    band = band_w(home.request, home.slots)
    if not home.batteries or not band.any():
        return ()
    spread = np.maximum(band / TAIL, 1.0)
    return tuple(kept for peak in home.charges.peaks for kept in _of(home, peak, spread))


def _of(home: Home, peak: PeakMonth, spread: Array) -> Iterator[Reserve]:
    hours, ahead = home.slots.hours, home.slots.ahead_h
    out = min(b.spec.discharge_efficiency for b in home.batteries)
    above = _chance(home, peak, spread) * spread * hours
    for first in np.arange(0.0, float(ahead[-1]), PIECE_H):
        here = np.flatnonzero((ahead >= first) & (ahead < first + PIECE_H))
        expected = float(above[here].sum())
        if expected < 1.0 or here[-1] + 1 >= home.slots.count:
            continue
        width = float(above[here] @ spread[here]) / expected
        spell = width * SPELL_H
        often, price = min(1.0, expected / spell), _price(peak, width)
        worth = tuple(often * math.exp(-(a + b) / 2) * price / SPELL_H * out for a, b in pairwise(PARTS))
        yield Reserve(int(here[-1]), tuple((b - a) * spell / out for a, b in pairwise(PARTS)), worth)


def _chance(home: Home, peak: PeakMonth, spread: Array) -> Array:
    """How likely the load of a slot passes what is free; 0 where nothing is billed."""
    chance, mean = np.zeros(home.slots.count), home.base_w + home.given_w
    for number, day in enumerate(peak.rivals):
        for where, _ in day:
            far = peak.free_of(number) - mean[where] + spread[where]
            chance[where] = np.exp(-np.maximum(0.0, far) / spread[where])
    return chance


def _price(peak: PeakMonth, width_w: float) -> float:
    """What a W above the level costs, micro-units; the next step's price lies on the usual excursion's W."""
    if not peak.charge.steps:
        return peak.price
    return (peak.higher.level_micro - peak.level_micro) / width_w if peak.higher is not None else 0.0
