"""Other lengths of interval data, derived from the stored quarter hours: 5 minutes, half an hour, an hour, a day.

    quarter hours  |   250   |   100   |   150   |   300   |      the truth for bills
    an hour        |                  800                  |      sums
    5 minutes      | 90 80 80| 34 33 33| ...                      each quarter hour divided as its minutes say

Whatever the length, the sums over the same time are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.core.metering.counters import counter_step
from gateway.core.metering.exact import divide
from gateway.core.metering.remainder import worst
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality, Rollup

FIVE_MINUTES_S, DAY_S = 300, 86_400
LENGTHS_S = (FIVE_MINUTES_S, INTERVAL_S, 1800, 3600, DAY_S)
"""The lengths that can be asked for, s; a day is a local one and has 23 to 25 hours."""
Q = Quantity
_QUANTITIES: dict[str, tuple[Quantity, ...]] = {
    "": (Q.ENERGY_IMPORT, Q.ENERGY_EXPORT, Q.POWER),
    "pv": (Q.PV_ENERGY, Q.PV_POWER),
    "battery": (Q.BATTERY_CHARGED, Q.BATTERY_DISCHARGED, Q.BATTERY_POWER),
}
Rollups = Mapping[Quantity, Sequence[Rollup]]


def resample(
    intervals: Iterable[Interval], length_s: int, zone: ZoneInfo, rollups: Rollups | None = None
) -> list[Interval]:
    """One device's quarter hours as intervals of `length_s` (one of LENGTHS_S); raises ValueError for another length.

    For 5 minutes `rollups` holds the one-minute roll-ups of `quantities(name)`; without them the parts are estimates.
    """
    if length_s == INTERVAL_S:
        return list(intervals)
    if length_s == FIVE_MINUTES_S:
        return five_minutes(list(intervals), rollups or {})
    if length_s == DAY_S:
        return daily(intervals, zone)
    if length_s in LENGTHS_S:
        return aggregate(intervals, length_s)
    raise ValueError(f"intervals of {length_s} s are not kept; ask for one of {', '.join(map(str, LENGTHS_S))}")


def quantities(name: str) -> tuple[Quantity, ...]:
    """The series whose roll-ups divide the intervals of `name`, which is a device id, "<id>/pv" or "<id>/battery"."""
    return _QUANTITIES.get(name.partition("/")[2], ())


def aggregate(intervals: Iterable[Interval], length_s: int) -> list[Interval]:
    """Sums over `length_s`, a multiple of the quarter hour, aligned to UTC; the quality is the worst of the parts.

    With parts missing the sum of the others is an estimate that says so; with more than half missing it is missing.
    """

    def span(start: datetime) -> tuple[datetime, datetime]:
        begin = datetime.fromtimestamp(start.timestamp() // length_s * length_s, UTC)
        return begin, begin + timedelta(seconds=length_s)

    return _gather(intervals, span)


def daily(intervals: Iterable[Interval], zone: ZoneInfo) -> list[Interval]:
    """Sums over local days, from midnight to midnight: `duration_s` is 82,800, 86,400 or 90,000; else as `aggregate`."""
    return _gather(intervals, lambda start: local_day(start.astimezone(zone).date(), zone))


def local_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants at which a local day begins and ends, UTC."""
    begin, end = (datetime.combine(d, time(0), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return begin, end


def five_minutes(intervals: Sequence[Interval], rollups: Rollups) -> list[Interval]:
    """Each quarter hour of one device divided into three parts, as the counter or else the power of its minutes says.

    Without its minutes a quarter hour is divided evenly, which is an estimate. A missing one stays missing.
    """
    name = intervals[0].device if intervals else ""
    known = quantities(name)
    power = _by_start(rollups.get(known[-1], ())) if known else {}
    # The panels of a hybrid have one counter, of what they give.
    counters = (None, *known[:-1]) if len(known) == 2 else known[:-1] or (None, None)
    registers = [{} if q is None else _by_start(rollups.get(q, ())) for q in counters]
    return [part for interval in intervals for part in _divided(interval, registers, power)]


Minutes = dict[datetime, Rollup]


def _by_start(rollups: Sequence[Rollup]) -> Minutes:
    return {rollup.start: rollup for rollup in rollups}


def _divided(interval: Interval, registers: Sequence[Minutes], power: Minutes) -> list[Interval]:
    taken, taken_how = _parts(interval.import_wh, interval.start, registers[0], power, 1)
    given, given_how = _parts(interval.export_wh, interval.start, registers[1], power, -1)
    how = taken_how or given_how
    quality = IntervalQuality.ESTIMATED if how and interval.quality is IntervalQuality.VALID else interval.quality
    method = f"{interval.method}, {how}" if how else interval.method
    starts = [interval.start + timedelta(seconds=index * FIVE_MINUTES_S) for index in range(3)]
    return [
        Interval(interval.device, start, FIVE_MINUTES_S, taken[index], given[index], quality, method)
        for index, start in enumerate(starts)
    ]


def _parts(
    energy: float | None, start: datetime, register: Minutes, power: Minutes, sign: int
) -> tuple[list[float | None], str]:
    if energy is None:
        return [None] * 3, ""
    choices = _register_weights(start, register), _power_weights(start, power, sign)
    weights = next((choice for choice in choices if sum(choice) > 0), None)
    how = "" if weights or not energy else "divided evenly"
    return list(divide(energy, weights or [1.0] * 3)), how


def _register_weights(start: datetime, register: Minutes) -> list[float]:
    """How far the register rose in each of the three parts, Wh; empty when an edge was not read."""
    edges = [register.get(start + timedelta(minutes=minute)) for minute in (-1, 4, 9, 14)]
    known = [edge.last for edge in edges if edge is not None]
    if len(known) < len(edges):
        return []
    return [counter_step(a, b, FIVE_MINUTES_S).energy_wh for a, b in pairwise(known)]


def _power_weights(start: datetime, power: Minutes, sign: int) -> list[float]:
    """The mean power of each of the three parts, W >= 0; empty when most of a part was not measured."""
    weights = []
    for part in range(3):
        minutes = [power.get(start + timedelta(minutes=part * 5 + minute)) for minute in range(5)]
        means = [max(0.0, minute.mean * sign) for minute in minutes if minute is not None]
        if len(means) < 3:
            return []
        weights.append(sum(means) / len(means))
    return weights


def _gather(intervals: Iterable[Interval], span: Callable[[datetime], tuple[datetime, datetime]]) -> list[Interval]:
    groups: dict[tuple[datetime, datetime], list[Interval]] = {}
    for interval in intervals:
        groups.setdefault(span(interval.start), []).append(interval)
    return [_sum(parts, begin, end) for (begin, end), parts in sorted(groups.items())]


def _sum(parts: Sequence[Interval], begin: datetime, end: datetime) -> Interval:
    length_s = round((end - begin).total_seconds())
    known = [part for part in parts if part.net_wh is not None]
    lacking = length_s - sum(part.duration_s for part in known)
    name = parts[0].device
    if lacking * 2 > length_s:
        words = f"{_count(lacking)} missing"
        return Interval(name, begin, length_s, None, None, IntervalQuality.MISSING, words)
    taken, given = ([part.import_wh for part in known], [part.export_wh for part in known])
    partly = any(0 < side.count(None) < len(side) for side in (taken, given))
    quality = worst(known)
    method = ", ".join(dict.fromkeys(part.method for part in known))
    if lacking > 0 or partly:
        quality = IntervalQuality.ESTIMATED
        method += f"; {_count(lacking)} missing" if lacking > 0 else "; one direction is not known all the time"
    return Interval(name, begin, length_s, _total(taken), _total(given), quality, method)


def _count(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes"


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
