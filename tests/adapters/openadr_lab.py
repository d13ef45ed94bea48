"""A small real VTN that can be odd in all the ways real ones are; every body it is sent is checked against the YAML."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from openapi_schema_validator import OAS30Validator
from ruamel.yaml import YAML

from adapters.openadr.client import Vtn
from adapters.openadr.settings import OpenAdrSettings
from gateway.model.dr import DrReport, ReportRow
from tests.fakes import FakeClock

OFFICIAL = Path(__file__).parents[1] / "data" / "openadr"
SCHEMAS = {
    "3.1.0": {"/reports": "reportRequest", "/vens": "VenVenRequest", "/resources": "VenResourceRequest",
              "/subscriptions": "subscriptionRequest"},
    "3.0.1": {"/reports": "report", "/vens": "ven", "/resources": "resource", "/subscriptions": "subscription"},
}  # fmt: skip
UNIQUE = {"/reports": "reportName", "/vens": "venName", "/resources": "resourceName"}


@cache
def official(version: str) -> dict:
    return YAML(typ="safe").load(OFFICIAL / version / "openadr3.yaml")


def errors(body: object, schema: str, version: str = "3.1.0") -> list[str]:
    document = {"components": official(version)["components"], "$ref": f"#/components/schemas/{schema}"}
    return [error.message for error in OAS30Validator(document).iter_errors(body)]


class Refused(Exception):
    """Raised by what a test puts in the place of `taken`."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


