"""OpenADR 3.0.1 and 3.1.0 over one core: what each server is sent fits its own official YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.openadr.bodies import V310
from adapters.openadr.v301 import V301, looks_old, targets
from adapters.openadr.wire import parse_event, parse_program
from gateway.model.dr import DrResource, ReportRow
from gateway.model.errors import ServerUnreachable
from tests.adapters.openadr_lab import REPORT, Server, errors, event, listed, running, vtn

WALLBOX = DrResource("wallbox", "ev_charger", 11_000.0)
BATTERY = DrResource("battery", "battery", 5_000.0, 5_000.0)
MISSING = replace(REPORT, unit="", rows=(ReportRow(0, REPORT.rows[0].start, 900, None, "MISSING"),))


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


BODIES = {
    "report": (lambda d: d.report(REPORT, "ven-1"), "reportRequest", "report"),
    "report of missing data": (lambda d: d.report(MISSING, "ven-1"), "reportRequest", "report"),
    "ven": (lambda d: d.ven("ven-1"), "VenVenRequest", "ven"),
    "resource": (lambda d: d.resource(BATTERY, "v1"), "VenResourceRequest", "resource"),
    "resource of unknown power": (lambda d: d.resource(DrResource("x", ""), "v1"), "VenResourceRequest", "resource"),
    "subscription": (lambda d: d.subscription("v", "https://h.example/x", "s", "p"), "subscriptionRequest",
                     "subscription"),
}  # fmt: skip


@pytest.mark.parametrize("dialect", [V310, V301], ids=["3.1.0", "3.0.1"])
@pytest.mark.parametrize("name", BODIES)
def test_what_we_send_is_valid_in_its_own_version(name, dialect):
    make, new, old = BODIES[name]
    assert errors(make(dialect), old if dialect is V301 else new, dialect.version) == []


def test_a_report_without_its_program_is_refused_by_the_yaml_of_3_0_1_only():
    body = V310.report(REPORT, "ven-1")
    assert errors(body, "reportRequest", "3.1.0") == [] and errors(body, "report", "3.0.1")


def test_a_device_tells_its_power_in_kw():
    assert V310.resource(BATTERY, "v1")["attributes"] == [
        {"type": "DESCRIPTION", "values": ["battery"]},
        {"type": "MAX_POWER_CONSUMPTION", "values": [5.0]},
        {"type": "MAX_POWER_EXPORT", "values": [5.0]},
    ]


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (["a", "b", "a"], ("a", "b")),
        ([{"type": "GROUP", "values": ["a", "b"]}, {"type": "VEN_NAME", "values": ["c"]}], ("a", "b", "c")),
        ([{"type": "PROGRAM_NAME", "values": ["p"]}, {"type": "EVENT_NAME", "values": ["e"]}], ()),
        ([{"type": "GROUP"}, {"type": "GROUP", "values": None}, None, 7, []], ()),
        (None, ()), ("a", ()), ({"type": "GROUP", "values": ["a"]}, ()),
    ],
    ids=["3.1.0", "3.0.1", "names of itself", "nonsense", "null", "text", "object"],
)  # fmt: skip
def test_targets_of_both_versions(found, names):
    assert targets(found) == names


def test_an_event_of_3_0_1_reads_as_one_of_3_1_0_and_that_one_stays_as_it_was():
    old = event("e", targets=[{"type": "GROUP", "values": ["street"]}],
                reportDescriptors=[{"payloadType": "USAGE", "targets": [{"type": "RESOURCE_NAME", "values": ["ev"]}]}])  # fmt: skip
    new = event("e", targets=["street"], reportDescriptors=[{"payloadType": "USAGE", "targets": ["ev"]}])
    assert parse_event(old, "vtn") == parse_event(new, "vtn")
    assert errors(old, "event", "3.0.1") == [] == errors(new, "eventRequest", "3.1.0")


@pytest.mark.parametrize(("binding", "told"), [(True, True), (False, False), (None, False), ("true", False)])
def test_binding_events_of_3_0_1(binding, told):
    assert parse_program({"id": "p", "programName": "Day", "bindingEvents": binding}, "vtn").binding is told


def test_only_what_is_of_3_0_1_looks_so():
    assert looks_old([event("e", targets=[{"type": "GROUP", "values": ["a"]}])])
    assert looks_old([None, {"id": "p", "programLongName": "Day"}])
    assert not looks_old([event("e", targets=["a"]), {"id": "p", "programName": "Day", "bindingEvents": None}, 7])


async def test_a_3_0_1_server_is_found_out_and_gets_bodies_of_3_0_1(server):
    # given a server without /auth/server and /notifiers, whose VEN objects are those of 3.0.1
    server.version = "3.0.1"
    server.objects["/events"] = [event("e1")]
    client = vtn(server)
    # when we enrol, list and report
    found = [each.id for each in await client.events()]
    await client.enrol_resources([WALLBOX])
    await client.send(REPORT)
    await client.close()
    # then all of it fitted the YAML of 3.0.1
    assert (client.facts.version, found, server.invalid) == ("3.0.1", ["e1"], [])
    assert server.objects["/reports"][0]["programID"] == "p"
    assert "POST /vens/o0/resources" in server.asked


async def test_a_3_1_0_server_is_found_out_by_its_notifiers(server):
    client = vtn(server)
    await client.events()
    await client.enrol_resources([WALLBOX])
    await client.send(REPORT)
    await client.close()
    assert (client.facts.version, server.invalid) == ("3.1.0", [])
    assert server.objects["/resources"][0]["venID"] == "o0"


async def test_a_server_in_trouble_is_not_taken_for_one_of_another_version(server):
    server.version, server.fail["/auth/server"] = "3.0.1", (503, {})
    client = vtn(server, token_url=f"{server.url}/auth/token")
    with pytest.raises(ServerUnreachable):
        await client.send(REPORT)
    server.fail.clear()
    await client.send(REPORT)
    await client.close()
    assert (client.facts.version, server.invalid) == ("3.0.1", [])


@pytest.mark.parametrize(
    ("path", "version", "told"),
    [("/openadr3/3.0.1", "auto", "3.0.1"), ("/openadr3/3.1.0", "auto", "3.1.0"), ("/v3.0", "auto", "3.0.1"),
     ("/openadr3/3.1.0", "3.0.1", "3.0.1"), ("/3.2.0", "auto", ""), ("/api", "auto", "")],
)  # fmt: skip
def test_the_version_of_the_address_and_of_the_site_file(path, version, told):
    client = vtn(Server(url=f"https://vtn.example{path}"), version=version)
    assert client.facts.version == told


async def test_a_public_server_of_unknown_version_is_told_by_its_objects(server):
    server.public, server.version = True, "3.0.1"
    server.objects["/programs"] = [{"id": "p", "programName": "Day", "programLongName": "Day ahead"}]
    client = vtn(server, client_id="", client_secret="")
    assert [each.name for each in await client.programs()] == ["Day"]
    await client.close()
    assert client.facts.version == "3.0.1"


async def test_events_of_3_0_1_for_others_are_not_ours(server):
    server.version = "3.0.1"
    street, ours, theirs = ([{"type": kind, "values": [name]}] for kind, name in (
        ("GROUP", "street"), ("VEN_NAME", "ven-1"), ("VEN_NAME", "ven-2")))  # fmt: skip
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": street}]
    server.objects["/events"] = [event("street", targets=street), event("ours", targets=ours),
                                 event("theirs", targets=theirs), event("all")]  # fmt: skip
    assert await listed(vtn(server)) == ["street", "ours", "all"]
    assert not any("targets=" in query for query in server.queries)


async def test_a_group_of_the_site_file_is_asked_for_where_the_server_keeps_no_vens(server):
    server.vens_status = 404
    server.objects["/events"] = [event("street", targets=["street"]), event("town", targets=["town"])]
    client = vtn(server, targets=["street"])
    assert await listed(client) == ["street"]
    assert any("targets=street" in query for query in server.queries)
