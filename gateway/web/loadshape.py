"""The page Load shape: yesterday's class, what kind of home this is, tomorrow, and how the last forecast held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gateway.model.learned import DayShape
from gateway.model.shapes import HomeShape, ShapeChances
from gateway.web import foretold, shapes
from gateway.web.learned import learned_parts
from gateway.web.view import HomeView
from gateway.web.wire_shapes import most_bits

VARIETY = (
    (0.2, "nearly all alike"),
    (0.45, "mostly alike"),
    (0.7, "varied"),
    (1.01, "very varied"),
)
"""Up to this part of the most possible entropy, the days are called so."""
LEAST_CHANCE = 0.02
"""A shape less likely than this is told with the rest."""


@dataclass(frozen=True, slots=True)
class ShareBar:
    """A name with its part of a whole as a bar: width 0-100 and in words."""

    name: str
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class HomeKind:
    """What kind of home this is, in words."""

    sentence: str
    variety: str
    change: str
    counts: tuple[ShareBar, ...]


async def load_shape_values(home: HomeView) -> dict[str, Any]:
    """Everything the page shows."""
    today = home.clock.now().astimezone(home.site.timezone).date()
    yesterday, next_day = today - timedelta(days=1), today + timedelta(days=1)
    days, typical = home.day_shapes(), home.typical_shapes()
    day = next((d for d in reversed(days) if d.profile), None)
    known, chances = home.home_shape(), home.shape_chances(next_day)
    curves, top = shapes.day_curves(typical, day, known.shape if known else "")
    return {
        "headline": day_sentence(day, yesterday) if day else "No day is known whole yet.",
        "day": day,
        "curves": curves,
        "top_share": f"{100 * top:.0f} % of the day's energy in an hour",
        "kind": home_kind(known, len(typical)) if known else None,
        "chances": chance_bars(chances) if chances else [],
        "chances_why": chances.why if chances else "",
        "tomorrow": shapes.tomorrow(home),
        "tomorrow_day": f"{next_day:%A %d %B}",
        "told": await foretold.told_day(home, yesterday),
        "told_day": f"{yesterday:%A %d %B}",
        "errors": await foretold.error_rows(home, yesterday),
        "cells": shapes.day_cells(days),
        "alerts": [alert for alert in home.alerts.found if alert.ended is None],
        "learned": learned_parts(home.site, home.learned()),
    }


def day_sentence(day: DayShape, yesterday: date) -> str:
    """The class of the last known day in one sentence."""
    which = "Yesterday" if day.day == yesterday else f"{day.day:%A %d %B}"
    sure = "clearly" if day.confidence >= 0.75 else "probably" if day.confidence >= 0.5 else "perhaps"
    return f"{which} was {sure} {_article(day.shape)} day."


def home_kind(known: HomeShape, shapes_known: int) -> HomeKind:
    """The home's class, how varied its days are in words and bits, and what has changed since when."""
    most = most_bits(shapes_known)
    part = known.entropy_bits / most if most else 0.0
    variety = next(words for upto, words in VARIETY if part <= upto)
    sentence = (
        f"{_article(known.shape).capitalize()} home: {100 * known.share:.0f} % of its days, of {known.days} that have a class. "
        "The latest count most; a day's weight halves in about three months."
    )
    change = "The days are as they were: no change has been seen lately."
    if known.usual_in_days:
        days = "one measured day" if known.usual_in_days == 1 else f"{known.usual_in_days} measured days"
        change = (
            f"Whether the days have changed can be told in {days}. It is looked for in what no device measures by itself, "
            "and begins anew where imported history ends or a device is measured for the first time."
        )
    if known.drift:
        drift = known.drift
        change = f"Changed since {drift.since:%A %d %B} (seen on {drift.seen:%d %B}). {drift.why}"
    return HomeKind(sentence, f"{variety}: {known.entropy_bits:.1f} of at most {most:.1f} bits", change, _counts(known))


def chance_bars(found: ShapeChances) -> list[ShareBar]:
    """The chances that are worth a bar, the most likely first, and the rest as one."""
    told = [(name, chance) for name, chance in found.chances if chance >= LEAST_CHANCE]
    rest = 1.0 - sum(chance for _, chance in told)
    told += [("any other", rest)] if rest >= 0.005 else []
    return [ShareBar(name, round(100 * chance, 1), f"{100 * chance:.0f} %") for name, chance in told]


def _counts(known: HomeShape) -> tuple[ShareBar, ...]:
    return tuple(
        ShareBar(name, round(100 * days / known.days, 1), f"{days} {'day' if days == 1 else 'days'}")
        for name, days in known.counts
    )


def _article(shape: str) -> str:
    words = shape.lower().removesuffix(" day")
    words = words.replace("ev night", "EV night")
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} “{words}”"
