"""Charge points by the dozen in one process, each with a car and a meter of its own: no house needed.

stdin, or a TCP port (--control), takes a JSON line each:
    {"plug": "CP_3", "soc_percent": 40}   {"unplug": "CP_3"}   {"quirk": "CP_3", "kind": "lie", "for_s": 30}
    {"clear": "CP_3", "kind": "lie"}   {"reboot": "CP_3"}   {"cut": "CP_3", "for_s": 60}   {"status": "CP_3"}
"CP_*" means all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.ocpp2.station import Needs, Station2
from firmware_sim.ocpp16.station import Station16
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car
from firmware_sim.ocppj.line import Address
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.security import Security
from firmware_sim.ocppj.station import Station
from firmware_sim.physics.ev import VOLTS, Ev, Kind
from firmware_sim.process import ready, run_process

STEP_HOME_S, STEP_REAL_S = 0.5, 0.05


@dataclass
class SimCharger:
    """One charge point with its cars; `async with` or `run()` makes it live.

    >>> async with SimCharger("ws://127.0.0.1:9000", "CP_1", version="2.0.1", habits=("no-zero",)) as charger:
    ...     charger.plug()
    """

    url: str
    id: str = "CP_1"
    version: str = "1.6"
    habits: Sequence[str] = ()
    clock: SimClock = field(default_factory=lambda: real_time())
    cars: Sequence[Kind] = (Kind(),)
    """One per connector."""
    password: str | None = None
    security: Security | None = None
    needs: Needs | None = None
    meter_interval_s: float = 10.0
    max_current_a: float = 32.0
    tag: str = "HEARTH01"
    switches_phases: bool = False
    stop_on_reboot: bool = False
    vendor: str = "Hearth Simulations"
    model: str = "Wallbox 22"
    firmware: str = "1.0.0"

    def __post_init__(self) -> None:
        self.evs = [Ev(kind) for kind in self.cars]
        self.station = self._build()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SimCharger:
        self._task = asyncio.create_task(self.run(), name=self.id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._drive(), name=f"{self.id} cars")
            group.create_task(self.station.run(), name=f"{self.id} station")

    # --- what a person or a test does to it ---------------------------------------------------------------------

    def plug(self, soc_percent: float | None = None, connector: int = 1) -> None:
        """A car arrives."""
        self.evs[connector - 1].plug(soc_percent)
        self.look()

    def unplug(self, connector: int = 1) -> None:
        """The car departs."""
        self.evs[connector - 1].unplug()
        self.look()

    def misbehave(self, kind: str, for_s: float | None = None) -> None:
        """Show a quirk for `for_s` real seconds, or for good."""
        self.station.later(self.station.misbehave(quirks.named(kind), for_s))

    def clear(self, kind: str) -> None:
        """Behave again."""
        self.station.clear(quirks.named(kind))

    def reboot(self) -> None:
        """Restart as after a power cut."""
        self.misbehave(quirks.REBOOT)

    def cut(self, for_s: float) -> None:
        """The network is gone for `for_s` real seconds."""
        self.station.line.drop(for_s)

    # --- what is true of it -------------------------------------------------------------------------------------

    @property
    def current_a(self) -> float:
        """The highest phase current of all its cars, A: the truth, not what it tells."""
        self.look()
        return max(max(ev.currents_a) for ev in self.evs)

    @property
    def currents_a(self) -> tuple[float, float, float]:
        """A on L1, L2, L3, all cars together."""
        self.look()
        sums = [sum(ev.currents_a[phase] for ev in self.evs) for phase in range(3)]
        return sums[0], sums[1], sums[2]

    @property
    def register_wh(self) -> float:
        """The meter of the first connector, Wh."""
        self.look()
        return self.evs[0].register_wh

    @property
    def wire_errors(self) -> list[str]:
        """What the central system sent and the standard forbids, in words."""
        return self.station.line.wire_errors

    @property
    def connected(self) -> bool:
        """Whether there is a line now."""
        return self.station.line.up

    @property
    def status(self) -> str:
        """The first connector's status in words of 1.6."""
        return self.station.connectors[0].status

    def picture(self) -> dict[str, Any]:
        """One status line."""
        running = self.station.connectors[0].transaction
        return {
            "id": self.id,
            "version": self.version,
            "connected": self.connected,
            "status": self.status,
            "offered_a": self.station.connectors[0].offered_a,
            "current_a": [round(amps, 2) for amps in self.currents_a],
            "register_wh": round(self.register_wh),
            "soc_percent": round(self.evs[0].soc_percent, 1),
            "transaction": running.id if running else None,
            "quirks": sorted(self.station.quirks),
            "wire_errors": len(self.wire_errors),
            "last_failure": self.station.line.last_failure,
        }

    def look(self) -> None:
        """Let each car catch up with the clock and the station see it."""
        now = self.clock.now()
        for connector, ev in zip(self.station.connectors, self.evs, strict=True):
            ev.advance(now)
            connector.car = seen(ev)

    async def _drive(self) -> None:
        while True:
            self.look()
            await self.clock.sleep(STEP_HOME_S, STEP_REAL_S)

    def _build(self) -> Station:
        if self.version not in quirks.ALL_VERSIONS:
            raise ValueError(f"OCPP {self.version} is not spoken here, only {', '.join(quirks.ALL_VERSIONS)}")
        security = self.security or Security(self.id, self.password)
        url = f"{self.url.rstrip('/')}/{self.id}"
        options = Options(
            Address(url, self.id, self.password, f"ocpp{self.version}", security),
            id=self.id,
            meter_interval_s=self.meter_interval_s,
            max_current_a=self.max_current_a,
            tag=self.tag,
            stop_on_reboot=self.stop_on_reboot,
            quirks=frozenset(quirks.named(kind) for kind in self.habits),
            switches_phases=self.switches_phases,
            vendor=self.vendor,
            model=self.model,
            firmware=self.firmware,
        )
        offers = [self._offer(ev) for ev in self.evs]
        if self.version == "1.6":
            return Station16(self.clock, options, offers)
        station = Station2(self.clock, options, offers)
        station.needs = self.needs
        return station

    def _offer(self, ev: Ev) -> Any:
        return lambda amps, phases: ev.offer(amps, phases, self.clock.now())


