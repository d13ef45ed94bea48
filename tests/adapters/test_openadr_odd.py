"""Oddities of servers written by others, each by name; facts measured on the Alliance's reference VTN and others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.openadr.notifiers import bindings, topics
from adapters.openadr.v301 import looks_old, targets
from adapters.openadr.wire import merged, parse_events, parse_programs
from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from tests.adapters.openadr_lab import Handler, Server, event, listed, running, vtn
from tests.fakes import FakeClock


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.mark.parametrize("written", ["2026-11-20 17:44:33", "17:55:45", 1763660673, None, "soon"])
async def test_metadata_times_of_any_shape_never_hide_an_event(server, written):
    server.objects["/events"] = [event("e", createdDateTime=written, modificationDateTime=written)]
    assert await listed(vtn(server)) == ["e"]


async def test_a_server_that_ignores_program_and_active_filters_is_filtered_here(server):
    server.ignore_filters = True
    server.objects["/programs"] = [{"id": "p", "programName": "Day"}, {"id": "q", "programName": "Night"}]
    server.objects["/events"] = [event("ours"), event("theirs", programID="q")]
    client = vtn(server, programs=["Day"])
    assert [program.id for program in await client.programs()] == ["p"]
    assert await listed(client) == ["ours"]


async def test_a_targeted_event_that_leaks_to_us_without_a_grant_is_not_ours(server):
    server.ignore_filters = True
    server.objects["/events"] = [event("ours"), event("leak", targets=["other street"])]
    assert await listed(vtn(server)) == ["ours"]


async def test_ours_is_found_when_the_filter_for_the_ven_name_is_ignored(server):
    server.ignore_filters = True
    server.objects["/vens"] = [{"id": f"v{i}", "venName": f"ven-{i}"} for i in range(60, 0, -1)]
    client = vtn(server)
    await listed(client)
    assert client.ven_id == "v1" and "POST /vens" not in server.asked


async def test_a_status_that_is_a_text_is_told_in_the_servers_words(server):
    server.fail["/events"] = (500, {})
    with pytest.raises(ServerUnreachable, match="broken"):
        await listed(vtn(server))


@pytest.mark.parametrize("status", [500, 403, 404])
async def test_vens_that_fail_for_a_while_neither_end_the_grants_nor_the_events(server, status):
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    server.objects["/events"] = [event("street", targets=["street"])]
    client = vtn(server)
    await client.events()
    server.vens_status = status
    assert await listed(client) == ["street"]


async def test_vens_that_fail_from_the_start_are_an_error_since_our_groups_are_not_known(server):
    server.vens_status = 500
    with pytest.raises(ServerUnreachable):
        await listed(vtn(server))


async def test_a_server_without_vens_is_asked_again_after_an_hour(server):
    clock, server.vens_status = FakeClock(), 403
    client = vtn(server, clock)
    await client.events()
    server.vens_status = 200
    await client.events()
    before = client.ven_id
    await clock.advance(3601)
    await client.events()
    await client.close()
    assert (before, client.ven_id) == ("", "o0")


async def test_a_ven_name_of_another_account_stops_no_events(server, caplog):
    server.objects["/events"] = [event("e")]
    server.taken = lambda path, body: path == "/vens"  # type: ignore[method-assign]
    with caplog.at_level("INFO"):
        assert await listed(vtn(server)) == ["e"]
    assert "taken there by another account" in caplog.text


HOSTILE = {
    "a value beyond all numbers": {"intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [10**400]}]}]},
    "half a character in its id": {"id": "\ud800"},
    "half a character in its program": {"programID": "\ud800"},
    "a priority beyond all numbers": {"priority": 10**400},
    "a very long id": {"id": "x" * 5000},
    "a number for a start": {"intervalPeriod": {"start": 7}},
    "a list for an interval": {"intervals": [[1]]},
}


@pytest.mark.parametrize("why", HOSTILE)
async def test_an_event_that_would_hurt_hides_no_other(server, why):
    server.objects["/events"] = [event("a"), event("bad", **HOSTILE[why]), event("b")]
    client = vtn(server)
    assert await listed(client) == ["a", "b"]
    assert len(client.facts.unreadable) == 1


async def test_half_characters_outside_of_ids_are_told_as_such(server):
    server.raw["/events"] = b'[{"id": "e", "programID": "p", "eventName": "a\\ud800\\nb\xff", "duration": "\\ud800"}]'
    client = vtn(server)
    await listed(client)
    (words,) = client.facts.unreadable
    words.encode()
    assert "not an ISO 8601 duration" in words


async def test_names_and_reasons_fit_in_a_line(server):
    server.objects["/events"] = [
        event("good", eventName="x\n" * 5000),
        event("x" * 5000),
        event("b", duration="y\x00" * 5000),
    ]
    client = vtn(server)
    (found,) = await client.events()
    await client.close()
    assert "not an ISO 8601 duration" in client.facts.unreadable[1]
    for words in (found.name, *client.facts.unreadable):
        assert words.isprintable() and len(words) < 450


async def test_a_number_of_thousands_of_digits_hides_no_other_event(server):
    objects = ", ".join(
        f'{{"id": "{name}", "programID": "p", "priority": {number}}}'
        for name, number in (("a", "1"), ("b", "9" * 5000))
    )
    server.raw["/events"] = f"[{objects}]".encode()
    assert await listed(vtn(server)) == ["a"]


async def test_deep_nesting_in_one_event_hides_no_other(server):
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    server.objects["/events"] = [event("a"), event("bad", extra=deep)]
    assert await listed(vtn(server)) == ["a"]


async def test_not_a_number_counts_as_absent(server):
    server.raw["/events"] = (
        b'[{"id": "e", "programID": "p", "intervals": [{"id": 0, "payloads": [{"type": "PRICE", "values": [NaN]}]}]}]'
    )
    client = vtn(server)
    (found,) = await client.events()
    await client.close()
    assert found.intervals[0].payloads[0].values == ()


WORDS = st.sampled_from(["id", "programID", "intervals", "intervalPeriod", "start", "duration", "payloads", "targets",
                         "type", "values", "MQTT", "URIS", "authentication", "method", "topics", "ALL", "priority",
                         "reportDescriptors", "payloadType", "payloadDescriptors", "units", "attributes"])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["P9999Y", "PT1H", "0001-01-01", "BINDING_EVENTS", "mqtts://b"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25
)
EVENTS = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b"]), "programID": st.just("p")},
    optional=dict.fromkeys(("intervals", "intervalPeriod", "targets", "duration", "reportDescriptors"), ANYTHING),
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING | EVENTS, max_size=4))
def test_no_json_whatever_makes_the_reading_fail(objects):
    for found in (objects, merged(objects)):
        events, programs = parse_events(found, "vtn"), parse_programs(found, "vtn")
        assert len(events.good) + len(events.bad) == len(programs.good) + len(programs.bad) == len(found)
    looks_old(objects)
    for each in objects:
        bindings(each), topics(each), targets(each)


@pytest.mark.parametrize("text", ["PT99999999999999999999S", "P400000D", "P100000M", "P9999999999999999999999W"])
async def test_a_duration_beyond_all_calendars_is_infinite(server, text):
    server.objects["/events"] = [event("e", duration=text)]
    client = vtn(server)
    (found,) = await client.events()
    await client.close()
    assert found.duration is not None and found.duration.infinite


async def test_payload_descriptors_without_their_object_type_are_read_as_most_examples_have_them(server):
    server.objects["/events"] = [event("e", payloadDescriptors=[{"payloadType": "PRICE", "units": "KWH"}])]
    client = vtn(server)
    (found,) = await client.events()
    await client.close()
    assert found.units == {"PRICE": "KWH"}


async def test_requests_tell_nothing_of_the_machine(server):
    await listed(vtn(server))
    assert {seen["User-Agent"] for seen in server.seen} == {"hearth"}


async def test_a_server_where_we_may_not_read_the_notifiers_is_not_asked_for_them_at_each_look(server):
    server.fail["/notifiers"] = (403, {})
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    client = vtn(server)
    for _ in range(5):
        await client.events()
    await client.close()
    assert server.asked.count("GET /notifiers") == 2  # once, and once with a fresh token


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("with_query", [True, False])
async def test_an_address_that_moved_within_its_server_is_followed(server, status, with_query, monkeypatch):
    """Wrong before: a new address without a query lost ours, page 2 was page 1, and ten of sixty events looked withdrawn."""
    server.objects["/events"] = [event(f"e{i}") for i in range(60)]
    straight = Handler.answer

    def answer(self, method):
        path, _, query = self.path.partition("?")
        if path == "/events":
            return self.reply(status, {}, {"Location": f"/events/?{query}" if with_query else "/events/"})
        self.path = self.path.replace("/events/", "/events")
        return straight(self, method)

    monkeypatch.setattr(Handler, "answer", answer)
    assert await listed(vtn(server)) == [f"e{i}" for i in range(60)]


@pytest.mark.parametrize("where", ["http://127.0.0.2:9/events", "//:-1"])
async def test_an_address_at_another_server_or_that_is_none_is_never_followed(server, where):
    server.fail["/events"] = (307, {"Location": where})
    with pytest.raises(ServerRefused, match="307"):
        await listed(vtn(server))


async def test_an_address_that_cannot_be_read_is_told_as_the_servers_fault(server):
    server.fail["/events"] = (307, {"Location": "http://[::1/events"})
    with pytest.raises(ServerError):
        await listed(vtn(server))


async def test_an_empty_duration_is_none_said(server):
    period = {"start": "2026-11-21T18:00:00Z", "duration": "PT1H", "randomizeStart": ""}
    server.objects["/events"] = [event("a", intervalPeriod=period, duration="")]
    assert await listed(vtn(server)) == ["a"]
