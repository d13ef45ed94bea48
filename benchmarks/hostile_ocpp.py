"""Hostile messages of chargers: no connection is lost, no transaction either, and memory stays flat.

    python benchmarks/hostile_ocpp.py [--frames 1000000]

Three chargers, one of each OCPP version, on real sockets; each has a transaction under way whose register rises between
the hostile messages. After every batch a good Heartbeat must be answered; at the end the energy must be right.
Left out is what would rightly end a transaction: a stop that can be read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from adapters.ocpp.schemas import Schemas
from benchmarks.csms import make_csms, resident_mib
from benchmarks.table import Row

VERSIONS = ("1.6", "2.0.1", "2.1")
BATCH = 200
STEP_WH = 100
TRANSACTIONAL = ("StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues", "StatusNotification")
TIME = "2026-11-21T16:30:00Z"
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, -1e300, 1.5, "", " ", "x" * 300, "\ud800", "\x00", "2026-02-30T25:61:61Z", "NaN", [], [[]],
    {}, {"a": None}, [1, "a", {}], "<script>", "' OR 1=1 --", "12 ", "1,5", "🔌" * 50,
)  # fmt: skip


@dataclass
class Found:
    """What came of it."""

    frames: int = 0
    answers: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    before_mib: float = 0.0
    after_mib: float = 0.0


class Maker:
    """Makes hostile messages of one version; `self.kinds` name them."""

    def __init__(self, version: str, rng: random.Random) -> None:
        self._rng = rng
        self._version = version
        self._schemas = Schemas(version)
        self._actions = sorted(set(self._schemas.names()) - set(TRANSACTIONAL))
        self._last = json.dumps([2, "first", "Heartbeat", {}])
        self.kinds: tuple[Callable[[], str | bytes], ...] = (
            self.noise, self.truncated, self.characters, self.shapes, self.shapes, self.unknown, self.junk_fields,
            self.junk_fields, self.unsolicited, self.again, self.numbers, self.binary, self.half_transaction,
        )  # fmt: skip

    def make(self) -> str | bytes:
        """One message; one in a thousand is deep or long."""
        if self._rng.random() < 0.001:
            return self._rng.choice((self.deep, self.long))()
        return self._rng.choice(self.kinds)()

    def _id(self) -> Any:
        return self._rng.choice((f"h{self._rng.randrange(1000)}", "", "i" * 80, self._rng.randrange(99), "\u0000"))

    def _call(self, action: Any, payload: Any) -> str:
        return json.dumps([2, self._id(), action, payload])

    def noise(self) -> str:
        return "".join(
            chr(self._rng.choice((34, 44, 50, 91, 93, 123, 125, 1234))) for _ in range(self._rng.randrange(40))
        )

    def truncated(self) -> str:
        whole = self._call("DataTransfer", {"vendorId": "v", "data": "d" * self._rng.randrange(50)})
        return whole[: self._rng.randrange(len(whole))]

    def characters(self) -> str:
        """A good message with some characters exchanged."""
        text = list(self._call("Authorize", {"idTag": "T", "idToken": {"idToken": "T", "type": "Local"}}))
        for _ in range(self._rng.randint(1, 4)):
            text[self._rng.randrange(len(text))] = chr(self._rng.randrange(32, 127))
        return "".join(text)

    def shapes(self) -> str:
        """Lists that are no message, or messages with parts missing, too many, or of the wrong kind."""
        kind = self._rng.choice((2, 2, 2, 3, 4, 5, 6, 7, -1, "2", None, 2.0, True, [2]))
        frame = [kind, self._rng.choice((self._id(), self._rng.choice(JUNK))), self._rng.choice(("Heartbeat", *JUNK))]
        frame += [self._rng.choice(JUNK) for _ in range(self._rng.randrange(4))]
        return json.dumps(frame[: self._rng.randint(0, 6)])

    def unknown(self) -> str:
        action = self._rng.choice(("Fly", "HeartbeatResponse", "heartbeat", "", "../etc/passwd", "A" * 5000, "Reset"))
        return self._call(action, self._rng.choice(({}, {"a": 1}, *JUNK)))

    def junk_fields(self) -> str:
        """A known message whose fields carry what does not belong there."""
        action = self._rng.choice(self._actions)
        fields = {name: self._rng.choice(JUNK) for name in self._schemas.fields(action) if self._rng.random() < 0.8}
        fields |= {"extra": self._rng.choice(JUNK)} if self._rng.random() < 0.3 else {}
        kind = 6 if self._version == "2.1" and self._rng.random() < 0.1 else 2
        return json.dumps([kind, self._id(), action, fields])

    def unsolicited(self) -> str:
        return json.dumps([self._rng.choice((3, 3, 4, 5)), self._id(), *self._rng.sample(JUNK, self._rng.randrange(4))])

    def again(self) -> str:
        return self._last

    def numbers(self) -> str:
        number = self._rng.choice(("1e999", "-1e999", "NaN", "Infinity", "9" * 5000, "0" * 50, "1E400", "-0"))
        self._last = f'[2,"n{self._rng.randrange(50)}","DataTransfer",{{"vendorId":"v","data":{number}}}]'
        return self._last

    def binary(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(64))

    def half_transaction(self) -> str:
        """A message about a transaction that lacks what it cannot do without, or says it in a way nobody can read."""
        if self._version == "1.6":
            action, good = self._rng.choice((
                ("StartTransaction", {"connectorId": 1, "idTag": "H", "meterStart": 0, "timestamp": TIME}),
                ("StopTransaction", {"meterStop": 0, "timestamp": TIME, "transactionId": 1}),
            ))  # fmt: skip
            register = "meterStart" if "meterStart" in good else "meterStop"
            good[self._rng.choice(("timestamp", register))] = self._rng.choice(([1], {"a": 1}))
            return self._call(action, good)
        event: dict[str, Any] = {"eventType": "Ended", "timestamp": TIME, "triggerReason": "RemoteStop", "seqNo": 1}
        event["transactionInfo"] = {"transactionId": "other"}
        del event[self._rng.choice(("eventType", "transactionInfo"))]
        return self._call("TransactionEvent", event)

    def deep(self) -> str:
        depth = self._rng.choice((200, 5_000, 100_000))
        return f'[2,"d","DataTransfer",{{"vendorId":"v","data":{"[" * depth}{"]" * depth}}}]'

    def long(self) -> str:
        return self._call("DataTransfer", {"vendorId": "v" * 100_000, "data": "d" * 300_000})


class Attacker:
    """One hostile charger with an honest transaction."""

    def __init__(self, socket: ClientConnection, version: str, found: Found, seed: int) -> None:
        self._socket = socket
        self._version = version
        self._found = found
        self._rng = random.Random(seed)
        self._maker = Maker(version, self._rng)
        self._waits: dict[str, asyncio.Future[Any]] = {}
        self._count = 0
        self._number = 0
        self.register_wh = 0.0
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            self._found.answers += frame[0] != 2
            if frame[0] == 2 and self._rng.random() < 0.9:
                good = {"status": "Accepted"} if self._rng.random() < 0.5 else self._rng.choice(JUNK)
                await self._socket.send(json.dumps([self._rng.choice((3, 3, 3, 4)), frame[1], good]))
            elif frame[0] != 2 and isinstance(frame[1], str) and frame[1] in self._waits:
                self._waits.pop(frame[1]).set_result(frame)

    async def good(self, action: str, payload: dict[str, Any]) -> Any:
        """An honest call; its answer."""
        self._count += 1
        name = f"good-{self._count}"
        self._waits[name] = asyncio.get_running_loop().create_future()
        waiting = self._waits[name]
        await self._socket.send(json.dumps([2, name, action, payload]))
        frame = await asyncio.wait_for(waiting, 60)
        if frame[0] != 3:
            self._found.wrong.append(f"{self._version} {action}: {frame}")
        return frame[2]

    async def begin(self) -> None:
        if self._version == "1.6":
            start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": _now()}
            self._transaction = (await self.good("StartTransaction", start))["transactionId"]
        else:
            await self.good("TransactionEvent", self._event("Started"))

    def _event(self, kind: str) -> dict[str, Any]:
        self._number += 1
        sampled = {"value": self.register_wh, "measurand": "Energy.Active.Import.Register"}
        return {
            "eventType": kind,
            "timestamp": _now(),
            "triggerReason": "MeterValuePeriodic",
            "seqNo": self._number,
            "evse": {"id": 1, "connectorId": 1},
            "transactionInfo": {"transactionId": "honest", "chargingState": "Charging"},
            "meterValue": [{"timestamp": _now(), "sampledValue": [sampled]}],
        }

    async def batch(self, count: int) -> None:
        """Hostile messages, then an honest one that must be answered, and the register goes on."""
        for _ in range(count):
            await self._socket.send(self._maker.make())
        self._found.frames += count
        await self.good("Heartbeat", {})
        self.register_wh += STEP_WH
        if self._version == "1.6":
            value = [{"timestamp": _now(), "sampledValue": [{"value": f"{self.register_wh:.0f}"}]}]
            payload = {"connectorId": 1, "transactionId": self._transaction, "meterValue": value}
            await self.good("MeterValues", payload)
        else:
            await self.good("TransactionEvent", self._event("Updated"))

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


async def bombard(frames: int, tell: Callable[[Found], None] = lambda found: None) -> Found:
    """Send so many hostile messages over three connections and count what comes of it."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        csms, connectors = make_csms(folder, len(VERSIONS))
        running = asyncio.create_task(csms.run())
        await csms.serving.wait()
        attackers = []
        for number, version in enumerate(VERSIONS):
            address, protocol = f"ws://127.0.0.1:{csms.port}/ocpp/CP{number}", Subprotocol(f"ocpp{version}")
            socket = await connect(
                address, subprotocols=[protocol], compression=None, ping_interval=None, max_size=None
            )
            attackers.append(Attacker(socket, version, found, number))
            await attackers[-1].begin()
        sessions = [connector.book.open_session().transaction for connector in connectors]
        rounds = math.ceil(frames / (BATCH * len(VERSIONS)))
        for turn in range(rounds):
            if turn == rounds // 5:
                found.before_mib = resident_mib(os.getpid())
            try:
                await asyncio.gather(*(attacker.batch(BATCH) for attacker in attackers))
            except (ConnectionClosed, TimeoutError) as error:
                found.lost.append(f"{type(error).__name__} {error}")
                break
            if turn % 100 == 99:
                tell(found)
        found.after_mib = resident_mib(os.getpid())
        _judge(found, attackers, connectors, sessions)
        await asyncio.gather(*(attacker.close() for attacker in attackers), return_exceptions=True)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return found


