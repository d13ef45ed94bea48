"""A second opinion of a bill: the tariff file read as it stands, every few minutes asked one by one, in fractions.

It knows nothing of `gateway`. The slowest way that is plainly right: each interval is cut into steps of equal length
that no edge of the file, of the spot prices or of a local day can fall into, and each step is priced by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from math import gcd
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUARTER = 15
"""Every UTC offset in force today is a multiple of a quarter hour, min."""


@dataclass(frozen=True)
class Metered:
    """Energy over [start, start + minutes), aware UTC, Wh >= 0; both None: not known."""

    start: datetime
    minutes: int
    import_wh: float | None
    export_wh: float | None = 0.0


@dataclass(frozen=True)
class SpotPoint:
    """A spot price over [start, end), currency per kWh."""

    start: datetime
    end: datetime
    price: Fraction


@dataclass
class OracleBill:
    """Sums in the currency; what export earns is positive here and taken off the total."""

    energy: Fraction = Fraction(0)
    earned: Fraction = Fraction(0)
    tiers: Fraction = Fraction(0)
    demand: Fraction = Fraction(0)
    contracted: Fraction = Fraction(0)
    fixed: Fraction = Fraction(0)
    vat: Fraction = Fraction(0)
    import_wh: Fraction = Fraction(0)
    export_wh: Fraction = Fraction(0)
    missing_s: int = 0
    peaks_kw: dict[tuple[str, tuple[int, int]], Fraction] = field(default_factory=dict)
    """Charge and month -> the mean of its highest peaks, before `least_kw`."""
    by_rate_wh: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    @property
    def paid(self) -> Fraction:
        """All that VAT multiplies, before it."""
        return self.energy + self.tiers + self.demand + self.contracted + self.fixed

    @property
    def total(self) -> Fraction:
        """What is to pay."""
        return self.paid + self.vat - self.earned


@dataclass(frozen=True)
class Step:
    """A piece of an interval over which nothing changes; energies None where not known."""

    start: datetime
    local: datetime
    hours: Fraction
    import_kwh: Fraction | None
    export_kwh: Fraction | None


def oracle_bill(tariff: Mapping[str, Any], metered: Sequence[Metered], spot: Sequence[SpotPoint] = ()) -> OracleBill:
    """The bill of some intervals in order of time, by a tariff file as YAML reads it."""
    bill = OracleBill()
    steps = list(_steps(tariff, metered, spot))
    _add_energy(bill, tariff, steps, spot)
    _add_tiers(bill, tariff, steps)
    _add_demand(bill, tariff, steps)
    _add_days(bill, tariff, steps)
    bill.missing_s = sum(60 * m.minutes for m in metered if m.import_wh is None and m.export_wh is None)
    bill.vat = bill.paid * _number(tariff.get("vat_percent", 0)) / 100
    return bill


@cache
def _number(value: float | str) -> Fraction:
    return Fraction(str(value))


# ---- time


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


def _step_minutes(tariff: Mapping[str, Any], metered: Sequence[Metered], spot: Sequence[SpotPoint]) -> int:
    """The longest step that no edge cuts: a common divisor of all clock times and lengths there are."""
    whole = QUARTER
    for window in (*tariff["rates"], *tariff.get("demand", ()), *tariff.get("contracted", ())):
        for key in ("from", "to"):
            whole = gcd(whole, _minutes(window.get(key, "00:00")))
        whole = gcd(whole, window.get("window_minutes", QUARTER))
    for one in metered:
        whole = gcd(whole, one.minutes, one.start.minute)
    for point in spot:
        whole = gcd(whole, point.start.minute, point.end.minute)
    return whole


def _steps(tariff: Mapping[str, Any], metered: Sequence[Metered], spot: Sequence[SpotPoint]) -> Iterator[Step]:
    zone, minutes = ZoneInfo(tariff["timezone"]), _step_minutes(tariff, metered, spot)
    hours = Fraction(minutes, 60)
    for one in metered:
        share = Fraction(minutes, one.minutes)
        bought, sold = one.import_wh, one.export_wh
        known = bought is not None or sold is not None
        parts = [Fraction(str(wh or 0)) / 1000 * share if known else None for wh in (bought, sold)]
        for i in range(one.minutes // minutes):
            start = one.start + timedelta(minutes=i * minutes)
            yield Step(start, start.astimezone(zone), hours, *parts)


def easter_sunday(year: int) -> date:
    """Gregorian Easter by the tables of the Book of Common Prayer: golden number, paschal full moon, next Sunday."""
    golden, century = year % 19 + 1, year // 100 + 1
    skipped, lunar = 3 * century // 4 - 12, (8 * century + 5) // 25 - 5
    sundays = 5 * year // 4 - skipped - 10
    epact = (11 * golden + 20 + lunar - skipped) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    moon = 44 - epact
    if moon < 21:
        moon += 30
    march = moon + 7 - (sundays + moon) % 7
    return date(year, 3, 1) + timedelta(days=march - 1)


def is_holiday(tariff: Mapping[str, Any], day: date) -> bool:
    """Whether a local day is one of the file's holidays."""
    for text in tariff.get("holidays", ()):
        if text.startswith("easter"):
            found = easter_sunday(day.year) + timedelta(days=int(text.removeprefix("easter") or 0))
        elif len(text) == 5:
            if f"{day:%m-%d}" == text:
                return True
            continue
        else:
            found = date.fromisoformat(text)
        if found == day:
            return True
    return False


