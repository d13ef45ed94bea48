"""Reports as an event's descriptors ask for them (OpenADR 3.1 User Guide 7.5).

    interval        |-- 0 --|-- 1 --|-- 2 --|-- 3 --|
    defaults                                        ^ one report of 0-3
    start 1, number 2, frequency 2, repeat 2
                                    ^ 0-1           ^ 2-3

Interpretations: startInterval is the interval at whose end a report is made (the User Guide draws it both ways);
frequency 0 ("ad hoc") is answered once, at the end; periods that were over before the event arrived are not made up
for, except the last one. Forecasts (historical false) are not offered. A skipped event shares its state, not its data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.core.demand_response.baseline import BaselineRow
from gateway.core.demand_response.durations import FOREVER
from gateway.core.demand_response.response import is_usable
from gateway.core.demand_response.schedule import Piece, schedule
from gateway.model.dr import (
    DrInterval,
    DrReport,
    EventRecord,
    OptState,
    ReportDescriptor,
    ReportRow,
    Timeline,
)
from gateway.model.reading import Interval, IntervalQuality

AGGREGATED = "AGGREGATED_REPORT"
CATCH_UP = timedelta(days=7)
RUNNING_W = 100.0
"""Mean power from which the home counts as "significant energy consumption"."""
STATES = frozenset({"OPERATING_STATE", "SIMPLE_LEVEL"})
_ENERGY = {"KWH": 0.001, "WH": 1.0, "MWH": 1e-6}
_POWER = {"KW": 0.001, "W": 1.0, "MW": 1e-6}


@dataclass(frozen=True, slots=True)
class ReportData:
    """What is known of the home: intervals of the whole site and of its devices, the baseline, and momentary values.

    `register_wh` is the main meter's import counter at the end of the period, `soc_percent` the battery's state.
    """

    site: Sequence[Interval] = ()
    devices: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    baseline: Sequence[BaselineRow] = ()
    soc_percent: float | None = None
    register_wh: float | None = None
    resource: str = "home"


@dataclass(frozen=True, slots=True)
class _Window:
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> datetime:
        return self.pieces[0].start

    @property
    def due(self) -> datetime:
        return self.pieces[-1].end or datetime.max.replace(tzinfo=UTC)


def build_report(
    record: EventRecord,
    timeline: Timeline,
    descriptor: ReportDescriptor,
    data: ReportData,
    now: datetime,
    *,
    timezone: tzinfo = UTC,
) -> list[DrReport]:
    """The reports of one descriptor that are due at `now` and not yet in `record.reported`; none for unknown types.

    Each `key` is unique per event, descriptor, period and resource, and the same after a restart.
    """
    if record.cancelled_at is not None or not _offered(record, descriptor):
        return []
    reports = []
    for window in _due(record, descriptor, now, timezone):
        for resource, intervals in _resources(descriptor, data):
            key = _key(record, descriptor, window, resource)
            if key not in record.reported:
                rows = tuple(_rows(record, timeline, descriptor, data, window, intervals))
                reports.append(_report(record, descriptor, window, resource, key, rows))
    return reports


def next_report_at(
    record: EventRecord, descriptor: ReportDescriptor, now: datetime, *, timezone: tzinfo = UTC
) -> datetime | None:
    """When the next report of this descriptor becomes due after `now`; None when none will within a week."""
    if record.cancelled_at is not None or not _offered(record, descriptor):
        return None
    dues = [window.due for window in _windows(record, descriptor, now, timezone)]
    return min((due for due in dues if now < due < now + CATCH_UP), default=None)


def _offered(record: EventRecord, descriptor: ReportDescriptor) -> bool:
    if not descriptor.historical or record.opt is OptState.UNDECIDED:
        return False
    shared = descriptor.payload_type in STATES or record.opt is not OptState.SKIPPED
    return shared and descriptor.payload_type in _UNITS


def _due(record: EventRecord, descriptor: ReportDescriptor, now: datetime, zone: tzinfo) -> list[_Window]:
    due = [window for window in _windows(record, descriptor, now, zone) if window.due <= now]
    missed = [window for window in due if window.due <= record.first_seen]
    return [window for window in due if window not in missed[:-1]]


def _windows(record: EventRecord, descriptor: ReportDescriptor, now: datetime, zone: tzinfo) -> Iterator[_Window]:
    """The groups of intervals of each report, from a week ago to a week ahead."""
    record = _implied(record, descriptor)
    count = len(record.event.intervals)
    pieces = schedule(record, zone, since=now - CATCH_UP, until=now + CATCH_UP)
    by_number = {piece.cycle * count + piece.index: piece for piece in pieces}
    first = descriptor.start_interval if descriptor.start_interval >= 0 else count - 1
    span = descriptor.num_intervals if descriptor.num_intervals > 0 else first + 1
    every = next((n for n in (descriptor.frequency, descriptor.num_intervals, count) if n > 0), 1)
    for number in sorted(by_number):
        turn, rest = divmod(number - first, every)
        wanted = number >= first and rest == 0 and (descriptor.repeat < 0 or turn < max(1, descriptor.repeat))
        if wanted:
            members = [by_number[i] for i in range(number - span + 1, number + 1) if i in by_number]
            yield _Window(tuple(members))


def _implied(record: EventRecord, descriptor: ReportDescriptor) -> EventRecord:
    """A report-only event without intervals: event.intervalPeriod repeated implies them (User Guide 8.7)."""
    if record.event.intervals:
        return record
    loop = FOREVER if descriptor.repeat != 1 else record.event.duration
    return replace(record, event=replace(record.event, intervals=(DrInterval(0, ()),), duration=loop))


def _resources(descriptor: ReportDescriptor, data: ReportData) -> list[tuple[str, Sequence[Interval]]]:
    named = [target for target in descriptor.targets if target in data.devices]
    if named and not descriptor.aggregate:
        return [(target, data.devices[target]) for target in named]
    if named:
        return [(AGGREGATED, [x for target in named for x in data.devices[target]])]
    return [(AGGREGATED if descriptor.aggregate else data.resource, data.site)]


def _rows(
    record: EventRecord,
    timeline: Timeline,
    descriptor: ReportDescriptor,
    data: ReportData,
    window: _Window,
    intervals: Sequence[Interval],
) -> Iterator[ReportRow]:
    unit = _unit(descriptor)
    for piece in window.pieces:
        end = piece.end or piece.start
        seconds = (end - piece.start).total_seconds()
        value, quality = _value(record, timeline, descriptor.payload_type, data, intervals, piece.start, end, unit)
        yield ReportRow(piece.interval.id, piece.start, seconds, value, quality)


def _value(
    record: EventRecord,
    timeline: Timeline,
    kind: str,
    data: ReportData,
    intervals: Sequence[Interval],
    start: datetime,
    end: datetime,
    unit: str,
) -> tuple[float | str | None, str]:
    used, quality = _measured(intervals, start, end)
    if kind == "SIMPLE_LEVEL":
        return _level(record, timeline, start), "OK"
    if kind == "OPERATING_STATE":
        hours = (end - start).total_seconds() / 3600
        return _state(record, timeline, start, used is not None and hours > 0 and used / hours > RUNNING_W), quality
    if kind == "STORAGE_CHARGE_LEVEL":
        return _rounded(data.soc_percent, 0.01)
    if kind == "READING":
        return _rounded(data.register_wh, _ENERGY[unit])
    expected = _expected(data.baseline, start, end)
    if kind == "BASELINE":
        return _rounded(expected, _ENERGY[unit], "ESTIMATED")
    if kind == "DELTA_USAGE":
        change = None if used is None or expected is None else used - expected
        return _rounded(change, _ENERGY[unit], "ESTIMATED")
    if kind == "DEMAND":
        seconds = (end - start).total_seconds()
        return _rounded(None if used is None else used * 3600 / seconds, _POWER[unit], quality)
    return _rounded(used, _ENERGY[unit], quality)


def _measured(intervals: Sequence[Interval], start: datetime, end: datetime) -> tuple[float | None, str]:
    """Energy taken over [start, end), Wh >= 0 (USAGE has no negative values), with its quality."""
    energy, estimated = 0.0, False
    covered: dict[str, float] = {}
    for interval in intervals:
        overlap = (min(end, interval.end) - max(start, interval.start)).total_seconds()
        if overlap <= 0:
            continue
        covered.setdefault(interval.device, 0.0)
        if interval.import_wh is None or interval.quality is IntervalQuality.MISSING:
            continue
        energy += interval.import_wh * overlap / interval.duration_s
        covered[interval.device] += overlap
        estimated |= interval.quality is IntervalQuality.ESTIMATED or overlap < interval.duration_s
    length = (end - start).total_seconds()
    if not covered or min(covered.values()) <= 0 or length <= 0:
        return None, "MISSING"
    if min(covered.values()) < length - 1:
        return None, "MISSING"
    return energy, "ESTIMATED" if estimated else "OK"


def _expected(rows: Sequence[BaselineRow], start: datetime, end: datetime) -> float | None:
    energy, covered = 0.0, 0.0
    for row in rows:
        overlap = (min(end, row.end) - max(start, row.start)).total_seconds()
        if overlap > 0:
            energy += row.energy_wh * overlap / row.duration_s
            covered += overlap
    return energy if covered > 0 and covered >= (end - start).total_seconds() - 1 else None


def _level(record: EventRecord, timeline: Timeline, when: datetime) -> float:
    """The level followed: 0 for a skipped event, or one the owner set aside before."""
    if _opted_out(record, when):
        return 0.0
    for signal in timeline.at(when):
        if signal.kind == "SIMPLE" and signal.event == record.key:
            return float(signal.values[0]) if is_usable("SIMPLE", signal.values, "") else 0.0
    return 0.0


def _state(record: EventRecord, timeline: Timeline, when: datetime, running: bool) -> str:
    prefix = "RUNNING" if running else "IDLE"
    if _opted_out(record, when):
        return f"{prefix}_OPTED_OUT"
    followed = any(s.event == record.key and is_usable(s.kind, s.values, s.unit) for s in timeline.at(when))
    return f"{prefix}_CURTAILED" if followed else f"{prefix}_NORMAL"


def _opted_out(record: EventRecord, when: datetime) -> bool:
    aside = record.overridden_at is not None and record.overridden_at <= when and record.opt is not OptState.BINDING
    return record.opt is OptState.SKIPPED or aside


def _rounded(value: float | None, factor: float, quality: str = "OK") -> tuple[float | None, str]:
    return (None, "MISSING") if value is None else (round(value * factor, 6), quality)


_UNITS: Mapping[str, tuple[str, ...]] = {
    "USAGE": tuple(_ENERGY),
    "DELTA_USAGE": tuple(_ENERGY),
    "BASELINE": tuple(_ENERGY),
    "READING": tuple(_ENERGY),
    "DEMAND": tuple(_POWER),
    "STORAGE_CHARGE_LEVEL": ("PERCENT",),
    "OPERATING_STATE": ("",),
    "SIMPLE_LEVEL": ("",),
}
"""The types offered and the units each can be told in; the first is used when the descriptor names no usable one."""


def _unit(descriptor: ReportDescriptor) -> str:
    known = _UNITS[descriptor.payload_type]
    return descriptor.units.upper() if descriptor.units.upper() in known else known[0]


def _key(record: EventRecord, descriptor: ReportDescriptor, window: _Window, resource: str) -> str:
    asked = hashlib.sha256(repr(descriptor).encode()).hexdigest()[:8]
    event = record.event
    period = f"{window.start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{event.server}/{event.id}/{descriptor.payload_type}-{asked}/{period}/{resource}"


def _report(
    record: EventRecord,
    descriptor: ReportDescriptor,
    window: _Window,
    resource: str,
    key: str,
    rows: tuple[ReportRow, ...],
) -> DrReport:
    event = record.event
    return DrReport(
        key=key,
        server=event.server,
        program=event.program,
        event=event.id,
        name=f"{descriptor.payload_type} {event.name or event.id} {window.start.astimezone(UTC):%Y-%m-%dT%H:%MZ} "
        f"{resource}",
        payload_type=descriptor.payload_type,
        reading_type=descriptor.reading_type or "DIRECT_READ",
        unit=_unit(descriptor),
        resource=resource,
        rows=rows,
    )
