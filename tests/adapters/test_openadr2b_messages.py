"""Every message we send against the official XML schema of 2.0b; every message we read against what is hostile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.openadr2b import messages
from adapters.openadr2b.markup import MAX_DEPTH, MAX_ELEMENTS, Tag, document, read, tag, text
from adapters.openadr2b.messages import EventAnswer
from adapters.openadr2b.offers import POINTS, metadata
from adapters.openadr2b.reports import ReportBook
from adapters.openadr2b.requests import ReportRequest
from adapters.openadr2b.times import format_seconds, format_time, parse_seconds, parse_time
from gateway.model.dr import DrReport, ReportRow
from tests.adapters.openadr2b_witness import schema_file

NOW = datetime(2026, 11, 21, 16, 30, 1, 250_000, tzinfo=UTC)
ANSWERS = [EventAnswer("e1", 2, "optIn"), EventAnswer("e2", 0, "optOut", "454", "an interval < 0 & more")]
SENT = {
    "query": messages.query_registration(),
    "register": messages.create_registration("home <1>", "", ""),
    "register again": messages.create_registration("home", "ven-1", "reg-1"),
    "poll": messages.poll("ven-1"),
    "request events": messages.request_event("ven-1"),
    "answer events": messages.created_event("ven-1", "r1", ANSWERS),
    "opt": messages.create_opt("ven-1", "o1", "e1", 3, "optOut", NOW),
    "take an opt back": messages.cancel_opt("ven-1", "o1"),
    "response": messages.plain_response("ven-1", "r1"),
    "registration ended": messages.canceled_registration("r1", "reg-1", "ven-1"),
    "report asked for": messages.created_report("ven-1", "r1", ["q1", "q2"]),
    "report refused": messages.created_report("ven-1", "r1", [], "461", "not on offer"),
    "report ended": messages.canceled_report("ven-1", "r1", []),
    "their reports": messages.registered_report("ven-1", "r1"),
    "their values": messages.updated_report("ven-1", "r1"),
    "our reports": messages.register_report("ven-1", metadata("ven-1", NOW, 230.0, 50.0)),
    "our reports, asked for": messages.register_report(
        "ven-1", metadata("ven-1", NOW, 240.0, 60.0, ["car", "tank"]), "q1"
    ),
}


def updates() -> dict[str, Tag]:
    """A report of each point."""
    found = {}
    for point in POINTS.values():
        book = ReportBook("utility", {"q": ReportRequest("q", point.specifier, (point.id,), NOW, 900.0, 2, NOW)})
        values = ("RUNNING_CURTAILED", "IDLE_OPTED_OUT") if point.id == "status" else (1.5, -0.25)
        rows = tuple(ReportRow(0, NOW, 900.0, value, "OK") for value in values)
        report = DrReport("k", "utility", "reports", "report-q", "n", point.kind, "", point.unit, "home", rows)
        made = book.update(report, NOW)
        assert made is not None
        found[f"values of {point.id}"] = messages.update_report("ven-1", made[1])
    return found


ALL = SENT | updates()


@pytest.mark.parametrize("name", ALL)
def test_what_we_send_fits_the_official_schema(name: str) -> None:
    etree = pytest.importorskip("lxml.etree")
    file = schema_file()
    if file is None:
        pytest.skip("openleadr, which carries the schema of 2.0b, is not installed")
    schema = etree.XMLSchema(etree.parse(str(file)))

    schema.assertValid(etree.fromstring(document(ALL[name])))


@pytest.mark.parametrize("name", ALL)
def test_what_we_send_is_what_we_would_read(name: str) -> None:
    kind, payload = read(document(ALL[name]))

    assert kind == ALL[name].name.removeprefix("oadr:") == payload.tag


def test_text_is_escaped_and_what_no_xml_may_hold_is_left_out() -> None:
    sent = tag("oadr:oadrResponse", tag("ei:venID", "a<b>&\"'\x00\x1f é€"))

    assert text(read(document(sent))[1], "venID") == "a<b>&\"' é€"


def _nested(depth: int) -> bytes:
    inside = b"<a>" * depth + b"</a>" * depth
    return b"<oadrPayload><oadrSignedObject>" + inside + b"</oadrSignedObject></oadrPayload>"


def _many(count: int) -> bytes:
    return b"<oadrPayload><oadrSignedObject><a>" + b"<b/>" * count + b"</a></oadrSignedObject></oadrPayload>"


BOMB = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>'
HOSTILE = {
    "entity bomb": (BOMB, "document type or entities"),
    "external entity": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "document type"),
    "external document type": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "document type"),
    "too deep": (_nested(MAX_DEPTH), "too deep"),
    "too many elements": (_many(MAX_ELEMENTS), "too many elements"),
    "cut off": (b"<oadrPayload><oadrSignedObject>", "not XML"),
    "nothing": (b"", "not XML"),
    "not text": (bytes(range(256)), "not XML"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x-no"?><a/>', "not XML"),
    "another document": (b"<html><body/></html>", "html is not an OpenADR 2.0b message"),
    "an empty envelope": (b"<oadrPayload><oadrSignedObject/></oadrPayload>", "without a payload"),
    "JSON": (b'{"a": 1}', "not XML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_or_no_message_is_refused_in_words(name: str) -> None:
    raw, words = HOSTILE[name]

    with pytest.raises(ValueError, match=words):
        read(raw)


def test_other_prefixes_and_a_default_namespace_mean_the_same() -> None:
    raw = (
        b'<x:oadrPayload xmlns:x="http://openadr.org/oadr-2.0b/2012/07"><x:oadrSignedObject>'
        b'<oadrResponse xmlns="http://openadr.org/oadr-2.0b/2012/07">'
        b'<y:venID xmlns:y="http://docs.oasis-open.org/ns/energyinterop/201110"> v1 </y:venID>'
        b"</oadrResponse></x:oadrSignedObject></x:oadrPayload>"
    )

    kind, payload = read(raw)

    assert kind == "oadrResponse" and text(payload, "venID") == "v1"


def test_a_signed_message_is_read_without_its_signature() -> None:
    raw = document(messages.poll("v1")).replace(
        b"<oadr:oadrSignedObject>",
        b'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:x>1</s:x></s:Signature><oadr:oadrSignedObject>',
    )

    kind, payload = read(raw)

    assert kind == "oadrPoll" and text(payload, "venID") == "v1"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("PT15M", 900), ("PT0S", 0), ("P1D", 86_400), ("P1DT2H", 93_600), ("PT1H30M5S", 5405), ("P1W", 604_800),
        ("P1M", 30 * 86_400), ("P1Y", 365 * 86_400), ("+PT5S", 5), ("PT", 0),
    ],
)  # fmt: skip
def test_durations_count_from_their_start(written: str, seconds: float) -> None:
    assert parse_seconds(written, datetime(2026, 11, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("written", ["", "P", "15M", "PT5", "P9999Y", "PT1H2", "P1.5M"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_seconds(written, NOW)


def test_a_negative_duration_is_read_only_where_it_has_a_meaning() -> None:
    with pytest.raises(ValueError, match="is negative"):
        parse_seconds("-PT5M", NOW)

    assert parse_seconds("-PT5M", NOW, signed=True) == -300


def test_times_are_read_with_and_without_an_offset_and_written_in_utc() -> None:
    assert parse_time("2026-11-21T16:30:00Z") == parse_time("2026-11-21T17:30:00+01:00")
    assert parse_time("2026-11-21T16:30:00") == parse_time("2026-11-21T16:30:00Z")
    assert format_time(NOW) == "2026-11-21T16:30:01Z"
    assert [format_seconds(s) for s in (0, 90, 900, 3600, 604_800)] == ["PT0S", "PT1M30S", "PT15M", "PT1H", "PT168H"]
