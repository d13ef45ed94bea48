"""Listings of servers written by others: pages, gaps, repetitions, and the many ways to say none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.openadr.listing import FAILURES_THAT_STOP
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable
from tests.adapters.openadr_lab import Handler, Server, event, listed, running, vtn


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.mark.parametrize("path", ["/events", "/programs"])
@pytest.mark.parametrize("body", [b'"do some magic!"', b"", b"7", b'{"status": "500"}'])
async def test_a_listing_that_is_no_list_is_an_error_not_an_empty_list(server, path, body):
    server.raw[path] = body
    client = vtn(server)
    with pytest.raises(ServerAnswerWrong):
        await (client.events() if path == "/events" else client.programs())
    await client.close()


@pytest.mark.parametrize("cap", [pytest.param(1, marks=pytest.mark.slow), 5, 9, 10, 25, 50])
async def test_a_server_with_smaller_pages_than_asked_for_is_read_to_its_end(server, cap):
    server.page_cap = cap
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    assert await listed(vtn(server)) == [f"e{i}" for i in range(60)]


async def test_pages_that_ignore_skip_end_after_the_first_repetition(server):
    server.ignore_skip = True
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    assert len(await listed(vtn(server))) == 50
    assert server.asked.count("GET /events") == 2


@pytest.mark.parametrize("status", [400, 404, 416, 204])
@pytest.mark.parametrize("count", [3, 50, 60])
async def test_a_server_that_has_no_page_behind_the_last_is_read_whole(server, status, count):
    server.past_the_end = status
    server.objects["/events"] = [event(f"e{i}") for i in range(count)]
    assert len(await listed(vtn(server))) == count


@pytest.mark.parametrize("status", [400, 404, 416])
async def test_a_first_page_that_is_not_there_is_an_error(server, status):
    server.fail["/events"] = (status, {})
    with pytest.raises(ServerRefused):
        await listed(vtn(server))


async def test_a_known_event_missing_from_a_small_page_is_looked_for_again(server):
    # given pages of two, and an event that goes while they are read: e2 moves to page 1, which was read already
    server.page_cap = 2
    server.objects["/events"] = [event(f"e{i}") for i in range(3)]
    client = vtn(server)
    await client.events()
    server.between_pages = lambda kept: kept.pop(0) if kept and kept[0]["id"] == "e0" else None
    # then it is still there
    assert await listed(client) == ["e1", "e2"]


@pytest.mark.slow
async def test_more_than_five_thousand_events_are_read(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(5100)]
    assert len(await listed(vtn(server))) == 5100


async def test_a_listing_of_endless_bytes_is_an_error(server, monkeypatch):
    monkeypatch.setattr("adapters.openadr.listing.MOST_BYTES", 10_000)
    server.objects["/events"] = [event(f"e{i}") for i in range(150)]
    with pytest.raises(ServerAnswerWrong, match="no end"):
        await listed(vtn(server))


@pytest.mark.parametrize("lost", [None, "", {}, True])
async def test_beside_an_object_without_an_id_nothing_counts_as_cancelled(server, lost):
    # given two events, of which one loses its id
    server.objects["/events"] = [event("a"), event("b")]
    client = vtn(server)
    await client.events()
    server.objects["/events"] = [event("a", id=lost), event("b"), event("c")]
    # then all stay, the new one is taken up, and it is told
    assert sorted(each.id for each in await client.events()) == ["a", "b", "c"]
    assert len(client.facts.unreadable) == 1 and client.facts.unreadable[0].startswith("event ?: id is missing")
    # and once the listing is whole again, the cancelled one goes
    server.objects["/events"] = [event("b")]
    assert await listed(client) == ["b"]


async def test_an_event_deleted_between_two_pages_does_not_make_another_look_cancelled(server):
    # given 60 events, of which the first goes when page 2 is asked for: e50 moves to page 1, which was read already
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]

    def delete_first(kept: list) -> None:
        if kept and kept[0]["id"] == "e0":
            del kept[0]

    server.between_pages = delete_first
    # when the listing is read, then all that are still there are in it
    assert await listed(vtn(server)) == [f"e{i}" for i in range(1, 60)]


async def test_an_event_created_between_two_pages_does_not_make_another_look_cancelled(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    server.between_pages = lambda kept: kept.insert(0, event("new")) if kept[0]["id"] == "e0" else None
    assert sorted(await listed(vtn(server))) == sorted(["new", *(f"e{i}" for i in range(60))])


async def test_a_listing_that_never_comes_to_rest_is_an_error(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    counter = iter(range(1000))

    def churn(kept: list) -> None:
        kept.pop(0)
        kept.insert(0, event(f"n{next(counter)}"))

    server.between_pages = churn
    with pytest.raises(ServerUnreachable, match="changed at each"):
        await listed(vtn(server))


async def test_a_long_listing_at_rest_is_read_twice_only_the_first_time(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    client = vtn(server)
    await client.events()
    first = server.asked.count("GET /events")
    await client.events()
    await client.close()
    assert (first, server.asked.count("GET /events") - first) == (6, 3)


async def test_an_object_without_an_id_that_differs_at_each_reading_unsettles_no_listing(server):
    counter = iter(range(1000))
    server.objects["/events"] = [event("a"), {"retrievedAt": next(counter)}]
    server.between_pages = lambda kept: kept[-1].update(retrievedAt=next(counter))
    client = vtn(server)
    await client.events()
    assert await listed(client) == ["a"]


async def test_a_listing_to_which_objects_only_come_is_believed(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    counter = iter(range(1000))
    server.between_pages = lambda kept: kept.insert(0, event(f"n{next(counter)}"))
    assert {f"e{i}" for i in range(60)} <= set(await listed(vtn(server)))


@pytest.mark.parametrize("kind", ["null", "204"])
async def test_what_may_mean_an_empty_listing_is_one_when_the_next_look_gets_it_too(server, kind):
    """Once it may be a fault, and absence means cancelled; from some servers it is how they write none."""
    server.objects["/events"] = [event("a")]
    client = vtn(server)
    assert [each.id for each in await client.events()] == ["a"]
    for _ in range(2):
        server.raw, server.fail = ({"/events": b"null"}, {}) if kind == "null" else ({}, {"/events": (204, {})})
        with pytest.raises(ServerAnswerWrong):
            await client.events()
        server.raw, server.fail = {}, {}
        assert [each.id for each in await client.events()] == ["a"]
    server.raw, server.fail = ({"/events": b"null"}, {}) if kind == "null" else ({}, {"/events": (204, {})})
    with pytest.raises(ServerAnswerWrong):
        await client.events()
    assert await listed(client) == []


def empty_as_204(monkeypatch, empty: dict[str, str]) -> None:
    """The server answers 204 to a listing of events that holds none, by the program or group (`empty`) it asks for."""
    whole = Handler.listing

    def listing(self, kept, query):
        none = any(query.get(name) == [value] for name, value in empty.items())
        return self.reply(204, b"") if none and self.path.startswith("/events") else whole(self, kept, query)

    monkeypatch.setattr(Handler, "listing", listing)


@pytest.mark.parametrize(("empty", "events"), [({"programID": "q"}, ["ours"]), ({"programID": "p"}, ["theirs"])])
async def test_of_two_programs_one_may_be_empty_as_204(server, monkeypatch, empty, events):
    """Wrong before: the list of the one took back what the other's answer meant, and no event ever arrived."""
    empty_as_204(monkeypatch, empty)
    server.objects["/programs"] = [{"id": "p", "programName": "Day"}, {"id": "q", "programName": "Night"}]
    server.objects["/events"] = [event("ours"), event("theirs", programID="q")]
    client = vtn(server, programs=["Day", "Night"])
    await client.programs()
    with pytest.raises(ServerAnswerWrong):
        await client.events()
    for _ in range(3):
        assert await listed(client) == events


