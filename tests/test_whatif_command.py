"""`hearth whatif`: from imported history to the answer at the terminal, and words for what cannot be asked."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from adapters.sqlite.store import SqliteStore
from gateway.__main__ import app as hearth
from gateway.folder import DATABASE
from gateway.model.preferences import Preferences
from gateway.model.series import Point, Series, SeriesKind
from gateway.runtime.series_archive import SeriesArchive
from gateway.runtime.wish_documents import preferences_document
from gateway.runtime.wishes import kept_preferences
from gateway.tariff_folder import TariffFolder
from gateway.whatif_command import CONFIG, whatif
from tests.fakes import FakeClock
from tests.site_files import GOOD

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a main meter only and 30 days of history."""
    root = tmp_path_factory.mktemp("whatif")
    start, lines = NOW - timedelta(days=DAYS), ["start,device,import_wh,export_wh"]
    for quarter in range(DAYS * 96):
        at = (start + timedelta(minutes=15 * quarter)).isoformat()
        used = 100.0 + 80.0 * (quarter % 96 > 70)
        lines += [f"{at},house,{used},0", f"{at},grid_meter,{used},0"]
    (root / "rows.csv").write_text("\n".join(lines) + "\n")
    text = GOOD.split("  inverter:\n")[0]
    (root / "site.yaml").write_text(text)
    done = CliRunner().invoke(
        hearth, ["import", str(root / "rows.csv"), "--data", str(root / "data"), "--home-epoch", NOW.isoformat()]
    )
    assert done.exit_code == 0, done.output
    return root


def ask(folder: Path, *options: str) -> Result:
    own = typer.Typer()
    own.command()(whatif)
    places = ["--site", str(folder / "site.yaml"), "--data", str(folder / "data"), "--home-epoch", NOW.isoformat()]
    return CliRunner().invoke(own, [*places, *options])


@pytest.mark.slow
def test_added_panels_are_told_with_bills_doubt_and_what_they_rest_on(folder: Path) -> None:
    told = ask(folder, "--pv-kwp", "3", "--control", "self-consumption")
    assert told.exit_code == 0, told.output
    assert "30 days replayed, 0.0 % of the data missing" in told.stdout
    assert "the meter's own bill" in told.stdout and "+0.0 % by the replay" in told.stdout
    assert "80 % of such years" in told.stdout
    assert "nothing measured the sun here" in told.stdout
    difference = next(line for line in told.stdout.splitlines() if line.startswith("difference"))
    assert float(difference.split()[1].replace(",", "")) < 0


@pytest.mark.slow
def test_another_tariff_changes_the_bill(folder: Path) -> None:
    told = ask(folder, "--tariff", "be_flanders_capacity_example", "--control", "none")
    assert told.exit_code == 0, told.output
    assert "2026-10" in told.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tariff", "uk_agile_example"], "counts in GBP"),
        (["--tariff", "nowhere"], "nowhere"),
        (["--data", "nowhere"], "no Hearth database"),
        (["--days", "5"], "28"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(folder: Path, options: list[str], words: str) -> None:
    told = ask(folder, *options)
    assert told.exit_code == 2
    assert words in told.output and "Traceback" not in told.output


def test_only_tariffs_in_the_homes_currency_are_offered() -> None:
    tariffs = TariffFolder(CONFIG / "tariffs", "EUR")
    assert "demo_tou" in tariffs.names()
    assert "uk_agile_example" not in tariffs.names()
    assert tariffs.load("demo_tou").currency == "EUR"


async def _told_of(database: Path, start: datetime, micro_per_kwh: float) -> None:
    """Keep a market price for all the days of the history, as the running gateway does."""
    hours = tuple(
        Point(start + timedelta(hours=h), start + timedelta(hours=h + 1), micro_per_kwh) for h in range(24 * DAYS)
    )
    store = SqliteStore.open(database)
    try:
        await SeriesArchive(FakeClock(NOW), store).keep(Series(SeriesKind.SPOT, hours, "day_ahead", NOW, "EUR"))
    finally:
        await store.close()


@pytest.mark.slow
def test_a_dynamic_tariff_is_replayed_at_the_market_prices_that_were_kept(folder: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(folder, tmp_path / "home"))
    bills = []
    for price in (None, 1_000_000.0):
        if price is not None:
            asyncio.run(_told_of(home / "data" / DATABASE, NOW - timedelta(days=DAYS), price))
        told = ask(home, "--tariff", "nl_dynamic_2023_example", "--control", "none")
        assert told.exit_code == 0, told.output
        line = next(line for line in told.stdout.splitlines() if line.startswith("as asked"))
        bills.append(float(line.split()[2].replace(",", "")))
    assert bills[1] > 2 * bills[0], "a euro per kWh, not the tariff's typical price"


def test_stored_wishes_out_of_bounds_are_bounded_as_the_gateway_does(tmp_path: Path) -> None:
    """Wrong before: an earlier version's "away until 9999" was replayed as it stood, and no day had a next one."""

    async def kept(document: dict[str, object]) -> Preferences:
        store = SqliteStore.open(tmp_path / f"{len(document)}.db")
        try:
            await store.put("preferences", document)
            return await kept_preferences(store, NOW)
        finally:
            await store.close()

    away = preferences_document(Preferences()) | {"vacation_until": "9999-12-31T23:59:59+00:00"}
    assert asyncio.run(kept(away)).vacation_until == NOW + timedelta(days=400)
    assert asyncio.run(kept({"charging": 5})) == Preferences()
