"""Report requests of the VTN (oadrReportRequest), and the report-only event each becomes for the core.

    granularity          |-- 15 min --|--|--|--|--|--|--|--|
    reportBackDuration   |<--------- 1 h ----->|<--------- ...        one report of four values, each hour
    reportInterval       |<------------------ 1 day ------------ ...  without one: until it is cancelled

Interpretations: without a reportInterval the first value is that of the running quarter hour; reportBackDuration 0 asks
for one report at the end, or, where there is no end either, for one value; a granularity of 0 is the shortest offered.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

from adapters.openadr2b.markup import text
from adapters.openadr2b.offers import LEAST_S, MOST_S, NAMES, Point, point_of
from adapters.openadr2b.times import parse_seconds, parse_time
from gateway.model.dr import DrEvent, DrInterval, Duration, IntervalPeriod, ReportDescriptor

PROGRAM = "reports"
"""The program of report requests: 2.0b asks for reports outside of any event or market."""
PREFIX = "report-"
METADATA = "METADATA"


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """One report request: its values every `granularity_s` s from `start` on, sent every `count` values.

    `until` None: until cancelled.
    """

    id: str
    specifier: str
    points: tuple[str, ...]
    start: datetime
    granularity_s: float
    count: int
    received: datetime
    until: datetime | None = None

    @property
    def event_id(self) -> str:
        """The id of its report-only event."""
        return PREFIX + self.id

    def document(self) -> dict[str, Any]:
        """As JSON, to outlive a restart."""
        times = {"start": self.start.isoformat(), "received": self.received.isoformat()}
        return {**asdict(self), **times, "until": self.until.isoformat() if self.until else None}


def read_document(document: Mapping[str, Any]) -> ReportRequest:
    """A request as kept by `document`."""
    until = document["until"]
    times = {name: datetime.fromisoformat(document[name]) for name in ("start", "received")}
    more = {"until": datetime.fromisoformat(until) if until else None, "points": tuple(document["points"])}
    return ReportRequest(**{**document, **times, **more})


def read_request(found: Element, now: datetime, resources: Collection[str] = ()) -> ReportRequest:
    """One oadrReportRequest; `resources` are the devices on offer. Raises ValueError for what is not on offer."""
    name, specifier = text(found, "reportRequestID"), text(found, "reportSpecifier/reportSpecifierID")
    if not name or (specifier not in NAMES and specifier != METADATA):
        raise ValueError(f"report {specifier!r} is not on offer")
    if specifier == METADATA:
        return ReportRequest(name, specifier, (), now, LEAST_S, 1, now)
    asked = found.find("reportSpecifier")
    points = tuple(dict.fromkeys(text(rid) for rid in found.findall("reportSpecifier/specifierPayload/rID")))
    unknown = [name for name in points if not _offered(name, specifier, resources)]
    if unknown or not points:
        raise ValueError(f"report {specifier!r} has no point {', '.join(unknown) or 'named'}")
    granularity_s = parse_seconds(text(asked, "granularity/duration") or "PT0S", now) or LEAST_S
    if not LEAST_S <= granularity_s <= MOST_S:
        raise ValueError(f"a value every {granularity_s:g} s is not on offer")
    back_s = parse_seconds(text(asked, "reportBackDuration/duration") or "PT0S", now)
    start, length_s = _interval(asked, now)
    if not back_s:
        back_s = granularity_s if math.isinf(length_s) else length_s
        length_s = back_s
    count = max(1, round(back_s / granularity_s))
    until = None if math.isinf(length_s) else start + timedelta(seconds=length_s)
    return ReportRequest(name, specifier, points, start, granularity_s, count, now, until)


def _offered(name: str, specifier: str, resources: Collection[str]) -> bool:
    point = point_of(name)
    return point is not None and point.specifier == specifier and (not point.resource or point.resource in resources)


def as_event(request: ReportRequest, server: str) -> DrEvent:
    """The event without payloads whose descriptors ask for the request's values."""
    granularity = Duration(seconds=request.granularity_s)
    length_s = math.inf if request.until is None else (request.until - request.start).total_seconds()
    return DrEvent(
        id=request.event_id,
        server=server,
        program=PROGRAM,
        name="Report to the utility: " + ", ".join(request.points),
        intervals=(DrInterval(0, ()),),
        period=IntervalPeriod(start=request.start, duration=granularity),
        duration=Duration(infinite=True) if math.isinf(length_s) else Duration(seconds=length_s),
        reports=tuple(_descriptor(request, point) for name in request.points if (point := point_of(name))),
        fingerprint=hashlib.sha256(repr(replace(request, received=request.start)).encode()).hexdigest(),
    )


def _descriptor(request: ReportRequest, point: Point) -> ReportDescriptor:
    """A report after every `count` intervals, of those intervals."""
    return ReportDescriptor(
        payload_type=point.kind,
        reading_type="DIRECT_READ",
        units=point.unit,
        start_interval=request.count - 1,
        num_intervals=request.count,
        frequency=request.count,
        repeat=-1,
        targets=(point.resource,) if point.resource else (),
    )


def _interval(asked: Element | None, now: datetime) -> tuple[datetime, float]:
    period = asked.find("reportInterval/properties") if asked is not None else None
    stated = text(period, "dtstart/date-time")
    start = parse_time(stated) if stated else _quarter(now)
    written = text(period, "duration/duration")
    return start, (parse_seconds(written, start) if written else 0.0) or math.inf


def _quarter(now: datetime) -> datetime:
    return datetime.fromtimestamp(now.timestamp() // LEAST_S * LEAST_S, UTC)
