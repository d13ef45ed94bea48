"""100 chargers on one CSMS: CPU, answer times and memory beside a bare server, and how soon a limit is felt.

    python benchmarks/csms.py [--seconds 60] [--messages 100]

The bare server is the ocpp package's own session loop over websockets. Both run in processes of their own and are
driven by the same client in turns: MeterValues of OCPP 1.6 and TransactionEvents of 2.0.1, ten values each.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.table import Row, cpu_s

CHARGERS = 100
EACH_S = 5.0
REPEATS = 3
VERSIONS = ("1.6", "2.0.1")
MESSAGE = {"1.6": "MeterValues", "2.0.1": "TransactionEvent"}


def make_csms(folder: str, chargers: int) -> Any:
    """The product's CSMS with configured chargers and a store on disk; its connectors."""
    from adapters.ocpp.csms import Csms
    from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
    from adapters.sqlite.store import SqliteStore
    from gateway.model.site import ChargerSpec, Device, Role
    from gateway.runtime.system_clock import SystemClock

    store = SqliteStore.open(Path(folder) / "hearth.sqlite")
    settings = OcppSettings(
        kind="ocpp", host="127.0.0.1", port=0, max_connections=chargers + 10, reconnects_per_minute=10_000
    )
    csms = Csms("bench", settings, SystemClock(), store, store, lambda device, what: None)
    connectors = [
        csms.charger(
            Device(f"c{number}", f"C{number}", Role.EV_CHARGER, ChargerSpec(max_current_a=32.0)),
            OcppDeviceSettings(charge_point_id=f"CP{number}"),
        )
        for number in range(chargers)
    ]
    return csms, connectors


async def serve_ours() -> None:
    """The product, read as its meter loop does."""
    with tempfile.TemporaryDirectory() as folder:
        csms, connectors = make_csms(folder, CHARGERS)
        readers = [asyncio.create_task(_drain(connector)) for connector in connectors]
        running = asyncio.create_task(csms.run())
        await csms.serving.wait()
        print(csms.port, flush=True)
        await asyncio.gather(running, *readers)


async def _drain(connector: Any) -> None:
    """As the meter loop does: take what the charger sent."""
    from gateway.model.errors import DeviceError

    while True:
        try:
            await connector.read()
        except DeviceError:
            await asyncio.sleep(1)


