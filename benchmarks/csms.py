"""100 chargers on one CSMS: CPU of its process at one message per 5 s each, and CPU per message beside a bare server.

    python benchmarks/csms.py [--seconds 60] [--messages 100]

The bare server is the ocpp package's own session loop over websockets. Both run in processes of their own and are
driven by the same client in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.table import Row, cpu_s

CHARGERS = 100
EACH_S = 5.0
REPEATS = 3
PROTOCOL = [Subprotocol("ocpp1.6")]


async def serve_ours() -> None:
    """The product's CSMS with 100 configured chargers and a store on disk."""
    from adapters.ocpp.csms import Csms
    from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
    from adapters.sqlite.store import SqliteStore
    from gateway.model.site import ChargerSpec, Device, Role
    from gateway.runtime.system_clock import SystemClock

    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder) / "hearth.sqlite")
        settings = OcppSettings(kind="ocpp", host="127.0.0.1", port=0, max_connections=CHARGERS + 10)
        csms = Csms("bench", settings, SystemClock(), store, store, lambda device, what: None)
        readers = []
        for number in range(CHARGERS):
            device = Device(f"c{number}", f"C{number}", Role.EV_CHARGER, ChargerSpec())
            station = csms.charger(device, OcppDeviceSettings(charge_point_id=f"CP{number}"))
            readers.append(asyncio.create_task(_drain(station)))
        running = asyncio.create_task(csms.run())
        await csms.serving.wait()
        print(csms.port, flush=True)
        await running


async def _drain(station: Any) -> None:
    """As the meter loop does: take what the charger sent."""
    while True:
        await station.read()


async def serve_bare() -> None:
    """The ocpp package's ChargePoint over websockets."""
    from ocpp.routing import on
    from ocpp.v16 import ChargePoint, call_result
    from ocpp.v16.enums import Action, RegistrationStatus
    from websockets.asyncio.server import ServerConnection, serve

    class Station(ChargePoint):
        @on(Action.boot_notification)
        def boot(self, **_: Any) -> Any:
            return call_result.BootNotification(_now(), 300, RegistrationStatus.accepted)

        @on(Action.status_notification)
        def status(self, **_: Any) -> Any:
            return call_result.StatusNotification()

        @on(Action.meter_values)
        def values(self, **_: Any) -> Any:
            return call_result.MeterValues()

    async def talk(socket: ServerConnection) -> None:
        assert socket.request
        await Station(socket.request.path.rsplit("/", 1)[1], socket).start()

    async with serve(talk, "127.0.0.1", 0, subprotocols=PROTOCOL, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Charger:
    """A connected charge point that sends what it is told and answers what it is asked."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            if frame[0] == 2:
                await self._socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            elif (waiting := self._answers.pop(frame[1], None)) is not None:
                waiting.set_result(frame)

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        name = str(next(self._ids))
        self._answers[name] = asyncio.get_running_loop().create_future()
        waiting = self._answers[name]
        await self._socket.send(json.dumps([2, name, action, payload]))
        return list(await asyncio.wait_for(waiting, 30))

    async def meter_values(self) -> None:
        sampled = [
            {"value": "6.1", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A"} for n in (1, 2, 3)
        ] + [
            {"value": "123456", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": "4200", "measurand": "Power.Active.Import", "unit": "W"},
        ]
        value = {"connectorId": 1, "meterValue": [{"timestamp": _now(), "sampledValue": sampled}]}
        frame = await self.call("MeterValues", value)
        assert frame[0] == 3, frame

    async def close(self) -> None:
        self._task.cancel()
        await self._socket.close()


async def arrive(port: int) -> list[Charger]:
    """All chargers connected and booted."""

    async def one(number: int) -> Charger:
        address = f"ws://127.0.0.1:{port}/ocpp/CP{number}"
        charger = Charger(await connect(address, subprotocols=PROTOCOL, compression=None, ping_interval=None))
        await charger.call("BootNotification", {"chargePointVendor": "B", "chargePointModel": "M"})
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await charger.call("StatusNotification", status)
        return charger

    return [await one(number) for number in range(CHARGERS)]


async def burst(port: int, pid: int, messages: int) -> float:
    """CPU us of the server per message when every charger sends one after another."""
    chargers = await arrive(port)
    await asyncio.sleep(3)
    begin = cpu_s(pid)

    async def send(charger: Charger) -> None:
        for _ in range(messages):
            await charger.meter_values()

    await asyncio.gather(*(send(charger) for charger in chargers))
    spent = cpu_s(pid) - begin
    await asyncio.gather(*(charger.close() for charger in chargers))
    return 1e6 * spent / (messages * CHARGERS)


async def steady(port: int, pid: int, seconds: float) -> float:
    """Percent of a core of the server at one message per 5 s and charger."""
    chargers = await arrive(port)
    await asyncio.sleep(3)
    begin, cpu = time.monotonic(), cpu_s(pid)

    async def send(number: int, charger: Charger) -> None:
        due = begin + EACH_S * number / CHARGERS
        while due < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await charger.meter_values()
            due += EACH_S

    await asyncio.gather(*(send(number, charger) for number, charger in enumerate(chargers)))
    share = 100 * (cpu_s(pid) - cpu) / (time.monotonic() - begin)
    await asyncio.gather(*(charger.close() for charger in chargers))
    return share


class ServerProcess:
    """One of the two servers in a process of its own."""

    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def rows(quick: bool, seconds: float = 60.0, messages: int = 100) -> list[Row]:
    """The promise about charger messages."""
    seconds, messages = (15.0, 30) if quick else (seconds, messages)
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    shares = {}
    for turn in range(REPEATS):
        for kind, found in spent.items():
            server = ServerProcess(kind)
            found.append(asyncio.run(burst(server.port, server.process.pid, messages)))
            if turn == 0:
                shares[kind] = asyncio.run(steady(server.port, server.process.pid, seconds))
            server.end()
    ours, bare = statistics.median(spent["ours"]), statistics.median(spent["bare"])
    return [
        Row(
            "charger messages",
            "100 chargers at one message per 5 s <= 3 % of a core",
            f"{shares['ours']:.1f} % of a core (bare ocpp library {shares['bare']:.1f} %); {ours:.0f} us CPU a message"
            f" against {bare:.0f} us, {ours / bare:.2f}x",
            f"CSMS with store in its own process; {seconds:.0f} s steady, {REPEATS} bursts of {CHARGERS} x {messages}"
            " MeterValues of 5 values; ours validates, keeps and hands on what it got",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--serve", choices=("ours", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_ours() if options.serve == "ours" else serve_bare())
        return
    for row in rows(False, options.seconds, options.messages):
        print(row.line())


if __name__ == "__main__":
    main()
