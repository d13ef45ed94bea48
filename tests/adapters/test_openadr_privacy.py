"""Object privacy of 3.1.0: who we are is found by our identity, and what is for our groups is asked for by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.openadr.probe import Probe
from gateway.model.dr import DrResource
from tests.adapters.openadr_lab import Server, event, listed, running, vtn
from tests.fakes import FakeClock


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        state.private = True
        state.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street", "town"]}]
        yield state


async def test_what_is_for_our_groups_is_listed_to_who_names_them(server):
    server.objects["/events"] = [event("all"), event("street", targets=["street"]), event("far", targets=["village"])]
    assert await listed(vtn(server)) == ["all", "street"]


async def test_targets_that_the_server_hides_from_each_listing_are_put_together(server):
    server.objects["/events"] = [event("both", targets=["village", "town", "street"])]
    client = vtn(server)
    (first,) = await client.events()
    # when the utility names our groups the other way round, then the event did not change for that
    server.objects["/vens"][0]["targets"].reverse()
    (again,) = await client.events()
    await client.close()
    assert first.targets == ("street", "town") and again == first


async def test_programs_for_our_groups_are_listed_too(server):
    server.objects["/programs"] = [
        {"id": "p", "programName": "Day"}, {"id": "q", "programName": "Street", "targets": ["street"]},
    ]  # fmt: skip
    client = vtn(server)
    found = await client.programs()
    await client.close()
    assert [each.id for each in found] == ["p", "q"]


async def test_the_probe_sees_what_is_for_our_groups_and_counts_it_once(server):
    server.objects["/programs"] = [{"id": "p", "programName": "Street", "targets": ["street"]}]
    server.objects["/events"] = [event("both", targets=["street", "town"])]
    probe = Probe(vtn(server)._settings, FakeClock(), find_ven=True, send_report=False)
    words = {told.what: told.words async for told in probe.tell()}
    assert words["programs"] == "1: Street"
    assert words["events"].startswith("1 readable")


async def test_a_group_of_a_device_is_asked_for_as_well(server):
    server.objects["/resources"] = [{"id": "r", "resourceName": "wallbox", "venID": "v1", "targets": ["chargers"]}]
    server.objects["/events"] = [event("ev", targets=["chargers"])]
    client = vtn(server)
    await client.enrol_resources([DrResource("wallbox", "ev_charger")])
    assert await listed(client) == ["ev"]


async def test_a_ven_the_utility_made_for_our_client_id_is_ours_whatever_its_name(server):
    server.objects["/vens"] = [
        {"id": "v7", "venName": "ACME-000123", "clientID": "home", "targets": ["street"]},
        {"id": "v8", "venName": "ACME-000124", "clientID": "another", "targets": ["town"]},
    ]
    server.objects["/events"] = [event("street", targets=["street"]), event("town", targets=["town"])]
    client = vtn(server)
    await client.events()
    asked = server.asked.count("GET /vens")
    assert await listed(client) == ["street"]
    assert (client.ven_id, "POST /vens" in server.asked) == ("v7", False)
    assert server.asked.count("GET /vens") == asked + 1  # found by its name from now on


async def test_each_program_followed_is_listed_on_its_own(server):
    server.objects["/programs"] = [{"id": name, "programName": name.upper()} for name in ("p", "q", "r")]
    server.objects["/events"] = [event(f"{name}-event", programID=name) for name in ("p", "q", "r")]
    client = vtn(server, programs=["P", "q"])
    await client.programs()
    assert await listed(client) == ["p-event", "q-event"]
    asked = {
        query.partition("programID=")[2].partition("&")[0] for query in server.queries if query.startswith("/events")
    }
    assert asked == {"p", "q"}


async def test_a_program_that_became_unreadable_still_has_its_events(server):
    server.objects["/programs"] = [{"id": "p", "programName": "Day"}]
    server.objects["/events"] = [event("e")]
    client = vtn(server, programs=["Day"])
    await client.programs()
    server.objects["/programs"] = [{"id": "p", "programName": "\ud800"}]
    assert [each.name for each in await client.programs()] == ["Day"]
    assert await listed(client) == ["e"]


async def test_one_look_asks_for_our_standing_once(server):
    client = vtn(server)
    await client.programs()
    await client.events()
    await client.events()
    await client.close()
    assert server.asked.count("GET /vens") == 2
