"""Labelled anomalies put into otherwise normal homes, synthetic or real: part of the frozen generator.

    spike      +1.5 to 3 kW for 2 to 5 h, begun at any hour        about one a month
    left_on    +150 to 400 W for 1 to 4 d                          about one a month
    always_on  +80 to 250 W, growing over 0 to 14 d, then staying  at most one a series (60 %)
    pv_low     PV makes 30 to 80 % of what it should, 30 to 90 d   at most one a series with PV (60 %)
Spikes and left-ons keep a day clear of each other and of what is missing; the first 60 days stay clean, to learn on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.shapes.homes import Event, Home
from benchmarks.shapes.sky import SLOT_S, Floats

KINDS = ("spike", "left_on", "always_on", "pv_low")
CLEAN_DAYS = 60
MONTH_DAYS = 30.4


def anomalous(homes: Iterable[Home], seed: int) -> Iterator[Home]:
    """The same homes with anomalies in watts and pv, and in events after their own; the labels of days stay."""
    for k, home in enumerate(homes):
        watts, pv, found = insert(home.watts, home.start, [seed, k], pv=home.pv)
        yield replace(home, watts=watts, pv=pv, events=[*home.events, *found])


def insert(
    watts: Floats, start: datetime, seed: int | list[int], *, step_s: int = SLOT_S, pv: Floats | None = None
) -> tuple[Floats, Floats, list[Event]]:
    """A series of net W (nan: missing) and its PV in W, in steps of step_s from start, with anomalies and their truth.

    The truth: [start, end) in UTC and size in W (pv_low: mean W lost). Without pv the second array is all zeros.
    """
    dice = np.random.default_rng(seed)
    day = 86400 // step_s
    made = np.zeros(len(watts)) if pv is None else pv
    taken = np.isnan(watts)
    taken[: CLEAN_DAYS * day] = True
    added, found = np.zeros(len(watts)), []
    for _ in range(round((len(watts) / day - CLEAN_DAYS) / MONTH_DAYS)):
        for kind, longest in (("left_on", 4 * day), ("spike", 5 * day / 24)):
            length = int(dice.integers(round(longest / 4 if kind == "left_on" else longest * 0.4), round(longest) + 1))
            power = float(dice.uniform(150, 400) if kind == "left_on" else dice.uniform(1500, 3000))
            at = _room(dice, taken, length, day)
            if at is not None:
                taken[at : at + length] = True
                added[at : at + length] += power * dice.normal(1, 0.03, length)
                found.append((kind, at, at + length, power))
    found += _drift(dice, added, day)
    lost, late = _weak_sun(dice, made, day)
    events = [
        Event(kind, start + timedelta(seconds=step_s * a), start + timedelta(seconds=step_s * b), round(size))
        for kind, a, b, size in sorted(found + late, key=lambda row: row[1])
    ]
    return watts + np.round(added + lost), made - np.round(lost), events


def _room(dice: Generator, taken: NDArray[np.bool_], length: int, margin: int) -> int | None:
    """A random begin with nothing taken from a margin before to a margin after; None after 40 tries."""
    for _ in range(40):
        at = int(dice.integers(margin, len(taken) - length - margin))
        if not taken[at - margin : at + length + margin].any():
            return at
    return None


def _drift(dice: Generator, added: Floats, day: int) -> list[tuple[str, int, int, float]]:
    """A level that stays until the end of the series."""
    n = len(added)
    if dice.random() > 0.6 or n < (CLEAN_DAYS + 61) * day:
        return []
    at, grow, power = (
        int(dice.integers(CLEAN_DAYS * day, n - 60 * day)),
        dice.integers(0, 14 * day),
        dice.uniform(80, 250),
    )
    added[at:] += power * np.minimum(np.arange(1, n - at + 1) / (grow + 1), 1)
    return [("always_on", at, n, float(power))]


def _weak_sun(dice: Generator, made: Floats, day: int) -> tuple[Floats, list[tuple[str, int, int, float]]]:
    """W lost per slot while strings fail or snow, dirt or shade lie on the modules."""
    lost, n = np.zeros(len(made)), len(made)
    if dice.random() > 0.6 or n < (CLEAN_DAYS + 91) * day:
        return lost, []
    at, length, share = (
        int(dice.integers(CLEAN_DAYS * day, n - 90 * day)),
        int(dice.integers(30, 91)) * day,
        dice.uniform(0.2, 0.7),
    )
    span = slice(at, at + length)
    gone = np.nan_to_num(made[span]) * share
    if not gone.any() or gone.mean() < 0.01 * np.nanmax(made):  # in the dark of winter nothing is lost
        return lost, []
    lost[span] = gone
    return lost, [("pv_low", at, at + length, float(gone.mean()))]
