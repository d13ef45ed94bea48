"""What `hearth probe ocpp` does: says what to type into a charger, listens, and tells live who dials and how far it comes."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from adapters.ocpp.csms import Csms
from adapters.ocpp.settings import OcppSettings
from adapters.pki.keeper import Keeper
from gateway.model.charging import TraceLine, WaitingCharger
from gateway.model.errors import DeviceUnreachable
from gateway.model.session import EvSession
from gateway.ports import Clock

LOOK_S = 0.2
SHOWN_CHARACTERS = 200
PATIENCE_S = 0.7
"""Real seconds after which a port that is not served yet is taken to be taken."""


class NothingKept:
    """The stores of a CSMS that serves no configured charger: nothing is ever written."""

    async def next_transaction(self) -> int:
        return 1

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        return None

    async def sessions(self, start: Any, end: Any, *, charger: str = "") -> list[EvSession]:
        return []

    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        return None

    async def get(self, key: str) -> dict[str, Any] | None:
        return None

    async def keys(self, prefix: str) -> list[str]:
        return []


def run_probe(settings: OcppSettings, data: Path, seconds: float, clock: Clock, *, as_json: bool) -> int:
    """Listen and tell who dials; exit code 0, or 1 when nobody came in. Raises DeviceUnreachable for a taken port.

    With the data folder of a gateway its certificates are shown to chargers that dial wss.
    """
    made = data / "pki"
    with tempfile.TemporaryDirectory() as spare:
        authority = Keeper.open(made if (made / "ca.pem").is_file() else Path(spare) / "pki", clock)
        store = NothingKept()
        csms = Csms("probe", settings, clock, store, store, lambda device, what: None, authority)
        with suppress(KeyboardInterrupt):
            asyncio.run(_listen(csms, seconds, clock, quiet=as_json))
    found = csms.waiting()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2, default=str))
    else:
        typer.echo("\n".join(in_words(found)))
    return 0 if any(each.id and not each.trouble for each in found) else 1


async def _listen(csms: Csms, seconds: float, clock: Clock, *, quiet: bool) -> None:
    owner = asyncio.create_task(csms.run())
    try:
        await _until_serving(csms)
        if not quiet:
            _say_addresses(csms)
        told: set[TraceLine] = set()
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            told = _tell(csms, told, quiet=quiet)
            await clock.sleep(LOOK_S, real_floor=LOOK_S)
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)


async def _until_serving(csms: Csms) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await csms.serving.wait()
    except TimeoutError:
        where = f"port {csms.settings.port}"
        remedy = "If the gateway runs, look at its page Chargers, which tells the same; or name another --port"
        raise DeviceUnreachable(where, "listen", "the port cannot be had", remedy) from None


def _say_addresses(csms: Csms) -> None:
    import segno

    console, urls = Console(stderr=True, highlight=False, soft_wrap=True), csms.urls("<its own name>")
    console.print("Type one of these into the charger; the last part is its identity, which you choose:")
    console.print("\n".join(f"  {url}" for url in urls))
    if console.is_terminal:
        segno.make_qr(csms.urls()[0]).terminal(out=sys.stderr, compact=True)
    console.print("Listening. Ctrl-C ends it.")


def _tell(csms: Csms, told: set[TraceLine], *, quiet: bool) -> set[TraceLine]:
    """Print the lines that are new; all lines there are now."""
    now: set[TraceLine] = set()
    for each in csms.waiting():
        for line in csms.trace(each.id or each.address):
            if line not in told and line not in now and not quiet:
                typer.echo(f"{line.time:%H:%M:%S} {each.id or each.address}: {_shown(line)}")
            now.add(line)
    return now


def _shown(line: TraceLine) -> str:
    mark = {"in": "says ", "out": "is told "}.get(line.direction, "")
    return f"{mark}{line.text[:SHOWN_CHARACTERS]}"


def in_words(found: Sequence[WaitingCharger]) -> list[str]:
    """Who dialled, how far it came, and the lines for the site file of those that came in."""
    if not found:
        return ["nobody dialled"]
    lines = [_summary(each) for each in found]
    known = [each for each in found if each.id and not each.trouble]
    if not known:
        return lines
    lines += ["", "For the site file:", "devices:"]
    for index, each in enumerate(known, 1):
        lines += _site_lines(f"charger_{index}", each)
    secrets = [f"  charger_{index}_password: ..." for index, each in enumerate(known, 1) if _showed_password(each)]
    if secrets:
        lines += ["", "For secrets.yaml beside it (chmod 600), the passwords as they stand in the chargers:", *secrets]
    return lines


def _showed_password(charger: WaitingCharger) -> bool:
    return charger.security_profile in (1, 2)


def _site_lines(device: str, charger: WaitingCharger) -> list[str]:
    """A device of the site file; its password is named, never shown."""
    secured = [f"    security_profile: {charger.security_profile}"]
    if _showed_password(charger):
        secured.append(f"    password: !secret {device}_password  # the one that was typed into the charger")
    outlets = [
        f"    # it has {charger.connectors} outlets: each further one is a device with its own connector: 2, ..."
    ]
    return [
        f"  {device}:",
        f"    name: {json.dumps(charger.model or charger.id, ensure_ascii=False)}",
        "    role: ev_charger",
        "    connection: chargers  # the connection of kind ocpp",
        f"    charge_point_id: {json.dumps(charger.id)}",
        *secured,
        "    charger: {phases: [1, 2, 3], max_current_a: 16, safe_current_a: 6}  # check",
        *(outlets if charger.connectors > 1 else []),
    ]


def _summary(each: WaitingCharger) -> str:
    who = each.id or f"somebody at {each.address}"
    if each.trouble:
        return f"{who}: did not come in: {each.trouble}"
    make = f"{each.vendor} {each.model} {each.firmware}".strip() or "did not say what it is"
    secured = ("plain, no password", "plain, with a password", "TLS, with a password", "TLS, with a certificate")
    return f"{who} at {each.address}: OCPP {each.version}, {make}; {secured[each.security_profile]}"