async def test_however_many_listings_are_empty_as_204_one_more_look_believes_them_all(server, monkeypatch):
    empty_as_204(monkeypatch, {"programID": "q", "targets": "street"})
    server.objects["/programs"] = [{"id": "p", "programName": "Day"}, {"id": "q", "programName": "Night"}]
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    server.objects["/events"] = [event("ours")]
    client = vtn(server, programs=["Day", "Night"])
    await client.programs()
    with pytest.raises(ServerAnswerWrong):
        await client.events()
    assert await listed(client) == ["ours"] and client.facts.unlisted == ()


async def test_a_group_whose_last_event_went_is_empty_as_204_at_the_second_look(server, monkeypatch):
    """Wrong before: once a group had had an event, every later look failed, and nothing at all was heard."""
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    server.objects["/events"] = [event("all"), event("s", targets=["street"])]
    client = vtn(server)
    assert await listed(client) == ["all", "s"]
    server.objects["/events"].pop()
    empty_as_204(monkeypatch, {"targets": "street"})
    with pytest.raises(ServerAnswerWrong):
        await client.events()
    for _ in range(3):
        assert await listed(client) == ["all"] and client.facts.unlisted == ()


async def test_an_answer_of_another_kind_does_not_make_the_first_204_believed(server):
    """Wrong before: an error written as an object counted as a first sign of an empty listing."""
    server.objects["/events"] = [event("a")]
    client = vtn(server)
    assert await listed(client) == ["a"]
    server.raw["/events"] = b'{"status": "500"}'
    with pytest.raises(ServerAnswerWrong):
        await client.events()
    server.raw, server.fail = {}, {"/events": (204, {})}
    with pytest.raises(ServerAnswerWrong):
        await client.events()


async def test_an_empty_listing_is_read_twice_before_what_was_there_is_gone(server):
    server.objects["/events"] = [event("a")]
    client = vtn(server)
    await client.events()
    server.objects["/events"], asked = [], len(server.asked)
    assert await listed(client) == []
    assert server.asked[asked:].count("GET /events") == 2


async def test_an_answer_without_any_body_is_no_empty_listing(server):
    server.raw["/events"] = b""
    with pytest.raises(ServerAnswerWrong):
        await listed(vtn(server))


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_a_group_that_the_server_cannot_list_hides_nothing_else(server, status, monkeypatch):
    """The reference server answers 500 to a listing by some targets: a limit for everybody was never read."""
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    server.objects["/events"] = [event("all")]
    whole = Handler.listing

    def listing(self, kept, query):
        return self.reply(status, {"title": "no"}) if query.get("targets") == ["street"] else whole(self, kept, query)

    monkeypatch.setattr(Handler, "listing", listing)
    client = vtn(server)
    for _ in range(FAILURES_THAT_STOP - 1):
        with pytest.raises(ServerError):
            await client.events()
    assert await listed(client) == ["all"] and client.facts.unlisted == ("street",)
