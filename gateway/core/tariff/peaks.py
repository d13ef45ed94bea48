"""Peaks: the highest mean import over clock-aligned windows, what a month's peak costs, and what is still free.

power      __|##|____|####|___     a window of 15 min starts at :00, :15, :30, :45 of the local clock
days         4.1      5.2  3.9     the highest window of each local day, of those that start inside the charge's time
month        (5.2 + 4.1 + 3.9) / 3 with mean_of 3; never less than least_w
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import gcd

import numpy as np
from numpy.typing import NDArray

from gateway.core.tariff.metered import Metered, metered
from gateway.core.tariff.pieces import Floats, Ints, cut, holds, instant, local_days, local_seconds, stamps
from gateway.core.tariff.rates import vat_factor
from gateway.core.tariff.tiers import tier_period
from gateway.core.tariff.windows import fits_day, local_edges, midnight
from gateway.model.reading import Interval
from gateway.model.tariff import DemandCharge, Tariff, ToDate

QUARTER_S = 900
"""Every zone's clock is ahead of UTC by whole quarter hours, so windows of any zone begin on this grid or a finer."""

ROUNDING_W = 1e-6


@dataclass(frozen=True, slots=True)
class DayPeak:
    """The highest mean import of a local day, W, and the start of its window."""

    day: date
    power_w: float
    at: datetime


@dataclass(frozen=True, slots=True)
class MonthPeak:
    """What counts of a month (its first day): the mean of the highest daily peaks, W, and when the highest was."""

    month: date
    power_w: float
    at: datetime | None


@dataclass(frozen=True, slots=True)
class DemandSlots:
    """A demand charge on a planner's slots: which count, in which clock-aligned window, in which month (0 = first)."""

    charge: DemandCharge
    inside: NDArray[np.bool_]
    window: Ints
    """Numbers that are equal within one window and rise with time; of the window that holds the slot's start."""
    month: Ints


def day_peaks(tariff: Tariff, charge: DemandCharge, data: Metered) -> list[DayPeak]:
    """The peak of each local day on which something is known inside the charge's time, in order of days."""
    known = ~np.isnan(data.import_wh)
    start, end, wh = data.start[known], data.end[known], data.import_wh[known]
    if not len(start):
        return []
    grid = gcd(charge.window_s, QUARTER_S)
    marks = np.arange(np.ceil(start.min() / grid), np.floor(end.max() / grid) + 1) * grid
    pieces = cut(start, end, marks)
    share = pieces.seconds / (end - start)[pieces.source]
    windows, which = np.unique(_window_starts(tariff, charge, pieces.start), return_inverse=True)
    power = np.bincount(which, wh[pieces.source] * share) * 3600 / charge.window_s
    inside = holds(tariff, charge.when, windows)
    windows, power = windows[inside], power[inside]
    days = local_days(tariff, windows)
    order = np.lexsort((windows, -power, days))
    _, first = np.unique(days[order], return_index=True)
    return [DayPeak(days[i].item(), float(power[i]), instant(windows[i])) for i in order[first]]


def month_peaks(tariff: Tariff, charge: DemandCharge, data: Metered) -> list[MonthPeak]:
    """What is billed of each month that the intervals touch and the charge knows; without a window inside 0 W."""
    found: dict[date, list[DayPeak]] = {month: [] for month in touched_months(tariff, data)}
    for peak in day_peaks(tariff, charge, data):
        found.setdefault(peak.day.replace(day=1), []).append(peak)
    return [_month_peak(charge, month, peaks) for month, peaks in found.items() if _charges(tariff, charge, month)]


def _month_peak(charge: DemandCharge, month: date, peaks: list[DayPeak]) -> MonthPeak:
    highest = sorted(peaks, key=lambda peak: -peak.power_w)[: charge.mean_of]
    if not highest:
        return MonthPeak(month, 0.0, None)
    return MonthPeak(month, sum(peak.power_w for peak in highest) / len(highest), highest[0].at)


def _charges(tariff: Tariff, charge: DemandCharge, month: date) -> bool:
    """Whether some day of a month is of the charge's months and season."""
    days = range(1, monthrange(month.year, month.month)[1] + 1)
    return any(fits_day(tariff, charge.when, month.replace(day=day)) for day in days)


def touched_months(tariff: Tariff, data: Metered) -> list[date]:
    """The first days of the local months that the intervals touch, known or not, in order."""
    return sorted({day.replace(day=1) for day in touched_days(tariff, data)})


def touched_days(tariff: Tariff, data: Metered) -> list[date]:
    """The local days that the intervals touch, known or not, in order."""
    if not len(data.start):
        return []
    edges = local_edges(tariff, [], instant(data.start.min()), instant(data.end.max()))
    days = np.unique(local_days(tariff, cut(data.start, data.end, edges).start))
    return [day.item() for day in days]


def demand_net_micro(charge: DemandCharge, peak_w: float) -> float:
    """What a month whose peak is `peak_w` costs, micro-units without VAT; at least the charge's least power."""
    billed = max(peak_w, charge.least_w)
    if not charge.steps:
        return billed / 1000 * charge.micro_per_kw_month
    return next(s.micro_per_month for s in charge.steps if s.up_to_w is None or billed <= s.up_to_w + ROUNDING_W)


