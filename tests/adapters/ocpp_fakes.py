"""Fakes of the stores, and a charge point that encodes OCPP-J by itself (it shares no code with the product)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from adapters.ocpp.connector import Connector
from adapters.ocpp.csms import Csms
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from gateway.model.authority import Authority
from gateway.model.session import EvSession
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role
from tests.fakes import FakeClock

Answer = dict[str, Any] | None


class FakeSessions:
    """A SessionStore in memory; `saved` counts the commits."""

    def __init__(self) -> None:
        self.rows: dict[int, EvSession] = {}
        self.saved = 0
        self._last = 0

    async def next_transaction(self) -> int:
        self._last += 1
        return self._last

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        if not later:
            await asyncio.sleep(0)
            self.saved += 1
        self.rows[session.transaction] = session

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        return sorted(
            (
                row
                for row in self.rows.values()
                if row.start < end and (row.end is None or row.end > start) and charger in ("", row.charger)
            ),
            key=lambda row: row.start,
        )


class FakeFacts:
    """A FactStore in memory."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        self.documents[key] = json.loads(json.dumps(document))

    async def get(self, key: str) -> dict[str, Any] | None:
        return self.documents.get(key)

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.documents if key.startswith(prefix))


class Home:
    """A CSMS on an ephemeral port with its fakes."""

    def __init__(self, clock: FakeClock, sessions: FakeSessions, facts: FakeFacts, **settings: Any) -> None:
        self.clock, self.sessions, self.facts = clock, sessions, facts
        self.changes: list[tuple[str, str]] = []
        options = {"kind": "ocpp", "host": "127.0.0.1", "port": 0, **settings}
        self.csms = Csms(
            "csms", OcppSettings(**options), clock, sessions, facts, lambda who, what: self.changes.append((who, what))
        )

    def charger(
        self, identity: str = "CP1", spec: ChargerSpec | None = None, device_id: str = "", **settings: Any
    ) -> Connector:
        device = Device(device_id or identity.lower(), identity, Role.EV_CHARGER, spec or ChargerSpec())
        return self.csms.charger(device, OcppDeviceSettings(charge_point_id=identity, **settings))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Home]:
        task = asyncio.create_task(self.csms.run())
        await asyncio.wait_for(self.csms.serving.wait(), 5)
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def home(**settings: Any) -> Home:
    return Home(FakeClock(), FakeSessions(), FakeFacts(), **settings)


class Peer:
    """A charge point on the wire; `rules` say how it answers each call of the CSMS (None: not at all)."""

    def __init__(self, socket: ClientConnection, clock: FakeClock) -> None:
        self.socket = socket
        self.clock = clock
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.unknown: tuple[str, ...] = ()
        self.rules: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "GetConfiguration": lambda _: {"configurationKey": [], "unknownKey": []},
        }
        self._answers: dict[Any, asyncio.Future[list[Any]]] = {}
        self._count = 0
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self.socket:
            frame = json.loads(text)
            if frame[0] == 2:
                self.calls.append((frame[2], frame[3]))
                if frame[2] in self.unknown:
                    await self.socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
                    continue
                answer = self.rules.get(frame[2], lambda _: {"status": "Accepted"})(frame[3])
                if answer is not None:
                    await self.socket.send(json.dumps([3, frame[1], answer]))
            elif frame[1] in self._answers and not self._answers[frame[1]].done():
                self._answers[frame[1]].set_result(frame)

    async def frame(self, action: Any, payload: Any, message_id: Any = None) -> list[Any]:
        """Send one call and return the whole answer frame."""
        self._count += 1
        message_id = message_id or f"m{self._count}"
        self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(self._answers[message_id], 5)

    async def send(self, action: str, **payload: Any) -> dict[str, Any]:
        frame = await self.frame(action, payload)
        assert frame[0] == 3, frame
        answer: dict[str, Any] = frame[2]
        return answer

    async def boot(self, **fields: str) -> dict[str, Any]:
        return await self.send(
            "BootNotification", chargePointVendor="Acme", chargePointModel="One", firmwareVersion="1", **fields
        )

    async def status(self, status: str, time: datetime | None = None) -> None:
        await self.send(
            "StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=stamp(time or self.now())
        )

    async def start(self, tag: str = "TAG", meter: int = 1000, time: datetime | None = None) -> int:
        answer = await self.send(
            "StartTransaction", connectorId=1, idTag=tag, meterStart=meter, timestamp=stamp(time or self.now())
        )
        transaction: int = answer["transactionId"]
        return transaction

    async def stop(self, transaction: int, meter: int) -> None:
        await self.send("StopTransaction", transactionId=transaction, meterStop=meter, timestamp=stamp(self.now()))

    async def meter(
        self, *sampled: dict[str, Any], transaction: int | None = None, time: datetime | None = None
    ) -> None:
        extra = {} if transaction is None else {"transactionId": transaction}
        value = {"timestamp": stamp(time or self.now()), "sampledValue": list(sampled)}
        await self.send("MeterValues", connectorId=1, meterValue=[value], **extra)

    def now(self) -> datetime:
        return self.clock.now()

    def limits(self) -> list[dict[str, Any]]:
        """The charging profiles it was sent, in order."""
        return [payload["csChargingProfiles"] for action, payload in self.calls if action == "SetChargingProfile"]

    async def is_set_up(self) -> None:
        await until(lambda: any(payload.get("key") == "WebSocketPingInterval" for _, payload in self.calls))


@asynccontextmanager
async def peer(
    where: Home, identity: str = "CP1", subprotocols: tuple[str, ...] = ("ocpp1.6",), **options: Any
) -> AsyncIterator[Peer]:
    address = f"ws://127.0.0.1:{where.csms.port}/ocpp/{identity}"
    async with connect(address, subprotocols=list(subprotocols), compression=None, **options) as socket:  # type: ignore[arg-type]
        client = Peer(socket, where.clock)
        try:
            yield client
        finally:
            client.reader.cancel()
            await asyncio.gather(client.reader, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another task is about to do; the real peers of these tests answer within milliseconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def current(value: float, end: datetime, device: str = "cp1") -> Setpoint:
    return Setpoint(device, SetpointKind.CURRENT, value, end, Authority.PLAN, "test")
