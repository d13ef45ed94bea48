"""A home with two utilities that keep what they hold, for the end-to-end tests and benchmarks of demand response.

    utility   --- webhook --->  the gateway's callback
    second    --- MQTT ------>  the home's broker  --->  the gateway

Both give ids 0, 1, 2 ...: the same event id stands at both.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.demo import Demo
from tests.end_to_end.harness import LivingHome
from tests.end_to_end.windows_tools import accepted, charger

SECOND = """  second:
    kind: openadr
    url: http://127.0.0.1:$PORT
    local: true
    client_id: home
    client_secret: demo-secret
    ven_name: hearth-demo
    poll_s: $POLL
"""
CLIENTS = ("--client", "home:demo-secret:ven", "--client", "utility:demo:bl")


@dataclass(slots=True)
class TwoUtilities(Demo):
    """The demo's home with a second utility; the first one pushes unless `push` is off."""

    push: bool = True
    poll_s: float = 60.0

    def _sim(self, name: str, *options: str, server: bool = True) -> int:
        kept = ("--keep", str(Path(self.script).with_name("utility.json")), "--odd", "counted-ids")
        return Demo._sim(self, name, *options, *(kept if name == "vtn" else ()), server=server)

    def _site(self, folder: Path, ports: dict[str, int], broker: int | None) -> Path:
        more = ("--broker-port", str(broker)) if broker else ()
        keep = ("--keep", str(folder / "second.json"), "--odd", "counted-ids")
        ports["second"] = Demo._sim(self, "vtn", *CLIENTS, *more, *keep)
        self.children[-1].name = "second"
        site = Demo._site(self, folder, ports, broker)
        text = site.read_text()
        second = SECOND.replace("$PORT", str(ports["second"])).replace("$POLL", f"{self.poll_s:g}")
        first, _, rest = text.partition("  grid: {kind: carbon")
        if not self.push:
            first = "\n".join(line for line in first.splitlines() if "callback_" not in line) + "\n"
        first = first.replace("poll_s: 10", f"poll_s: {self.poll_s:g}")
        site.write_text(f"{first}{second}  grid: {{kind: carbon{rest}")
        return site


class DrHome(LivingHome):
    """A living home with two utilities, each driven through its own API as its business logic would."""

    def __init__(self, *, push: bool = True, poll_s: float = 60.0, start: tuple[int, int] = (17, 31)) -> None:
        super().__init__(1.0, start=start, script=[])
        old = self.demo
        self.demo = TwoUtilities(
            old.port, old.speed, old.say, old.seed, old.start_local, old.script, old.day, push=push, poll_s=poll_s
        )
        self._tokens: dict[int, str] = {}

    def __enter__(self) -> DrHome:
        super().__enter__()
        return self

    def port_of(self, name: str) -> int:
        return self.child(name).port or 0

    def utility(self, method: str, path: str, body: Any = None, *, at: str = "vtn") -> Any:
        """One request of the utility's business logic at its VTN; a server started anew wants a new token."""
        try:
            return self._asked(method, path, body, at)
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            self._tokens.clear()
            return self._asked(method, path, body, at)

    def _asked(self, method: str, path: str, body: Any, at: str) -> Any:
        port = self.port_of(at)
        if port not in self._tokens:
            form = {"grant_type": "client_credentials", "client_id": "utility", "client_secret": "demo"}
            answer = _sent("POST", port, "/auth/token", urllib.parse.urlencode(form).encode(), {})
            self._tokens[port] = answer["access_token"]
        headers = {"authorization": f"Bearer {self._tokens[port]}", "content-type": "application/json"}
        return _sent(method, port, path, None if body is None else json.dumps(body).encode(), headers)

    def program(self, name: str, *, at: str = "vtn") -> str:
        return str(self.utility("POST", "/programs", {"programName": name}, at=at)["id"])

    def event(
        self,
        program: str,
        name: str,
        payload: tuple[str, float],
        start: datetime,
        lasts_s: float,
        *,
        reports: list[dict[str, Any]] | None = None,
        priority: int | None = None,
        at: str = "vtn",
    ) -> dict[str, Any]:
        kind, value = payload
        units = {"units": "KW"} if kind.endswith("LIMIT") else {}
        body = {
            "programID": program,
            "eventName": name,
            "payloadDescriptors": [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind, **units}],
            "intervalPeriod": {"start": start.astimezone(UTC).isoformat(), "duration": f"PT{lasts_s:g}S"},
            "intervals": [{"id": 0, "payloads": [{"type": kind, "values": [value]}]}],
            **({"reportDescriptors": reports} if reports else {}),
            **({"priority": priority} if priority is not None else {}),
        }
        made: dict[str, Any] = self.utility("POST", "/events", body, at=at)
        return made

    def wait_for_push(self, within_s: float = 30.0) -> None:
        """Until the gateway stands in the utility's list of subscribers."""
        self.until(lambda: self.get("/sim/state", port=self.vtn)["counts"]["subscriptions"], within_s)

    def held(self, name: str) -> dict[str, Any] | None:
        """The gateway's event of this name."""
        return next((item for item in self.get("/api/v1/dr/events") if item["name"] == name), None)

    def paused(self, since: datetime, within_s: float = 8.0) -> float:
        """Seconds from `since` to the charger's acceptance of 0 A."""
        return self._limited(since, within_s, lambda amps: amps == 0)

    def freed(self, since: datetime, within_s: float = 20.0) -> float:
        """Seconds from `since` to the charger's acceptance of 6 A or more."""
        return self._limited(since, within_s, lambda amps: amps >= 6)

    def _limited(self, since: datetime, within_s: float, fits: Any) -> float:
        found: list[float] = []

        def look() -> bool:
            status = charger(self)
            if fits(status["accepted_limit_a"] or 0.0):
                delay = accepted(self, status["accepted_limit_a"], since)
                found.extend([delay] if delay is not None and delay >= -0.05 else [])
            return bool(found)

        self.until(look, within_s, every_s=0.05)
        return found[0]


def later(home: LivingHome, seconds: float) -> datetime:
    """Home time in so many seconds."""
    return home.now() + timedelta(seconds=seconds)


def _sent(method: str, port: int, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def pause_until(home: LivingHome, when: datetime) -> None:
    """Let the home live until then."""
    time.sleep(max(0.0, (when - home.now()).total_seconds()))
