"""A bare central system that speaks frames by hand, with the schemas of the ocpp package as judge of the station."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import ocpp
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from firmware_sim.clock import SimClock
from firmware_sim.sim_charger import SimCharger

NOW = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)
SCHEMAS = Path(ocpp.__file__).parent
FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
STAMP = "2026-11-21T17:20:00Z"
BOOTED = {"status": "Accepted", "currentTime": STAMP, "interval": 300}
ANSWERS = {
    "1.6": {
        "BootNotification": BOOTED,
        "Authorize": {"idTagInfo": {"status": "Accepted"}},
        "Heartbeat": {"currentTime": STAMP},
        "SignCertificate": {"status": "Accepted"},
    },
    "2": {
        "BootNotification": BOOTED,
        "Authorize": {"idTokenInfo": {"status": "Accepted"}},
        "Heartbeat": {"currentTime": STAMP},
        "SignCertificate": {"status": "Accepted"},
        "NotifyEVChargingNeeds": {"status": "Accepted"},
        "NotifyEVChargingSchedule": {"status": "Accepted"},
    },
}


class Brisk(SimClock):
    """Home time without the floors that spare a machine which runs a whole home for days: a test lasts seconds."""

    async def sleep(self, home_s: float, real_floor: float = 0.0) -> None:
        await super().sleep(home_s, min(real_floor, 0.01))


@functools.cache
def schema(version: str, name: str) -> Any:
    """The official schema of one message, compiled."""
    text = (SCHEMAS / FOLDERS[version] / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
    document = json.loads(text)
    return jsonschema.validators.validator_for(document)(document)


def request_name(version: str, action: str) -> str:
    return action if version == "1.6" else f"{action}Request"


class Central:
    """Records every call, names transactions from 71 on, judges what the station says, and can call back."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.calls: list[tuple[str, dict]] = []
        self.bad: list[str] = []
        """What the station said against the schemas."""
        self.headers: list = []
        self.ids = itertools.count(71)
        self.ws: Any = None
        self.asked: dict[str, tuple[str, asyncio.Future]] = {}
        self.overrides: dict[str, dict] = {}
        self.closed = 0
        self.news = asyncio.Event()

    async def handle(self, ws: Any) -> None:
        self.ws = ws
        self.headers.append(ws.request.headers)
        with contextlib.suppress(ConnectionClosed):
            async for text in ws:
                await self.take(ws, *json.loads(text))
        self.closed += 1

    async def take(self, ws: Any, kind: int, message_id: str, *rest: Any) -> None:
        if kind != 2:
            action, future = self.asked.pop(message_id)
            if kind == 3:
                self.judge(f"{action}Response", rest[0])
            future.set_result(rest)
            return
        action, payload = rest
        self.judge(request_name(self.version, action), payload)
        await ws.send(json.dumps([3, message_id, self.answer_to(action)]))
        self.calls.append((action, payload))
        self.news.set()

    def judge(self, name: str, payload: Any) -> None:
        for error in schema(self.version, name).iter_errors(payload):
            self.bad.append(f"{name}: {error.message}")

    def answer_to(self, action: str) -> dict:
        if action in self.overrides:
            return self.overrides[action]
        if action == "StartTransaction":
            return {"transactionId": next(self.ids), "idTagInfo": {"status": "Accepted"}}
        return ANSWERS["1.6" if self.version == "1.6" else "2"].get(action, {})

    async def ask(self, action: str, payload: dict, wait_s: float = 5.0) -> Any:
        """The CALLRESULT's payload, or (code, text, details) of a CALLERROR; TimeoutError for silence."""
        future = asyncio.get_running_loop().create_future()
        message_id = f"c{time.monotonic_ns()}"
        self.asked[message_id] = action, future
        await self.ws.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(wait_s):
            rest = await future
        return rest[0] if len(rest) == 1 else rest

    async def seen(
        self, action: str, count: int = 1, where: Callable[[dict], bool] = lambda payload: True
    ) -> list[dict]:
        """The payloads of `action`, once there are `count`."""
        async with asyncio.timeout(15):
            while len(found := [said for name, said in self.calls if name == action and where(said)]) < count:
                self.news.clear()
                await self.news.wait()
        return found

    # --- the same wish in each version --------------------------------------------------------------------------

    async def begun(self) -> Any:
        """The id of the running transaction, once one began."""
        if self.version == "1.6":
            await self.seen("StartTransaction")
            return 71
        events = await self.seen("TransactionEvent", where=lambda said: said["eventType"] == "Started")
        return events[-1]["transactionInfo"]["transactionId"]

    async def limit(self, raw: dict, place: int = 1, wait_s: float = 5.0) -> str:
        """SetChargingProfile's status."""
        names = ("connectorId", "csChargingProfiles") if self.version == "1.6" else ("evseId", "chargingProfile")
        answer = await self.ask("SetChargingProfile", dict(zip(names, (place, raw), strict=True)), wait_s)
        return answer["status"] if isinstance(answer, dict) else answer[0]

    def profile(
        self,
        limit: float,
        purpose: str = "TxProfile",
        kind: str = "Absolute",
        unit: str = "A",
        level: int = 0,
        number: int = 1,
        transaction: Any = None,
        phases: int | None = None,
    ) -> dict:
        """A profile with one period, in the version's shape."""
        start = {"startSchedule": "2026-11-21T00:00:00Z"} if kind == "Absolute" else {}
        period = {"startPeriod": 0, "limit": limit, **({} if phases is None else {"numberPhases": phases})}
        schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [period], **start}
        common = {"stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": kind}
        named = {} if transaction is None else {"transactionId": transaction}
        if self.version == "1.6":
            return {"chargingProfileId": number, **common, "chargingSchedule": schedule, **named}
        return {"id": number, **common, "chargingSchedule": [{"id": 1, **schedule}], **named}

    @property
    def ceiling(self) -> str:
        return "ChargePointMaxProfile" if self.version == "1.6" else "ChargingStationMaxProfile"


@contextlib.asynccontextmanager
async def alone(version: str = "1.6", *habits: str, speed: float = 60.0, plugged: bool = True, **options: Any):
    """A central system and one charger with its own car: (central, charger)."""
    central = Central(version)
    offered = "ocpp2.0.1" if "sixteen-on-201" in habits else f"ocpp{version}"
    async with serve(central.handle, "127.0.0.1", 0, subprotocols=[offered]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        clock = Brisk(NOW, time.time(), speed)
        charger = SimCharger(url, version=version, habits=habits, clock=clock, **options)
        if plugged:
            charger.plug()
        async with charger:
            yield central, charger


async def until(condition: Callable[[], Any], wait_s: float = 10.0) -> None:
    async with asyncio.timeout(wait_s):
        while not condition():
            await asyncio.sleep(0.005)


def profile(limit=8.0, purpose="TxProfile", kind="Relative", unit="A", level=0, id=1, **schedule):  # noqa: A002
    """A charging profile of OCPP 1.6; `limit` is a number or the periods."""
    periods = [{"startPeriod": 0, "limit": limit}] if not isinstance(limit, list) else limit
    return {
        "chargingProfileId": id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": {"chargingRateUnit": unit, "chargingSchedulePeriod": periods, **schedule},
    }
