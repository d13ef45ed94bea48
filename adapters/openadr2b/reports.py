"""EiReport: what the VTN asked for, and our values on their way to it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

from adapters.openadr2b.markup import Tag, tag, text
from adapters.openadr2b.messages import fresh_id
from adapters.openadr2b.offers import NAMES, Point, point_of
from adapters.openadr2b.requests import METADATA, PREFIX, ReportRequest, as_event, read_document, read_request
from adapters.openadr2b.times import format_seconds, format_time
from gateway.model.dr import DrEvent, DrReport, ReportRow

log = logging.getLogger(__name__)

LINGER = timedelta(hours=1)
"""How long a request that is over stays known, so that its last report finds it."""
QUALITY = {
    "OK": "Quality Good - Non Specific",
    "ESTIMATED": "Quality Uncertain - Non Specific",
    "BAD": "Quality Bad - Non Specific",
    "MISSING": "No Quality - No Value",
}


@dataclass(slots=True)
class ReportBook:
    """The report requests in force; one that a restart of the VTN renewed knows its successor."""

    server: str
    requests: dict[str, ReportRequest] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    """Our devices by name, each of which can be reported of."""
    _successors: dict[str, str] = field(default_factory=dict)

    def take(self, asked: Iterable[Element], now: datetime, *, anew: bool = False) -> tuple[list[str], list[str], bool]:
        """Follow report requests; `anew` when they answer our METADATA, so that they replace the same asked before.

        Returns the ids taken, the reasons of those refused, and whether our METADATA are asked for.
        """
        taken: list[str] = []
        refused: list[str] = []
        metadata = False
        for found in asked:
            try:
                request = read_request(found, now, self.resources)
            except (ValueError, OverflowError) as error:
                refused.append(str(error))
                log.warning("%s: a report cannot be given: %s", self.server, error)
                continue
            taken.append(request.id)
            if request.specifier == METADATA:
                metadata = True
            else:
                self._keep(request, anew)
        return taken, refused, metadata

    def cancel(self, names: Iterable[str], now: datetime, *, one_more: bool) -> None:
        """End requests; with `one_more` what is due so far is still reported (reportToFollow)."""
        for name in names:
            request = self.requests.get(name)
            if request is None:
                continue
            if not one_more:
                del self.requests[name]
            elif request.until is None or now < request.until:
                whole = max(1, int((now - request.start).total_seconds() // request.granularity_s))
                until = request.start + timedelta(seconds=whole * request.granularity_s)
                self.requests[name] = replace(request, until=until, count=min(request.count, whole))

    def pending(self) -> list[str]:
        """The ids of the requests in force."""
        return list(self.requests)

    def events(self, now: datetime) -> list[DrEvent]:
        """The report-only events of the requests in force."""
        over = [name for name, r in self.requests.items() if r.until and now > max(r.until, r.received) + LINGER]
        for name in over:
            del self.requests[name]
        return [as_event(request, self.server) for request in self.requests.values()]

    def update(self, report: DrReport, now: datetime) -> tuple[str, Tag] | None:
        """A report as an oadrReport, with its request's id; None when nobody waits for it, or it holds no value."""
        request = self._request(report.event.removeprefix(PREFIX))
        point = _point(request, report) if request is not None else None
        rows = [row for row in report.rows if row.value is not None]
        if request is None or point is None or not rows:
            return None
        return request.id, tag(
            "oadr:oadrReport",
            tag("xcal:dtstart", tag("xcal:date-time", format_time(rows[0].start))),
            tag("strm:intervals", *(_interval(row, point) for row in rows)),
            tag("ei:eiReportID", fresh_id()),
            tag("ei:reportRequestID", request.id),
            tag("ei:reportSpecifierID", request.specifier),
            tag("ei:reportName", NAMES[request.specifier]),
            tag("ei:createdDateTime", format_time(now)),
        )

    def drop(self, name: str) -> None:
        """The VTN does not know this request."""
        self.requests.pop(name, None)

    def documents(self) -> list[dict[str, Any]]:
        """As JSON, to outlive a restart."""
        return [request.document() for request in self.requests.values()]

    def resume(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take up the requests kept by `documents`."""
        self.requests = {request.id: request for request in map(read_document, documents)}

    def _keep(self, request: ReportRequest, anew: bool) -> None:
        if anew:
            for old in [old for old in self.requests.values() if _same(old, request)]:
                del self.requests[old.id]
                self._successors[old.id] = request.id
        self.requests[request.id] = request

    def _request(self, name: str) -> ReportRequest | None:
        for _ in range(len(self._successors) + 1):
            if name in self.requests:
                return self.requests[name]
            name = self._successors.get(name, "")
        return None


def _same(old: ReportRequest, new: ReportRequest) -> bool:
    return old.id != new.id and old.specifier == new.specifier and bool(set(old.points) & set(new.points))


def _point(request: ReportRequest, report: DrReport) -> Point | None:
    """The point a report answers: of its device where one is asked for, else of the home, never one for the other."""
    points = [point for name in request.points if (point := point_of(name)) and point.kind == report.payload_type]
    named = [point for point in points if point.resource == report.resource]
    whole = [point for point in points if not point.resource]
    return next(iter([*named, *whole]), None)


def _interval(row: ReportRow, point: Point) -> Tag:
    return tag(
        "ei:interval",
        tag("xcal:dtstart", tag("xcal:date-time", format_time(row.start))),
        tag("xcal:duration", tag("xcal:duration", format_seconds(row.duration_s))),
        tag(
            "oadr:oadrReportPayload",
            tag("ei:rID", point.id),
            _status(str(row.value)) if point.kind == "OPERATING_STATE" else _number(row.value),
            tag("oadr:oadrDataQuality", QUALITY.get(row.quality, QUALITY["BAD"])),
        ),
    )


def _number(value: float | str | None) -> Tag:
    return tag("ei:payloadFloat", tag("ei:value", f"{float(value or 0.0):.9g}"))


def _status(state: str) -> Tag:
    """Our operating state as oadrPayloadResourceStatus: opted out is what it calls a manual override."""
    overridden = "true" if state.endswith("OPTED_OUT") else "false"
    return tag(
        "oadr:oadrPayloadResourceStatus",
        tag("oadr:oadrOnline", "true"),
        tag("oadr:oadrManualOverride", overridden),
    )


def requests_of(payload: Element) -> list[Element]:
    """The oadrReportRequest elements of an oadrCreateReport or oadrRegisteredReport."""
    return payload.findall("oadrReportRequest")


def cancelled_by(payload: Element) -> tuple[list[str], bool]:
    """The ids an oadrCancelReport ends, and whether one more report shall follow."""
    names = [text(found) for found in payload.findall("reportRequestID")]
    return names, text(payload, "reportToFollow") == "true"
