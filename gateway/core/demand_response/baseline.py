"""What the home would have used without the event, and so what it delivered.

Whole home: the CAISO 10-in-10 day matching. The last ten non-event days of the same type (working day or weekend)
within 45 days are averaged per slot, then scaled by how the event day itself began, at most +-20 %:

    day type   |..10 days, mean per slot..............|== event ==|
    event day  |.......|-- adjustment --|.. 1 h gap ..|== event ==|
                       -4 h            -1 h           start
    factor = energy of the event day / mean energy of the ten days, over the adjustment window, within 0.8-1.2

Interpretation: without positive energy on both sides of the adjustment window (solar export) the factor is 1.

Devices with their own meter (car, tank, battery, heat pump) have a baseline of their own: they would have gone on as
planned, or, without a plan, with the power they drew before the event, until their need was met. Day matching says
nothing useful about a car that charges on other days at other times.

Powers and energies have the one sign rule; delivered energy is positive when less was consumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from gateway.model.reading import INTERVAL_S, Interval

DAYS = 10
LOOK_BACK_DAYS = 45
LARGEST_ADJUSTMENT = 0.2
ADJUST_FROM = timedelta(hours=4)
ADJUST_TO = timedelta(hours=1)
COVERAGE = 0.8
LEAST_PLACEBOS = 3
MOST_PLACEBOS = 20
DEVICE_ERROR_SHARE = 0.1
"""Stated half width of a device's delivered energy, as a share of its baseline energy."""


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """Energy over [start, start + duration_s), Wh, import positive."""

    start: datetime
    duration_s: float
    energy_wh: float

    @property
    def end(self) -> datetime:
        """The first instant after the row."""
        return self.start + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline of an event: no rows when no similar day is known.

    `adjustment` is the same-day factor, 0.8-1.2. `error_wh` is the half width of the 80 % interval of the whole event's
    energy, Wh, from the same method on past non-event days; None with fewer than three of them.
    """

    rows: tuple[BaselineRow, ...] = ()
    adjustment: float = 1.0
    error_wh: float | None = None
    days: tuple[date, ...] = ()

    @property
    def energy_wh(self) -> float | None:
        """The whole event's energy, Wh; None when it is not known."""
        return sum(row.energy_wh for row in self.rows) if self.rows else None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Energy delivered, Wh (less consumption is positive), with its 80 % interval; None when not known.

    `energy_wh` is the sum of the sub-metered devices when there are any, else the whole home's. `home_wh` with its own
    interval is the whole home's, as an independent witness.
    """

    energy_wh: float | None
    low_wh: float | None
    high_wh: float | None
    per_device: Mapping[str, float] = field(default_factory=dict)
    home_wh: float | None = None
    home_low_wh: float | None = None
    home_high_wh: float | None = None


def baseline(
    intervals: Sequence[Interval],
    event_start: datetime,
    event_end: datetime,
    *,
    excluded_days: Collection[date] = (),
    tz: tzinfo = UTC,
) -> Baseline:
    """The 10-in-10 baseline of [event_start, event_end) from the main meter's intervals (45 days and the event day).

    `excluded_days` are local dates of events and holidays.
    """
    energy = {x.start: x.net_wh for x in intervals if x.net_wh is not None and x.duration_s == INTERVAL_S}
    found = _matched(energy, event_start, event_end, excluded_days, tz)
    if not found.rows:
        return found
    residuals = _placebos(energy, event_start, event_end, excluded_days, tz)
    return Baseline(found.rows, found.adjustment, _half_width(residuals), found.days)


def device_baseline(
    start: datetime,
    end: datetime,
    *,
    power_w: float,
    needed_wh: float | None = None,
    planned_w: Callable[[datetime], float | None] | None = None,
) -> tuple[BaselineRow, ...]:
    """What a sub-metered device would have done over [start, end).

    It follows `planned_w` (mean W of the slot that starts then, of the plan made before the event was known), else goes
    on at `power_w` W as before the event, until it has taken `needed_wh` Wh (None: no end in sight).
    """
    left = math.inf if needed_wh is None else max(0.0, needed_wh)
    rows = []
    for slot, seconds in slots(start, end):
        planned = planned_w(slot) if planned_w is not None else None
        energy = (power_w if planned is None else planned) * seconds / 3600
        if energy > 0:
            energy = min(energy, left)
            left -= energy
        rows.append(BaselineRow(slot, seconds, energy))
    return tuple(rows)


def delivered(
    devices: Mapping[str, Sequence[BaselineRow]],
    measured: Mapping[str, Sequence[Interval]],
    *,
    home: Baseline | None = None,
    home_measured: Sequence[Interval] = (),
) -> Delivered:
    """Baseline minus measurement; a device with a gap in its measurement is left out rather than guessed."""
    per_device: dict[str, float] = {}
    error_wh = 0.0
    for device, rows in devices.items():
        used = [energy_in(measured.get(device, ()), row.start, row.end) for row in rows]
        known = [value for value in used if value is not None]
        if rows and len(known) == len(rows):
            expected = sum(row.energy_wh for row in rows)
            per_device[device] = expected - sum(known)
            error_wh += DEVICE_ERROR_SHARE * abs(expected)
    home_wh = _home_delivered(home, home_measured)
    # The home's baseline holds the devices' baselines, so their errors come on top of the house's.
    half = home.error_wh + error_wh if home is not None and home.error_wh is not None else None
    low = None if home_wh is None or half is None else home_wh - half
    high = None if home_wh is None or half is None else home_wh + half
    if not per_device:
        return Delivered(home_wh, low, high, {}, home_wh, low, high)
    energy = sum(per_device.values())
    return Delivered(energy, energy - error_wh, energy + error_wh, per_device, home_wh, low, high)


def energy_in(intervals: Sequence[Interval], start: datetime, end: datetime) -> float | None:
    """Net energy over [start, end), Wh, intervals cut at its edges in proportion; None when part of it is missing."""
    energy, covered = 0.0, 0.0
    for interval in intervals:
        overlap = (min(end, interval.end) - max(start, interval.start)).total_seconds()
        if overlap > 0 and interval.net_wh is not None:
            energy += interval.net_wh * overlap / interval.duration_s
            covered += overlap
    return energy if covered >= (end - start).total_seconds() - 1 else None


def slots(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """[start, end) cut at the quarter hours of the stored intervals, as (start, length in s)."""
    found = []
    cursor = start
    while cursor < end:
        edge = datetime.fromtimestamp((cursor.timestamp() // INTERVAL_S + 1) * INTERVAL_S, UTC)
        found.append((cursor, (min(edge, end) - cursor).total_seconds()))
        cursor = edge
    return found


def _matched(
    energy: Mapping[datetime, float], start: datetime, end: datetime, excluded: Collection[date], tz: tzinfo
) -> Baseline:
    days: list[int] = []
    local = start.astimezone(tz).date()
    for back in range(1, LOOK_BACK_DAYS + 1):
        day = local - timedelta(days=back)
        similar = (day.weekday() >= 5) == (local.weekday() >= 5) and day not in excluded
        if similar and _known(energy, _back(start, back, tz), _back(end, back, tz)):
            days.append(back)
        if len(days) == DAYS:
            break
    if not days:
        return Baseline()
    factor = _adjustment(energy, start, days, tz)
    rows = tuple(
        BaselineRow(slot, seconds, factor * _mean(_share(energy, _back(slot, back, tz), seconds) for back in days))
        for slot, seconds in slots(start, end)
    )
    return Baseline(rows, factor, None, tuple(local - timedelta(days=back) for back in days))


def _adjustment(energy: Mapping[datetime, float], start: datetime, days: Sequence[int], tz: tzinfo) -> float:
    window = slots(start - ADJUST_FROM, start - ADJUST_TO)
    today = [_share(energy, slot, seconds) for slot, seconds in window]
    usual = [_mean(_share(energy, _back(slot, back, tz), seconds) for back in days) for slot, seconds in window]
    if any(math.isnan(value) for value in (*today, *usual)) or sum(today) <= 0 or sum(usual) <= 0:
        return 1.0
    return min(1 + LARGEST_ADJUSTMENT, max(1 - LARGEST_ADJUSTMENT, sum(today) / sum(usual)))


def _placebos(
    energy: Mapping[datetime, float], start: datetime, end: datetime, excluded: Collection[date], tz: tzinfo
) -> list[float]:
    """How far the same method misses on past non-event days of the same type, Wh."""
    residuals: list[float] = []
    local = start.astimezone(tz).date()
    for back in range(1, LOOK_BACK_DAYS + 1):
        day = local - timedelta(days=back)
        began, ended = _back(start, back, tz), _back(end, back, tz)
        similar = (day.weekday() >= 5) == (local.weekday() >= 5) and day not in excluded
        if not similar or not _known(energy, began, ended):
            continue
        expected = _matched(energy, began, ended, excluded, tz).energy_wh
        if expected is not None:
            residuals.append(abs(_total(energy, began, ended) - expected))
        if len(residuals) == MOST_PLACEBOS:
            break
    return residuals


def _half_width(residuals: Sequence[float]) -> float | None:
    """The 80 % quantile on the safe side: the ceil(0.8 (n + 1))-th smallest, at most the largest."""
    if len(residuals) < LEAST_PLACEBOS:
        return None
    rank = min(len(residuals), math.ceil(COVERAGE * (len(residuals) + 1)))
    return sorted(residuals)[rank - 1]


def _back(when: datetime, days: int, tz: tzinfo) -> datetime:
    """The same local wall time `days` days earlier, so that days of 23 and 25 hours keep their evenings."""
    local = when.astimezone(tz)
    return (local.replace(tzinfo=None) - timedelta(days=days)).replace(tzinfo=tz, fold=local.fold).astimezone(UTC)


def _share(energy: Mapping[datetime, float], start: datetime, seconds: float) -> float:
    """Energy of the part of one interval that starts at `start`; not a number when it is unknown."""
    aligned = datetime.fromtimestamp(start.timestamp() // INTERVAL_S * INTERVAL_S, UTC)
    return energy.get(aligned, math.nan) * seconds / INTERVAL_S


def _total(energy: Mapping[datetime, float], start: datetime, end: datetime) -> float:
    return sum(_share(energy, slot, seconds) for slot, seconds in slots(start, end))


def _known(energy: Mapping[datetime, float], start: datetime, end: datetime) -> bool:
    return not math.isnan(_total(energy, start, end))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _home_delivered(home: Baseline | None, measured: Sequence[Interval]) -> float | None:
    if home is None or home.energy_wh is None:
        return None
    used = energy_in(measured, home.rows[0].start, home.rows[-1].end)
    return None if used is None else home.energy_wh - used
