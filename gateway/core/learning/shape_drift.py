"""Has the home's way of using energy changed, and what is it likely to be: a car, panels, a heat pump, a vacation.

Each sign is a number of the day held against the home's own usual one, which lags a week behind so that a change does
not at once become the usual:

    usual (slow means of all days that left the week) | the last seven days | today: signs

A kind is told when its sign stood on so many of the last days, once, and then not again for QUIET.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from gateway.core.learning.shape_day import DayNumbers
from gateway.core.learning.shape_rest import Rest
from gateway.model.shapes import DriftKind, ShapeDrift

LEARN_DAYS = 14
"""Days that must have gone into the usual before anything is told."""
LAG_DAYS = 7
KEEP = 0.5 ** (1 / 20)
"""The usual forgets half in 20 days."""
KEEP_TOP = 0.5 ** (1 / 365)
LASTS = {
    DriftKind.NEW_EV: (2, timedelta(days=10)),
    DriftKind.NEW_PV: (2, timedelta(days=5)),
    DriftKind.NEW_HEAT_PUMP: (12, timedelta(days=14)),
    DriftKind.VACATION: (3, timedelta(days=3)),
    DriftKind.CHANGED: (5, timedelta(days=7)),
}
"""A sign must stand on so many of so many days (a car does not charge every day); the surest kind first.

A hot spell or guests raise the nights for some days as well: until a fortnight has passed that is a change, no heating."""
EXPLAINED_DAYS = 2
"""What a device of the site file explains is old news from its second day on, and so is what follows from it."""
QUIET = timedelta(days=45)
TOLD = timedelta(days=14)
"""A change is shown for so long; a vacation until the people are back."""
SUN_HOURS = slice(9, 17)
DESERTED = 0.45
"""A day without people uses less than this part of the usual outside the hours of sun."""
HILL = 2.5
"""Where people are, an hour outside those of sun holds more than this times their mean: someone cooks or makes light.

A season's end lowers what a home uses as well. On 135 hard synthetic homes (half of seeds 1 to 3) this left 180 of 181
vacations found and 20 of 218 wrong ones."""
RISE_WH = 1400.0
"""A charger adds at least this to the highest hour the home has shown."""
EXPORT_WH = 300.0
HEAT_W = 150.0
HEAT_RATIO = 1.6
APART = 0.6
"""Distance (0-1) of the last days' shapes from the usual ones that is another way of life."""


class _Day(NamedTuple):
    """What the signs look at."""

    dark_wh: float
    """Used outside 9 to 17 h."""
    top_wh: float
    """The highest hour."""
    low_wh: float
    """The lowest hour; export is negative."""
    level_w: float
    """The second lowest of the hours from 22 to 6 h."""
    night_wh: float
    """The highest of the hours from 22 to 6 h."""


