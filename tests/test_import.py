"""`hearth import`: corrections stay, what follows is made anew, what cannot be taken is named, and out is in again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import Result
from typer.testing import CliRunner

from adapters.sqlite.store import SqliteStore
from gateway.__main__ import app
from gateway.assembly import KINDS
from gateway.config import load_site
from gateway.folder import DATABASE, hold_folder
from gateway.model.reading import Interval, IntervalQuality
from gateway.runtime.energy import EnergyDay, EnergyHistory
from gateway.web.settings import WebSettings
from tests.fakes import FakeClock

T = TypeVar("T")
Q = IntervalQuality
HEADER = "start,device,import_wh,export_wh"
MIDNIGHT = datetime(2025, 10, 25, 22, tzinfo=UTC)
"""Begin of 26 October 2025 in Brussels, which has 25 hours."""
DAY = MIDNIGHT, MIDNIGHT + timedelta(hours=25)
SITE = """
site: {name: Home, timezone: Europe/Brussels, latitude: 50.8, longitude: 4.3, currency: EUR, phases: 3, main_fuse_a: 25,
  tariff: demo_tou}
connections: {bus: {kind: modbus_tcp, host: 127.0.0.1}}
devices:
  grid: {name: Main meter, role: main_meter, connection: bus, profile: eastron_sdm630, unit: 1}
  pv: {name: Roof, role: pv, connection: bus, profile: sunspec, unit: 2}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def line(device: str, index: int, taken: object, given: object = 0) -> str:
    return f"{(MIDNIGHT + timedelta(minutes=15 * index)).isoformat()},{device},{taken},{given}"


def bring(folder: Path, lines: list[str], *options: str, code: int = 0) -> Result:
    file = folder / "rows.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n")
    result = CliRunner().invoke(app, ["import", str(file), "--data", str(folder / "data"), *options])
    assert result.exit_code == code, result.output
    return result


def ask(folder: Path, question: Callable[[SqliteStore], Coroutine[Any, Any, T]]) -> T:
    async def asked() -> T:
        store = SqliteStore.open(folder / "data" / DATABASE)
        try:
            return await question(store)
        finally:
            await store.close()

    return asyncio.run(asked())


def kept(folder: Path, device: str) -> list[Interval]:
    return ask(folder, lambda store: store.intervals(device, *DAY))


def a_day_of(*devices: str) -> list[str]:
    """100 quarter hours: 400 Wh from the grid, 100 Wh from the roof."""
    rows = {"grid": (400.5, 0), "pv": (0, 100.25), "house": (77, 0), "solar": (0, 55)}
    return [line(device, index, *rows[device]) for index in range(100) for device in devices]


def energy_of(folder: Path, site: Path) -> EnergyDay:
    home = load_site(site, KINDS, WebSettings).site
    clock = FakeClock(MIDNIGHT + timedelta(days=3))
    return ask(folder, lambda store: EnergyHistory(home, clock, store).day(date(2025, 10, 26)))


def test_imported_history_has_its_house_its_solar_and_where_the_energy_came_from(tmp_path: Path, site: Path) -> None:
    told = bring(tmp_path, a_day_of("grid", "pv"), "--site", str(site))
    assert "200 intervals of house and solar made anew" in told.output
    assert {row.import_wh for row in kept(tmp_path, "house")} == {500.75}
    assert {row.export_wh for row in kept(tmp_path, "solar")} == {100.25}
    day = energy_of(tmp_path, site)
    assert (day.quarters, day.missing, day.grid_wh, day.solar_wh) == (100, 0, 40_050.0, pytest.approx(10_025.0))
    assert [(c.device, c.energy_wh) for c in day.consumers] == [("house", pytest.approx(50_075.0))]


def test_without_the_site_file_it_is_said_what_is_not_made_and_running_again_makes_it(
    tmp_path: Path, site: Path
) -> None:
    first = bring(tmp_path, a_day_of("grid", "pv"))
    assert "run again with --site" in first.output
    assert kept(tmp_path, "house") == []
    again = bring(tmp_path, a_day_of("grid", "pv"), "--site", str(site))
    assert "200 intervals imported (200 stood so already)" in again.output
    assert len(kept(tmp_path, "house")) == 100
    (only,) = ask(tmp_path, lambda store: store.interval_history("grid", MIDNIGHT))
    assert only.method == "imported"


def test_house_and_solar_of_the_file_stand_as_they_came(tmp_path: Path, site: Path) -> None:
    bring(tmp_path, a_day_of("grid", "house", "pv"), "--site", str(site))
    assert {(row.import_wh, row.method) for row in kept(tmp_path, "house")} == {(77.0, "imported")}
    assert {(row.export_wh, row.method) for row in kept(tmp_path, "solar")} == {(100.25, "sum of panels")}
    assert energy_of(tmp_path, site).missing == 0


