"""The utility's VTN of OpenADR 2.0b: simple HTTP on loopback, pull VENs, driven by hand or script through /sim."""

from __future__ import annotations

import argparse
import asyncio

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.http_process import serving
from firmware_sim.process import run_process
from firmware_sim.vtn2b_api import Api
from firmware_sim.vtn2b_utility import Utility


def build(clock: SimClock, poll_s: float) -> Api:
    """A VTN that knows nobody yet."""
    return Api(Utility(clock.now, lambda: clock.now().timestamp(), poll_s))


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim vtn2b", description=__doc__)
    add_clock_arguments(options)
    options.add_argument("--hub", type=int, help="accepted as for every device; a utility does not see the house")
    options.add_argument("--port", type=int, default=0, help="TCP port, 0 for any free one")
    options.add_argument("--poll-s", type=float, default=10.0, help="how often a VEN may poll, s of home time")
    return options


async def serve(args: argparse.Namespace) -> None:
    """Serve until cancelled."""
    api = build(clock_from(args), args.poll_s)
    async with serving("vtn2b", api.app(), args.port):
        await asyncio.Event().wait()


def main(argv: list[str]) -> None:
    """`python -m firmware_sim vtn2b ...`"""
    run_process(serve(parser().parse_args(argv)))
