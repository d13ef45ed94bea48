"""A whole simulated home of real processes for end-to-end tests: start it, look at it, hurt it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.demo import ROOT, Child, Demo


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LivingHome:
    """The demo's home under test; use as a context manager."""

    def __init__(
        self,
        speed: float = 1.0,
        *,
        start: tuple[int, int] = (17, 30),
        script: list[dict[str, Any]] | None = None,
        seed: int = 1,
        day: date | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hearth-e2e-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        path = ROOT / "firmware_sim" / "scripts" / "signature_scene.json"
        if script is not None:
            path = self.folder / "script.json"
            path.write_text(json.dumps(script))
        self.said: list[str] = []
        self.demo = Demo(self.port, speed, self.said.append, seed, start, path, day)

    def __enter__(self) -> LivingHome:
        try:
            self.demo.start(self.folder)
        except BaseException:
            self.demo.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.demo.stop()
        self._folder.cleanup()

    # --- looking
    def get(self, path: str, *, port: int | None = None) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=10) as answer:
            body = answer.read()
            return json.loads(body) if "json" in answer.headers.get("content-type", "") else body.decode()

    def state(self) -> dict[str, Any]:
        return self.get("/api/v1/state")

    def post(self, path: str, body: Any, *, port: int | None = None, method: str = "POST") -> Any:
        port = port or self.port
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json", "origin": f"http://127.0.0.1:{port}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def until(self, what: Callable[[], Any], within_s: float, *, every_s: float = 0.1) -> float:
        """Wait until `what()` is true; returns how long it took, s; fails with the last answer otherwise."""
        begin, last = time.monotonic(), None
        while time.monotonic() - begin < within_s:
            with contextlib.suppress(OSError, urllib.error.URLError, KeyError, TypeError):
                last = what()
                if last:
                    return time.monotonic() - begin
            time.sleep(every_s)
        raise AssertionError(f"not within {within_s} s; last answer: {last!r}")

    def now(self) -> datetime:
        """Home time, UTC."""
        passed = timedelta(seconds=(time.time() - self.demo.real_epoch) * self.demo.speed)
        return self.demo.home_epoch.astimezone(UTC) + passed

    # --- the house
    def hub(self, message: dict[str, Any], *, answer: str = "") -> Any:
        """Send one line to the house; with `answer` wait for the line that carries that key."""
        with socket.create_connection(("127.0.0.1", self.child("house").port or 0), timeout=10) as line:
            stream = line.makefile("rw")
            stream.write(json.dumps({"hello": "test"}) + "\n" + json.dumps(message) + "\n")
            stream.flush()
            for text in stream if answer else ():
                found = json.loads(text)
                if answer in found:
                    return found[answer]
        return None

    def truth(self) -> dict[str, Any]:
        """The house's own state: what is really so."""
        return self.hub({"noop": True}, answer="state")

    def report(self) -> dict[str, Any]:
        return self.hub({"report": True}, answer="report")

    def fault(self, device: str, kind: str, **options: Any) -> None:
        self.hub({"fault": {"device": device, "kind": kind, **options}})

    @property
    def vtn(self) -> int:
        return self.child("vtn").port or 0

    # --- the processes
    def child(self, name: str) -> Child:
        return next(c for c in self.demo.children if c.name == name)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> Child:
        child = self.child(name)
        child.process.send_signal(how)
        child.process.wait(10)
        self.demo.children.remove(child)
        return child

    def again(self, dead: Child) -> Child:
        """Start a killed process again, at its old port."""
        if dead.name == "mosquitto":
            raise NotImplementedError("use restart_broker")
        arguments = list(dead.arguments)
        if dead.port is not None:
            arguments[arguments.index("--port") + 1] = str(dead.port)
        child = self.demo._spawn(dead.name, arguments, quiet=dead.name == "gateway")
        if dead.port is not None:
            self.demo._ready(child)
        return child
