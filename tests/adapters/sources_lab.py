"""A small real HTTP server that answers as services do, and as they should not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from adapters.sources.make import Source, make_source
from adapters.sources.settings import CarbonSettings, PricesSettings, SourceSettings, WeatherSettings
from gateway.model.site import Site
from gateway.ports import Clock

CONFIG = Path(__file__).resolve().parents[2] / "config" / "sources"


@dataclass
class Service:
    """What the server does: `answers` by path, else `body`; `asked` keeps (path with query, headers, body)."""

    url: str = ""
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    promised: int = 0
    """Bytes promised beyond those that come."""
    hang: threading.Event | None = None
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Service]:
    """A service on a free port of loopback."""
    service = Service()
    handler = type("Answering", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        if service.hang is not None:
            service.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answer(self, sent: bytes) -> None:
        service = self.service
        service.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, sent))
        if service.hang is not None:
            service.hang.wait(5)
        path = self.path.split("?")[0]
        status, headers, body = service.answers.get(path, (service.status, service.headers, service.body))
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw) + service.promised), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
        self.close_connection = bool(service.promised)


def source(kind: str, site: Site, clock: Clock, beside: Path = Path(), name: str = "there", **settings: Any) -> Source:
    """A source of the site file's words."""
    models: dict[str, type[SourceSettings]] = {
        "prices": PricesSettings,
        "carbon": CarbonSettings,
        "weather": WeatherSettings,
    }
    made = models[kind].model_validate({"kind": kind, **settings})
    return make_source(name, made, site, CONFIG, beside, clock)
