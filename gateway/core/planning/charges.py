"""What a month's peak and a period's energy cost beside the price of each kWh: frozen over the slots.

    window   |----- 15 min -----|----- 15 min -----|          a peak is the mean over one clock-aligned window
    slots    | 5 min| 5 m | 5 m |-------- 60 min --------|    short slots share a window, a long one is flat over its own

A peak costs only above what the month has seen, a tier only above what the period has used (`ToDate`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import Array, Slots
from gateway.core.tariff.peaks import demand_floor_w, demand_net_micro
from gateway.core.tariff.rates import vat_factor
from gateway.core.tariff.windows import fits
from gateway.model.tariff import DemandCharge, PeakStep, Period, Tiers, ToDate

Where = NDArray[np.intp]

STEP_HELD = 50_000.0
"""Micro-units per W above the step that a plan keeps to: more than any price, less than a departure (10 per Wh)."""


@dataclass(frozen=True)
class PeakMonth:
    """One demand charge in one local month; `days` holds the windows of each local day, `so_far_w` that month's peaks.

    A window is (slots, their shares of it): the mean power of the window is the shares times the slots' power. A window
    that began before the plan counts with the mean of what is left of it.
    """

    charge: DemandCharge
    vat: float
    so_far_w: tuple[float, ...]
    days: tuple[tuple[tuple[Where, Array], ...], ...]

    today_w: float = 0.0
    """The peak so far of the first of `days`, where that day runs already; where it is high enough it is in `so_far_w`."""
    level: int = 0
    """Of a charge in steps: how many steps above the one that is reached anyway the plan may go."""

    @cached_property
    def free_w(self) -> float:
        """Up to here a day's peak costs nothing more, W; of steps the top of the one the plan keeps to."""
        if not self.charge.steps:
            return self._reached_w
        top = self._steps[self.level].up_to_w
        return np.inf if top is None else top

    @cached_property
    def price(self) -> float:
        """What a W more of one day's peak costs, micro-units; a step is held as if it were a limit."""
        if not self.charge.steps:
            return self.vat * self.charge.micro_per_kw_month / 1000 / self.charge.mean_of
        return 0.0 if np.isinf(self.free_w) else STEP_HELD

    @property
    def level_micro(self) -> float:
        """What the plan's step costs more than the one that is reached anyway, micro-units."""
        steps = self._steps
        return self.vat * (steps[self.level].micro_per_month - steps[0].micro_per_month) if steps else 0.0

    @property
    def higher(self) -> PeakMonth | None:
        """The same charge, one step higher; None when there is none."""
        return replace(self, level=self.level + 1) if self.level + 1 < len(self._steps) else None

    @cached_property
    def _steps(self) -> tuple[PeakStep, ...]:
        return tuple(s for s in self.charge.steps if s.up_to_w is None or s.up_to_w >= self._reached_w)

    @cached_property
    def _reached_w(self) -> float:
        return demand_floor_w(self.charge, ToDate(peaks_w=((self.charge.name, self.so_far_w),)))

    @property
    def rivals(self) -> tuple[tuple[tuple[Where, Array], ...], ...]:
        """Windows of which only the highest counts: of all days, or of each where the mean of several days is billed."""
        return self.days if self.charge.mean_of > 1 else (tuple(window for day in self.days for window in day),)

    def free_of(self, number: int) -> float:
        """Up to here one of `rivals` costs nothing more, W: a day that runs counts with what it reached already."""
        return max(self.free_w, self.today_w) if number == 0 else self.free_w

    def micro(self, import_w: Array) -> float:
        """What this import adds to the month's bill, micro-units."""
        peaks = [max(float(share @ import_w[where]) for where, share in day) for day in self.days]
        before = list(self.so_far_w)
        if peaks and self.today_w > 0:
            # The day that runs has one peak, not two.
            peaks[0] = max(peaks[0], self.today_w)
            if self.today_w in before:
                before.remove(self.today_w)
        most = sorted((*before, *peaks), reverse=True)[: self.charge.mean_of]
        return self.vat * (
            demand_net_micro(self.charge, _mean(most)) - demand_net_micro(self.charge, _mean(self.so_far_w))
        )


@dataclass(frozen=True)
class TierSpan:
    """One period of the tiers: its slots, and what the energy from now on costs more than the price in the slots.

    `widths_wh` are what is left of each step, the last endless; `added` micro-units per Wh above the step that holds
    now, VAT included.
    """

    where: Where
    base: float
    """Micro-units per kWh of the step that holds now: it is part of the slots' price already."""
    widths_wh: tuple[float, ...]
    added: tuple[float, ...]

    @property
    def rises(self) -> bool:
        """Whether each step is dearer than the one before: only then a linear program can see them."""
        return all(a <= b for a, b in zip(self.added, self.added[1:], strict=False))

    def micro(self, import_wh: Array) -> float:
        """What this import costs above the slots' price, micro-units."""
        left, total = float(import_wh[self.where].sum()), 0.0
        for width, added in zip(self.widths_wh, self.added, strict=True):
            total += min(left, width) * added
            left = max(0.0, left - width)
        return total


