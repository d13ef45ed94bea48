"""The simulated utility: who is registered, what each VEN still has to fetch, what came back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firmware_sim.vtn2b_events import Event, as_xml
from firmware_sim.vtn2b_xml import SPACES, Element, make, response, seconds, stamp, text, texts

VTN_ID = "sim-vtn"


@dataclass
class Ven:
    """One registered VEN; `queue` holds what its polls will bring."""

    id: str
    name: str
    registration: str
    queue: list[Element] = field(default_factory=list)
    polled_s: float | None = None
    """When it polled last, in the VTN's steady seconds."""
    offered: list[str] = field(default_factory=list)
    """specifier/rID of its METADATA."""


@dataclass
class Utility:
    """A VTN's memory. `steady` tells seconds that never jump, `now` the time.

    `complaints` says what a certified VTN would hold against the VEN.
    """

    now: Callable[[], datetime]
    steady: Callable[[], float]
    poll_s: float = 10.0
    vens: dict[str, Ven] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    """reportRequestID -> specifier, of the reports asked for."""
    opts: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def change(self, event: Event, *, keep_number: bool = False) -> Event:
        """Add an event, or change one: its modification number rises unless `keep_number`."""
        old = self.events.get(event.id)
        if old is not None and not keep_number:
            event.number = old.number + 1
        self.events[event.id] = event
        self._distribute()
        return event

    def cancel(self, event: str) -> None:
        """Say that an event is cancelled; KeyError for an unknown one."""
        self.events[event].cancelled = True
        self.events[event].number += 1
        self._distribute()

    def drop(self, event: str) -> None:
        """Leave an event out from now on: an implied cancellation; KeyError for an unknown one."""
        del self.events[event]
        self._distribute()

    def ask_report(self, specifier: str, points: list[str], every_s: float, back_s: float, length_s: float = 0) -> str:
        """Ask every VEN for a report; its reportRequestID. `length_s` 0: until cancelled."""
        request = f"request-{len(self.requests) + 1}"
        self.requests[request] = specifier
        for ven in self.vens.values():
            ven.queue.append(
                make(
                    "oadr:oadrCreateReport",
                    make("pyld:requestID", _fresh()),
                    self.report_request(request, specifier, points, every_s, back_s, length_s),
                    make("ei:venID", ven.id),
                )
            )
        return request

    def end_report(self, request: str, *, one_more: bool) -> None:
        """Cancel a report."""
        for ven in self.vens.values():
            ven.queue.append(
                make(
                    "oadr:oadrCancelReport",
                    make("pyld:requestID", _fresh()),
                    make("ei:reportRequestID", request),
                    make("pyld:reportToFollow", "true" if one_more else "false"),
                    make("ei:venID", ven.id),
                )
            )

    def ask_reregistration(self) -> None:
        """Ask every VEN to register again."""
        for ven in self.vens.values():
            ven.queue.append(make("oadr:oadrRequestReregistration", make("ei:venID", ven.id)))

    def end_registrations(self) -> None:
        """End the registration of every VEN."""
        for ven in self.vens.values():
            ven.queue.append(
                make(
                    "oadr:oadrCancelPartyRegistration",
                    make("pyld:requestID", _fresh()),
                    make("ei:registrationID", ven.registration),
                    make("ei:venID", ven.id),
                )
            )

    def forget(self) -> None:
        """Restart without a memory of VENs and reports; the events are the utility's and stay."""
        self.vens.clear()
        self.requests.clear()

    def report_request(
        self, request: str, specifier: str, points: list[str], every_s: float, back_s: float, length_s: float
    ) -> Element:
        """An oadrReportRequest."""
        properties = make(
            "xcal:properties",
            make("xcal:dtstart", make("xcal:date-time", stamp(self.now()))),
            make("xcal:duration", make("xcal:duration", seconds(length_s))),
        )
        return make(
            "oadr:oadrReportRequest",
            make("ei:reportRequestID", request),
            make(
                "ei:reportSpecifier",
                make("ei:reportSpecifierID", specifier),
                make("xcal:granularity", make("xcal:duration", seconds(every_s))),
                make("ei:reportBackDuration", make("xcal:duration", seconds(back_s))),
                make("ei:reportInterval", properties) if length_s else None,
                *(
                    make("ei:specifierPayload", make("ei:rID", point), make("ei:readingType", "x-notApplicable"))
                    for point in points
                ),
            ),
        )

    def distribution(self, request: str = "") -> Element:
        """All events, completed ones among them."""
        return make(
            "oadr:oadrDistributeEvent",
            response(request) if request else None,
            make("pyld:requestID", _fresh()),
            make("ei:vtnID", VTN_ID),
            *(as_xml(event, self.now()) for event in self.events.values()),
        )

    def polled(self, ven: Ven) -> None:
        """Watch the pace of polls: at most one each `poll_s`, a twentieth early is forgiven."""
        at = self.steady()
        if ven.polled_s is not None and at - ven.polled_s < self.poll_s * 0.95:
            self.complaints.append(f"{ven.id} polled after {at - ven.polled_s:.2f} s")
        ven.polled_s = at

    def answered(self, payload: Element) -> int:
        """Note the opts of an oadrCreatedEvent; a response code."""
        code = 200
        for found in payload.findall(".//{*}eventResponse"):
            event, number = text(found, "ei:qualifiedEventID/ei:eventID"), "ei:qualifiedEventID/ei:modificationNumber"
            opt = {
                "event": event,
                "number": int(text(found, number)),
                "opt": text(found, "ei:optType"),
                "code": text(found, "ei:responseCode"),
            }
            known = self.events.get(event)
            if known is None:
                code = 452
            elif known.answer == "never":
                self.complaints.append(f"an answer to {event}, which wants none")
            self.opts.append(opt)
        return code

    def updated(self, payload: Element) -> int:
        """Note the values of an oadrUpdateReport; a response code."""
        for report in payload.findall("oadr:oadrReport", SPACES):
            request = text(report, "ei:reportRequestID")
            if request not in self.requests:
                return 452
            for interval in report.findall("strm:intervals/ei:interval", SPACES):
                inside = "oadr:oadrReportPayload"
                status = interval.find(f"{inside}/oadr:oadrPayloadResourceStatus/oadr:oadrManualOverride", SPACES)
                self.reports.append(
                    {
                        "request": request,
                        "name": text(report, "ei:reportName"),
                        "point": text(interval, f"{inside}/ei:rID"),
                        "start": text(interval, "xcal:dtstart/xcal:date-time"),
                        "value": text(interval, f"{inside}/ei:payloadFloat/ei:value")
                        or (f"override {status.text}" if status is not None else ""),
                        "quality": text(interval, f"{inside}/oadr:oadrDataQuality"),
                    }
                )
        return 200

    def offered(self, ven: Ven, payload: Element) -> None:
        """Keep what the METADATA reports offer."""
        ven.offered = [
            f"{text(report, 'ei:reportSpecifierID')}/{point}"
            for report in payload.findall("oadr:oadrReport", SPACES)
            for point in texts(report, "oadr:oadrReportDescription/ei:rID")
        ]
        if any(text(r, "ei:reportRequestID") != "0" for r in payload.findall("oadr:oadrReport", SPACES)):
            self.complaints.append("METADATA with another reportRequestID than 0 (rule 311)")

    def _distribute(self) -> None:
        """Events tell all of them each time, so one distribution waiting is enough."""
        for ven in self.vens.values():
            ven.queue = [waiting for waiting in ven.queue if not waiting.tag.endswith("oadrDistributeEvent")]
            ven.queue.append(self.distribution())


def _fresh() -> str:
    return uuid.uuid4().hex
