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
import os
import stat
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.ocpp2.station import Needs
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.security import Security
from firmware_sim.physics.ev import Kind
from firmware_sim.process import ready, run_process
from firmware_sim.sim_charger import SimCharger


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
    if sys.stdin is None or not _talks(sys.stdin.fileno()):
        return
    with contextlib.suppress(OSError, ValueError):
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            _say(fleet.obey(line.decode()))


def _talks(descriptor: int) -> bool:
    """A pipe, a socket or a terminal; a file or /dev/null says nothing that could be waited for."""
    kind = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(descriptor)


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
