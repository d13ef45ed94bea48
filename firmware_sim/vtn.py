"""The utility's VTN process: OpenADR 3.1.0 or 3.0.1 over HTTP on loopback, driven by a script, its page or its wire."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from firmware_sim import vtn_keep
from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.http_process import serving
from firmware_sim.mqtt_line import MqttLine
from firmware_sim.process import run_process
from firmware_sim.vtn_access import Access, parse_clients
from firmware_sim.vtn_api import Api
from firmware_sim.vtn_mqtt import ROOT, MqttNotifier
from firmware_sim.vtn_notify import Notifier
from firmware_sim.vtn_odd import ODD, Oddities
from firmware_sim.vtn_script import Script
from firmware_sim.vtn_store import Kind, Object, Problem, Store
from firmware_sim.vtn_tls import Tls
from firmware_sim.vtn_versions import V310, VERSIONS, Version

DEFAULT_CLIENTS = ["hearth:hearth-secret:ven", "utility:utility-secret:bl"]
"""Fit for a simulation on loopback only."""


def build(
    clock: SimClock,
    clients: list[str],
    token_life_s: float,
    timezone: str,
    *,
    version: Version = V310,
    odd: list[str] | None = None,
    keep: Path | None = None,
    broker: tuple[int, MqttLine] | None = None,
    tls: Tls | None = None,
) -> Api:
    """A VTN over what `keep` holds; ValueError for a malformed client or file, Problem for an oddity not known."""
    oddities = Oddities()
    oddities.set(odd or [])
    store = Store(clock.now, private=version.private)
    store.new_id = oddities.ids(store)
    if keep:
        vtn_keep.load(store, keep)
    access = Access(parse_clients(clients), token_life_s, oddities, version)
    mqtt = MqttNotifier(store, broker[1] if broker else None)
    notifier = Notifier(store, oddities, access.role_of, mqtt.publish)

    def changed(operation: str, kind: Kind, item: Object) -> None:
        if keep:
            vtn_keep.save(store, keep)
        notifier.changed(operation, kind, item)

    store.changed = changed
    port = broker[0] if broker else None
    return Api(store, access, Script(store, ZoneInfo(timezone)), notifier, port, version, oddities, tls)


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim vtn", description=__doc__)
    add_clock_arguments(options)
    options.add_argument("--hub", type=int, help="accepted as for every device; a utility does not see the house")
    options.add_argument("--port", type=int, default=0, help="TCP port, 0 for any free one")
    options.add_argument("--version", choices=list(VERSIONS), default=V310.name, help="version of OpenADR")
    options.add_argument("--client", action="append", default=[], help="id:secret:ven or id:secret:bl, repeatable")
    options.add_argument("--token-life-s", type=float, default=3600.0, help="life of a token, real s")
    options.add_argument("--script", type=Path, help="JSON file of announcements, see vtn_script.py")
    options.add_argument("--timezone", default="Europe/Brussels", help="zone of the script's times of day")
    options.add_argument("--keep", type=Path, help="file that outlives this process; when it exists no script is run")
    options.add_argument("--odd", action="append", default=[], choices=list(ODD), help="an oddity of real servers")
    options.add_argument("--broker-port", type=int, help="MQTT broker on this machine for notifications")
    options.add_argument("--tls", type=Path, metavar="FOLDER", help="serve https with an authority made in FOLDER")
    options.add_argument("--client-certificates", action="store_true", help="with --tls: only for holders of one")
    options.add_argument("--expired", action="store_true", help="with --tls: show a certificate that has ended")
    options.set_defaults(broker_host="127.0.0.1", username=None, password=None)
    return options


async def serve(args: argparse.Namespace) -> None:
    """Serve until cancelled."""
    clock, known = clock_from(args), bool(args.keep and args.keep.exists())
    line = _line(args)
    tls = Tls(args.tls, args.client_certificates, args.expired) if args.tls else None
    api = build(
        clock, args.client or DEFAULT_CLIENTS, args.token_life_s, args.timezone, version=VERSIONS[args.version],
        odd=args.odd, keep=args.keep, broker=(args.broker_port, line) if line else None, tls=tls,
    )  # fmt: skip
    if args.script and not known:
        api.script.add(json.loads(args.script.read_text(encoding="utf-8")))
    try:
        async with serving("vtn", api.app(), args.port, clock.now, tls.context if tls else None):
            while True:
                _run_due(api.script)
                await clock.sleep(1.0, 0.1)
    finally:
        if line:
            line.stop()


def _line(args: argparse.Namespace) -> MqttLine | None:
    if args.broker_port is None:
        return None
    line = MqttLine(args, "vtn", (f"{ROOT}/state", "online"), (f"{ROOT}/state", "offline"))
    line.start()
    return line


def _run_due(script: Script) -> None:
    try:
        script.run_due()
    except (Problem, ValueError, KeyError, TypeError) as error:
        print(f"vtn: a script entry is unusable: {error!r}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> None:
    """`python -m firmware_sim vtn ...`"""
    run_process(serve(parser().parse_args(argv)))