def test_what_a_person_corrected_stays_and_is_counted(tmp_path: Path, site: Path) -> None:
    bring(tmp_path, a_day_of("grid", "pv"), "--site", str(site))
    edited = [
        Interval("grid", MIDNIGHT + timedelta(minutes=15 * i), 900, 900.0, 0.0, Q.EDITED, "edited by owner: swapped")
        for i in range(3)
    ]
    ask(tmp_path, lambda store: store.save_intervals(edited))
    told = bring(tmp_path, [line("grid", i, 123) for i in range(5)], "--site", str(site), code=1)
    assert "3 rows left out: corrected by a person; undo the correction first" in told.output
    assert [row.import_wh for row in kept(tmp_path, "grid")[:6]] == [900.0] * 3 + [123.0] * 2 + [400.5]
    house = kept(tmp_path, "house")[3]
    assert (house.import_wh, house.method) == (223.25, "grid minus parts"), "made anew with the new row"


def test_past_days_are_packed_at_once_so_that_a_year_reads_quickly(tmp_path: Path) -> None:
    bring(tmp_path, a_day_of("grid", "pv"))
    file = sqlite3.connect(tmp_path / "data" / DATABASE)
    try:
        packed, loose = (
            file.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("interval_days", "intervals")
        )
    finally:
        file.close()
    assert packed >= 2 and loose < 20


def test_a_device_that_the_site_file_gets_wrong_is_told(tmp_path: Path, site: Path) -> None:
    site.write_text(SITE.replace("role: pv", "role: roof"))
    told = bring(tmp_path, a_day_of("grid", "pv"), "--site", str(site), code=1)
    assert "devices.pv" in told.output and "no device 'pv'" in told.output


def test_one_import_leaves_one_audit_row(tmp_path: Path) -> None:
    bring(tmp_path, a_day_of("grid", "pv"))
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    (row,) = ask(tmp_path, lambda store: store.audit(begin, end))
    assert row.source == "interval data"
    assert row.text.startswith(
        "command line imports 200 rows of grid, pv from rows.csv, 25 Oct 2025 22:00 to 26 Oct 2025"
    )


@pytest.mark.slow
def test_what_was_exported_can_be_imported_to_a_thousandth_of_a_wh(tmp_path: Path) -> None:
    bring(tmp_path, [line("grid", 0, 100.1236, 0.001), line("grid", 1, "", 7), line("grid", 3, 1e-7)])
    gap = Interval("grid", MIDNIGHT + timedelta(minutes=30), 900, None, None, Q.MISSING, "nothing measured")
    ask(tmp_path, lambda store: store.save_intervals([gap]))
    run, other = CliRunner(), tmp_path / "other.csv"
    other.write_text(run.invoke(app, ["export", "grid", "--data", str(tmp_path / "data")]).stdout)
    assert run.invoke(app, ["import", str(other), "--data", str(tmp_path / "b" / "data")]).exit_code == 0
    rows = [(row.start.minute, row.import_wh, row.export_wh) for row in kept(tmp_path / "b", "grid")]
    assert rows == [(0, 100.124, 0.001), (15, None, 7.0), (45, 0.0, 0.0)]


@pytest.mark.parametrize("minutes", [5, 30, 60])
def test_an_export_of_another_length_is_not_taken_for_quarter_hours(tmp_path: Path, minutes: int) -> None:
    bring(tmp_path, a_day_of("grid"))
    run, hours = CliRunner(), tmp_path / "hours.csv"
    arguments = ["export", "grid", "--data", str(tmp_path / "data"), "--resolution", str(minutes)]
    hours.write_text(run.invoke(app, arguments).stdout)
    told = run.invoke(app, ["import", str(hours), "--data", str(tmp_path / "b")])
    assert told.exit_code == 1 and "the intervals are not of 15 minutes" in told.output
    assert not (tmp_path / "b").exists()


def test_hourly_rows_of_a_portal_are_refused_as_a_whole(tmp_path: Path) -> None:
    told = bring(tmp_path, [line("grid", 4 * i, 100) for i in range(24)], code=1)
    assert "60 minutes or more apart" in told.output and "0 intervals imported" in told.output


def test_a_device_that_the_site_does_not_have_is_named(tmp_path: Path, site: Path) -> None:
    told = bring(tmp_path, [line("gird", 0, 100), line("grid", 0, 100)], "--site", str(site), code=1)
    assert "line 2: there is no device 'gird' in the site file" in told.output
    assert "1 intervals imported" in told.output


def test_a_file_that_is_no_text_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    told = CliRunner().invoke(app, ["import", str(tmp_path / "rows.csv"), "--data", str(tmp_path / "data")])
    assert told.exit_code == 1 and "not UTF-8" in told.output and "Traceback" not in told.output


def test_beside_a_running_gateway_nothing_is_written_and_it_is_said(tmp_path: Path) -> None:
    bring(tmp_path, a_day_of("grid"))
    hold_folder(tmp_path / "data")
    told = bring(tmp_path, [line("grid", 0, 1)], code=2)
    assert "another gateway uses this data folder. Mend: stop it" in told.output.replace("\n", " ")
    assert kept(tmp_path, "grid")[0].import_wh == 400.5
