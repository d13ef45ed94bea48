"""Reports as an event's descriptors ask for them (OpenADR 3.1 User Guide 7.5); when and over what: report_windows.

The state is told of every event. Data are told of the intervals the home took part in (standing.py); what the owner does not share with a program is not reported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.core.demand_response.report_data import MOMENTARY, STATES, ReportData, needed
from gateway.core.demand_response.report_values import UNITS, Source, reading_type, unit_of, value_of
from gateway.core.demand_response.report_windows import CATCH_UP, Window, ahead, due_windows, windows
from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.standing import followed, is_in, stand_at, stands
from gateway.model.agreement import Shared
from gateway.model.dr import DrReport, EventRecord, OptState, ReportDescriptor, ReportRow, Timeline

AGGREGATED = "AGGREGATED_REPORT"
NOT_STATED = ", report_intervals='INTERVALS'"
KEPT = timedelta(days=60)
_PERIOD = re.compile(r"/(\d{8}T\d{6}Z)/")
__all__ = ["AGGREGATED", "ReportData", "build_report", "next_report_at", "remembered", "untold"]


def build_report(
    record: EventRecord,
    timeline: Timeline,
    descriptor: ReportDescriptor,
    data: ReportData,
    now: datetime,
    *,
    timezone: tzinfo = UTC,
    share: Collection[Shared] = tuple(Shared),
    covered: bool = False,
) -> list[DrReport]:
    """The reports of one descriptor that are due at `now` and not yet in `record.reported`; none for unknown types.

    `share` is what the owner agreed to tell; `covered` reads startInterval as the first interval covered. Each `key` is
    unique per event, descriptor, period and resource, and the same after a restart.
    """
    if not _offered(record, descriptor, now):
        return []
    if needed(descriptor, data.devices) - set(share):
        return []
    reports = []
    for window in due_windows(record, descriptor, now, timezone, covered):
        for source in _sources(descriptor, data):
            key = _key(record, descriptor, window, source.name)
            if key not in record.reported:
                rows = _rows(record, timeline, descriptor, source, window, now)
                if rows:
                    reports.append(_report(record, descriptor, window, source, key, rows))
    return reports


def next_report_at(
    record: EventRecord,
    descriptor: ReportDescriptor,
    now: datetime,
    *,
    timezone: tzinfo = UTC,
    covered: bool = False,
) -> datetime | None:
    """When the next report of this descriptor becomes due after `now`; None when none will within a week."""
    if record.cancelled_at is not None or not _offered(record, descriptor, now):
        return None
    dues = [window.due for window in windows(record, descriptor, now, timezone, covered)]
    return min((due for due in dues if now < due < now + CATCH_UP), default=None)


def remembered(keys: Iterable[str], now: datetime) -> tuple[str, ...]:
    """The keys worth keeping in `EventRecord.reported`: an event without end would else grow with every report.

    Periods that began more than 60 days ago are not due again; were one so long, the outbox knows its key.
    """
    oldest = f"{(now - KEPT).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return tuple(key for key in keys if not (found := _PERIOD.findall(key)) or found[-1] >= oldest)


def untold(record: EventRecord, timezone: tzinfo = UTC) -> list[str]:
    """What a skipped event asks for and is not told, in one sentence; nothing of an event that is not skipped."""
    types = dict.fromkeys(x.payload_type for x in record.event.reports if x.payload_type not in STATES)
    if record.opt is not OptState.SKIPPED or not types:
        return []
    span = event_span(record, timezone)
    part = span is not None and followed(record, span[0], span[1] or datetime.max.replace(tzinfo=UTC))
    return [f"Not told{' of the time after it' if part else ''}, because you skipped the event: {', '.join(types)}."]


def _offered(record: EventRecord, descriptor: ReportDescriptor, now: datetime) -> bool:
    if descriptor.payload_type not in UNITS:
        return False
    if ahead(descriptor):
        return record.cancelled_at is None and (_is_state(descriptor) or is_in(stand_at(record, now)))
    return _is_state(descriptor) or any(is_in(stand) for stand in stands(record))


def _is_state(descriptor: ReportDescriptor) -> bool:
    return descriptor.payload_type in STATES


def _sources(descriptor: ReportDescriptor, data: ReportData) -> list[Source]:
    """What the report is about: the devices its targets name, each or summed, else the whole home."""
    named = tuple(target for target in descriptor.targets if target in data.devices)
    if named and not descriptor.aggregate:
        return [Source(name, (name,), data.devices[name], data) for name in named]
    if named:
        return [Source(AGGREGATED, named, [x for name in named for x in data.devices[name]], data)]
    if descriptor.payload_type == "SETPOINT" and not descriptor.aggregate:
        return [Source(name, (name,), data.devices.get(name, ()), data) for name in data.setpoints]
    return [Source(AGGREGATED if descriptor.aggregate else data.resource, (), data.site, data)]


def _rows(
    record: EventRecord,
    timeline: Timeline,
    descriptor: ReportDescriptor,
    source: Source,
    window: Window,
    now: datetime,
) -> tuple[ReportRow, ...]:
    rows = []
    for cell in window.cells(descriptor.report_intervals, descriptor.payload_type in MOMENTARY):
        if not (_is_state(descriptor) or ahead(descriptor) or followed(record, cell.start, cell.end)):
            continue
        value, quality = value_of(record, timeline, descriptor, source, cell, now)
        rows.append(ReportRow(cell.id, cell.start, (cell.end - cell.start).total_seconds(), value, quality))
    return tuple(rows)


def _key(record: EventRecord, descriptor: ReportDescriptor, window: Window, resource: str) -> str:
    # Keys of reports made before descriptors could ask for sub-intervals stay what they were.
    asked = hashlib.sha256(repr(descriptor).replace(NOT_STATED, "").encode()).hexdigest()[:8]
    event = record.event
    period = f"{window.start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    # Announced again, the event owes the whole report besides.
    cut = record.cancelled_at is not None and window.pieces[-1].end == record.cancelled_at
    asked += "-withdrawn" if cut else ""
    return f"{event.server}/{event.id}/{descriptor.payload_type}-{asked}/{period}/{resource}"


def _report(
    record: EventRecord,
    descriptor: ReportDescriptor,
    window: Window,
    source: Source,
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
        f"{source.name}",
        payload_type=descriptor.payload_type,
        reading_type=reading_type(descriptor, source),
        unit=unit_of(descriptor),
        resource=source.name,
        rows=rows,
    )
