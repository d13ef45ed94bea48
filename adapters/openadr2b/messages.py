"""What we send, element by element in the order of the schema (oadr_20b.xsd, oadr_ei_20b.xsd)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.openadr2b.markup import Tag, tag
from adapters.openadr2b.times import format_time

OK = "200"


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """Our word on one modification of one event: `opt` is optIn or optOut, `code` 200 or why it was refused."""

    event: str
    number: int
    opt: str
    code: str = OK
    why: str = ""


def fresh_id() -> str:
    """An id nobody used before."""
    return uuid.uuid4().hex


def query_registration() -> Tag:
    """What the VTN offers, without registering."""
    return tag("oadr:oadrQueryRegistration", _request())


def create_registration(ven_name: str, ven: str, registration: str) -> Tag:
    """Register, or register again under the ids known; simple HTTP, pull, no XML signature."""
    return tag(
        "oadr:oadrCreatePartyRegistration",
        _request(),
        tag("ei:registrationID", registration) if registration else None,
        tag("ei:venID", ven) if ven else None,
        tag("oadr:oadrProfileName", "2.0b"),
        tag("oadr:oadrTransportName", "simpleHttp"),
        tag("oadr:oadrReportOnly", "false"),
        tag("oadr:oadrXmlSignature", "false"),
        tag("oadr:oadrVenName", ven_name),
        tag("oadr:oadrHttpPullModel", "true"),
    )


def canceled_registration(request: str, registration: str, ven: str) -> Tag:
    """The VTN ended the registration, and so it is."""
    return tag(
        "oadr:oadrCanceledPartyRegistration",
        response(request),
        tag("ei:registrationID", registration),
        tag("ei:venID", ven),
    )


def poll(ven: str) -> Tag:
    """Is there anything for us?"""
    return tag("oadr:oadrPoll", tag("ei:venID", ven))


def request_event(ven: str) -> Tag:
    """All events, please."""
    return tag("oadr:oadrRequestEvent", tag("pyld:eiRequestEvent", _request(), tag("ei:venID", ven)))


def created_event(ven: str, request: str, answers: Sequence[EventAnswer]) -> Tag:
    """Our answers to the events of one distribution, whose requestID each repeats; refusals of single events do not
    make the whole one (rule 25)."""
    return tag(
        "oadr:oadrCreatedEvent",
        tag(
            "pyld:eiCreatedEvent",
            tag("ei:eiResponse", tag("ei:responseCode", OK), tag("pyld:requestID")),
            tag("ei:eventResponses", *(_event_response(answer, request) for answer in answers)),
            tag("ei:venID", ven),
        ),
    )


def create_opt(ven: str, opt: str, event: str, number: int, opt_type: str, now: datetime) -> Tag:
    """An opt about one event, for one whose distribution takes no answer."""
    return tag(
        "oadr:oadrCreateOpt",
        tag("ei:optID", opt),
        tag("ei:optType", opt_type),
        tag("ei:optReason", "notParticipating" if opt_type == "optOut" else "participating"),
        tag("ei:venID", ven),
        tag("ei:createdDateTime", format_time(now)),
        _request(),
        tag("ei:qualifiedEventID", tag("ei:eventID", event), tag("ei:modificationNumber", str(number))),
        tag("ei:eiTarget", tag("ei:venID", ven)),
    )


def cancel_opt(ven: str, opt: str) -> Tag:
    """Take back an opt."""
    return tag("oadr:oadrCancelOpt", _request(), tag("ei:optID", opt), tag("ei:venID", ven))


def plain_response(ven: str, request: str, code: str = OK, words: str = "OK") -> Tag:
    """oadrResponse, where nothing else answers."""
    return tag("oadr:oadrResponse", response(request, code, words), tag("ei:venID", ven) if ven else None)


def created_report(ven: str, request: str, pending: Iterable[str], code: str = OK, words: str = "OK") -> Tag:
    """The report requests in force after an oadrCreateReport."""
    return tag("oadr:oadrCreatedReport", response(request, code, words), _pending(pending), tag("ei:venID", ven))


def canceled_report(ven: str, request: str, pending: Iterable[str]) -> Tag:
    """The report requests in force after an oadrCancelReport."""
    return tag("oadr:oadrCanceledReport", response(request), _pending(pending), tag("ei:venID", ven))


def registered_report(ven: str, request: str) -> Tag:
    """We want no reports of the VTN's."""
    return tag("oadr:oadrRegisteredReport", response(request), tag("ei:venID", ven))


def updated_report(ven: str, request: str) -> Tag:
    """A report of the VTN's was received."""
    return tag("oadr:oadrUpdatedReport", response(request), tag("ei:venID", ven))


def register_report(ven: str, reports: Sequence[Tag], answered: str = "") -> Tag:
    """What we can report; `answered` is the request for it, where there was one."""
    return tag(
        "oadr:oadrRegisterReport",
        _request(),
        *reports,
        tag("ei:venID", ven),
        tag("ei:reportRequestID", answered) if answered else None,
    )


def update_report(ven: str, report: Tag) -> Tag:
    """Values of one report."""
    return tag("oadr:oadrUpdateReport", _request(), report, tag("ei:venID", ven))


def response(request: str, code: str = OK, words: str = "OK") -> Tag:
    """An eiResponse."""
    return tag(
        "ei:eiResponse",
        tag("ei:responseCode", code),
        tag("ei:responseDescription", words),
        tag("pyld:requestID", request),
    )


def _request() -> Tag:
    return tag("pyld:requestID", fresh_id())


def _pending(requests: Iterable[str]) -> Tag:
    return tag("oadr:oadrPendingReports", *(tag("ei:reportRequestID", name) for name in requests))


def _event_response(answer: EventAnswer, request: str) -> Tag:
    return tag(
        "ei:eventResponse",
        tag("ei:responseCode", answer.code),
        tag("ei:responseDescription", answer.why or "OK"),
        tag("pyld:requestID", request),
        tag(
            "ei:qualifiedEventID",
            tag("ei:eventID", answer.event),
            tag("ei:modificationNumber", str(answer.number)),
        ),
        tag("ei:optType", answer.opt),
    )