def _judge(found: Found, attackers: list[Attacker], connectors: list[Any], sessions: list[int]) -> None:
    for attacker, connector, transaction in zip(attackers, connectors, sessions, strict=True):
        session = connector.book.open_session()
        if session is None or session.transaction != transaction:
            found.lost.append(f"{connector.id}: transaction {transaction} became {session}")
        elif session.energy_wh != attacker.register_wh:
            found.wrong.append(f"{connector.id}: {session.energy_wh} Wh of {attacker.register_wh}")


def rows(quick: bool, frames: int = 1_000_000) -> list[Row]:
    """The promise about hostile messages."""
    frames = 6_000 if quick else frames
    logging.disable(logging.ERROR)
    begin = time.perf_counter()
    found = asyncio.run(bombard(frames, _progress))
    spent = time.perf_counter() - begin
    logging.disable(logging.NOTSET)
    words = (
        f"lost {len(found.lost)}, wrong {len(found.wrong)}; {found.answers} answers;"
        f" {found.before_mib:.0f} -> {found.after_mib:.0f} MiB"
    )
    for line in [*found.lost, *found.wrong][:5]:
        print(line, file=sys.stderr)
    how = (
        f"{found.frames} messages of {len(Maker('1.6', random.Random(1)).kinds) + 1} kinds on three sockets, OCPP"
        f" {', '.join(VERSIONS)}, store on disk, chargers in the same process, in {spent:.0f} s"
    )
    return [Row("hostile OCPP messages", "0 connections or transactions lost, memory flat", words, how)]


def _progress(found: Found) -> None:
    print(f"ocpp: {found.frames} messages, {resident_mib(os.getpid()):.0f} MiB", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    options = parser.parse_args()
    for row in rows(False, options.frames):
        print(row.line())


if __name__ == "__main__":
    main()
