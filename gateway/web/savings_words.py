"""Savings in words and as a picture: each day a bar up or down on one scale, loses drawn in the same weight."""

from __future__ import annotations

import calendar
from collections import Counter
from dataclasses import dataclass
from datetime import date

from gateway.model.savings import WEAR, Savings, SavingsDay
from gateway.model.site import BatterySpec, Site
from gateway.web.words import DASH, money

WIDTH, HEIGHT, TOP, BOTTOM = 620.0, 220.0, 10.0, 30.0
"""Of the picture, in its own units; above and below the bars is room for a scale and the days."""
LEFT = 4.0
NOTHING_MICRO = 5_000
"""Less than half a cent is nothing."""


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day's bar: its kind is "up", "down" or "none" (not counted); lengths in the picture's own units."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    doubt: tuple[float, float, float] | None
    """x, top and bottom of the line of what is uncertain."""
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The month's bars; `scale` are (y, words), `days` (x, words)."""

    bars: tuple[DayBar, ...]
    zero: float
    scale: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    words: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day in a table."""

    day: str
    real: str
    baseline: str
    stored: str
    saved: str
    doubt: str
    """How far that is uncertain; empty when it is not."""
    why: str


def month_sentence(found: Savings, first: date, currency: str, *, running: bool) -> str:
    """What the month saved, how sure that is, and on how many days it lost."""
    when = f"In {first:%B}{' so far' if running else f' {first.year}'}"
    counted = len(found.counted)
    if not counted:
        return f"{when} no day could be counted yet."
    saved = found.saved_micro
    if abs(saved) < NOTHING_MICRO:
        said = f"{when} Hearth saved nothing"
    elif saved > 0:
        said = f"{when} Hearth saved {money(saved, currency)}"
    else:
        said = f"{when} Hearth cost {money(-saved, currency)} more than the baseline"
    doubt = f", give or take {money(found.uncertain_micro, currency)}" if found.uncertain_micro >= NOTHING_MICRO else ""
    lost = f"; on {found.lost} of {days_words(counted)} it lost" if found.lost else f", on {days_words(counted)}"
    return f"{said}{doubt}{lost}."


def why_none(found: Savings) -> list[str]:
    """Where no day is counted, why: each reason once, with its days, the most frequent first."""
    if found.counted:
        return []
    reasons = Counter(day.why for day in found.days if day.why)
    return [f"{days_words(count)}: {why}" for why, count in reasons.most_common()]


def wear_words(found: Savings, site: Site, currency: str) -> str:
    """ "€0.42 more than the baseline's €0.30"; empty where none is counted."""
    if not _wearing(site) or not any(day.wear_micro is not None for day in found.counted):
        return ""
    more, all_of_it = found.more_wear_micro, money(found.wear_micro, currency)
    if abs(more) < NOTHING_MICRO:
        return f"{all_of_it}, as in the baseline"
    return f"{all_of_it}, {money(abs(more), currency)} {'more' if more > 0 else 'less'} than in the baseline"


def about_wear(site: Site) -> str:
    """How wear stands to the sum, for a home with a battery; else empty."""
    if not any(isinstance(device.spec, BatterySpec) for device in site.devices):
        return ""
    if _wearing(site):
        return WEAR
    return "The site file states no wear for the battery (wear_cost_per_kwh), so none is counted or shown."


def _wearing(site: Site) -> bool:
    return any(isinstance(d.spec, BatterySpec) and d.spec.wear_cost_micro_per_wh > 0 for d in site.devices)


def days_words(count: int) -> str:
    """ "1 day", "12 days"."""
    return f"{count} day{'' if count == 1 else 's'}"


def picture(found: Savings, first: date, currency: str) -> Picture:
    """The bars of a month on one scale both ways, so that a loss looks as large as a gain."""
    count = calendar.monthrange(first.year, first.month)[1]
    saved = [day.saved_micro for day in found.counted]
    most = max([abs(micro) for micro in saved], default=0) or 1_000_000
    high, low = max([*saved, 0]), min([*saved, 0])
    high, low = (most, 0) if high == low == 0 else (high, low)
    unit = (HEIGHT - TOP - BOTTOM) / (high - low)
    zero = TOP + high * unit
    step = (WIDTH - LEFT) / count
    bars = tuple(_bar(day, step, zero, unit, currency) for day in found.days)
    marks = [(zero - micro * unit, money(micro, currency)) for micro in (high, low) if micro]
    days = tuple((round(LEFT + (n - 0.5) * step, 1), f"{n}") for n in (1, *range(5, count, 5)) if n <= count)
    kept = len(found.counted)
    words = f"Savings of {days_words(kept)} of {first:%B %Y}, {found.lost} of them below zero"
    return Picture(bars, round(zero, 1), tuple((round(y, 1), text) for y, text in marks), days, words)


def _bar(day: SavingsDay, step: float, zero: float, unit: float, currency: str) -> DayBar:
    x, width = LEFT + (day.day.day - 1) * step + 0.12 * step, 0.76 * step
    if not day.counted:
        return DayBar("none", round(x, 1), round(zero - 4, 1), round(width, 1), 8.0, None, day_words(day, currency))
    size = day.saved_micro * unit
    top, bottom = (zero - (day.saved_micro + s * day.uncertain_micro) * unit for s in (1, -1))
    kind = "up" if size >= 0 else "down"
    middle = round(x + width / 2, 1)
    doubt = (middle, round(top, 1), round(bottom, 1)) if day.uncertain_micro >= NOTHING_MICRO else None
    length = max(1.0, abs(size))
    y = zero - length if size >= 0 else zero
    return DayBar(
        kind, round(x, 1), round(y, 1), round(width, 1), round(length, 1), doubt, day_words(day, currency)
    )  # fmt: skip


def day_words(day: SavingsDay, currency: str) -> str:
    """ "Fri 20 Nov: saved €1.20", "Sat 21 Nov: not counted. Main meter: 2 h without data."."""
    name = f"{day.day:%a} {day.day.day} {day.day:%b}"
    return f"{name}: {saved_words(day, currency)}" + (f". {day.why}" if day.why else "")


def saved_words(day: SavingsDay, currency: str) -> str:
    """ "saved €1.20", "lost €0.40", "the same", "not counted"."""
    if not day.counted:
        return "not counted"
    if abs(day.saved_micro) < NOTHING_MICRO:
        return "the same"
    return f"{'saved' if day.saved_micro > 0 else 'lost'} {money(abs(day.saved_micro), currency)}"


def day_row(day: SavingsDay, currency: str) -> DayRow:
    """One day in words, with what was estimated."""
    doubt = f"± {money(day.uncertain_micro, currency)}" if day.uncertain_micro >= NOTHING_MICRO else ""
    figures = (day.cost_micro, day.baseline_micro, day.settled_micro)
    real, baseline, stored = (money(micro, currency) if day.counted else DASH for micro in figures)
    why = " ".join([*([day.why] if day.why else []), *day.notes])
    name = f"{day.day:%a} {day.day.day}"
    return DayRow(name, real, baseline, stored, saved_words(day, currency), doubt, why)
