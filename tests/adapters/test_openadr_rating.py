"""For which programs the home suits, on the utility's list: there while it is shared, gone when it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.dr import DrRating, DrResource
from gateway.model.errors import ServerError
from tests.adapters.openadr_lab import Server, event, running, vtn

SHED = DrRating("evening_shed", "high", 72)
SOAK = DrRating("midday_soak", "low", 12)


@pytest.fixture(params=["3.1.0", "3.0.1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running() as state:
        state.version = request.param
        yield state


def held(server: Server) -> list[dict]:
    return [each for each in server.objects.get("/resources", []) if each["resourceName"] == "hearth_suitability"]


async def test_it_is_made_once_changed_in_place_and_taken_back(server):
    client = vtn(server)
    await client.enrol_resources([DrResource("wallbox", "ev_charger", 11_000.0)])
    assert await client.tell_suitability([SHED]) and await client.tell_suitability([SHED])
    (made,) = held(server)
    assert made["attributes"] == [{"type": "SUITABILITY_EVENING_SHED", "values": ["high", 72]}]
    assert await client.tell_suitability([SHED, SOAK])
    (changed,) = held(server)
    assert changed["id"] == made["id"] and len(changed["attributes"]) == 2
    assert await client.tell_suitability([]) and held(server) == []
    await client.close()
    assert [each["resourceName"] for each in server.objects["/resources"]] == ["wallbox"] and server.invalid == []
    assert sum(line.startswith("PUT") for line in server.asked) == 1, "the same again is not sent again"


async def test_with_nothing_to_take_back_nothing_is_touched(server):
    client = vtn(server)
    await client.enrol_resources([])
    assert await client.tell_suitability([])
    await client.close()
    assert not any(line.startswith(("PUT", "DELETE")) for line in server.asked)


async def test_a_server_that_keeps_no_resources_says_so_and_one_that_breaks_is_an_error(server):
    client = vtn(server)
    await client.enrol_resources([])
    for path in ("/resources", "/vens/o0/resources"):
        server.fail[path] = (404, {})
    assert not await client.tell_suitability([SHED]) and await client.tell_suitability([])
    for path in ("/resources", "/vens/o0/resources"):
        server.fail[path] = (500, {})
    with pytest.raises(ServerError):
        await client.tell_suitability([SHED])
    await client.close()


async def test_a_group_that_the_rating_was_put_in_means_the_whole_home(server):
    client = vtn(server)
    await client.enrol_resources([DrResource("wallbox", "ev_charger", 11_000.0)])
    await client.tell_suitability([SHED])
    group = ["suits"] if server.version == "3.1.0" else [{"type": "GROUP", "values": ["suits"]}]
    for each in server.objects["/resources"]:
        each["targets"] = group
    server.objects["/events"] = [event("e", targets=group)]
    await client.enrol_resources([])
    (found,) = await client.events()
    await client.close()
    assert "hearth_suitability" not in found.targets and "wallbox" not in found.targets
