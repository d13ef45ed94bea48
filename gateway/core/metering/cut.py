"""Quarter hours cut where an event or a report begins or ends, as their minutes say.

quarter hour   |            300 Wh             |      the truth for bills
minutes        |  0  0  0  0  0  20  20 ...     |      shape only
cut at minute 5|    0 Wh   |      300 Wh       |      sums to the same
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from gateway.core.metering.exact import divide
from gateway.model.reading import Interval, IntervalQuality, Rollup

MINUTE = timedelta(minutes=1)
MAY_LACK = 1
"""So many minutes of a quarter hour may not have been measured; they count as its mean."""
STEADY_W = 200.0
"""A minute whose power varied by no more than this, or a tenth, may be cut; of another nobody knows which half had it."""


def cut_at(intervals: Sequence[Interval], edges: Collection[datetime], power: Sequence[Rollup] = ()) -> list[Interval]:
    """One device's intervals, each that holds an edge in parts, to the whole second.

    `power` are the one-minute roll-ups of its power; where they lack, the parts go by length and are estimates. So are
    those next to an edge inside a minute in which the power changed.
    """
    minutes = {rollup.start: rollup for rollup in power}
    whole = sorted({whole_second(edge) for edge in edges})
    found = []
    for interval in intervals:
        inner = [edge for edge in whole if interval.start < edge < interval.end]
        found += _parts(interval, inner, minutes) if inner else [interval]
    return found


def whole_second(when: datetime) -> datetime:
    """The nearest whole second: intervals know no parts of one."""
    return (when + timedelta(milliseconds=500)).replace(microsecond=0)


def _parts(interval: Interval, inner: Sequence[datetime], minutes: Mapping[datetime, Rollup]) -> list[Interval]:
    spans = list(pairwise([interval.start, *inner, interval.end]))
    taken, taken_known = _divided(interval.import_wh, interval, spans, minutes, 1)
    given, given_known = _divided(interval.export_wh, interval, spans, minutes, -1)
    quality = interval.quality
    if quality is not IntervalQuality.MISSING and not (taken_known and given_known and _steady(inner, minutes)):
        quality = IntervalQuality.ESTIMATED
    return [
        replace(interval, start=a, duration_s=round((b - a).total_seconds()), import_wh=t, export_wh=g, quality=quality)
        for (a, b), t, g in zip(spans, taken, given, strict=True)
    ]


def _divided(
    energy: float | None,
    interval: Interval,
    spans: Sequence[tuple[datetime, datetime]],
    minutes: Mapping[datetime, Rollup],
    sign: int,
) -> tuple[list[float | None], bool]:
    """The energy of each part, and whether its minutes said so (nothing is nothing in every part)."""
    if energy is None:
        return [None] * len(spans), True
    weights = _weights(interval, spans, minutes, sign)
    known = not energy or sum(weights) > 0
    shares = weights if sum(weights) > 0 else [(b - a).total_seconds() for a, b in spans]
    return list(divide(energy, shares)), known


def _weights(
    interval: Interval, spans: Sequence[tuple[datetime, datetime]], minutes: Mapping[datetime, Rollup], sign: int
) -> list[float]:
    """What the minutes measured in each part, in one direction; all 0 where too many lack."""
    starts = [interval.start + MINUTE * number for number in range(interval.duration_s // 60)]
    known = [max(0.0, sign * minutes[at].mean) for at in starts if at in minutes]
    if len(starts) - len(known) > MAY_LACK or not known:
        return [0.0] * len(spans)
    mean = sum(known) / len(known)
    power = {at: max(0.0, sign * minutes[at].mean) if at in minutes else mean for at in starts}
    return [sum(watts * _overlap_s(at, span) for at, watts in power.items()) for span in spans]


def _steady(inner: Sequence[datetime], minutes: Mapping[datetime, Rollup]) -> bool:
    cut = [minutes.get(edge.replace(second=0)) for edge in inner if edge.second]
    return all(x is None or x.high - x.low <= max(STEADY_W, 0.1 * abs(x.mean)) for x in cut)


def _overlap_s(minute: datetime, span: tuple[datetime, datetime]) -> float:
    return max(0.0, (min(minute + MINUTE, span[1]) - max(minute, span[0])).total_seconds())