def seen(ev: Ev) -> Car:
    """The car as its station sees it; without ISO 15118 it does not know the state of charge."""
    used = min(ev.kind.phases, ev.using_phases)
    return Car(ev.plugged, None, used, ev.currents_a, ev.power_w, ev.register_wh, VOLTS)


def real_time() -> SimClock:
    """The world's own time."""
    now = time.time()
    return SimClock(datetime.fromtimestamp(now, UTC), now)


@dataclass
class Fleet:
    """Many charge points in one process."""

    chargers: list[SimCharger]

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            for charger in self.chargers:
                group.create_task(charger.run(), name=charger.id)

    def named(self, pattern: str) -> list[SimCharger]:
        """Those whose id matches, * and ? as in a shell."""
        return [charger for charger in self.chargers if fnmatch(charger.id, pattern)]

    def obey(self, line: str) -> list[dict[str, Any]]:
        """One JSON line; the pictures of those it was for, or what is wrong with it."""
        try:
            command = json.loads(line)
            verb = next(name for name in VERBS if name in command)
            meant = self.named(command[verb])
            for charger in meant:
                VERBS[verb](charger, command)
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            return [{"error": f"not understood: {error!r}"}]
        return [charger.picture() for charger in meant] or [{"error": "no such charger"}]


VERBS: dict[str, Any] = {
    "plug": lambda charger, said: charger.plug(said.get("soc_percent"), said.get("connector", 1)),
    "unplug": lambda charger, said: charger.unplug(said.get("connector", 1)),
    "quirk": lambda charger, said: charger.misbehave(said["kind"], said.get("for_s")),
    "clear": lambda charger, said: charger.clear(said["kind"]),
    "reboot": lambda charger, said: charger.reboot(),
    "cut": lambda charger, said: charger.cut(float(said.get("for_s", 30.0))),
    "status": lambda charger, said: None,
}


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(
        prog="firmware_sim chargers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_clock_arguments(options)
    options.add_argument("--url", required=True, help="central system, ws:// or wss://; the id is added")
    options.add_argument("--count", type=int, default=1, help="how many charge points")
    options.add_argument("--first", type=int, default=1, help="number of the first one")
    options.add_argument("--id", default="CP_", help="what their ids begin with; the number is added")
    options.add_argument("--version", default="1.6", choices=quirks.ALL_VERSIONS, help="version of OCPP they speak")
    options.add_argument("--quirk", action="append", default=[], type=quirks.named, help="misbehave, repeatable")
    options.add_argument("--quirks", action="store_true", help="name all quirks and end")
    options.add_argument("--password", help="Basic authentication: the id is the user")
    options.add_argument("--ca", type=Path, help="PEM file of the authority they trust (wss)")
    options.add_argument("--cert", type=Path, help="PEM file of their certificate chain (security profile 3)")
    options.add_argument("--key", type=Path, help="PEM file of its key")
    options.add_argument("--connectors", type=int, default=1, help="connectors of each")
    options.add_argument("--max-current", type=float, default=32.0, help="rating, A per phase")
    options.add_argument("--meter-interval", type=float, default=10.0, help="sampling interval, home s")
    options.add_argument("--switches-phases", action="store_true", help="announces switching from 3 phases to 1")
    options.add_argument("--tag", default="HEARTH01", help="the tag shown when a car is plugged in")
    options.add_argument("--phases", type=int, default=3, choices=(1, 2, 3), help="phases of the cars")
    options.add_argument("--soc", type=float, default=50.0, help="state of charge of the cars, percent")
    options.add_argument("--unplugged", action="store_true", help="no car is there at the start")
    options.add_argument("--no-waking", action="store_true", help="a car sleeps after a pause")
    options.add_argument("--needs", help="KWH,HOURS: the cars speak ISO 15118 and tell their needs (2.x)")
    options.add_argument("--every", type=float, default=10.0, help="status lines each so many real s, 0 for none")
    options.add_argument("--control", type=int, help="TCP port on 127.0.0.1 for JSON lines, 0 for any")
    return options


def fleet_from(args: argparse.Namespace) -> Fleet:
    """The charge points the command line describes; raises ValueError or OSError for what cannot be."""
    clock, kind = clock_from(args), Kind(phases=args.phases, wakes=not args.no_waking)
    numbers = range(args.first, args.first + args.count)
    chargers = [_charger(args, f"{args.id}{number}", clock, kind) for number in numbers]
    for charger in chargers if not args.unplugged else []:
        for connector in range(1, args.connectors + 1):
            charger.plug(args.soc, connector)
    return Fleet(chargers)


def _charger(args: argparse.Namespace, name: str, clock: SimClock, kind: Kind) -> SimCharger:
    return SimCharger(
        args.url,
        name,
        version=args.version,
        habits=args.quirk,
        clock=clock,
        cars=[kind] * args.connectors,
        security=Security.of_files(name, args.password, args.ca, args.cert, args.key),
        needs=_needs(args.needs),
        meter_interval_s=args.meter_interval,
        max_current_a=args.max_current,
        tag=args.tag,
        switches_phases=args.switches_phases,
    )


def _needs(text: str | None) -> Needs | None:
    if text is None:
        return None
    kwh, hours = text.split(",")
    return Needs(float(kwh) * 1000, float(hours))


async def serve(args: argparse.Namespace) -> None:
    """Run the fleet until cancelled."""
    fleet = fleet_from(args)
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.run(), name="fleet")
        if args.every > 0:
            group.create_task(_tell(fleet, args.every), name="status")
        if args.control is not None:
            group.create_task(_control(fleet, args.control), name="control")
        else:
            ready("chargers", 0)
            group.create_task(_listen(fleet), name="stdin")


async def _tell(fleet: Fleet, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        for charger in fleet.chargers:
            print(json.dumps(charger.picture()), flush=True)


async def _listen(fleet: Fleet) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, ValueError):  # no stdin, or a file: nothing to listen to
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            _say(fleet.obey(line.decode()))


async def _control(fleet: Fleet, port: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                for picture in fleet.obey(line.decode()):
                    writer.write(json.dumps(picture).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    ready("chargers", server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _say(pictures: list[dict[str, Any]]) -> None:
    for picture in pictures:
        print(json.dumps(picture), flush=True)


def main(argv: list[str]) -> None:
    """`python -m firmware_sim chargers ...`"""
    if "--quirks" in argv:
        for name, quirk in quirks.QUIRKS.items():
            print(f"{f'Q{quirk.number}' if quirk.number else '-':4} {name:30} {quirk.does}")
        return
    args = parser().parse_args(argv)
    try:
        run_process(serve(args))
    except* (ValueError, OSError) as errors:
        sys.exit(f"chargers: {errors.exceptions[0]}")