@dataclass(slots=True)
class Drift:
    """The usual of one home, its last days, and the days on which each sign stood."""

    days: int = 0
    """Days that went into the usual."""
    usual: _Day = field(default_factory=lambda: _Day(0.0, 0.0, 0.0, 0.0, 0.0))
    """Slow means; of the highest and lowest hour the extremes, slowly forgotten."""
    shapes: list[float] = field(default_factory=list)
    """Slow mean of the chances of the shapes."""
    lately: list[float] = field(default_factory=list)
    """The same of about the last five days."""
    week: list[tuple[_Day, list[float]]] = field(default_factory=list)
    """The days that have not gone into the usual, oldest first."""
    signs: dict[DriftKind, list[date]] = field(default_factory=dict)
    told: ShapeDrift | None = None
    last: dict[DriftKind, date] = field(default_factory=dict)
    """When each kind was told, or still stood, last."""
    parts: frozenset[str] = frozenset()
    """The devices measured by themselves so far, which the days here are without."""
    imported: bool = False
    """Whether the days here were brought in."""

    @property
    def begun(self) -> bool:
        """Whether a day was taken."""
        return bool(self.days or self.week)

    @property
    def blind_days(self) -> int:
        """So many measured days must pass before a change can be told."""
        return max(0, LEARN_DAYS + LAG_DAYS - self.days - len(self.week)) if self.days < LEARN_DAYS else 0

    def begun_anew(self, rest: Rest) -> Drift | None:
        """A fresh start where this day's hours mean another thing than those before; None while they mean the same.

        A device that is measured from now on leaves the rest, and what was brought in may have held all of them.
        """
        parts = self.parts | rest.parts
        if (parts, rest.imported) == (self.parts, self.imported):
            return None
        return Drift(parts=parts, imported=rest.imported)

    def step(
        self,
        day: date,
        numbers: DayNumbers,
        chances: list[float],
        explained: AbstractSet[DriftKind] = frozenset(),
    ) -> ShapeDrift | None:
        """Take a measured day and the chances of its shapes: what has changed, as far as is known by now.

        A kind that is `explained` by a device of the site file is not told.
        """
        seen = _seen(numbers)
        self.lately = _towards(self.lately or chances, chances, 0.2)
        found = self._signs(seen, numbers.hours_wh) if self.days >= LEARN_DAYS else {}
        # A day without people tells nothing of how they live.
        if DriftKind.VACATION not in found:
            self.week.append((seen, chances))
        if len(self.week) > LAG_DAYS:
            self._take(*self.week.pop(0))
        return self._tell(day, found, explained)

    def _signs(self, seen: _Day, hours_wh: list[float]) -> dict[DriftKind, str]:
        found: dict[DriftKind, str] = {}
        usual = self.usual
        for top, most, when in ((seen.top_wh, usual.top_wh, ""), (seen.night_wh, usual.night_wh, " of the night")):
            if top > most + RISE_WH:
                words = f"an hour{when} takes {top / 1000:.1f} kWh; until now {most / 1000:.1f} kWh was the most"
                found[DriftKind.NEW_EV] = words
        if seen.low_wh < -EXPORT_WH and usual.low_wh > -EXPORT_WH:
            found[DriftKind.NEW_PV] = f"up to {-seen.low_wh / 1000:.1f} kWh in an hour flow into the grid, which is new"
        if seen.level_w > HEAT_RATIO * usual.level_w and seen.level_w > usual.level_w + HEAT_W:
            words = f"the night's level is {seen.level_w:.0f} W where {usual.level_w:.0f} W were usual"
            found[DriftKind.NEW_HEAT_PUMP] = found[DriftKind.CHANGED] = words
        little = seen.dark_wh < DESERTED * usual.dark_wh and seen.top_wh < 0.6 * usual.top_wh
        if little and max(_dark(hours_wh)) * len(_dark(hours_wh)) <= HILL * seen.dark_wh:
            part = 100 * seen.dark_wh / usual.dark_wh
            found[DriftKind.VACATION] = f"outside the hours of sun the home uses {part:.0f} % of its usual"
        apart = sum(map(abs, map(operator.sub, self.lately, self.shapes))) / 2
        if apart > APART:
            shapes = f"{100 * apart:.0f} % of the last days have another shape than usual"
            found[DriftKind.CHANGED] = found.get(DriftKind.CHANGED, shapes)
        return found

    def _take(self, seen: _Day, chances: list[float]) -> None:
        """Let a day that is a week old become part of the usual."""
        self.days += 1
        part = max(1 - KEEP, 1 / self.days)
        self.shapes = _towards(self.shapes or chances, chances, part)
        was = self.usual
        self.usual = _Day(
            was.dark_wh + part * (seen.dark_wh - was.dark_wh),
            max(seen.top_wh, was.top_wh * KEEP_TOP),
            min(seen.low_wh, was.low_wh * KEEP_TOP) if self.days > 1 else seen.low_wh,
            was.level_w + part * (seen.level_w - was.level_w),
            max(seen.night_wh, was.night_wh * KEEP_TOP),
        )

    def _tell(self, day: date, found: dict[DriftKind, str], explained: AbstractSet[DriftKind]) -> ShapeDrift | None:
        fresh = None
        if not found and self.told is None:
            return None
        for kind, (count, among) in LASTS.items():
            if kind not in found and not self.signs.get(kind):
                continue
            before = day - among
            stood = [seen for seen in self.signs.get(kind, ()) if seen > before]
            self.signs[kind] = stood = [*stood, day] if kind in found else stood
            if kind in found and len(stood) >= (min(EXPLAINED_DAYS, count) if kind in explained else count):
                if fresh is None and kind not in explained and self._news(kind, day):
                    fresh = ShapeDrift(kind, stood[0], day, _sentence(kind, found[kind]))
                self.last[kind] = day
        if fresh is not None:
            self.told = fresh
        elif self.told is not None and self._over(self.told, day, found):
            self.told = None
        return self.told

    def _news(self, kind: DriftKind, day: date) -> bool:
        if kind is DriftKind.VACATION:
            return self.told is None or self.told.kind is not kind
        # One change is one piece of news: a car also makes the days another shape.
        kinds = list(LASTS) if kind is DriftKind.CHANGED else [kind, DriftKind.NEW_EV, DriftKind.NEW_PV]
        return all(other not in self.last or self.last[other] < day - QUIET for other in kinds)

    def _over(self, told: ShapeDrift, day: date, found: Mapping[DriftKind, str]) -> bool:
        if told.kind is DriftKind.VACATION:
            return DriftKind.VACATION not in found
        return day > told.seen + TOLD

    def to_document(self) -> dict[str, Any]:
        """All of it as JSON."""
        told = self.told
        return {
            "days": self.days,
            "usual": list(self.usual),
            "shapes": self.shapes,
            "lately": self.lately,
            "week": [[*numbers, chances] for numbers, chances in self.week],
            "signs": {kind.value: [d.isoformat() for d in days] for kind, days in self.signs.items() if days},
            "told": told and [told.kind.value, told.since.isoformat(), told.seen.isoformat(), told.why],
            "last": {kind.value: day.isoformat() for kind, day in self.last.items()},
            "parts": sorted(self.parts),
            "imported": self.imported,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shapes: int) -> Drift:
        """What `to_document` wrote for so many shapes; raises ValueError, KeyError or TypeError when it does not fit."""

        def chances(row: Any) -> list[float]:
            found = [float(x) for x in row]
            if len(found) not in (shapes, 0) or not all(map(math.isfinite, found)):
                raise ValueError("chances of another dictionary")
            return found

        if "parts" not in document:
            return cls()  # written when the devices were still among the hours: its usual is that of other numbers
        told = document["told"]
        return cls(
            int(document["days"]),
            _Day(*map(float, document["usual"])),
            chances(document["shapes"]),
            chances(document["lately"]),
            [(_Day(*map(float, row[:-1])), chances(row[-1])) for row in document["week"]],
            {DriftKind(kind): [date.fromisoformat(d) for d in days] for kind, days in document["signs"].items()},
            told
            and ShapeDrift(DriftKind(told[0]), date.fromisoformat(told[1]), date.fromisoformat(told[2]), str(told[3])),
            {DriftKind(kind): date.fromisoformat(day) for kind, day in document["last"].items()},
            frozenset(map(str, document["parts"])),
            bool(document["imported"]),
        )


def _seen(numbers: DayNumbers) -> _Day:
    hours = numbers.hours_wh
    dark = _dark(hours) if numbers.low_wh > 0 else [wh for wh in _dark(hours) if wh > 0]
    night = sorted(hours[:6] + hours[22:])
    return _Day(sum(dark), max(hours), numbers.low_wh, night[1], night[-1])


def _dark(hours: list[float]) -> list[float]:
    """The hours before and after those of sun."""
    return hours[: SUN_HOURS.start] + hours[SUN_HOURS.stop :]


def _towards(mean: list[float], new: list[float], part: float) -> list[float]:
    """The mean moved by a part of the way to the new."""
    return [a + part * (b - a) for a, b in zip(mean, new, strict=True)]


def _sentence(kind: DriftKind, why: str) -> str:
    return f"{_OPENING[kind]}: {why}."


_OPENING = {
    DriftKind.VACATION: "Nobody seems to be at home",
    DriftKind.NEW_EV: "A car or another strong device seems to be new",
    DriftKind.NEW_PV: "Solar panels seem to be new",
    DriftKind.NEW_HEAT_PUMP: "A heat pump or another device that runs all night seems to be new",
    DriftKind.CHANGED: "The days are not as they were",
}
