"""The bill of metered intervals: the one engine that planning, explanation, savings and tests count with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import numpy as np

from gateway.core.tariff.metered import Metered, metered
from gateway.core.tariff.peaks import days_of, demand_net_micro, month_peaks, touched_days, touched_months
from gateway.core.tariff.pieces import Floats, Pieces, cut, instant, local_days, piece_prices
from gateway.core.tariff.rates import price_edges
from gateway.core.tariff.tiers import thresholds
from gateway.core.tariff.versions import spans
from gateway.core.tariff.windows import midnight
from gateway.model.reading import Interval
from gateway.model.series import Series
from gateway.model.tariff import Bill, BillKind, BillLine, Period, Tariff, Tiers

__all__ = ["Metered", "bill", "bill_of", "bills_by_month", "metered"]

EARNED = frozenset({BillKind.EXPORT, BillKind.VAT})


def bill(tariff: Tariff, intervals: Iterable[Interval], spot: Series | None = None) -> Bill:
    """The bill of metered intervals, micro-units; each line is summed unrounded and rounded once.

    An interval that crosses a price edge, a day or a month is shared by time; one without data touches its days and
    is billed no energy. Peaks are billed by whole months.
    """
    return bill_of(tariff, metered(intervals), spot)


def bills_by_month(tariff: Tariff, intervals: Iterable[Interval], spot: Series | None = None) -> dict[date, Bill]:
    """The bill of each local month (its first day) that the intervals touch, in order; together they are `bill`'s."""
    data = metered(intervals)
    bills = {}
    for month in touched_months(tariff, data):
        start, end = midnight(tariff, month), midnight(tariff, date.fromordinal(month.toordinal() + days_of(month)))
        bills[month] = bill_of(tariff, data.between(start.timestamp(), end.timestamp()), spot)
    return bills


def bill_of(tariff: Tariff, data: Metered, spot: Series | None = None) -> Bill:
    """The bill of metered arrays, as `bill`."""
    if not len(data.start):
        return Bill((), 0.0, 0.0)
    if tariff.others:
        return _bill_of_all(tariff, data, spot)
    pieces = cut(data.start, data.end, price_edges(tariff, instant(data.start.min()), instant(data.end.max()), spot))
    share = pieces.seconds / (data.end - data.start)[pieces.source]
    bought = np.nan_to_num(data.import_wh)[pieces.source] * share
    sold = np.nan_to_num(data.export_wh)[pieces.source] * share
    days = touched_days(tariff, data)
    lines = [
        *_energy(tariff, pieces, bought, sold, spot),
        *_tiers(tariff, pieces, bought),
        *_demand(tariff, data),
        *_contracted(tariff, days),
        *_fixed(tariff, days),
    ]
    return Bill(tuple(lines + _vat(tariff, lines)), float(bought.sum()), float(sold.sum()), data.missing_s, len(days))


def _bill_of_all(tariff: Tariff, data: Metered, spot: Series | None) -> Bill:
    """Each part of the time by the tariff in force then; lines of the same name are one."""
    first, last = instant(data.start.min()), instant(data.end.max())
    parts = [
        bill_of(held, data.between(a.timestamp(), b.timestamp()), spot) for a, b, held in spans(tariff, first, last)
    ]
    lines: dict[tuple[BillKind, str, date | None], BillLine] = {}
    for line in (line for part in parts for line in part.lines):
        key = (line.kind, line.name, line.month)
        before = lines.get(key)
        lines[key] = line if before is None else replace(
            before, micro=before.micro + line.micro, wh=before.wh + line.wh, days=before.days + line.days
        )  # fmt: skip
    return Bill(
        tuple(lines.values()), sum(p.import_wh for p in parts), sum(p.export_wh for p in parts),
        sum(p.missing_s for p in parts), sum(p.days for p in parts),
    )  # fmt: skip