def demand_micro(tariff: Tariff, charge: DemandCharge, peak_w: float) -> float:
    """What a month whose peak is `peak_w` costs, micro-units with VAT."""
    return demand_net_micro(charge, peak_w) * vat_factor(tariff)


def demand_rate_micro(tariff: Tariff, charge: DemandCharge) -> float:
    """What one W more of a day's peak above `demand_floor_w` costs this month, micro-units with VAT; 0 for steps."""
    return charge.micro_per_kw_month / 1000 / charge.mean_of * vat_factor(tariff)


def demand_floor_w(charge: DemandCharge, so_far: ToDate) -> float:
    """Up to which power, W, another day's peak costs nothing more this month.

    With `mean_of` n that is the n-th highest so far: only what is above it raises the mean. While fewer than n days
    are known it is the least power of the charge.
    """
    peaks = so_far.peaks(charge.name)
    counted = peaks[charge.mean_of - 1] if len(peaks) >= charge.mean_of else 0.0
    return max(counted, charge.least_w)


def demand_windows(tariff: Tariff, starts: Sequence[datetime], durations: Sequence[float]) -> list[DemandSlots]:
    """Each demand charge on slots that begin at `starts` (aware) and last `durations` s.

    A slot counts where the window that holds its start began inside the charge's time, or one of the windows that
    begin within it does: a long slot is flat over each of them.
    """
    at, months = stamps(starts), month_index(tariff, starts)
    return [
        DemandSlots(charge, _touches(tariff, charge, at, durations), _numbers(tariff, charge, at), months)
        for charge in tariff.demand
    ]


def demand_masks(tariff: Tariff, starts: Sequence[datetime]) -> dict[str, NDArray[np.bool_]]:
    """Which instants lie in a clock-aligned window that began inside each demand charge's time, by its name."""
    at = stamps(starts)
    return {charge.name: holds(tariff, charge.when, _window_starts(tariff, charge, at)) for charge in tariff.demand}


def demand_edges(tariff: Tariff, start: datetime, end: datetime) -> list[datetime]:
    """The instants inside (start, end) at which a demand charge's time may begin or end, and each month; UTC, sorted."""
    if not tariff.demand:
        return []
    return local_edges(tariff, [charge.when for charge in tariff.demand], start, end)


def month_index(tariff: Tariff, starts: Sequence[datetime]) -> Ints:
    """How many local months after the first slot's each slot begins."""
    months = local_days(tariff, stamps(starts)).astype("datetime64[M]").astype(np.int64)
    return np.asarray(months - months[:1]) if len(months) else months


def to_date(tariff: Tariff, intervals: Iterable[Interval], now: datetime) -> ToDate:
    """What the running local month (tiers: their own period) holds up to `now`; older and later data do not matter."""
    data, tariff = metered(intervals), tariff.at(now)
    first = midnight(tariff, now.astimezone(tariff.timezone).date().replace(day=1))
    month = data.between(first.timestamp(), now.timestamp())
    tier = data.between(tier_period(tariff, now)[0].timestamp(), now.timestamp())
    days = {charge.name: day_peaks(tariff, charge, month) for charge in tariff.demand}
    today = now.astimezone(tariff.timezone).date()
    return ToDate(
        float(np.nansum(tier.import_wh)) if tariff.tiers is not None else 0.0,
        tuple((charge.name, _highest(charge, days[charge.name])) for charge in tariff.demand),
        today,
        tuple((name, peak.power_w) for name, peaks in days.items() for peak in peaks if peak.day == today),
    )


def _highest(charge: DemandCharge, peaks: list[DayPeak]) -> tuple[float, ...]:
    return tuple(sorted((peak.power_w for peak in peaks), reverse=True)[: charge.mean_of])


def _window_starts(tariff: Tariff, charge: DemandCharge, at: Floats) -> Floats:
    return np.asarray(at - local_seconds(tariff, at) % charge.window_s)


def _numbers(tariff: Tariff, charge: DemandCharge, at: Floats) -> Ints:
    numbers = np.unique(_window_starts(tariff, charge, at), return_inverse=True)[1]
    return np.asarray(numbers, dtype=np.int64)


def _touches(tariff: Tariff, charge: DemandCharge, at: Floats, durations: Sequence[float]) -> NDArray[np.bool_]:
    first = _window_starts(tariff, charge, at)
    inside = holds(tariff, charge.when, first)
    counts = np.ceil((at + np.asarray(durations, dtype=float) - first) / charge.window_s).astype(np.int64)
    for nth in range(1, int(counts.max(initial=1))):
        inside |= (nth < counts) & holds(tariff, charge.when, first + nth * charge.window_s)
    return inside


def days_of(month: date) -> int:
    """How many days a month has."""
    return ((month.replace(day=1) + timedelta(days=31)).replace(day=1) - month.replace(day=1)).days
