"""The plan's time: uneven slots, aligned, cut wherever a price, a limit, an override or a departure changes things."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.load_cuts import load_cuts
from gateway.core.planning.request import PlanRequest
from gateway.core.tariff.rates import price_edges, prices
from gateway.core.tariff.windows import local_edges
from gateway.model.authority import Authority
from gateway.model.plan import Forecast
from gateway.model.series import Series
from gateway.model.setpoint import Limit

Array = NDArray[np.float64]
LEAST_S = 120.0
"""No slot is cut shorter than this, s, where devices return after an event."""


@dataclass(frozen=True)
class Slots:
    """Half-open slots without gaps: `edges` are one more than the slots, s since 1970 (whole seconds)."""

    edges: Array

    @property
    def count(self) -> int:
        """How many slots there are."""
        return len(self.edges) - 1

    @cached_property
    def hours(self) -> Array:
        """Length of each slot, h."""
        return np.asarray(np.diff(self.edges) / 3600)

    @cached_property
    def ahead_h(self) -> Array:
        """Start of each slot, h from the first."""
        return np.asarray((self.edges[:-1] - self.edges[0]) / 3600)

    def start(self, index: int) -> datetime:
        """Start of a slot, or the end of the last one for `index` = count; aware UTC."""
        return datetime.fromtimestamp(float(self.edges[index]), UTC)

    def touched(self, start: datetime, end: datetime | None) -> NDArray[np.bool_]:
        """Which slots overlap [start, end); `end` None is open."""
        last = math.inf if end is None else end.timestamp()
        return np.asarray((self.edges[1:] > start.timestamp()) & (self.edges[:-1] < last))

    def before(self, when: datetime) -> NDArray[np.bool_]:
        """Which slots end by `when` (a second's rounding apart)."""
        return np.asarray(self.edges[1:] <= when.timestamp() + 1)


def make_slots(request: PlanRequest, departures: Iterable[datetime]) -> Slots:
    """The slots of a request: the first starts at its `now`, rounded down to a second."""
    start = float(math.floor(request.now.timestamp()))
    edges = {start}
    low = 0.0
    for hours, step in request.steps:
        first = math.ceil((start + low * 3600 + 1) / step) * step
        last = start + hours * 3600
        edges.update(np.arange(first, last + 1, step, dtype=float).tolist())
        low = hours
    end = max(edges)
    edges.update(math.floor(cut.timestamp()) for cut in _cuts(request, departures, start, end))
    steps = {math.floor(edge.timestamp()) for step in _returns(request) for edge in (step.start, step.end)}
    edges.update(_spaced(sorted(step for step in steps - edges if start < step < end), sorted(edges)))
    return Slots(np.array(sorted(edge for edge in edges if start <= edge <= end)))


def _cuts(request: PlanRequest, departures: Iterable[datetime], start: float, end: float) -> list[datetime]:
    first, last = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    tariff, steps = request.tariff, _returns(request)
    cuts = [*departures, *price_edges(tariff, first, last)]
    cuts += local_edges(tariff, [*(d.when for d in tariff.demand), *(c.when for c in tariff.contracted)], first, last)
    spans: Sequence[tuple[datetime, datetime | None]] = [
        *((limit.start, limit.end) for limit in request.limits if limit not in steps),
        *((point.start, point.end) for point in request.price_signals),
        *((override.start, override.end) for override in request.snapshot.overrides),
    ]
    cuts += load_cuts(request, first, last)
    cuts += [edge for span in spans for edge in span if edge is not None]
    return [cut for cut in cuts if first < cut < last]


def _returns(request: PlanRequest) -> list[Limit]:
    """The steps in which devices return after a joined event: each begins where one of its event and device ends."""
    ends = {(limit.source, limit.device, limit.end) for limit in request.limits}
    return [
        limit
        for limit in request.limits
        if limit.authority >= Authority.DEMAND_RESPONSE and (limit.source, limit.device, limit.start) in ends
    ]


def _spaced(cuts: list[int], edges: list[float]) -> list[float]:
    """The cuts that make no slot shorter than a relay would follow: devices return from an event each at its own second."""
    kept = list(edges)
    for cut in cuts:
        at = bisect(kept, cut)
        if cut - kept[at - 1] >= LEAST_S and kept[at] - cut >= LEAST_S:
            kept.insert(at, float(cut))
    return kept


def sample(forecast: Forecast | None, slots: Slots, default: float) -> Array:
    """The mean of a forecast over each slot; outside it the same hours of its last day, without any `default`."""
    if forecast is None or not forecast.mean or forecast.step_s <= 0:
        return np.full(slots.count, default)
    values = np.array([default if v is None or not math.isfinite(v) else v for v in forecast.mean], dtype=float)
    start = forecast.start.timestamp()
    values, start = _stretched(values, start, forecast.step_s, slots)
    ends = start + np.arange(len(values) + 1) * forecast.step_s
    total = np.concatenate(([0.0], np.cumsum(values * forecast.step_s)))
    return np.asarray(np.diff(np.interp(slots.edges, ends, total)) / np.diff(slots.edges))


def _stretched(values: Array, start: float, step: int, slots: Slots) -> tuple[Array, float]:
    """The series made long enough for the slots, repeating its first or last day."""
    day = min(max(1, 86_400 // step), len(values))
    lead = max(0, math.ceil((start - slots.edges[0]) / step))
    lead = min(lead, 100_000)
    if lead:
        values = np.concatenate((np.resize(values[:day][::-1], lead)[::-1], values))
        start -= lead * step
    short = math.ceil((slots.edges[-1] - start) / step) - len(values)
    if short > 0:
        values = np.concatenate((values, np.resize(values[-day:], min(short, 100_000))))
    return values, start


def slot_prices(request: PlanRequest, slots: Slots) -> tuple[Array, Array]:
    """Import and export price of each slot, micro-units per kWh: the tariff's, replaced by the signals'."""
    starts = [slots.start(index) for index in range(slots.count)]
    bought, sold = prices(request.tariff, starts, (slots.hours * 3600).tolist(), request.spot)
    for point in request.price_signals:
        series = {"PRICE": bought, "EXPORT_PRICE": sold}.get(point.kind)
        if series is not None and math.isfinite(point.value):
            series[slots.touched(point.start, point.end)] = point.value
    return np.round(bought), np.round(sold)


def slot_carbon(request: PlanRequest, slots: Slots) -> Array:
    """Carbon intensity of each slot, g/kWh."""
    carbon = np.full(slots.count, max(0.0, request.co2_g_per_kwh))
    if request.carbon is not None:
        told = mean_of(request.carbon, slots)
        carbon = np.where(np.isfinite(told), np.maximum(0.0, told), carbon)
    for point in request.price_signals:
        if point.kind == "GHG" and math.isfinite(point.value):
            carbon[slots.touched(point.start, point.end)] = point.value
    return carbon


def mean_of(series: Series, slots: Slots) -> Array:
    """The mean of a series over what it tells of each slot; nan where it tells nothing."""
    total, told = np.zeros(slots.count), np.zeros(slots.count)
    for point in series.points:
        start, end = point.start.timestamp(), point.end.timestamp()
        if end <= slots.edges[0] or start >= slots.edges[-1] or not math.isfinite(point.value):
            continue
        shared = np.maximum(0.0, np.minimum(slots.edges[1:], end) - np.maximum(slots.edges[:-1], start))
        total, told = total + shared * point.value, told + shared
    return np.where(told > 0, total / np.maximum(told, 1e-9), np.nan)


def to_instant(when: datetime) -> datetime:
    """The same instant as aware UTC: never subtract two local times of one zone, Python does that by the wall."""
    return when.astimezone(UTC)


def seconds(start: datetime, end: datetime) -> float:
    """Real seconds from `start` to `end`."""
    return (to_instant(end) - to_instant(start)) / timedelta(seconds=1)
