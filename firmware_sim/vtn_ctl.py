"""A utility's command line for a VTN: programs, events, and what the homes say.

    hearth sim vtn-ctl http://127.0.0.1:8080 create-program --name "Evening peak"
    hearth sim vtn-ctl http://127.0.0.1:8080 create-event --kind level --values 2 --start +5 --duration 1h --reports usage,state
    hearth sim vtn-ctl http://127.0.0.1:8080 change "level 2" --duration 30m
    hearth sim vtn-ctl http://127.0.0.1:8080 cancel "level 2"
    hearth sim vtn-ctl http://127.0.0.1:8080 list | reports | watch
    hearth sim vtn-ctl check-record record.json

It speaks the wire only, so it drives any VTN of OpenADR 3 that gives business logic an account.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

from firmware_sim import record_check, vtn_compose
from firmware_sim.vtn_said import State, states
from firmware_sim.vtn_store import Object
from firmware_sim.vtn_time import phase, span
from firmware_sim.vtn_wire import TIMEOUT_S, Refused, Wire

LOOK_S = 1.0


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(
        prog="hearth sim vtn-ctl", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("url", help="base URL of the VTN")
    options.add_argument("--client", default="utility:utility-secret", help="id:secret of business logic there")
    options.add_argument("--token-url", default="", help="token endpoint (default: URL/auth/token)")
    options.add_argument("--ca-file", type=Path, help="the VTN's own certificate authority, PEM")
    options.add_argument("--cert-file", type=Path, help="our client certificate with its key, PEM")
    options.add_argument("--timezone", default="Europe/Brussels", help="zone of times of day")
    options.add_argument("--version", choices=("3.1.0", "3.0.1"), default="3.1.0", help="how targets are written")
    acts = options.add_subparsers(dest="act", required=True, metavar="ACT")
    program = acts.add_parser("create-program", help="make a program")
    for name in ("name", "description"):
        program.add_argument(f"--{name}", default="")
    program.add_argument("--binding", action="store_true", help="taking part is a duty (BINDING_EVENTS)")
    _event_words(acts.add_parser("create-event", help="publish an event"), kind="level")
    change = acts.add_parser("change", help="change an event: only what is given")
    change.add_argument("event", help="its id or name")
    _event_words(change, kind=None)
    cancel = acts.add_parser("cancel", help="withdraw an event")
    cancel.add_argument("event", help="its id or name")
    cancel.add_argument("--zero", action="store_true", help="keep it with start 0001-01-01 and PT0S (User Guide 7.9)")
    acts.add_parser("list", help="programs and events, and what each home says of them")
    acts.add_parser("reports", help="the reports received")
    watch = acts.add_parser("watch", help="print what changes until Ctrl-C")
    watch.add_argument("--for-s", type=float, default=None, help="end after so many seconds")
    return options


def _event_words(options: argparse.ArgumentParser, kind: str | None) -> None:
    options.add_argument("--kind", choices=list(vtn_compose.KINDS), default=kind or "", help="what is asked for")
    for name, words in (
        ("program", "id or name of its program (default: the newest)"), ("name", "what it is called"),
        ("values", "one value, or one for each interval, with commas: level, kW, price per kWh, %%"),
        ("start", "now, +10 (minutes), +90s, 18:00 or an ISO time"),
        ("duration", "of each interval: 30m, 4h, PT4H, open"), ("randomize", "start within so much: 5m"),
        ("priority", "0 is the highest"), ("targets", "groups or names, with commas"),
        ("reports", f"what to tell, with commas: {', '.join(vtn_compose.REPORTS)}"), ("currency", "of a price"),
    ):  # fmt: skip
        options.add_argument(f"--{name}", default="", help=words)


def run(args: argparse.Namespace, wire: Wire) -> Iterator[str]:
    """Do one act and yield its lines; Refused or ValueError say what is wrong."""
    zone, grouped = _zone(args.timezone), args.version == "3.0.1"
    match args.act:
        case "create-program":
            words = {"name": args.name, "description": args.description, "binding": "yes" if args.binding else ""}
            made = wire.ask("POST", "/programs", json=vtn_compose.program(words))
            yield f"program {made['programName']} ({made['id']})"
        case "create-event":
            program = _program(wire, args.program)  # asked first: its answer tells the server's time
            body = vtn_compose.event(_said(args), program, wire.now(), zone, grouped=grouped)
            yield _told("published", wire.ask("POST", "/events", json=body), zone)
        case "change":
            held = wire.one("/events", args.event, "eventName")
            body = vtn_compose.moved(held, _said(args), wire.now(), zone, grouped=grouped)
            yield _told("changed", wire.ask("PUT", f"/events/{held['id']}", json=body), zone)
        case "cancel":
            held = wire.one("/events", args.event, "eventName")
            if args.zero:
                wire.ask("PUT", f"/events/{held['id']}", json=vtn_compose.cancelled(held))
            else:
                wire.ask("DELETE", f"/events/{held['id']}")
            yield f"cancelled {held.get('eventName')} ({held['id']})"
        case "list":
            yield from _list(wire, zone)
        case "reports":
            yield from _reports(wire.all("/reports"))
        case "watch":
            yield from _watch(wire, zone, args.for_s)


def _said(args: argparse.Namespace) -> dict[str, str]:
    given = {name: getattr(args, name) for name in vtn_compose.FIELDS if name != "program"}
    return {name: value for name, value in given.items() if value}


def _program(wire: Wire, named: str) -> str:
    if named:
        return str(wire.one("/programs", named, "programName")["id"])
    listed = wire.all("/programs")
    if not listed:
        raise Refused("there is no program yet: make one with create-program --name NAME")
    return str(listed[-1]["id"])


def _list(wire: Wire, zone: ZoneInfo) -> Iterator[str]:
    programs, events, reports = wire.all("/programs"), wire.all("/events"), wire.all("/reports")
    for program in programs:
        yield f"program {program['programName']} ({program['id']})"
        for event in (item for item in events if item["programID"] == program["id"]):
            yield _told(f"  {phase(event, wire.now())}", event, zone)
            yield from (f"    {said.client}: {said.words}" for said in states(event, reports))
    if not programs:
        yield "no program"


def _reports(reports: list[Object]) -> Iterator[str]:
    for report in reports:
        yield f"{report.get('reportName') or report['id']} from {report['clientName']} on event {report['eventID']}"
        for resource in report["resources"]:
            for interval in resource["intervals"]:
                values = "; ".join(f"{part['type']} {part['values']}" for part in interval["payloads"])
                yield f"  {resource['resourceName']} interval {interval['id']}: {values}"
    if not reports:
        yield "no report"


def _watch(wire: Wire, zone: ZoneInfo, for_s: float | None) -> Iterator[str]:
    """What is new against the look before: events and their phases, homes and their states, reports."""
    seen: set[str] = set()
    end = None if for_s is None else time.monotonic() + for_s
    while end is None or time.monotonic() < end:
        for line in _lines(wire, zone):
            if line not in seen:
                seen.add(line)
                yield f"{wire.now().astimezone(zone):%H:%M:%S} {line}"
        time.sleep(LOOK_S if end is None else min(LOOK_S, max(0.0, end - time.monotonic())))


def _lines(wire: Wire, zone: ZoneInfo) -> Iterator[str]:
    events, reports = wire.all("/events"), wire.all("/reports")
    for event in events:
        yield _told(phase(event, wire.now()), event, zone)
        yield from (_state_line(said, event) for said in states(event, reports))
    for report in reports:
        yield f"report {report.get('reportName') or report['id']} from {report['clientName']}"


def _state_line(said: State, event: Object) -> str:
    return f"{said.client} on {event.get('eventName')}: {said.words}"


def _told(what: str, event: Object, zone: ZoneInfo) -> str:
    start, end = span(event)
    times = f"{start.astimezone(zone):%a %H:%M:%S} to {end.astimezone(zone):%a %H:%M:%S}"
    return f"{what} {event.get('eventName') or 'event'} ({event['id']}) {times}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"--timezone: {name!r} is no time zone, like Europe/Brussels") from None


def check_record(argv: list[str]) -> None:
    """`check-record FILE [--key HEX]`: whether a home's signed event record is whole; exit code 1 where it is not."""
    options = argparse.ArgumentParser(prog="hearth sim vtn-ctl check-record", description=record_check.__doc__)
    options.add_argument("file", type=Path, help="the record, JSON")
    options.add_argument("--key", default="", help="the home's public key, hex, as known before")
    args = options.parse_args(argv)
    try:
        record = json.loads(args.file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"vtn-ctl: {args.file} cannot be read as JSON: {error}")
    wrong = record_check.check(record if isinstance(record, dict) else {}, args.key)
    if wrong:
        sys.exit("vtn-ctl: the record is not sound:\n" + "\n".join(f"  {each}" for each in wrong))
    print(f"the record is whole, unchanged and signed: {len(record['entries'])} entries on {record['event']}")


def main(argv: list[str]) -> None:
    """`python -m firmware_sim vtn-ctl ...`"""
    if argv[:1] == ["check-record"]:
        check_record(argv[1:])
        return
    args = parser().parse_args(argv)
    client_id, _, secret = args.client.partition(":")
    context = ssl.create_default_context(cafile=args.ca_file)
    try:
        if args.cert_file:
            context.load_cert_chain(args.cert_file)
        with httpx.Client(base_url=args.url, timeout=TIMEOUT_S, trust_env=False, verify=context) as http:
            for line in run(args, Wire(http, client_id, secret, args.token_url)):
                print(line, flush=True)
    except (Refused, ValueError, OSError) as error:
        sys.exit(f"vtn-ctl: {error}")
    except KeyboardInterrupt:
        pass