def in_season(tariff: Mapping[str, Any], name: str, day: date) -> bool:
    """Whether a local day lies in the season, both ends included."""
    season, at = tariff["seasons"][name], f"{day:%m-%d}"
    if season["from"] <= season["to"]:
        return bool(season["from"] <= at <= season["to"])
    return bool(at >= season["from"] or at <= season["to"])


def fits(tariff: Mapping[str, Any], window: Mapping[str, Any], local: datetime) -> bool:
    """Whether a window of the file holds at a local time."""
    first, last = _minutes(window.get("from", "00:00")), _minutes(window.get("to", "00:00"))
    at, day = 60 * local.hour + local.minute, local.date()
    if first < last and not first <= at < last:
        return False
    if first > last and last <= at < first:
        return False
    if first > last and at < last:
        day -= timedelta(days=1)  # the evening before began it
    if window.get("months") and day.month not in window["months"]:
        return False
    if window.get("season") and not in_season(tariff, window["season"], day):
        return False
    if not window.get("days"):
        return True
    return ("holiday" if is_holiday(tariff, day) else DAYS[day.weekday()]) in window["days"]


# ---- money


def _add_energy(bill: OracleBill, tariff: Mapping[str, Any], steps: Sequence[Step], spot: Sequence[SpotPoint]) -> None:
    told = _told(spot)
    for step in steps:
        if step.import_kwh is None or step.export_kwh is None:
            continue
        rate = next(rate for rate in tariff["rates"] if fits(tariff, rate, step.local))
        price = told.get(step.start, _number(rate.get("spot_typical", 0)))
        bought = _number(rate["import"]) + _number(rate.get("spot_factor", 0)) * price
        sold = _number(rate.get("export", 0)) + _number(rate.get("export_spot_factor", 0)) * price
        bill.energy += step.import_kwh * bought
        bill.earned += step.export_kwh * sold
        bill.import_wh += 1000 * step.import_kwh
        bill.export_wh += 1000 * step.export_kwh
        bill.by_rate_wh[rate["name"]] += 1000 * step.import_kwh


def _told(spot: Sequence[SpotPoint]) -> dict[datetime, Fraction]:
    """The spot price of each single minute that has one."""
    return {
        point.start + timedelta(minutes=i): point.price
        for point in spot
        for i in range(int((point.end - point.start) / timedelta(minutes=1)))
    }


