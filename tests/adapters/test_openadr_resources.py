"""Our devices on the utility's list: made once, found again, and nobody else's touched (OpenADR 3.1.0, resources)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.dr import DrResource
from gateway.model.errors import ServerUnreachable
from tests.adapters.openadr_lab import Refused, Server, event, running, vtn
from tests.fakes import FakeClock

WALLBOX = DrResource("wallbox", "ev_charger", 11_000.0)
BATTERY = DrResource("battery", "battery", 5_000.0, 5_000.0)


@pytest.fixture(params=["3.1.0", "3.0.1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running() as state:
        state.version = request.param
        yield state


def names(server: Server) -> list[str]:
    return [each["resourceName"] for each in server.objects["/resources"]]


async def test_each_device_is_made_once_whatever_is_asked_again(server):
    for _ in range(2):  # a restart
        client = vtn(server)
        await client.enrol_resources([WALLBOX, BATTERY, WALLBOX])
        await client.enrol_resources([WALLBOX, BATTERY])
        await client.close()
    assert names(server) == ["wallbox", "battery"] and server.invalid == []
    assert client.facts.resources == ("wallbox", "battery")


async def test_what_the_utility_or_another_made_stays_as_it_is(server):
    there = [{"id": "r1", "resourceName": "wallbox", "venID": "o0", "attributes": [{"type": "OWN", "values": [1]}]},
             {"id": "r2", "resourceName": "sauna", "venID": "o0"}]  # fmt: skip
    server.objects["/resources"] = [dict(each) for each in there]
    client = vtn(server)
    await client.enrol_resources([WALLBOX])
    await client.enrol_resources([])
    await client.close()
    assert server.objects["/resources"] == there
    assert not any(line.startswith(("PUT", "DELETE")) for line in server.asked)


async def test_devices_that_are_not_shared_any_more_are_taken_back_and_nothing_else(server):
    theirs = [{"id": "r2", "resourceName": "sauna", "venID": "o0"}, {"id": "r3", "resourceName": "tank", "venID": "o0"}]
    server.objects["/resources"] = [dict(each) for each in theirs]
    client, tank = vtn(server), DrResource("tank", "water_heater", 2_000.0)
    await client.enrol_resources([WALLBOX, BATTERY, tank])
    assert names(server) == ["sauna", "tank", "wallbox", "battery"]
    await client.enrol_resources([], gone=[WALLBOX, BATTERY, tank])
    assert server.objects["/resources"] == theirs and client.facts.resources == ("sauna", "tank")
    await client.close()


async def test_a_server_that_keeps_no_resources_is_fine(server):
    for path in ("/resources", "/vens/o0/resources"):
        server.fail[path] = (404, {})
    server.objects["/events"] = [event("e")]
    client = vtn(server)
    await client.enrol_resources([WALLBOX])
    found = await client.events()
    await client.close()
    assert client.facts.resources == () and [each.id for each in found] == ["e"]


async def test_trouble_with_resources_is_told_but_stops_no_events_for_good_and_heals(server, caplog):
    # given a server whose resources are broken
    clock = FakeClock()
    for path in ("/resources", "/vens/o0/resources"):
        server.fail[path] = (500, {})
    server.objects["/events"] = [event("e")]
    client = vtn(server, clock)
    # when we look, then twice it is an error, since an event for a device's group would be missing
    for _ in range(2):
        with pytest.raises(ServerUnreachable):
            await client.events()
    # but not for ever; and what cannot be enrolled is told
    assert [each.id for each in await client.events()] == ["e"]
    await client.enrol_resources([WALLBOX])
    assert "tried again" in caplog.text
    # and when it is mended, five minutes later the device is there without being asked for
    server.fail.clear()
    await clock.advance(301)
    await client.events()
    await client.close()
    assert names(server) == ["wallbox"]


async def test_resources_that_fail_later_leave_the_groups_of_the_devices_as_they_were(server):
    server.version = "3.1.0"
    server.objects["/vens"] = [{"id": "o0", "venName": "ven-1"}]
    server.objects["/resources"] = [{"id": "r", "resourceName": "sauna", "venID": "o0", "targets": ["heaters"]}]
    server.objects["/events"] = [event("e", targets=["heaters"])]
    clock = FakeClock()
    client = vtn(server, clock)
    # given a resource that the utility made for us: it counts from the first look after a restart
    first = [each.targets for each in await client.events()]
    server.fail["/resources"] = (500, {})
    await clock.advance(301)
    assert [each.targets for each in await client.events()] == first == [("heaters", "sauna")]
    await client.close()


async def test_a_refused_resource_is_told_with_the_servers_words_and_the_others_are_there(server, caplog):
    refused = server.taken
    server.taken = lambda path, body: refuse(body) if path == "/resources" else refused(path, body)  # type: ignore[method-assign]

    def refuse(body: dict) -> bool:
        if body["resourceName"] == "wallbox":
            raise Refused(400)
        return False

    client = vtn(server)
    await client.enrol_resources([WALLBOX, BATTERY])
    await client.close()
    assert "the enrolment of wallbox was answered with 400: not this one" in caplog.text
    assert client.facts.resources == ("battery",)


async def test_an_event_for_the_group_of_one_device_names_that_device():
    with running() as server:
        # given a group the utility put our wall box in, but not the home
        client = vtn(server)
        await client.enrol_resources([WALLBOX, BATTERY])
        server.objects["/resources"][0]["targets"] = ["chargers"]
        await client.enrol_resources([WALLBOX, BATTERY])
        # when an event is for that group, and another for the home
        server.objects["/events"] = [event("ev", targets=["chargers"]), event("home", targets=["ven-1"])]
        found = {each.id: each.targets for each in await client.events()}
        await client.close()
    # then the first one names the wall box
    assert found == {"ev": ("chargers", "wallbox"), "home": ("ven-1",)}
