"""The utility's VTN process: OpenADR 3.1.0 over HTTP on loopback, driven by a script or by hand."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.http_process import serving
from firmware_sim.process import run_process
from firmware_sim.vtn_access import Access, parse_clients
from firmware_sim.vtn_api import Api
from firmware_sim.vtn_notify import Notifier
from firmware_sim.vtn_script import Script
from firmware_sim.vtn_store import Problem, Store

DEFAULT_CLIENTS = ["hearth:hearth-secret:ven", "utility:utility-secret:bl"]
"""Fit for a simulation on loopback only."""


def build(clock: SimClock, clients: list[str], token_life_s: float, timezone: str) -> Api:
    """A VTN over an empty store; ValueError for a malformed client."""
    store = Store(clock.now)
    notifier = Notifier(store)
    store.changed = notifier.changed
    return Api(store, Access(parse_clients(clients), token_life_s), Script(store, ZoneInfo(timezone)), notifier)


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim vtn", description=__doc__)
    add_clock_arguments(options)
    options.add_argument("--hub", type=int, help="accepted as for every device; a utility does not see the house")
    options.add_argument("--port", type=int, default=0, help="TCP port, 0 for any free one")
    options.add_argument("--client", action="append", default=[], help="id:secret:ven or id:secret:bl, repeatable")
    options.add_argument("--token-life-s", type=float, default=3600.0, help="life of a token, real s")
    options.add_argument("--script", type=Path, help="JSON file of announcements, see vtn_script.py")
    options.add_argument("--timezone", default="Europe/Brussels", help="zone of the script's times of day")
    return options


async def serve(args: argparse.Namespace) -> None:
    """Serve until cancelled."""
    clock = clock_from(args)
    api = build(clock, args.client or DEFAULT_CLIENTS, args.token_life_s, args.timezone)
    if args.script:
        api.script.add(json.loads(args.script.read_text(encoding="utf-8")))
    async with serving("vtn", api.app(), args.port, clock.now):
        while True:
            _run_due(api.script)
            await clock.sleep(1.0, 0.1)


def _run_due(script: Script) -> None:
    try:
        script.run_due()
    except (Problem, ValueError, KeyError, TypeError) as error:
        print(f"vtn: a script entry is unusable: {error!r}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> None:
    """`python -m firmware_sim vtn ...`"""
    run_process(serve(parser().parse_args(argv)))