async def serve_bare() -> None:
    """The ocpp package's ChargePoint over websockets, one class per version."""
    from websockets.asyncio.server import ServerConnection, serve

    stations = {"ocpp1.6": _station_16(), "ocpp2.0.1": _station_201()}

    async def talk(socket: ServerConnection) -> None:
        assert socket.request and socket.subprotocol
        await stations[socket.subprotocol](socket.request.path.rsplit("/", 1)[1], socket).start()

    protocols = [Subprotocol(name) for name in stations]
    async with serve(talk, "127.0.0.1", 0, subprotocols=protocols, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


def _station_16() -> Any:
    from ocpp.routing import on
    from ocpp.v16 import ChargePoint, call_result
    from ocpp.v16.enums import Action, RegistrationStatus

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

    return Station


def _station_201() -> Any:
    from ocpp.routing import on
    from ocpp.v201 import ChargePoint, call_result

    class Station(ChargePoint):
        @on("BootNotification")
        def boot(self, **_: Any) -> Any:
            return call_result.BootNotification(_now(), 300, "Accepted")

        @on("StatusNotification")
        def status(self, **_: Any) -> Any:
            return call_result.StatusNotification()

        @on("TransactionEvent")
        def event(self, **_: Any) -> Any:
            return call_result.TransactionEvent()

    return Station


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Charger:
    """A connected charge point that sends what it is told and answers what it is asked."""

    def __init__(self, socket: ClientConnection, version: str, name: str) -> None:
        self._socket = socket
        self._version = version
        self._name = name
        self._ids = itertools.count(1)
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self.limited: Any = None
        """Called with each charging profile, after it was accepted."""
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            if frame[0] == 2:
                await self._socket.send(json.dumps([3, frame[1], _answer(frame[2])]))
                if frame[2] == "SetChargingProfile" and self.limited is not None:
                    self.limited(frame[3])
            elif (waiting := self._answers.pop(frame[1], None)) is not None:
                waiting.set_result(frame)

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        name = str(next(self._ids))
        self._answers[name] = asyncio.get_running_loop().create_future()
        waiting = self._answers[name]
        await self._socket.send(json.dumps([2, name, action, payload]))
        return list(await asyncio.wait_for(waiting, 30))

    async def arrive(self) -> None:
        """Boot and report a free outlet."""
        if self._version == "1.6":
            await self.call("BootNotification", {"chargePointVendor": "B", "chargePointModel": "M"})
            status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        else:
            station = {"vendorName": "B", "model": "M"}
            await self.call("BootNotification", {"reason": "PowerUp", "chargingStation": station})
            status = {"timestamp": _now(), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await self.call("StatusNotification", status)

    async def start(self) -> None:
        """A car begins to charge."""
        if self._version == "1.6":
            begin = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": _now()}
            await self.call("StartTransaction", begin)
            await self.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
        else:
            await self.call("TransactionEvent", self._event("Started", "ChargingStateChanged"))

    async def sample(self, power_w: float = 4200.0) -> float:
        """One message of ten values; how long the answer took, s."""
        begin = time.perf_counter()
        if self._version == "1.6":
            value = {"connectorId": 1, "meterValue": [{"timestamp": _now(), "sampledValue": _sampled_16(power_w)}]}
            frame = await self.call("MeterValues", value)
        else:
            event = self._event("Updated", "MeterValuePeriodic")
            event["meterValue"] = [{"timestamp": _now(), "sampledValue": _sampled_201(power_w)}]
            frame = await self.call("TransactionEvent", event)
        assert frame[0] == 3, frame
        return time.perf_counter() - begin

    def _event(self, kind: str, why: str) -> dict[str, Any]:
        return {
            "eventType": kind,
            "timestamp": _now(),
            "triggerReason": why,
            "seqNo": next(self._numbers),
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "T", "type": "ISO14443"},
            "transactionInfo": {"transactionId": f"t-{self._name}", "chargingState": "Charging"},
        }

    async def close(self) -> None:
        self._task.cancel()
        await self._socket.close()


def _answer(action: str) -> dict[str, Any]:
    return {
        "GetConfiguration": {"configurationKey": []},
        "GetVariables": {"getVariableResult": []},
        "SetVariables": {"setVariableResult": []},
    }.get(action, {"status": "Accepted"})


def _sampled_16(power_w: float) -> list[dict[str, Any]]:
    each = [
        {"value": "6.1", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A", "context": "Sample.Periodic"}
        for n in (1, 2, 3)
    ] + [{"value": "231.4", "measurand": "Voltage", "phase": f"L{n}-N", "unit": "V"} for n in (1, 2, 3)]
    return [
        *each,
        {"value": "123456", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": f"{power_w:.0f}", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": "16.0", "measurand": "Current.Offered", "unit": "A"},
        {"value": "55", "measurand": "SoC", "unit": "Percent", "location": "EV"},
    ]


def _sampled_201(power_w: float) -> list[dict[str, Any]]:
    found = []
    for sampled in _sampled_16(power_w):
        plain = {key: sampled[key] for key in ("measurand", "phase", "location", "context") if key in sampled}
        found.append({**plain, "value": float(sampled["value"]), "unitOfMeasure": {"unit": sampled["unit"]}})
    return found


async def dial(port: int, number: int, version: str) -> Charger:
    """One charger, connected and booted."""
    address, protocol = f"ws://127.0.0.1:{port}/ocpp/CP{number}", Subprotocol(f"ocpp{version}")
    socket = await connect(address, subprotocols=[protocol], compression=None, ping_interval=None)
    charger = Charger(socket, version, f"{number}")
    await charger.arrive()
    if version != "1.6":
        await charger.start()
    return charger


async def arrive(port: int, version: str) -> list[Charger]:
    return [await dial(port, number, version) for number in range(CHARGERS)]


async def burst(port: int, pid: int, messages: int, version: str) -> float:
    """CPU us of the server per message when every charger sends one after another."""
    chargers = await arrive(port, version)
    await asyncio.sleep(4)
    begin = cpu_s(pid)

    async def send(charger: Charger) -> None:
        for _ in range(messages):
            await charger.sample()

    await asyncio.gather(*(send(charger) for charger in chargers))
    spent = cpu_s(pid) - begin
    await asyncio.gather(*(charger.close() for charger in chargers))
    return 1e6 * spent / (messages * CHARGERS)


async def steady(port: int, pid: int, seconds: float, version: str) -> dict[str, float]:
    """At one message per 5 s and charger: percent of a core, answer times in ms, MiB resident before and with them."""
    before = resident_mib(pid)
    chargers = await arrive(port, version)
    await asyncio.sleep(4)
    begin, cpu, took = time.monotonic(), cpu_s(pid), []

    async def send(number: int, charger: Charger) -> None:
        due = begin + EACH_S * number / CHARGERS
        while due < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            took.append(1000 * await charger.sample())
            due += EACH_S

    await asyncio.gather(*(send(number, charger) for number, charger in enumerate(chargers)))
    share = 100 * (cpu_s(pid) - cpu) / (time.monotonic() - begin)
    found = {"share": share, "before": before, "with": resident_mib(pid)}
    await asyncio.gather(*(charger.close() for charger in chargers))
    took.sort()
    return found | {"p50": took[len(took) // 2], "p99": took[int(0.99 * len(took))]}


def resident_mib(pid: int) -> float:
    """Resident memory of a process, MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def felt(version: str) -> list[float]:
    """ms from a lower setpoint to the reading of the lower power, over a socket, store and all; charger included."""
    from gateway.model.authority import Authority
    from gateway.model.quantity import Quantity
    from gateway.model.setpoint import Setpoint, SetpointKind

    with tempfile.TemporaryDirectory() as folder:
        csms, (connector, *_) = make_csms(folder, 1)
        running = asyncio.create_task(csms.run())
        await csms.serving.wait()
        charger = await dial(csms.port, 0, version)
        if version == "1.6":
            await charger.start()
        await asyncio.sleep(5)  # set-up is over, whatever the charger left unanswered
        sent: set[asyncio.Task[float]] = set()
        charger.limited = lambda profile: sent.add(asyncio.create_task(charger.sample(690.0 * _limit_a(profile))))
        took = []
        for current_a in range(31, 5, -1):
            begin = time.perf_counter()
            end = datetime.now(UTC) + timedelta(minutes=5)
            await connector.apply(
                Setpoint("c0", SetpointKind.CURRENT, float(current_a), end, Authority.PLAN, "benchmark")
            )
            async with asyncio.timeout(5):
                while connector.live.value(Quantity.POWER) != 690.0 * current_a:
                    await asyncio.sleep(0.0005)
            took.append(1000 * (time.perf_counter() - begin))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await charger.close()
    return took


def _limit_a(profile: dict[str, Any]) -> float:
    schedule = profile.get("csChargingProfiles", profile.get("chargingProfile"))["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    return float(schedule["chargingSchedulePeriod"][0]["limit"])


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
    """The promises about charger messages."""
    seconds, messages = (15.0, 30) if quick else (seconds, messages)
    found = [_message_row(version, seconds, messages) for version in VERSIONS]
    return [*found, *(_felt_row(version) for version in VERSIONS)]


def _message_row(version: str, seconds: float, messages: int) -> Row:
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    calm: dict[str, dict[str, float]] = {}
    for turn in range(REPEATS):
        for kind, costs in spent.items():
            server = ServerProcess(kind)
            if turn == 0:
                calm[kind] = asyncio.run(steady(server.port, server.process.pid, seconds, version))
            costs.append(asyncio.run(burst(server.port, server.process.pid, messages, version)))
            server.end()
    ours, bare = statistics.median(spent["ours"]), statistics.median(spent["bare"])
    return Row(
        f"charger messages, OCPP {version}",
        "100 chargers at one message per 5 s <= 3 % of a core; CPU a message <= 0.5x of the bare server's",
        f"{_words(calm['ours'])} (bare: {_words(calm['bare'])}); {ours:.0f} us CPU a message against {bare:.0f} us,"
        f" {ours / bare:.2f}x",
        f"CSMS with store in its own process; {seconds:.0f} s steady, {REPEATS} bursts of {CHARGERS} x {messages}"
        f" {MESSAGE[version]} of 10 values; ours validates, keeps and hands on what it got",
    )


def _words(calm: dict[str, float]) -> str:
    return (
        f"{calm['share']:.1f} % of a core, answers p50 {calm['p50']:.1f} ms, p99 {calm['p99']:.1f} ms,"
        f" {calm['before']:.0f} -> {calm['with']:.0f} MiB"
    )


def _felt_row(version: str) -> Row:
    took = sorted(asyncio.run(felt(version)))
    return Row(
        f"setpoint to changed power, OCPP {version}",
        "p99 <= 250 ms",
        f"{statistics.median(took):.1f} ms (median of {len(took)}, worst {took[-1]:.1f})",
        "loopback; lower current applied, profile accepted by the charger, its next sample read; store on disk",
    )


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
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
