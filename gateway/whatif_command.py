"""`hearth whatif`: replay the home's stored history under another tariff or with other devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.model.reading import INTERVAL_S
from gateway.model.whatif import Answer, Control, Flows, Question

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from adapters.sqlite.store import SqliteStore
    from gateway.core.planning.whatif_record import History
    from gateway.model.preferences import Preferences
    from gateway.model.series import Series
    from gateway.model.site import Site

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config"


@dataclass(frozen=True, slots=True)
class Asking:
    """Where to look, and what of."""

    site: Path
    data: Path
    config: Path
    tariff: str | None
    days: int
    now: datetime


def whatif(
    site: Annotated[Path, typer.Option("--site", help="The site file of the home")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the database")] = Path("data"),
    tariff: Annotated[str | None, typer.Option(help="A tariff of config/tariffs; not said: the home's own")] = None,
    pv_kwp: Annotated[float, typer.Option(help="Panels added, kWp", min=0, max=100)] = 0.0,
    battery_kwh: Annotated[float, typer.Option(help="Battery added, kWh", min=0, max=200)] = 0.0,
    battery_kw: Annotated[float | None, typer.Option(help="Its power, kW; not said: half its kWh", min=0.1)] = None,
    ev: Annotated[float, typer.Option(help="A car added that takes so many kWh each night", min=0, max=150)] = 0.0,
    ev_kw: Annotated[float, typer.Option(help="Power of its charger, kW", min=1.4, max=22)] = 11.0,
    heat_pump: Annotated[float, typer.Option(help="A heat pump added, electric kW", min=0, max=20)] = 0.0,
    days: Annotated[int, typer.Option(help="Days of history to replay", min=28, max=400)] = 365,
    control: Annotated[Control, typer.Option(help="Who controls the home in the replay")] = Control.PLAN,
    config: Annotated[Path, typer.Option("--config", hidden=True)] = CONFIG,
    home_epoch: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """What the home's own past would have cost under another tariff, or with panels, battery, car or heat pump added."""
    from rich.console import Console
    from rich.progress import Progress

    from gateway.model.errors import HearthError, SiteFileError
    from gateway.runtime.system_clock import SystemClock

    now = datetime.fromisoformat(home_epoch).astimezone(UTC) if home_epoch else SystemClock().now()
    question = Question(
        None, pv_kwp, battery_kwh, battery_kw, ev, ev_kw=ev_kw, heat_pump_kw=heat_pump, control=control
    )  # fmt: skip
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with Progress(console=console) as progress:
            task = progress.add_task("replaying", total=1.0)
            answer = answered(
                Asking(site, data, config, tariff, days, now), question, _telling(progress, task), console.print
            )
    except SiteFileError as error:
        for finding in error.findings:
            console.print(f"[red]{finding}[/]")
        raise typer.Exit(2) from error
    except HearthError as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(2) from error
    for line in lines(answer):
        typer.echo(line)


def _telling(progress: Progress, task: TaskID) -> Callable[[float], bool]:
    def told(share: float) -> bool:
        progress.update(task, completed=share)
        return True

    return told


def answered(asking: Asking, question: Question, told: Callable[[float], bool], say: Callable[[str], None]) -> Answer:
    """Read the history and replay it; raises SiteFileError, StoreError and WishRefused."""
    from adapters.sqlite.store import SqliteStore
    from gateway.assembly import KINDS, load_tariff
    from gateway.config import load_site
    from gateway.core.planning.twin import Setup
    from gateway.core.planning.whatif import ask
    from gateway.folder import DATABASE
    from gateway.model.errors import StoreError
    from gateway.site_tariff import load_site_tariff
    from gateway.web.settings import WebSettings

    site_file = load_site(asking.site, KINDS, WebSettings)
    for finding in site_file.findings:
        say(f"[yellow]{finding}[/]")
    home = site_file.site
    own = load_site_tariff(site_file, asking.config)
    own = own.on(asking.now.astimezone(own.timezone).date())
    if asking.tariff is not None:
        other = load_tariff(asking.config / "tariffs" / f"{asking.tariff}.yaml", home.currency)
        question = replace(question, tariff=other)
    database = asking.data / DATABASE
    if not database.is_file():
        raise StoreError(f"{asking.data}: there is no Hearth database here. Mend: name the gateway's folder (--data)")
    past, wishes, spot = asyncio.run(_past(SqliteStore.open_beside(database), home, asking))
    return ask(Setup(home, own, wishes), past, question, spot, told)


async def _past(store: SqliteStore, home: Site, asking: Asking) -> tuple[History, Preferences, Series | None]:
    """The history up to its last quarter hour, the owner's preferences, and the market prices kept of that time."""
    from gateway.model.series import SeriesKind
    from gateway.runtime.series_archive import SeriesArchive
    from gateway.runtime.system_clock import SystemClock
    from gateway.runtime.whatif import read_history
    from gateway.runtime.wishes import kept_preferences

    end = datetime.fromtimestamp(asking.now.timestamp() // INTERVAL_S * INTERVAL_S, UTC)
    try:
        kept = await kept_preferences(store, asking.now)
        past = await read_history(home, store, end - timedelta(days=asking.days), end)
        spot = await SeriesArchive(SystemClock(), store).between(SeriesKind.SPOT, past.start, end)
    finally:
        await store.close()
    return past, kept, spot


def lines(answer: Answer) -> list[str]:
    """The answer as a person reads it at the terminal."""
    unit = answer.currency

    def money(micro: float) -> str:
        return f"{micro / 1e6:,.2f} {unit}"

    gap = "" if answer.gap_percent is None else f" (the meter's own bill: {money(answer.real.micro)}, {answer.gap_percent:+.1f} % by the replay)"  # fmt: skip
    result = [
        f"{answer.days:.0f} days replayed, {100 * answer.missing_share:.1f} % of the data missing",
        f"as it is      {money(answer.now.micro):>16}{gap}",
        f"as asked      {money(answer.then.micro):>16}",
        f"difference    {money(answer.micro):>16}   80 % of such years: {money(answer.low_micro)} to {money(answer.high_micro)}",
        f"per 365 days  {money(answer.year_micro):>16}",
        f"peak import   {answer.peak_now_w / 1000:.1f} kW -> {answer.peak_then_w / 1000:.1f} kW",
        *_flow_lines(answer.flows_now, answer.flows_then),
        *_month_lines(answer),
        *answer.notes,
    ]
    if answer.missed_departures:
        result.append(f"{answer.missed_departures} departures would have been missed.")
    if answer.cold_k_h > 1:
        result.append(f"The home would have been too cold for {answer.cold_k_h:.0f} kelvin hours.")
    return result


def _flow_lines(now: Flows, then: Flows) -> list[str]:
    names = (
        ("bought", now.import_wh, then.import_wh), ("sold", now.export_wh, then.export_wh),
        ("panels", now.solar_wh, then.solar_wh), ("into batteries", now.charged_wh, then.charged_wh),
        ("cars", now.cars_wh, then.cars_wh), ("heat pump", now.heat_wh, then.heat_wh),
    )  # fmt: skip
    return [f"{name:13} {a / 1000:9,.0f} kWh -> {b / 1000:,.0f} kWh" for name, a, b in names if a or b]


def _month_lines(answer: Answer) -> list[str]:
    return [f"{m.month:%Y-%m}   {m.now_micro / 1e6:10,.2f} -> {m.then_micro / 1e6:10,.2f}" for m in answer.months]