@dataclass
class Server:
    """A VTN of a page: objects by path, and the oddities a test switches on."""

    url: str = ""
    version: str = "3.1.0"
    objects: dict[str, list] = field(default_factory=dict)
    token: str = "t1"
    secret: str = "s"
    form_only: bool = True
    basic_only: bool = False
    public: bool = False
    vens_status: int = 200
    fail: dict[str, tuple[int, dict]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every answer; a Date takes the place of our own."""
    past_the_end: int = 0
    """Status for a `skip` behind the last object; 0: an empty page."""
    ignore_skip: bool = False
    page_cap: int = 50
    ignore_filters: bool = False
    private: bool = False
    """As 3.1.0 has it: what has targets is listed only to who names one, and shows no other."""
    between_pages: Callable[[list], None] | None = None
    hang: threading.Event | None = None
    token_url: str = ""
    token_life: int | None = None
    asked: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0

    def taken(self, path: str, body: dict) -> bool:
        name = UNIQUE.get(path)
        return name is not None and any(each.get(name) == body.get(name) for each in self.objects.get(path, []))


def named(item: Any) -> bool:
    """A VEN or a resource: its own account sees all of it."""
    return isinstance(item, dict) and ("venName" in item or "resourceName" in item)


class Handler(BaseHTTPRequestHandler):
    server_state: Server

    def log_message(self, *args):
        pass

    def reply(self, status: int, body, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {}), **self.told()}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def told(self):
        return {name: value for name, value in self.server_state.headers.items() if name != "Date"}

    def date_time_string(self, timestamp=None):
        return self.server_state.headers.get("Date") or super().date_time_string(timestamp)

    def answer(self, method: str):
        state, parts = self.server_state, urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.asked.append(f"{method} {parts.path}")
        state.queries.append(f"{parts.path}?{parts.query}")
        state.seen.append(dict(self.headers))
        if state.hang is not None:
            state.hang.wait(5)
        if parts.path == "/auth/server" and parts.path not in state.fail:
            known = state.token_url and state.version == "3.1.0"
            return self.reply(200, {"tokenURL": state.token_url}) if known else self.reply(404, {})
        if parts.path == "/auth/token":
            return self.give_token(parse_qs(raw.decode()))
        if (
            parts.path != "/auth/server"
            and not state.public
            and self.headers.get("Authorization") != f"Bearer {state.token}"
        ):
            return self.reply(403, {"status": "403", "title": "no"})
        failing = state.fail.get(f"{method} {parts.path}", state.fail.get(parts.path))
        if failing is not None:
            status, headers = failing
            return self.reply(status, {"title": "broken"}, headers)
        if parts.path in state.raw:
            return self.reply(200, state.raw[parts.path])
        if parts.path == "/vens" and state.vens_status != 200:
            return self.reply(state.vens_status, {})
        if parts.path.startswith("/notifiers") and state.version == "3.0.1":
            return self.reply(404, {})
        if parts.path.startswith("/notifiers"):
            return self.reply(200, {"WEBHOOK": True}) if parts.path == "/notifiers" else self.reply(404, {})
        return self.collection(method, parts, json.loads(raw) if raw else None)

    def give_token(self, form):
        state = self.server_state
        basic = self.headers.get("Authorization", "").startswith("Basic ")
        good = basic if state.basic_only else form.get("client_secret") == [state.secret]
        if not good:
            return self.reply(400, {"error": "invalid_client"})
        state.tokens += 1
        life = {} if state.token_life is None else {"expires_in": state.token_life}
        return self.reply(200, {"access_token": state.token, "token_type": "Bearer", "scope": ["a"], **life})

    def collection(self, method, parts, body):
        """The object store, by its last collection: /vens/{id}/resources of 3.0.1 is /resources of a VEN."""
        state, query, words = self.server_state, parse_qs(parts.query), parts.path.strip("/").split("/")
        if words[0] == "vens" and len(words) > 2 and words[2] == "resources":
            words = words[2:]
        path, one = f"/{words[0]}", words[1] if len(words) > 1 else ""
        kept = state.objects.setdefault(path, [])
        if method == "GET":
            return self.listing(kept, query)
        if method == "DELETE":
            kept[:] = [x for x in kept if x["id"] != one]
            return self.reply(200, {})
        schema = SCHEMAS[state.version].get(path)
        state.invalid += errors(body, schema, state.version) if schema else [f"{method} {path} has no schema"]
        if method == "PUT":
            kept[:] = [{**body, "id": x["id"]} if x["id"] == one else x for x in kept]
            return self.reply(200, body)
        try:
            if state.taken(path, body):
                return self.reply(409, {"title": "conflict"})
        except Refused as error:
            return self.reply(error.status, {"title": "not this one"})
        kept.append({**body, "id": f"o{len(kept)}"})
        return self.reply(201, kept[-1])

    def listing(self, kept, query):
        state = self.server_state
        skip = 0 if state.ignore_skip else int(query["skip"][0]) if "skip" in query else 0
        if skip and state.between_pages is not None:
            state.between_pages(kept)
        seen = [x for x in kept if state.ignore_filters or self.fits(x, query)]
        seen = [self.shown(x, query) for x in seen if self.open(x, query)] if state.private else seen
        if state.past_the_end and skip >= len(seen) and skip:
            return self.reply(state.past_the_end, {"title": "no such page"})
        return self.reply(200, seen[skip : skip + min(state.page_cap, int(query.get("limit", ["50"])[0]))])

    @staticmethod
    def open(item: Any, query: dict[str, list[str]]) -> bool:
        asked = set(query.get("targets", []))
        return named(item) or not item.get("targets") or not asked.isdisjoint(item["targets"])

    @staticmethod
    def shown(item: Any, query: dict[str, list[str]]) -> Any:
        if named(item) or not item.get("targets"):
            return item
        return {**item, "targets": [x for x in item["targets"] if x in query["targets"]]}

    @staticmethod
    def fits(item: Any, query: dict[str, list[str]]) -> bool:
        wanted = query.get("targets")
        if wanted and not set(wanted) & set(item.get("targets") or []):
            return False
        names = [name for name in ("venName", "venID", "programID", "eventID", "clientName") if name in query]
        return all(not isinstance(item, dict) or item.get(name) in (query[name][0], None) for name in names)

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def do_DELETE(self):
        self.answer("DELETE")


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """The server on an ephemeral port, until the block ends."""
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"server_state": state}))
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    if state.hang is not None:
        state.hang.set()
    http.shutdown()
    http.server_close()


def vtn(server: Server, clock: Any = None, **more) -> Vtn:
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
