"""The VEN's client against a small real HTTP server that can be odd in all the ways real VTNs are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapters.openadr import web
from adapters.openadr.settings import OpenAdrSettings
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable
from gateway.ports import DrEnrolling, DrFacts, DrServer, DrWakeUp
from gateway.runtime.system_clock import SystemClock
from tests.adapters.openadr_lab import REPORT, Server, event, listed, running, vtn
from tests.fakes import FakeClock


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.mark.slow
async def test_every_page_is_read_and_each_event_once(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(120)] + [event("e0")]
    assert await listed(vtn(server)) == [f"e{i}" for i in range(120)]


async def test_a_server_that_ignores_skip_ends_the_listing(server):
    server.ignore_skip = True
    server.objects["/events"] = [event(f"e{i}") for i in range(50)]
    assert len(await listed(vtn(server))) == 50


async def test_a_listing_without_end_is_an_error_not_a_partial_list(server, monkeypatch):
    monkeypatch.setattr("adapters.openadr.listing.MOST_OBJECTS", 100)
    server.objects["/events"] = [event(f"e{i}") for i in range(150)]
    with pytest.raises(ServerAnswerWrong, match="no end"):
        await listed(vtn(server))


async def test_one_token_serves_all_who_wait(server):
    client = vtn(server)
    await asyncio.gather(client.programs(), client.programs(), client.events())
    await client.close()
    assert server.tokens == 1


async def test_the_token_is_renewed_before_its_end(server):
    clock = FakeClock()
    client = vtn(server, clock)
    await client.programs()
    await clock.advance(1801)
    await client.programs()
    await client.close()
    assert server.tokens == 2


async def test_a_token_refused_with_403_is_renewed_once(server):
    client = vtn(server)
    await client.programs()
    server.token = "t2"
    await client.programs()
    await client.close()
    assert server.tokens == 2


async def test_basic_authentication_is_tried_after_the_form_body(server):
    server.basic_only = True
    assert await listed(vtn(server)) == []


async def test_a_wrong_secret_is_refused_without_showing_it(server):
    with pytest.raises(ServerRefused, match="not accepted") as refused:
        await listed(vtn(server, client_secret="hunter2"))
    assert "hunter2" not in str(refused.value) and "hunter2" not in repr(refused.value)


async def test_without_credentials_no_token_is_asked_and_nobody_enrols(server):
    server.public = True
    server.objects["/events"] = [event("price")]
    assert await listed(vtn(server, client_id="", client_secret="")) == ["price"]
    assert not any("auth" in line or "vens" in line for line in server.asked)


async def test_credentials_are_not_sent_to_another_server(server):
    server.token_url = "https://elsewhere.example/token"
    with pytest.raises(ServerRefused, match=r"elsewhere\.example"):
        await listed(vtn(server))


async def test_the_ven_enrols_once_and_is_found_again(server):
    assert await listed(vtn(server)) == await listed(vtn(server)) == []
    assert [x["venName"] for x in server.objects["/vens"]] == ["ven-1"]
    assert server.objects["/vens"][0]["objectType"] == "VEN_VEN_REQUEST"


async def test_a_server_that_keeps_no_vens_is_fine(server):
    server.vens_status = 404
    server.objects["/events"] = [event("e1")]
    assert await listed(vtn(server)) == ["e1"]


async def test_only_events_of_our_programs_and_targets_are_ours(server):
    server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
    server.objects["/events"] = [
        event("ours"), event("street", targets=["street"]), event("others", targets=["town"]),
        event("foreign", programID="q"),
    ]  # fmt: skip
    assert await listed(vtn(server, programs=["p"])) == ["ours", "street"]


async def test_a_nonsense_event_hides_no_other(server, caplog):
    bad = [None, 7, {}, {"id": "x"}, event("neg", duration="-PT1H"), event("t", intervalPeriod={"start": "soon"})]
    server.objects["/events"] = [event("a"), *bad, event("b")]
    client = vtn(server)
    await client.events()
    assert await listed(client) == ["a", "b"]
    assert client.skipped == 6 and len(caplog.records) == 6


async def test_an_event_that_becomes_unreadable_is_not_taken_for_cancelled(server):
    server.objects["/events"] = [event("a")]
    client = vtn(server)
    await client.events()
    server.objects["/events"] = [event("a", duration="soon")]
    found = await client.events()
    server.objects["/events"] = []
    assert [x.id for x in found] == ["a"] and await listed(client) == []


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait"),
    [(500, {}, ServerUnreachable, None), (503, {"Retry-After": "7"}, ServerUnreachable, 7.0),
     (429, {"Retry-After": "99999"}, ServerUnreachable, 3600.0), (400, {}, ServerRefused, None),
     (302, {"Location": "https://else.example"}, ServerRefused, None)],
    ids=["500", "503 wait", "429 wait too long", "400", "moved"],
)  # fmt: skip
async def test_a_failing_answer(server, status, headers, error, wait):
    server.fail["/events"] = (status, headers)
    with pytest.raises(error) as raised:
        await listed(vtn(server))
    assert getattr(raised.value, "retry_after_s", None) == wait


@pytest.mark.parametrize("raw", [b"<html>", b'{"events": []}', b"[" * 100_000, b" " * 5_000_000], ids=[
    "html", "object", "deep", "huge"])  # fmt: skip
async def test_an_answer_that_cannot_be_used(server, raw):
    server.raw["/events"] = raw
    with pytest.raises(ServerAnswerWrong):
        await listed(vtn(server))


async def test_a_slow_server_is_given_up(server, monkeypatch):
    monkeypatch.setattr(web, "REQUEST_TIMEOUT_S", 0.05)
    server.hang = threading.Event()
    with pytest.raises(ServerUnreachable, match="within"):
        await listed(vtn(server))


async def test_a_server_that_is_not_there(server):
    client = vtn(Server(url="http://127.0.0.1:9"))
    with pytest.raises(ServerUnreachable, match="cannot be reached"):
        await listed(client)


async def test_a_report_is_posted_and_the_same_one_again_replaces_it(server):
    client = vtn(server)
    await client.send(REPORT)
    await client.send(REPORT)
    await client.close()
    assert len(server.objects["/reports"]) == 1
    assert server.asked[-1] == "PUT /reports/o0"


async def test_the_clock_of_the_server_is_compared(server):
    client = vtn(server, FakeClock(datetime(2020, 1, 1, tzinfo=UTC)))
    assert client.clock_skew_s is None
    await listed(client)
    assert client.clock_skew_s is not None and client.clock_skew_s > 86_400


async def test_a_clock_that_goes_with_ours_is_told_to_within_a_second(server):
    client = vtn(server, SystemClock())
    await listed(client)
    assert client.clock_skew_s is not None and abs(client.clock_skew_s) < 1.0


async def test_the_sped_up_clock_of_a_simulated_home_is_compared_with_nobodys(server):
    client = vtn(server, SystemClock(speed=10.0))
    await listed(client)
    assert client.clock_skew_s is None


def test_a_vtn_can_all_that_the_ports_ask(server):
    client = vtn(server)
    assert isinstance(client, DrWakeUp) and isinstance(client, DrEnrolling) and isinstance(client, DrFacts)
    server_: DrServer = client
    assert server_.name == "utility" and client.poll_s == 60.0


@pytest.mark.parametrize(
    ("url", "local", "fine"),
    [("https://vtn.example", False, True), ("http://vtn.example", True, False), ("http://127.0.0.1:8", False, False),
     ("http://192.168.1.4", True, True), ("vtn.example", False, False)],
)  # fmt: skip
def test_plain_http_is_for_the_house_only(url, local, fine):
    values = {"kind": "openadr", "url": url, "ven_name": "v", "local": local}
    if fine:
        assert OpenAdrSettings.model_validate(values).base == url
    else:
        with pytest.raises(ValueError, match="url"):
            OpenAdrSettings.model_validate(values)
