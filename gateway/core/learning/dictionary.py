"""The shipped dictionary of named load shapes: 24 hourly shares each, drawn from bumps over a base.

Origin: the names and the hours of the peaks follow what the load-shape literature keeps finding in homes (evening
peak, morning and evening, daytime, night, flat; Kwac, Flora and Rajagopal 2014 for unit-sum days and a small merged
dictionary). The curves are stated here as Gaussian bumps, not taken from anybody's data, so that a person can check
and change them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NamedShape:
    """One shape: `bumps` are (middle hour, width in hours, weight) over a constant base of weight `base`.

    `window` are the local hours whose share of the day explains it, `dip` that their share is small.
    """

    name: str
    base: float
    bumps: tuple[tuple[float, float, float], ...]
    window: tuple[tuple[int, int], ...]
    dip: bool = False


SHAPES = (
    NamedShape("evening peak", 0.50, ((19.5, 1.8, 0.50),), ((17, 22),)),
    NamedShape("morning and evening", 0.45, ((7.5, 1.3, 0.23), (19.5, 1.8, 0.32)), ((6, 9), (17, 22))),
    NamedShape("morning peak", 0.50, ((8.0, 1.7, 0.50),), ((6, 11),)),
    NamedShape("midday peak", 0.50, ((12.5, 1.5, 0.50),), ((11, 15),)),
    NamedShape("daytime", 0.35, ((13.0, 3.2, 0.65),), ((9, 17),)),
    NamedShape("afternoon", 0.45, ((15.5, 2.2, 0.55),), ((13, 19),)),
    NamedShape("late evening", 0.50, ((22.3, 1.6, 0.50),), ((20, 24),)),
    NamedShape("night", 0.40, ((2.5, 2.4, 0.60),), ((0, 6),)),
    NamedShape("EV night", 0.25, ((1.5, 1.8, 0.75),), ((22, 24), (0, 6))),
    NamedShape("solar dip", 0.45, ((6.8, 1.6, 0.22), (20.0, 2.0, 0.33)), ((10, 16),), dip=True),
    NamedShape("flat", 1.00, (), ((0, 24),)),
)
AWAY = "away"
"""A flat day of a home that uses hardly anything; told from "flat" by its energy."""

HOURS = 24


def curve(shape: NamedShape) -> Array:
    """The shape's 24 hourly shares, which sum to 1."""
    hours = np.arange(HOURS) + 0.5
    total = np.full(HOURS, shape.base / HOURS)
    for middle, width, weight in shape.bumps:
        away = np.abs(hours - middle)
        bump = np.exp(-0.5 * (np.minimum(away, HOURS - away) / width) ** 2)
        total += weight * bump / bump.sum()
    if shape.dip:
        # Behind a solar system the grid sees next to nothing around noon.
        total[10:16] *= 0.25
    shares: Array = total / total.sum()
    return shares


def curves() -> Array:
    """All shapes as rows, in the order of SHAPES."""
    return np.stack([curve(shape) for shape in SHAPES])
