"""Curves of days as drawings: a day over its class and the usual one, tomorrow with its band, the last days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.model.learned import DayShape
from gateway.model.plan import Forecast
from gateway.web.view import HomeView
from gateway.web.words import watt_hours

WIDTH, HEIGHT = 720.0, 240.0
DAYS_SHOWN = 28


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a drawing, as SVG points; `kind` is "own", "class" or "usual"."""

    name: str
    points: str
    kind: str


@dataclass(frozen=True, slots=True)
class DayCell:
    """One day of the strip."""

    day: str
    weekday: str
    shape: str
    confidence: str
    energy: str
    why: str
    points: str


@dataclass(frozen=True, slots=True)
class Tomorrow:
    """The forecast of the next local day, per hour: line and band as SVG points, in words what it amounts to."""

    line: str
    band: str
    top_w: float
    energy: str
    method: str
    rows: list[tuple[str, float, float | None, float | None]]


def day_curves(typical: Mapping[str, Sequence[float]], day: DayShape | None, usual: str) -> tuple[list[Curve], float]:
    """What matters for one day: the home's `usual` shape, the day's class, the day itself; and the scale's top, a share 0-1.

    The usual shape is left out where it is the class; the other shapes are not drawn.
    """
    found = [("usual", usual, typical.get(usual, ()))] if day is None or day.shape != usual else []
    if day is not None:
        found += [("class", day.shape, typical.get(day.shape, ())), ("own", f"{day.day:%A}", day.profile)]
    known = [(kind, name, [max(0.0, share) for share in profile]) for kind, name, profile in found if len(profile)]
    top = max((max(profile) for _, _, profile in known), default=0.0) or 1.0
    return [Curve(name, line(profile, top), kind) for kind, name, profile in known], top


def day_cells(days: Sequence[DayShape]) -> list[DayCell]:
    """The last four weeks, newest last."""
    return [
        DayCell(
            f"{day.day:%d %b}",
            f"{day.day:%a}",
            day.shape,
            f"{day.confidence * 100:.0f} %",
            watt_hours(day.energy_wh),
            day.why,
            line(day.profile, max(day.profile, default=1.0) or 1.0, 96, 40) if day.profile else "",
        )
        for day in days[-DAYS_SHOWN:]
    ]


def tomorrow(home: HomeView) -> Tomorrow | None:
    """The load forecast of the next local day; None when it does not cover it."""
    forecast, zone = home.load_forecast(), home.site.timezone
    if forecast is None:
        return None
    day = home.clock.now().astimezone(zone).date() + timedelta(days=1)
    hours = [datetime.combine(day, time(hour), zone) for hour in range(24)]
    means = [_hour(forecast, forecast.mean, hour) for hour in hours]
    known = [mean for mean in means if mean is not None]
    if len(known) < 24:
        return None
    lows = [_hour(forecast, forecast.low, hour) for hour in hours]
    highs = [_hour(forecast, forecast.high, hour) for hour in hours]
    low, high = [v for v in lows if v is not None], [v for v in highs if v is not None]
    top = max(*known, *high, 1.0)
    band = area(low, high, top) if len(low) == len(high) == 24 else ""
    rows = [(f"{hour:%H:%M}", mean, lo, hi) for hour, mean, lo, hi in zip(hours, known, lows, highs, strict=True)]
    return Tomorrow(line(known, top), band, top, watt_hours(sum(known)), forecast.method, rows)


def _hour(forecast: Forecast, values: Sequence[float], hour: datetime) -> float | None:
    first = (hour - forecast.start).total_seconds() / forecast.step_s
    indexes = range(max(0, round(first)), max(0, round(first + 3600 / forecast.step_s)))
    found = [values[i] for i in indexes if i < len(values)]
    return sum(found) / len(found) if found else None


def line(values: Sequence[float], top: float, width: float = WIDTH, height: float = HEIGHT) -> str:
    """Values as the points of an SVG polyline, each at the middle of its share of the width."""
    step = width / max(1, len(values))
    return " ".join(f"{(i + 0.5) * step:.1f},{height * (1 - value / top):.1f}" for i, value in enumerate(values))


def area(low: Sequence[float], high: Sequence[float], top: float) -> str:
    """The points of an SVG polygon between two lines."""
    return f"{line(high, top)} {' '.join(reversed(line(low, top).split()))}"