def _add_tiers(bill: OracleBill, tariff: Mapping[str, Any], steps: Sequence[Step]) -> None:
    if "tiers" not in tariff:
        return
    tiers = tariff["tiers"]
    so_far: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for step in steps:
        day = step.local.date()
        key = (day.year, day.month) if tiers["period"] == "month" else (day.year, day.month, day.day)
        days = _month_days(day) if tiers.get("per_day") and tiers["period"] == "month" else 1
        before = so_far[key]
        so_far[key] = after = before + (step.import_kwh or 0)
        low = Fraction(0)
        for one in tiers["steps"]:
            high = _number(one["up_to_kwh"]) * days if "up_to_kwh" in one else max(after, low)
            bill.tiers += max(Fraction(0), min(after, high) - max(before, low)) * _number(one["add"])
            low = high


def _month_days(day: date) -> int:
    first = day.replace(day=1)
    return ((first + timedelta(days=31)).replace(day=1) - first).days


def _add_demand(bill: OracleBill, tariff: Mapping[str, Any], steps: Sequence[Step]) -> None:
    months = sorted({(step.local.year, step.local.month) for step in steps})
    for charge in tariff.get("demand", ()):
        peaks = _daily_peaks(tariff, charge, steps)
        for year, month in months:
            if not _has_its_days(tariff, charge, date(year, month, 1)):
                continue
            highest = [kw for day, kw in peaks.items() if (day.year, day.month) == (year, month)]
            bill.peaks_kw[charge["name"], (year, month)] = peak = _mean_kw(charge, highest)
            bill.demand += _peak_price(charge, max(peak, _number(charge.get("least_kw", 0))))


def _has_its_days(tariff: Mapping[str, Any], charge: Mapping[str, Any], first: date) -> bool:
    """Whether some day of a month fits the charge's months and season, whatever its hours and weekdays."""
    days = [first + timedelta(days=i) for i in range(_month_days(first))]
    season = charge.get("season")
    return any(
        day.month in (charge.get("months") or [day.month]) and (not season or in_season(tariff, season, day))
        for day in days
    )


def _daily_peaks(tariff: Mapping[str, Any], charge: Mapping[str, Any], steps: Sequence[Step]) -> dict[date, Fraction]:
    """The highest window of each local day that has a window inside with data, mean kW."""
    length = charge.get("window_minutes", QUARTER)
    energy: dict[tuple[datetime, datetime], Fraction] = defaultdict(Fraction)
    for step in steps:
        if step.import_kwh is None:
            continue
        into = timedelta(minutes=(60 * step.local.hour + step.local.minute) % length)
        start = step.start - into
        energy[start, start.astimezone(step.local.tzinfo)] += step.import_kwh
    peaks: dict[date, Fraction] = defaultdict(Fraction)
    for (_, local), kwh in energy.items():
        if fits(tariff, charge, local):
            peaks[local.date()] = max(peaks[local.date()], kwh / Fraction(length, 60))
    return peaks


def _mean_kw(charge: Mapping[str, Any], daily: Sequence[Fraction]) -> Fraction:
    highest = sorted(daily, reverse=True)[: charge.get("mean_of", 1)]
    return sum(highest, Fraction(0)) / len(highest) if highest else Fraction(0)


def _peak_price(charge: Mapping[str, Any], peak_kw: Fraction) -> Fraction:
    if "steps" not in charge:
        return peak_kw * _number(charge["per_kw_month"])
    step = next(s for s in charge["steps"] if "up_to_kw" not in s or peak_kw <= _number(s["up_to_kw"]))
    return _number(step["per_month"])


def _add_days(bill: OracleBill, tariff: Mapping[str, Any], steps: Sequence[Step]) -> None:
    for day in sorted({step.local.date() for step in steps}):
        bill.fixed += _number(tariff.get("fixed_per_day", 0))
        bill.fixed += _number(tariff.get("fixed_per_month", 0)) / _month_days(day)
        for power in tariff.get("contracted", ()):
            bill.contracted += _number(power["kw"]) * _number(power.get("per_kw_day", 0))
