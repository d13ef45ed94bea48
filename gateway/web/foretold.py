"""Yesterday's forecast as it was told at midnight, beside what came, and how the days before held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.model.foretold import LOAD, DayAccuracy, ForetoldDay
from gateway.model.reading import INTERVAL_S
from gateway.web.shapes import HEIGHT, WIDTH, area, line
from gateway.web.view import HomeView
from gateway.web.words import DASH, watt_hours, watts

DAYS = 14
STEP = timedelta(seconds=INTERVAL_S)
ALIKE = 0.02
"""A difference of errors below this share is none that a person should read into."""


@dataclass(frozen=True, slots=True)
class ToldDay:
    """One past day as drawn: forecast and band, the measured line in pieces, and what they amount to in words."""

    line: str
    band: str
    came: tuple[str, ...]
    top_w: float
    sentence: str
    rows: tuple[tuple[str, str, str, str], ...]
    """Local hour, told, band, measured."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How far one day's forecast was off, in words."""

    day: str
    energy: str
    """Told less measured of the whole day, with sign, and in percent of what was measured."""
    quarter: str
    inside: str
    against: str


async def told_day(home: HomeView, day: date) -> ToldDay | None:
    """The load forecast of a local day beside the house's measurements; None where no forecast was kept."""
    found = await home.foretold(day, LOAD)
    if found is None:
        return None
    told, came = found
    top = max(*told.high, *(value for value in came if not math.isnan(value)), 1.0)
    return ToldDay(
        line(told.mean, top), area(told.low, told.high, top), pieces(came, top), top, _sentence(told, came),
        tuple(_hours(home, told, came)),
    )  # fmt: skip


def pieces(values: Sequence[float], top: float) -> tuple[str, ...]:
    """Values as SVG polylines of the usual size; NaN breaks the line."""
    step, found = WIDTH / max(1, len(values)), [list[str]()]
    for i, value in enumerate(values):
        if math.isnan(value):
            found.append([])
        else:
            found[-1].append(f"{(i + 0.5) * step:.1f},{HEIGHT * (1 - max(0.0, value) / top):.1f}")
    return tuple(" ".join(points) for points in found if points)


def _sentence(told: ForetoldDay, came: Sequence[float]) -> str:
    known = [i for i, value in enumerate(came) if not math.isnan(value)]
    if not known:
        return "Nothing was measured that day."
    inside = sum(told.low[i] <= came[i] <= told.high[i] for i in known)
    expected, used = (sum(values[i] for i in known) / 4 for values in (told.mean, came))
    return (
        f"{watt_hours(expected)} were expected, {watt_hours(used)} came. {inside} of {len(known)} measured quarter hours "
        f"({100 * inside / len(known):.0f} %) lie inside the band, which should hold 80 %."
    )


def _hours(home: HomeView, told: ForetoldDay, came: Sequence[float]) -> list[tuple[str, str, str, str]]:
    found = []
    for at in range(0, len(came), 4):
        local = (told.start + at * STEP).astimezone(home.site.timezone)
        low, mean, high = (_mean(values[at : at + 4]) for values in (told.low, told.mean, told.high))
        found.append((f"{local:%H:%M}", watts(mean), f"{watts(low)} to {watts(high)}", watts(_mean(came[at : at + 4]))))
    return found


def _mean(values: Sequence[float]) -> float | None:
    return None if not values or any(map(math.isnan, values)) else sum(values) / len(values)


async def error_rows(home: HomeView, yesterday: date) -> list[ErrorRow]:
    """The last two weeks, newest first; days that were not kept or not measured are left out."""
    found = await home.forecast_accuracy(yesterday - timedelta(days=DAYS - 1), yesterday, LOAD)
    return [_row(day) for day in reversed(found)]


def _row(day: DayAccuracy) -> ErrorRow:
    error_wh = day.bias_w * day.quarters / 4
    sign = "±" if round(abs(error_wh)) == 0 else "+" if error_wh > 0 else "−"
    percent = f", {100 * abs(day.bias_w) / day.came_w:.0f}\N{NO-BREAK SPACE}%" if day.came_w > 0 else ""
    return ErrorRow(
        f"{day.day:%a %d}", f"{sign}{watt_hours(error_wh)}{percent}", watts(day.mae_w), f"{100 * day.coverage:.0f} %",
        against(day.skill),
    )  # fmt: skip


def against(skill: float | None) -> str:
    """The error beside that of "the same as a week before", in words."""
    if skill is None:
        return DASH
    if abs(skill) < ALIKE:
        return "the same"
    return f"{100 * abs(skill):.0f} % {'smaller' if skill > 0 else 'larger'}"
