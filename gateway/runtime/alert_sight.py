"""What the stored quarter hours show now: signs of each kind of alert, with their evidence; works on arrays, in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np

from gateway.core.learning.alerts.always_on import always_on_rise, at_home, bustle
from gateway.core.learning.alerts.days import by_day, day_start, told_by_day
from gateway.core.learning.alerts.house import PLAIN, SPIKE, Usual, excess, may_heat_lately, quiet_levels, usual
from gateway.core.learning.alerts.usual import LATELY_DAYS, LEAST_AIR, QUARTERS, Floats
from gateway.core.learning.alerts.usual import PAST_DAYS as BAND_DAYS
from gateway.core.learning.alerts.week import WeekAgainstPast, week_against_past
from gateway.core.learning.told import Told
from gateway.model.alert import AlertKind, Evidence
from gateway.model.reading import Interval
from gateway.model.site import Site

PAST_DAYS = 67
"""How many days of the store are looked at: as many as the slowest of the kinds needs."""
HOUR_S = 3600
MOST_BACK_H = 40


@dataclass(frozen=True, slots=True)
class Sight:
    """One sign now: W beyond the threshold, W beyond what is usual (a magnitude), since when, and what shows it."""

    beyond_w: float
    power_w: float
    begun: datetime
    energy_wh: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Facts:
    """All signs of one look; `days` is how many whole days the home is known by."""

    sights: dict[AlertKind, Sight] = field(default_factory=dict)
    days: int = 0
    week: WeekAgainstPast | None = None
    weather: bool = False
    """Whether the air was known for most of the days compared and for the last 24 hours: heating can be taken off."""


@dataclass(frozen=True, slots=True)
class _Home:
    """Days x 96 from `first` on, the last row being today."""

    site: Site
    now: datetime
    first: date
    load: Floats
    air: Floats
    at: int
    """The newest closed quarter of today; -1 just after midnight."""

    @property
    def start(self) -> datetime:
        """The first instant of yesterday."""
        return day_start(self.first + timedelta(days=PAST_DAYS - 1), self.site.timezone)

    def clock_hours(self) -> list[int]:
        """For each hour that passed since `start` its place among the 48 wall-clock hours, up to the newest quarter.

        On a day of 23 hours a place is left out, on one of 25 hours a place stands twice.
        """
        zone, newest = self.site.timezone, 24 + self.at // 4
        passed = range(int((self.now - self.start).total_seconds() // HOUR_S) + 1)
        locals_ = [(self.start + timedelta(hours=k)).astimezone(zone) for k in passed]
        places = [24 * ((at.date() - self.first).days - PAST_DAYS + 1) + at.hour for at in locals_]
        return [place for place in places if place <= newest]

    def hours(self, values: Floats) -> Floats:
        """The mean of each wall-clock hour of yesterday and today; nan where nothing is known."""
        parts = values[-2:].reshape(-1, 4)
        known = np.isfinite(parts)
        return np.where(
            known.any(axis=1), np.where(known, parts, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
        )


def look(house: Sequence[Interval], air: Told, site: Site, now: datetime) -> Facts:
    """The signs at the newest closed quarter hour; nothing for a home that is not known for two weeks."""
    home = _home(house, air, site, now)
    known = usual(home.load[-BAND_DAYS - 1 : -1], home.air[-BAND_DAYS - 1 : -1])
    days = int((np.isfinite(home.load[:-1]).mean(axis=1) > 0.8).sum())
    sights: dict[AlertKind, Sight] = {}
    if known is not None:
        _see_house(home, known, sights)
    _see_always_on(home, known, sights)
    energy = np.where(np.isfinite(home.load).mean(axis=1) > 0.95, np.nansum(home.load, axis=1) / 4, np.nan)
    count = np.isfinite(home.air).sum(axis=1)
    mean_air = np.where(count > 70, np.nansum(home.air, axis=1) / np.maximum(count, 1), np.nan)
    return Facts(sights, days, week_against_past(energy[:-1], mean_air[:-1]), _weather(home))


def _home(house: Sequence[Interval], air: Told, site: Site, now: datetime) -> _Home:
    zone = site.timezone
    local = now.astimezone(zone)
    first, count = local.date() - timedelta(days=PAST_DAYS), PAST_DAYS + 1
    told = told_by_day(air, first, count, zone)
    load = by_day([row for row in house if row.end <= now], first, count, zone)
    known = np.flatnonzero(np.isfinite(load[-1]))
    return _Home(site, now, first, load, told, int(known[-1]) if known.size else -1)


def _weather(home: _Home) -> bool:
    past = np.isfinite(home.air[-LATELY_DAYS - 1 : -1])[np.isfinite(home.load[-LATELY_DAYS - 1 : -1])]
    last = np.isfinite(home.air[-2:]).ravel()[home.at + 1 : home.at + 1 + QUARTERS]
    return bool(past.size and past.mean() > LEAST_AIR and last.mean() > LEAST_AIR)


def _see_house(home: _Home, known: Usual, sights: dict[AlertKind, Sight]) -> None:
    found = excess(known, home.load[-2:], home.air[-2:])
    if home.at < 0:
        return
    explained = known.thermal.load(home.air[-2:])
    places = home.clock_hours()
    actual = home.hours(home.load)[places]
    top = (np.tile(known.spike.top, 2) + explained.ravel()).reshape(-1, 4).mean(axis=1)[places]
    mean = (np.tile(known.mean_w, 2) + explained.ravel()).reshape(-1, 4).mean(axis=1)[places]
    lows = np.fmin.reduce(home.load[-2:].reshape(-1, 4), axis=1)[places]
    newest = len(places) - 1
    for kind, over, beside in (
        (AlertKind.SPIKE, found.spike[home.at], top),
        (AlertKind.LEFT_ON, found.left_on[home.at], mean),
    ):
        if not over > 0:
            continue
        if kind is AlertKind.SPIKE:
            back = newest - SPIKE.quarters // 4
            power = _mean((actual - mean)[back + 1 :])
        else:
            # The threshold's own distance from the usual quiet level belongs to what is beyond it.
            power = float(over + known.left_on.top[home.at] + known.left_on.margin_w - known.base_w)
            if over == found.soon[home.at]:
                power = _mean((actual - mean)[newest - PLAIN.quarters // 4 + 1 :])
            back = newest
            while back > max(0, newest - MOST_BACK_H) and lows[back - 1] > known.base_w + 0.5 * power:
                back -= 1
        back = max(0, back)
        energy = max(0.0, float(np.nansum((actual - mean)[back:])))
        if kind is AlertKind.LEFT_ON:
            energy = power * (newest + 1 - back)
        begun = home.start + timedelta(hours=back)
        marked = tuple(back <= hour for hour in range(newest + 1))
        evidence = Evidence(home.start, HOUR_S, plain(actual), plain(beside), marked)
        sights[kind] = Sight(float(over), max(power, 0.0), begun, energy, evidence)
    left, spike = sights.get(AlertKind.LEFT_ON), sights.get(AlertKind.SPIKE)
    if left is not None and spike is not None and spike.power_w < 1.5 * left.power_w:
        # One cause, one alert: what stays on is no spike of its own.
        del sights[AlertKind.SPIKE]


def _see_always_on(home: _Home, known: Usual | None, sights: dict[AlertKind, Sight]) -> None:
    levels = quiet_levels(known, home.load[:-1], home.air[:-1])
    levels_there = at_home(levels, np.array([bustle(day) for day in home.load[:-1]]))
    rise = always_on_rise(levels_there, may_heat_lately(known, home.air[:-1]) if known is not None else 0.0)
    if rise <= 0:
        return
    usual_w = float(np.nanmedian(levels[-42:-14]))
    above = levels > usual_w + rise / 2
    back = len(levels)
    while back > 0 and (above[back - 1] or not np.isfinite(levels[back - 1])):
        back -= 1
    sights[AlertKind.ALWAYS_ON] = _slow(home, rise, back, levels, np.full(len(levels), usual_w))


def _slow(home: _Home, power_w: float, back: int, actual: Floats, beside: Floats) -> Sight:
    """A sign in days: `back` is the first day it is about."""
    back = min(back, len(actual) - 1)
    shown = max(0, len(actual) - 42)
    marked = tuple(k >= back for k in range(shown, len(actual)))
    start = day_start(home.first + timedelta(days=shown), home.site.timezone)
    evidence = Evidence(start, 86400, plain(actual[shown:]), plain(beside[shown:]), marked)
    begun = day_start(home.first + timedelta(days=back), home.site.timezone)
    hours = (home.now - begun).total_seconds() / 3600
    return Sight(power_w, power_w, begun, power_w * hours, evidence)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def plain(values: Floats) -> tuple[float | None, ...]:
    """As evidence keeps them."""
    return tuple(round(float(value), 1) if np.isfinite(value) else None for value in values)
