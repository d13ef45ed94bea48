"""The charge point process: a wallbox of OCPP 1.6, 2.0.1 or 2.1 whose car lives in the house."""

from __future__ import annotations

import argparse
import asyncio

from firmware_sim.clock import add_clock_arguments, clock_from
from firmware_sim.hub import HubClient
from firmware_sim.ocpp2.station import Station2
from firmware_sim.ocpp16.station import Station16
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import from_state
from firmware_sim.ocppj.line import Address
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.station import Station
from firmware_sim.process import ready, run_process


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim chargepoint", description=__doc__)
    add_clock_arguments(options)
    options.add_argument("--hub", type=int, required=True, help="TCP port of the house")
    options.add_argument("--url", required=True, help="central system, e.g. ws://127.0.0.1:9000/ocpp; the id is added")
    options.add_argument("--id", default="CP_1", help="charge point identity")
    options.add_argument("--version", default="1.6", choices=quirks.ALL_VERSIONS, help="version of OCPP it speaks")
    options.add_argument("--user", help="user for Basic authentication, the id when not given")
    options.add_argument("--password", help="password for Basic authentication; none means no authentication")
    options.add_argument("--meter-interval", type=float, default=10.0, help="MeterValueSampleInterval, home s")
    options.add_argument("--max-current", type=float, default=32.0, help="rating, A per phase")
    options.add_argument("--tag", default="HEARTH01", help="the tag shown when a car is plugged in")
    options.add_argument("--wait-for-remote-start", action="store_true", help="never start by itself")
    options.add_argument("--stop-on-reboot", action="store_true", help="a reboot ends the transaction")
    options.add_argument("--quirk", action="append", default=[], type=quirks.named, help="misbehave, repeatable")
    return options


def options_from(args: argparse.Namespace) -> Options:
    """The station the command line describes."""
    return Options(
        address=Address(
            f"{args.url.rstrip('/')}/{args.id}", args.user or args.id, args.password, f"ocpp{args.version}"
        ),
        id=args.id,
        meter_interval_s=args.meter_interval,
        max_current_a=args.max_current,
        tag=args.tag,
        wait_for_remote_start=args.wait_for_remote_start,
        stop_on_reboot=args.stop_on_reboot,
        quirks=frozenset(args.quirk),
    )


async def serve(args: argparse.Namespace) -> None:
    """Run the station until cancelled."""
    hub = HubClient("chargepoint", args.hub)
    station = build(args, hub)
    ready("chargepoint", 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(hub.run(), name="hub")
        group.create_task(_states(hub, station), name="states")
        group.create_task(_faults(hub, station), name="faults")
        group.create_task(station.run(), name="station")


def build(args: argparse.Namespace, hub: HubClient) -> Station:
    """The station, its offer wired to the house."""

    def offer(amps: float, phases: int) -> None:
        station.later(hub.set(ev_offer_a=amps))

    kind = Station16 if args.version == "1.6" else Station2
    station: Station = kind(clock_from(args), options_from(args), [offer])
    return station


async def _states(hub: HubClient, station: Station) -> None:
    async for state in hub.states():
        station.connectors[0].car = from_state(state)


async def _faults(hub: HubClient, station: Station) -> None:
    while True:
        fault = await hub.faults.get()
        if fault.get("kind") in quirks.ALL:
            station.later(station.misbehave(fault["kind"], float(fault.get("for_s", 30.0))))


def main(argv: list[str]) -> None:
    """`python -m firmware_sim chargepoint ...`"""
    run_process(serve(parser().parse_args(argv)))