@dataclass(frozen=True)
class Charges:
    """All of them for one plan."""

    peaks: tuple[PeakMonth, ...] = ()
    tiers: tuple[TierSpan, ...] = ()

    def micro(self, grid_w: Array, hours: Array) -> float:
        """What the grid's power adds to the bill beyond the price of each slot, micro-units."""
        bought = np.maximum(0.0, grid_w)
        return sum(p.micro(bought) for p in self.peaks) + sum(t.micro(bought * hours) for t in self.tiers)

    def higher(self) -> Iterator[Charges]:
        """The same with one of the charges in steps one step higher."""
        for index, peak in enumerate(self.peaks):
            if (above := peak.higher) is not None:
                yield replace(self, peaks=(*self.peaks[:index], above, *self.peaks[index + 1 :]))

    @property
    def level_micro(self) -> float:
        """What the steps the plan keeps to cost more than those that are reached anyway, micro-units."""
        return sum(peak.level_micro for peak in self.peaks)

    def base(self, count: int) -> Array:
        """The tiers' part of the price of each slot, micro-units per kWh."""
        result = np.zeros(count)
        for span in self.tiers:
            result[span.where] = span.base
        return result


def make_charges(request: PlanRequest, slots: Slots) -> Charges:
    """The request's demand charges and tiers over the slots."""
    tariff = request.tariff
    if not tariff.demand and tariff.tiers is None:
        return Charges()
    locals_ = [slots.start(index).astimezone(tariff.timezone) for index in range(slots.count)]
    spans = _tiers(request, tariff.tiers, locals_) if tariff.tiers else ()
    peaks = [peak for charge in tariff.demand for peak in _peaks(request, charge, slots, locals_)]
    return Charges(tuple(peaks), tuple(spans))


def _peaks(request: PlanRequest, charge: DemandCharge, slots: Slots, locals_: list[datetime]) -> Iterator[PeakMonth]:
    found: dict[date, dict[date, dict[float, list[int]]]] = {}
    for index, local in enumerate(locals_):
        begun = _window_start(local, charge.window_s)
        if fits(request.tariff, charge.when, begun):
            day = begun.date()
            windows = found.setdefault(day.replace(day=1), {}).setdefault(day, {})
            windows.setdefault(begun.timestamp(), []).append(index)
    today = request.now.astimezone(request.tariff.timezone).date()
    running = today.replace(day=1)
    for month, days in found.items():
        so_far = request.to_date.peaks(charge.name) if month == running else ()
        parts = tuple(tuple(_shares(slots, where) for where in day.values()) for day in days.values())
        reached = request.to_date.today(charge.name, today) if today in days else 0.0
        yield PeakMonth(charge, vat_factor(request.tariff), tuple(sorted(so_far, reverse=True)), parts, reached)


def _window_start(local: datetime, window_s: int) -> datetime:
    """The start of the clock-aligned window that holds a local time; windows are counted from local midnight."""
    wall = local.hour * 3600 + local.minute * 60 + local.second
    return local - timedelta(seconds=wall % max(1, window_s), microseconds=local.microsecond)


def _shares(slots: Slots, where: list[int]) -> tuple[Where, Array]:
    hours = slots.hours[where]
    return np.array(where, dtype=np.intp), hours / hours.sum()


def _tiers(request: PlanRequest, tiers: Tiers, locals_: list[datetime]) -> list[TierSpan]:
    found: dict[date, list[int]] = {}
    for index, local in enumerate(locals_):
        day = local.date()
        found.setdefault(day if tiers.period is Period.DAY else day.replace(day=1), []).append(index)
    vat, first = vat_factor(request.tariff), min(found)
    return [
        _span(tiers, key, np.array(where, dtype=np.intp), request.to_date.tier_wh if key == first else 0.0, vat)
        for key, where in found.items()
    ]


def _span(tiers: Tiers, key: date, where: Where, used_wh: float, vat: float) -> TierSpan:
    days = _days_in_month(key) if tiers.per_day and tiers.period is Period.MONTH else 1
    widths, added, low = [], [], 0.0
    for step in tiers.steps:
        top = np.inf if step.up_to_wh is None else step.up_to_wh * days
        if top > max(used_wh, low):
            widths.append(top - max(used_wh, low))
            added.append(vat * step.add_micro_per_kwh)
        low = top
    base = added[0] if added else 0.0
    return TierSpan(where, base, tuple(widths), tuple((add - base) / 1000 for add in added))


def _days_in_month(day: date) -> int:
    return ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day


def _mean(peaks: tuple[float, ...] | list[float]) -> float:
    return sum(peaks) / len(peaks) if peaks else 0.0