def _energy(tariff: Tariff, pieces: Pieces, bought: Floats, sold: Floats, spot: Series | None) -> list[BillLine]:
    paid, earned, which = piece_prices(tariff, pieces, spot)
    count = len(tariff.rates)
    both = ((BillKind.IMPORT, bought, paid), (BillKind.EXPORT, sold, -earned))
    lines = []
    for kind, energy, price in both:
        wh = np.bincount(which, energy, count)
        micro = np.bincount(which, energy * price, count) / 1000
        lines += [
            BillLine(kind, rate.name, round(float(micro[i])), float(wh[i]))
            for i, rate in enumerate(tariff.rates)
            if wh[i] > 0
        ]
    return lines


def _tiers(tariff: Tariff, pieces: Pieces, bought: Floats) -> list[BillLine]:
    """What each step adds: within a period only the sum decides how much falls into which step."""
    tiers = tariff.tiers
    if tiers is None:
        return []
    days = local_days(tariff, pieces.start)
    if tiers.period is Period.MONTH:
        days = days.astype("datetime64[M]").astype("datetime64[D]")
    periods, which = np.unique(days, return_inverse=True)
    energy = [0.0] * len(tiers.steps)
    for day, total in zip(periods, np.bincount(which, bought), strict=True):
        for step, part in enumerate(_by_step(tiers, day.item(), float(total))):
            energy[step] += part
    return [
        BillLine(BillKind.TIER, _tier_name(tiers, n), round(wh * tiers.steps[n].add_micro_per_kwh / 1000), wh)
        for n, wh in enumerate(energy)
        if wh > 0
    ]


def _by_step(tiers: Tiers, day: date, total: float) -> list[float]:
    bounds = [total if bound is None else min(bound, total) for bound in thresholds(tiers, day)]
    return [max(high - low, 0.0) for low, high in zip([0.0, *bounds], bounds, strict=False)]


def _tier_name(tiers: Tiers, number: int) -> str:
    bound = tiers.steps[number].up_to_wh
    unit = "kWh a day" if tiers.per_day or tiers.period is Period.DAY else "kWh"
    if bound is not None:
        return f"up to {bound / 1000:g} {unit}"
    before = tiers.steps[number - 1].up_to_wh if number else None
    return "all" if before is None else f"above {before / 1000:g} {unit}"


def _demand(tariff: Tariff, data: Metered) -> list[BillLine]:
    return [
        BillLine(
            BillKind.DEMAND,
            charge.name,
            round(demand_net_micro(charge, peak.power_w)),
            month=peak.month,
            peak_w=peak.power_w,
            peak_at=peak.at,
        )
        for charge in tariff.demand
        for peak in month_peaks(tariff, charge, data)
    ]


def _contracted(tariff: Tariff, days: list[date]) -> list[BillLine]:
    return [
        BillLine(
            BillKind.CONTRACTED,
            part.name,
            round(part.power_w / 1000 * part.micro_per_kw_day * len(days)),
            days=len(days),
        )
        for part in tariff.contracted
        if part.micro_per_kw_day
    ]


def _fixed(tariff: Tariff, days: list[date]) -> list[BillLine]:
    lines = []
    if tariff.fixed_micro_per_day:
        lines.append(BillLine(BillKind.FIXED, "per day", tariff.fixed_micro_per_day * len(days), days=len(days)))
    if tariff.fixed_micro_per_month:
        months = Counter(day.replace(day=1) for day in days)
        share = sum(touched / days_of(month) for month, touched in months.items())
        lines.append(BillLine(BillKind.FIXED, "per month", round(tariff.fixed_micro_per_month * share), days=len(days)))
    return lines


def _vat(tariff: Tariff, lines: list[BillLine]) -> list[BillLine]:
    if not tariff.vat_percent:
        return []
    paid = sum(line.micro for line in lines if line.kind not in EARNED)
    return [BillLine(BillKind.VAT, f"VAT {tariff.vat_percent:g} %", round(paid * tariff.vat_percent / 100))]
