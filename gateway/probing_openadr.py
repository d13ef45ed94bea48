"""What `hearth probe openadr` does: tell an installer, line by line, whether an account at a utility's server works."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from adapters.http.manners import is_local
from adapters.openadr.probe import Probe, Told
from adapters.openadr.settings import OpenAdrSettings
from gateway.model.errors import HearthError
from gateway.ports import Clock

COLOURS = {"good": "green", "note": "dim", "warning": "yellow", "error": "red"}
MARKS = {"good": "ok", "note": "-", "warning": "look", "error": "no"}
UNNAMED = "hearth-probe"
ENVIRONMENT = "HEARTH_CLIENT_SECRET"


def settings_of(url: str, **stated: str | bool) -> OpenAdrSettings:
    """The account to look at; plain http is allowed to an address in this house. Raises HearthError."""
    given = {name: value for name, value in stated.items() if value != ""}
    local = is_local(urlsplit(url).hostname or "")
    try:
        return OpenAdrSettings.model_validate(
            {"kind": "openadr", "url": url, "ven_name": UNNAMED, "local": local, **given}
        )
    except ValidationError as error:
        raise HearthError("; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())) from None


def secret_of(client_id: str, secret_file: Path | None) -> str:
    """The client secret from a file, the environment or, at a terminal, the keyboard; raises HearthError."""
    if secret_file is not None:
        try:
            return secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise HearthError(f"{secret_file} cannot be read: {reason}") from None
    stated = os.environ.get(ENVIRONMENT, "")
    if stated or not client_id:
        return stated
    if not sys.stdin.isatty():
        raise HearthError(f"The client id needs its secret: --secret-file FILE, or {ENVIRONMENT}.")
    return str(typer.prompt("Client secret", hide_input=True, err=True))


def run_probe(settings: OpenAdrSettings, clock: Clock, *, send_report: bool, as_json: bool) -> int:
    """Look, and print what was found; exit code 0 works, 1 works but look at the warnings, 2 does not work."""
    told = asyncio.run(_look(settings, clock, send_report=send_report, quiet=as_json))
    if as_json:
        typer.echo(json.dumps([{"level": t.level, "what": t.what, "words": t.words} for t in told], indent=2))
    levels = {each.level for each in told}
    return 2 if "error" in levels else 1 if "warning" in levels else 0


async def _look(settings: OpenAdrSettings, clock: Clock, *, send_report: bool, quiet: bool) -> list[Told]:
    console = Console(highlight=False, soft_wrap=True)
    probe = Probe(settings, clock, find_ven=settings.ven_name != UNNAMED, send_report=send_report)
    told = []
    async for each in probe.tell():
        told.append(each)
        if not quiet:
            mark = Text(f"{MARKS[each.level]:>5} ", style=COLOURS[each.level])
            console.print(mark + Text(f"{each.what}: {_plain(each.words)}"))
    return told


def _plain(words: str) -> str:
    """A server's words without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)
