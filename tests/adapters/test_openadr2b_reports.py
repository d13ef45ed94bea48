"""EiReport: what the VTN asks for becomes reports of the core, and those become its updates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.openadr2b.client import Vtn2b
from firmware_sim.vtn2b_xml import make
from gateway.core.demand_response.report import ReportData, build_report
from gateway.model.dr import DrEvent, DrReport, DrResource, EventRecord, OptState, ReportRow, Timeline
from gateway.model.errors import ServerUnreachable
from gateway.model.reading import Interval, IntervalQuality
from tests.adapters.openadr2b_witness import Lab, witness
from tests.fakes import START

QUARTER = timedelta(minutes=15)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with witness() as made:
        yield made
        assert made.utility.complaints == []


@pytest.fixture
async def ven(lab: Lab) -> AsyncIterator[Vtn2b]:
    made = lab.new_ven()
    await lab.look(made)
    yield made
    await made.close()


async def asked(lab: Lab, ven: Vtn2b) -> list[DrEvent]:
    """The report-only events after the next poll."""
    return [event for event in await lab.look(ven) if event.program == "reports"]


def due(event: DrEvent, at: datetime) -> list[DrReport]:
    """What the core has to report of it at `at`, in a home that draws 2 kW."""
    record = EventRecord(event, START, (0.0,), OptState.JOINED)
    measured = IntervalQuality.VALID
    quarters = tuple(
        Interval("main", START + n * QUARTER, 900, 500.0, 0.0, measured, "counter") for n in range(-96, 200)
    )
    data = ReportData(site=quarters)
    return [
        report
        for descriptor in event.reports
        for report in build_report(record, Timeline(), descriptor, data, at, timezone=UTC)
    ]


async def test_a_request_asks_the_core_for_each_point_and_its_values_come_back(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage", "demand"], 900, 900)
    event = (await asked(lab, ven))[0]

    reports = due(event, START + timedelta(minutes=31))
    for report in reports:
        await ven.send(report)

    assert {(r["point"], r["value"]) for r in lab.utility.reports} == {("usage", "0.5"), ("demand", "2")}
    assert {r["name"] for r in lab.utility.reports} == {"TELEMETRY_USAGE"}
    assert {r["quality"] for r in lab.utility.reports} == {"Quality Good - Non Specific"}


@pytest.mark.parametrize(
    ("back_s", "length_s", "hours", "sizes"),
    [
        (900, 0, 1.0, [1, 1, 1, 1]),
        (3600, 0, 3.0, [4, 4, 4]),
        (1800, 7200, 9.0, [2, 2, 2, 2]),
        (0, 7200, 9.0, [8]),
        (0, 0, 9.0, [1]),
    ],
    ids=["each value", "hourly, until cancelled", "two hours by halves", "once at the end", "one value"],
)
async def test_values_go_out_as_often_as_report_back_duration_says(
    lab: Lab, ven: Vtn2b, back_s: float, length_s: float, hours: float, sizes: list[int]
) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage"], 900, back_s, length_s)
    event = (await asked(lab, ven))[0]

    found = due(event, START + timedelta(hours=hours, minutes=1))

    assert [len(report.rows) for report in found] == sizes


async def test_a_week_of_history_is_one_report_of_the_past(lab: Lab, ven: Vtn2b) -> None:
    request = lab.utility.report_request("h1", "history-usage", ["history"], 900, 0, 3600)
    begin = request.find(".//{*}date-time")
    assert begin is not None
    begin.text = (START - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lab.utility.requests["h1"] = "history-usage"
    next(iter(lab.utility.vens.values())).queue.append(
        make("oadr:oadrCreateReport", make("pyld:requestID", "q"), request)
    )
    event = (await asked(lab, ven))[0]

    for report in due(event, START + timedelta(minutes=1)):
        await ven.send(report)

    assert [r["start"][11:16] for r in lab.utility.reports] == ["14:30", "14:45", "15:00", "15:15"]
    assert {r["name"] for r in lab.utility.reports} == {"HISTORY_USAGE"}


async def test_the_state_of_the_home_is_a_resource_status(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-status", ["status"], 900, 900)
    event = (await asked(lab, ven))[0]
    rows = (row("RUNNING_CURTAILED"), row("IDLE_OPTED_OUT"))

    await ven.send(report(event, "OPERATING_STATE", *rows))

    assert [r["value"] for r in lab.utility.reports] == ["override false", "override true"]


async def test_what_was_not_measured_is_left_out_and_never_a_zero(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
    event = (await asked(lab, ven))[0]

    await ven.send(report(event, "USAGE", row(None, "MISSING"), row(0.25, "ESTIMATED")))
    await ven.send(report(event, "USAGE", row(None, "MISSING")))

    assert [(r["value"], r["quality"]) for r in lab.utility.reports] == [("0.25", "Quality Uncertain - Non Specific")]


async def test_what_is_not_on_offer_is_refused(lab: Lab, ven: Vtn2b) -> None:
    for specifier, points, every_s in (
        ("something-else", ["usage"], 900),
        ("telemetry-usage", ["voltage"], 900),
        ("telemetry-usage", ["usage"], 10),
    ):
        lab.utility.ask_report(specifier, points, every_s, 3600)
        assert await asked(lab, ven) == []

    assert lab.utility.received.count("oadrCreatedReport") == 3


async def test_a_cancelled_report_is_asked_for_no_more_and_late_values_are_let_go(lab: Lab, ven: Vtn2b) -> None:
    request = lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
    event = (await asked(lab, ven))[0]

    lab.utility.end_report(request, one_more=False)

    assert await asked(lab, ven) == []
    await ven.send(report(event, "USAGE", row(1.0)))
    assert lab.utility.reports == []
    assert "oadrCanceledReport" in lab.utility.received


async def test_a_report_to_follow_is_sent_before_the_request_ends(lab: Lab, ven: Vtn2b) -> None:
    request = lab.utility.ask_report("telemetry-usage", ["usage"], 900, 4 * 3600)
    await asked(lab, ven)
    await lab.clock.advance(3600)

    lab.utility.end_report(request, one_more=True)
    event = (await asked(lab, ven))[0]

    assert [len(found.rows) for found in due(event, lab.clock.now())] == [4]
    await lab.clock.advance(2 * 3600)
    assert await asked(lab, ven) == []


async def test_devices_are_offered_once_enrolled_and_reported_each_as_itself(lab: Lab, ven: Vtn2b) -> None:
    await ven.enrol_resources([DrResource("car", "ev_charger")])
    lab.utility.ask_report("telemetry-usage", ["car:usage", "usage"], 900, 900)
    event = (await asked(lab, ven))[0]

    await ven.send(report(event, "USAGE", row(7.0), resource="car"))
    await ven.send(report(event, "USAGE", row(8.0)))

    assert [(r["point"], r["value"]) for r in lab.utility.reports] == [("car:usage", "7"), ("usage", "8")]
    assert [descriptor.targets for descriptor in event.reports] == [("car",), ()]
    assert "telemetry-usage/car:demand" in next(iter(lab.utility.vens.values())).offered


async def test_the_homes_energy_is_never_told_as_a_devices(lab: Lab, ven: Vtn2b) -> None:
    await ven.enrol_resources([DrResource("car", "ev_charger")])
    lab.utility.ask_report("telemetry-usage", ["car:usage"], 900, 900)
    event = (await asked(lab, ven))[0]

    await ven.send(report(event, "USAGE", row(8.0)))

    assert lab.utility.reports == []


async def test_metadata_asked_for_are_told_again(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("METADATA", ["usage"], 900, 900)

    assert await asked(lab, ven) == []
    assert lab.utility.received.count("oadrRegisterReport") == 2


async def test_requests_outlive_our_restart(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage", "baseline"], 900, 3600, 86_400)
    before = await asked(lab, ven)

    again = lab.new_ven()
    after = await asked(lab, again)
    await again.close()

    assert after == before


async def test_a_report_the_vtn_has_forgotten_does_not_stop_the_others(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
    event = (await asked(lab, ven))[0]
    lab.utility.requests.clear()

    await ven.send(report(event, "USAGE", row(1.0)))

    assert await asked(lab, ven) == []


async def test_a_report_waits_while_the_vtn_is_away(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
    event = (await asked(lab, ven))[0]
    await lab.stop()
    with pytest.raises(ServerUnreachable):
        await ven.send(report(event, "USAGE", row(1.0)))

    await lab.start()
    await ven.send(report(event, "USAGE", row(1.0)))

    assert [r["value"] for r in lab.utility.reports] == ["1"]


def row(value: float | str | None, quality: str = "OK") -> ReportRow:
    """A quarter hour."""
    return ReportRow(0, START, 900.0, value, quality)


def report(event: DrEvent, kind: str, *rows: ReportRow, resource: str = "home") -> DrReport:
    """A report on a request."""
    return DrReport("k", "utility", "reports", event.id, "n", kind, "DIRECT_READ", "KWH", resource, rows)
