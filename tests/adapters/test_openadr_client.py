"""The VEN's client against a small real HTTP server that can be odd in all the ways real VTNs are."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.openadr import web
from adapters.openadr.client import Vtn
from adapters.openadr.settings import OpenAdrSettings
from gateway.model.dr import DrReport, ReportRow
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable
from tests.fakes import FakeClock


@dataclass
class Server:
    """A VTN of a page: objects by path, and the oddities a test switches on."""

    url: str = ""
    objects: dict[str, list] = field(default_factory=dict)
    token: str = "t1"
    secret: str = "s"
    form_only: bool = True
    basic_only: bool = False
    public: bool = False
    vens_status: int = 200
    fail: dict[str, tuple[int, dict]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    ignore_skip: bool = False
    hang: threading.Event | None = None
    token_url: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: int = 0


class Handler(BaseHTTPRequestHandler):
    server_state: Server

    def log_message(self, *args):
        pass

    def reply(self, status: int, body, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def answer(self, method: str):
        state, parts = self.server_state, urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.asked.append(f"{method} {parts.path}")
        if state.hang is not None:
            state.hang.wait(5)
        if parts.path == "/auth/server":
            return self.reply(200, {"tokenURL": state.token_url}) if state.token_url else self.reply(404, {})
        if parts.path == "/auth/token":
            return self.give_token(parse_qs(raw.decode()))
        if not state.public and self.headers.get("Authorization") != f"Bearer {state.token}":
            return self.reply(403, {"status": "403", "title": "no"})
        if parts.path in state.fail:
            status, headers = state.fail[parts.path]
            return self.reply(status, {"title": "broken"}, headers)
        if parts.path in state.raw:
            return self.reply(200, state.raw[parts.path])
        if parts.path == "/vens" and state.vens_status != 200:
            return self.reply(state.vens_status, {})
        return self.objects(method, parts, json.loads(raw) if raw else None)

    def give_token(self, form):
        state = self.server_state
        basic = self.headers.get("Authorization", "").startswith("Basic ")
        good = basic if state.basic_only else form.get("client_secret") == [state.secret]
        if not good:
            return self.reply(400, {"error": "invalid_client"})
        state.tokens += 1
        return self.reply(200, {"access_token": state.token, "token_type": "Bearer", "scope": ["a"]})

    def objects(self, method, parts, body):
        state, query = self.server_state, parse_qs(parts.query)
        path = "/" + parts.path.split("/")[1]
        kept = state.objects.setdefault(path, [])
        if method == "GET":
            skip = 0 if state.ignore_skip else int(query["skip"][0]) if "skip" in query else 0
            wanted = query.get("targets")
            seen = [x for x in kept if not wanted or set(wanted) & set(x.get("targets") or [])]
            return self.reply(200, seen[skip : skip + int(query.get("limit", ["50"])[0])])
        if method == "PUT":
            kept[:] = [{**body, "id": x["id"]} if x["id"] == parts.path.split("/")[2] else x for x in kept]
            return self.reply(200, body)
        if any(x.get("reportName") and x["reportName"] == body.get("reportName") for x in kept):
            return self.reply(409, {"title": "conflict"})
        kept.append({**body, "id": f"o{len(kept)}"})
        return self.reply(201, kept[-1])

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"server_state": state}))
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    if state.hang is not None:
        state.hang.set()
    http.shutdown()
    http.server_close()


def vtn(server: Server, clock: FakeClock | None = None, **more) -> Vtn:
    values = {"client_id": "home", "client_secret": "s", "ven_name": "ven-1", "local": True, **more}
    settings = OpenAdrSettings.model_validate({"kind": "openadr", "url": server.url, **values})
    return Vtn("utility", settings, clock or FakeClock())


def event(name: str, **more) -> dict:
    period = {"start": "2026-11-21T18:00:00Z", "duration": "PT1H"}
    intervals = [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}]
    return {"id": name, "programID": "p", "intervalPeriod": period, "intervals": intervals, **more}


async def listed(client: Vtn) -> list[str]:
    try:
        return [found.id for found in await client.events()]
    finally:
        await client.close()


REPORT = DrReport(
    "k", "utility", "p", "e1", "USAGE e1 home", "USAGE", "DIRECT_READ", "KWH", "home",
    (ReportRow(0, datetime(2026, 11, 21, 18, tzinfo=UTC), 900.0, 1.5, "OK"),),
)  # fmt: skip


async def test_every_page_is_read_and_each_event_once(server):
    server.objects["/events"] = [event(f"e{i}") for i in range(120)] + [event("e0")]
    assert await listed(vtn(server)) == [f"e{i}" for i in range(120)]


async def test_a_server_that_ignores_skip_ends_the_listing(server):
    server.ignore_skip = True
    server.objects["/events"] = [event(f"e{i}") for i in range(50)]
    assert len(await listed(vtn(server))) == 50


async def test_a_listing_without_end_is_an_error_not_a_partial_list(server, monkeypatch):
    monkeypatch.setattr("adapters.openadr.client.MAX_PAGES", 2)
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
    assert client.skipped == 3 and len(caplog.records) == 3


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
