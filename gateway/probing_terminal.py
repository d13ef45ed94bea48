"""`hearth probe` at a terminal: a progress bar on stderr, what is found on stdout as it is found, live values."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from adapters.modbus.probe import Progress as Step
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.ports import Clock
from gateway.probing import Found, Picture, Place, as_json, in_words, scan, snippet, watch

NOTHING_FOUND = 1


def run_probe(place: Place, units: Sequence[int], clock: Clock, *, json: bool) -> int:
    """Scan a place and print what is there; exit code 0, or 1 when nothing answered. Raises DeviceError."""
    found = asyncio.run(_scan(place, units, clock, quiet=json))
    if json:
        typer.echo(as_json(found))
    elif found:
        lines = snippet(found)
        typer.echo("\n".join(["", "For the site file:", *lines] if lines else []))
    if not found:
        words = f"nothing answered at {place} on the {len(units)} unit ids asked"
        hint = "Check power, wiring, unit id, speed and parity" if place.serial else TCP_HINT
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]{words}.[/] {hint}.")
        return NOTHING_FOUND
    return 0


TCP_HINT = (
    "Either no device has such a unit id (try --units 1-247), or the port does not speak Modbus TCP "
    "(a converter may want --framing rtu), or another client holds the only connection it allows"
)


async def _scan(place: Place, units: Sequence[int], clock: Clock, *, quiet: bool) -> list[Found]:
    console = Console(stderr=True)
    count = TextColumn("{task.fields[found]} found")
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    found: list[Found] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("connecting", total=None, found=0)
        try:
            async for each in scan(place, units, clock, lambda step: _advance(bar, task, step, len(found))):
                found.append(each)
                if not quiet:
                    typer.echo("\n".join(in_words(each.result)))
        except DeviceUnreachable as error:
            if not found:
                raise
            console.print(f"the scan ended early: {error}", markup=False)
    return found


def _advance(bar: Progress, task: TaskID, step: Step, found: int) -> None:
    description = f"unit {step.unit}: {step.what}"
    bar.update(task, description=description, completed=step.done, total=step.total, found=found)


def run_watch(place: Place, units: Sequence[int], clock: Clock, profile: str) -> None:
    """Show one device's values until Ctrl-C: of the profile given, or the best one found. Raises HearthError."""
    asyncio.run(_watch(place, units, clock, profile))


async def _watch(place: Place, units: Sequence[int], clock: Clock, profile: str) -> None:
    settings, unit = place.settings(), units[0]
    if not profile:
        found = [each for each in await _scan(place, units, clock, quiet=True) if each.result.profile]
        if not found:
            raise DeviceUnreachable(str(place), "find a device", "no device with a known profile answered",
                                    "Name one: --profile eastron_sdm630 --units 1")  # fmt: skip
        settings, unit, profile = found[0].settings, found[0].result.unit, found[0].result.profile
    console = Console()
    title = f"unit {unit} at {place}, profile {profile}"
    if not console.is_terminal:
        typer.echo(title)
        async for picture in watch(settings, unit, profile, clock):
            typer.echo("\n".join(_plain(picture)))
        return
    with Live(console=console, auto_refresh=False) as live:
        async for picture in watch(settings, unit, profile, clock):
            live.update(_table(title, picture), refresh=True)


def _plain(picture: Picture) -> list[str]:
    wiring = [f"! {finding}" for finding in picture.findings]
    values = " ".join(f"{r.quantity.value}={_value(r)}" for r in picture.readings)
    return [*wiring, picture.error] if picture.error else [*wiring, values]


def _value(reading: Reading) -> str:
    if reading.value is None or reading.quality is not Quality.VALID:
        return f"{reading.quality.value} ({reading.reason})"
    return f"{reading.value:.{2 if reading.quantity in FINE else 1}f}"


FINE = (Quantity.FREQUENCY, Quantity.CURRENT_L1, Quantity.CURRENT_L2, Quantity.CURRENT_L3)


def _table(title: str, picture: Picture) -> Table:
    table = Table(title=title, caption=picture.error or "\n".join(map(str, picture.findings)) or "Ctrl-C ends")
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("at")
    for reading in picture.readings:
        table.add_row(reading.quantity.value, _value(reading), reading.quantity.unit, f"{reading.time:%H:%M:%S}")
    return table
