"""The wire: what is read leniently, and what is sent exactly as the official OpenAPI file wants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.openadr.bodies import report_body, subscription_body, ven_body
from adapters.openadr.iso import format_duration, is_now, parse_duration, parse_time
from adapters.openadr.wire import parse_event, parse_program
from gateway.model.dr import Duration, Payload, ReportRow
from tests.adapters.openadr_lab import REPORT, errors, event


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        (report_body(REPORT, "ven-1"), "reportRequest"),
        (report_body(replace(REPORT, unit="", reading_type=""), "ven-1"), "reportRequest"),
        (
            report_body(replace(REPORT, rows=(ReportRow(0, REPORT.rows[0].start, 900, None, "MISSING"),)), "v"),
            "reportRequest",
        ),
        (ven_body("ven-1"), "VenVenRequest"),
        (subscription_body("ven-1", "https://home.example/hook", "secret", "p"), "subscriptionRequest"),
    ],
    ids=["report", "report without unit", "report of missing data", "ven", "subscription"],
)
def test_what_we_send_is_valid(body, schema):
    assert errors(body, schema) == []


def test_the_official_file_does_refuse_what_is_wrong():
    assert errors({"clientName": "x"}, "reportRequest")


DURATIONS = {
    "PT1H": Duration(seconds=3600), "PT0.5H": Duration(seconds=1800), "P1D": Duration(days=1),
    "P2W": Duration(days=14), "P1Y2M": Duration(months=14), "P1DT2H3M4.5S": Duration(days=1, seconds=7384.5),
    "PT0S": Duration(), "-PT0S": Duration(), "P9999Y": Duration(infinite=True),
    "P9999Y0M0DT0H0M0S": Duration(infinite=True), "PT5,5S": Duration(seconds=5.5), "pt1m": Duration(seconds=60),
}  # fmt: skip


@pytest.mark.parametrize("text", DURATIONS)
def test_a_duration(text):
    assert parse_duration(text) == DURATIONS[text]


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "PT1", "-PT1H", "P0.5M", "PT1H2D", "P1H"])
def test_not_a_duration(text):
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.integers(0, 10**7))
def test_a_written_duration_is_read_back_and_fits_the_official_pattern(seconds):
    text = format_duration(seconds)
    assert parse_duration(text) == Duration(seconds=float(seconds))
    assert errors(text, "duration") == []


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0000-00-00",
                                  "0001-01-01T00:00:00.000+00:00", "0001-01-01T00:00:00+01:00",
                                  "0001-01-01T00:00:00-0800", "0001-01-01 00:00:00"])  # fmt: skip
def test_now_in_all_its_forms(text):
    assert is_now(text)


@pytest.mark.parametrize("text", ["2026-11-21T18:00:00Z", "2026-11-21T19:00:00+01:00", "2026-11-21t18:00:00.000z",
                                  "2026-11-21 18:00:00"])  # fmt: skip
def test_a_time_with_any_offset_or_none(text):
    assert parse_time(text) == datetime(2026, 11, 21, 18, tzinfo=UTC)


def test_nulls_unknown_fields_and_odd_metadata_are_no_trouble():
    found = parse_event(
        event("e", eventName=None, priority=None, targets=None, reportDescriptors=None, payloadDescriptors=None,
              duration=None, createdDateTime="17:55:45", modificationDateTime="2026-11-20 17:44:33", colour="red"),
        "vtn",
    )  # fmt: skip
    assert (found.name, found.priority, found.reports, found.modified) == ("", None, (), "2026-11-20 17:44:33")


def test_unknown_kinds_and_points_are_kept():
    payloads = [{"type": "CURVE", "values": [{"x": 1, "y": 2}]}, {"type": "OWN", "values": None}, {"values": [1]}, 3]
    found = parse_event(event("e", intervals=[{"payloads": payloads}]), "vtn")
    assert found.intervals[0].payloads == (Payload("CURVE", ('{"x": 1, "y": 2}',)), Payload("OWN", ()))


def test_a_report_descriptor_has_the_defaults_of_the_specification():
    asked = [{"payloadType": "USAGE", "readingType": None, "units": "KWH"}, {"payLoadType": "typo"}]
    (report,) = parse_event(event("e", reportDescriptors=asked), "vtn").reports
    assert (report.start_interval, report.num_intervals, report.frequency, report.repeat) == (-1, -1, -1, 1)
    assert report.historical and not report.aggregate


@pytest.mark.parametrize(
    ("stated", "told"),
    [("OPEN_INTERVALS", "OPEN_INTERVALS"), ("SUB_INTERVALS", "SUB_INTERVALS"), (None, "INTERVALS"), ("OWN", "INTERVALS"),
     ({}, "INTERVALS")],
)  # fmt: skip
def test_which_rows_a_report_shall_have(stated, told):
    (report,) = parse_event(
        event("e", reportDescriptors=[{"payloadType": "USAGE", "reportIntervals": stated}]), "vtn"
    ).reports
    assert report.report_intervals == told


@pytest.mark.parametrize(
    ("more", "changed"),
    [({"modificationDateTime": "b"}, False), ({"retrievedAt": 17.3}, False), ({"priority": None}, False),
     ({"priority": 1}, True), ({"eventName": "x"}, True), ({"targets": ["x"]}, True), ({"duration": "PT2H"}, True),
     ({"payloadDescriptors": [{"payloadType": "SIMPLE", "units": "KW"}]}, True),
     ({"reportDescriptors": [{"payloadType": "USAGE"}]}, True), ({"intervals": []}, True), ({"programID": "q"}, True)],
)  # fmt: skip
def test_the_fingerprint_tells_a_change_from_book_keeping(more, changed):
    first, second = (parse_event(event("e", **each), "vtn") for each in ({"modificationDateTime": "a"}, more))
    assert (first.fingerprint != second.fingerprint) is changed and first.fingerprint


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (0, 0),
        (1, 1),
        (0.0, 0),
        (7.0, 7),
        (2**31, 2**31),
        (None, None),
        ("high", None),
        (1.5, None),
        (True, None),
        (-1, None),
    ],
)
def test_a_priority(written, read):
    assert parse_event(event("e", priority=written), "vtn").priority == read


@pytest.mark.parametrize("written", [2**31 + 1, 1e300, float("inf"), 10**400])
def test_a_priority_out_of_its_range_makes_the_event_malformed(written):
    with pytest.raises(ValueError, match="priority"):
        parse_event(event("e", priority=written), "vtn")


OLD = {"type": "PROGRAM_NAME", "values": ["p"]}


@pytest.mark.parametrize(
    "targets", ["street", 5, {"a": 1}, [5], [None], [""], [["street"]], [{"type": "VEN_NAME"}], [{}], [{"values": []}],
                [{"type": "GROUP", "values": []}], [{"type": "GROUP", "values": "street"}], [OLD, {"type": "GROUP"}]],
    ids=repr,
)  # fmt: skip
def test_an_event_for_somebody_unreadable_is_not_for_everybody(targets):
    with pytest.raises(ValueError, match="targets"):
        parse_event(event("e", targets=targets), "vtn")


@pytest.mark.parametrize("targets", [None, [], {}, [OLD], [OLD, {"type": "EVENT_NAME", "values": None}]], ids=repr)
def test_without_targets_or_with_those_that_repeat_the_program_an_event_is_for_everybody(targets):
    assert parse_event(event("e", targets=targets), "vtn").targets == ()


def test_a_target_beside_nonsense_counts():
    assert parse_event(event("e", targets=["street", 5, {"type": "VEN_NAME"}]), "vtn").targets == ("street",)


def _intervals(count: int, payloads: int = 1, values: int = 1) -> list[dict]:
    return [{"id": n, "payloads": [{"type": "PRICE", "values": [1] * values}] * payloads} for n in range(count)]


@pytest.mark.parametrize(
    ("most", "beyond", "words"),
    [(_intervals(5000), _intervals(5001), "5001 intervals"), (_intervals(1, 50), _intervals(1, 51), "51 payloads"),
     (_intervals(1, 1, 2000), _intervals(1, 1, 2001), "2001 values")],
    ids=["intervals", "payloads", "values"],
)  # fmt: skip
def test_what_is_far_beyond_any_use_is_malformed(most, beyond, words):
    parse_event(event("e", intervals=most), "vtn")
    with pytest.raises(ValueError, match=words):
        parse_event(event("e", intervals=beyond), "vtn")


def test_a_program_with_its_units_and_binding():
    descriptors = [{"payloadType": "PRICE", "units": "KWH", "currency": "EUR"}, None, {"payloadType": "GHG"}]
    attributes = [{"type": "BINDING_EVENTS", "values": ["true"]}]
    found = parse_program({"id": "p", "programName": "Day", "payloadDescriptors": descriptors,
                           "attributes": attributes}, "vtn")  # fmt: skip
    assert found.binding and found.units == {"PRICE": "KWH"} and found.currencies == {"PRICE": "EUR"}
