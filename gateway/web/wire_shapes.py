"""Load shapes on the wire: the past days, the typical shapes, what the home is like, and tomorrow's chances."""

from __future__ import annotations

import math
from datetime import date, timedelta

from gateway.model.shapes import HomeShape, ShapeChances
from gateway.web.view import HomeView
from gateway.web.wire import Out


class ShapeChanceOut(Out):
    """`chance` 0-1."""

    shape: str
    chance: float


class DayShapeOut(Out):
    """The class of one local day; `profile` holds 24 hourly shares of its energy, `coverage` what was measured of it, 0-1."""

    day: date
    shape: str
    confidence: float
    energy_wh: float
    profile: list[float]
    why: str
    coverage: float
    alternatives: list[ShapeChanceOut]


class ShapeCountOut(Out):
    """How many days had a shape."""

    shape: str
    days: int


class ShapeDriftOut(Out):
    """The days differ from those before, since when, and the day it was seen."""

    kind: str
    since: date
    seen: date
    why: str


class HomeShapeOut(Out):
    """The home's most frequent shape and its share of the days (0-1; the latest weigh most), how varied they are, and what
    has changed.

    `entropy_bits` is 0 where all days are alike and at most `entropy_most_bits`, where no shape is preferred.
    """

    shape: str
    share: float
    entropy_bits: float
    entropy_most_bits: float
    days: int
    counts: list[ShapeCountOut]
    drift: ShapeDriftOut | None


class ShapeTomorrowOut(Out):
    """The chance of each shape for the next local day, most likely first; they sum to 1."""

    day: date
    chances: list[ShapeChanceOut]
    why: str


class LoadShapeOut(Out):
    """Past days' classes, oldest first, the named shapes as 24 hourly shares, the home (null before its first classed day),
    and tomorrow (null without a dictionary)."""

    days: list[DayShapeOut]
    typical: dict[str, list[float]]
    home: HomeShapeOut | None
    tomorrow: ShapeTomorrowOut | None


def load_shape_out(home: HomeView) -> LoadShapeOut:
    """All of it, as of now."""
    today = home.clock.now().astimezone(home.site.timezone).date()
    typical = {name: list(profile) for name, profile in home.typical_shapes().items()}
    known, chances = home.home_shape(), home.shape_chances(today + timedelta(days=1))
    return LoadShapeOut(
        days=[
            DayShapeOut(
                day=d.day, shape=d.shape, confidence=d.confidence, energy_wh=d.energy_wh, profile=list(d.profile),
                why=d.why, coverage=d.coverage, alternatives=_chances(d.alternatives),
            )
            for d in home.day_shapes()
        ],
        typical=typical,
        home=_home(known, most_bits(len(typical))) if known else None,
        tomorrow=_tomorrow(chances) if chances else None,
    )  # fmt: skip


def most_bits(shapes: int) -> float:
    """The entropy of days without any preference among so many shapes, bits."""
    return math.log2(max(1, shapes))


def _home(known: HomeShape, most: float) -> HomeShapeOut:
    return HomeShapeOut(
        shape=known.shape, share=known.share, entropy_bits=known.entropy_bits, entropy_most_bits=most, days=known.days,
        counts=[ShapeCountOut(shape=shape, days=days) for shape, days in known.counts],
        drift=ShapeDriftOut.model_validate(known.drift) if known.drift else None,
    )  # fmt: skip


def _tomorrow(found: ShapeChances) -> ShapeTomorrowOut:
    return ShapeTomorrowOut(day=found.day, chances=_chances(found.chances), why=found.why)


def _chances(rows: tuple[tuple[str, float], ...]) -> list[ShapeChanceOut]:
    return [ShapeChanceOut(shape=shape, chance=chance) for shape, chance in rows]
