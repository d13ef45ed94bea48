"""The command line's tools: what cannot be done is said in words with exit code 2, never as a traceback."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.ocpp.credentials import Credentials, Secret
from adapters.sqlite.store import SqliteStore
from gateway.__main__ import app
from gateway.assembly import KINDS, load_tariff, wire
from gateway.config import load_site
from gateway.folder import hold_folder
from gateway.model.errors import SiteFileError, StoreError
from gateway.tools import check_site, restore_data
from gateway.web.settings import WebSettings
from tests.fakes import FakeClock

ROOT = Path(__file__).resolve().parent.parent
HISTORY = "start,device,import_wh,export_wh\n2025-11-20T10:00:00+00:00,house,120,0\nnonsense\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backup", "{tmp}/b.sqlite", "--data", "{tmp}/nowhere"], "no Hearth database here"),
        (["export", "house", "--data", "{tmp}/nowhere"], "no Hearth database here"),
        (["export", "house", "--data", "{tmp}", "--start", "banana"], "YYYY-MM-DD"),
        (["restore", "{tmp}/nothing.sqlite", "--data", "{tmp}"], "nothing.sqlite"),
        (["probe", "modbus", "127.0.0.1", "--port", "1"], "nobody answers"),
        (["probe", "modbus", "127.0.0.1", "--units", "5-1"], "backwards"),
        (["run", "--site", "config/site/demo.yaml", "--data", "/proc/x"], ""),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, [argument.replace("{tmp}", str(tmp_path)) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert words in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_history_goes_in_out_and_through_a_backup(tmp_path: Path) -> None:
    rows, run = tmp_path / "rows.csv", CliRunner()
    rows.write_text(HISTORY)
    taken = run.invoke(app, ["import", str(rows), "--data", str(tmp_path / "a")])
    assert taken.exit_code == 1 and "line 3" in taken.output
    assert run.invoke(app, ["backup", str(tmp_path / "b.sqlite"), "--data", str(tmp_path / "a")]).exit_code == 0
    assert run.invoke(app, ["restore", str(tmp_path / "b.sqlite"), "--data", str(tmp_path / "c")]).exit_code == 0
    out = run.invoke(app, ["export", "house", "--data", str(tmp_path / "c")])
    assert "2025-11-20T10:00:00+00:00,house,120.0,0.0" in out.output
    unknown = run.invoke(app, ["export", "nobody", "--data", str(tmp_path / "c")])
    assert unknown.exit_code == 2 and "nobody" in unknown.output


def test_one_data_folder_belongs_to_one_gateway(tmp_path: Path) -> None:
    hold_folder(tmp_path)
    with pytest.raises(StoreError, match="another gateway"):
        hold_folder(tmp_path)


def test_a_tariff_in_another_currency_is_refused() -> None:
    tariff = ROOT / "config" / "tariffs" / "demo_tou.yaml"
    assert load_tariff(tariff, "EUR").currency == "EUR"
    with pytest.raises(SiteFileError, match="USD"):
        load_tariff(tariff, "USD")


@pytest.mark.slow
async def test_a_device_left_out_says_so_where_it_is_looked_for(tmp_path: Path) -> None:
    text = (ROOT / "config" / "site" / "example.yaml").read_text().replace("eastron_sdm630", "eastron_sdm631")
    site = tmp_path / "site.yaml"
    site.write_text(text)
    store = SqliteStore.open(tmp_path / "hearth.sqlite")
    try:
        wired = wire(load_site(site, KINDS, WebSettings), store, FakeClock(), lambda device, what: None)
    finally:
        await store.close()
    assert "no such Modbus device profile" in wired.left_out["grid_meter"]
    assert [f.what for f in wired.findings if "grid_meter" in f.where]


def test_restoring_keeps_the_former_database_whole_with_what_only_its_log_holds(tmp_path: Path) -> None:
    """Wrong before: the log was deleted, and with it everything a killed gateway had committed last."""
    data, saved = tmp_path / "data", tmp_path / "backup.sqlite"
    script = (
        "import asyncio, os, sys; from pathlib import Path; from adapters.sqlite.store import SqliteStore\n"
        "async def go(path):\n"
        "    store = SqliteStore.open(path); await store.put('word', {'is': 'kept'}); os._exit(9)\n"
        "asyncio.run(go(Path(sys.argv[1])))"
    )
    data.mkdir()
    subprocess.run([sys.executable, "-c", script, str(data / "hearth.sqlite")], cwd=ROOT, check=False)
    other = SqliteStore.open(tmp_path / "other.sqlite")
    asyncio.run(_backed_up(other, saved))
    kept = restore_data(saved, data)
    assert kept is not None
    assert (
        asyncio.run(_fact(kept, "word")) == {"is": "kept"}
        and asyncio.run(_fact(data / "hearth.sqlite", "word")) is None
    )


@pytest.mark.slow
def test_the_hubs_certificates_go_with_a_backup_and_come_back_readable_by_their_owner_alone(tmp_path: Path) -> None:
    run, keys = CliRunner(), tmp_path / "a" / "pki"
    (tmp_path / "rows.csv").write_text(HISTORY)
    run.invoke(app, ["import", str(tmp_path / "rows.csv"), "--data", str(tmp_path / "a")])
    keys.mkdir()
    (keys / "ca.key").write_text("the key of then")
    assert run.invoke(app, ["backup", str(tmp_path / "b.sqlite"), "--data", str(tmp_path / "a")]).exit_code == 0
    (keys / "ca.key").write_text("another key")
    assert run.invoke(app, ["restore", str(tmp_path / "b.sqlite"), "--data", str(tmp_path / "a")]).exit_code == 0
    assert (keys / "ca.key").read_text() == "the key of then"
    assert stat.S_IMODE((keys / "ca.key").stat().st_mode) == 0o600
    (former,) = (tmp_path / "a").glob("pki.before-restore-*")
    assert (former / "ca.key").read_text() == "another key"


def test_a_database_is_not_restored_from_itself(tmp_path: Path) -> None:
    """Wrong before: it was renamed away first, and then nothing was there to copy."""
    asyncio.run(_backed_up(SqliteStore.open(tmp_path / "hearth.sqlite"), tmp_path / "b.sqlite"))
    with pytest.raises(StoreError, match="is the database of"):
        restore_data(tmp_path / "hearth.sqlite", tmp_path)
    assert (tmp_path / "hearth.sqlite").is_file() and stat.S_IMODE((tmp_path / "b.sqlite").stat().st_mode) == 0o600


async def _backed_up(store: SqliteStore, target: Path) -> None:
    await store.backup(target)
    await store.close()


async def _fact(path: Path, key: str) -> object:
    store = SqliteStore.open(path)
    try:
        return await store.get(key)
    finally:
        await store.close()


CHARGER_SITE = """\
site: {name: Home, timezone: Europe/Brussels, latitude: 50.85, longitude: 4.35, main_fuse_a: 25, tariff: demo_tou}
connections:
  bus: {kind: modbus_tcp, host: 127.0.0.1}
  chargers: {kind: ocpp, port: 0, uploads_port: null}
devices:
  meter: {role: main_meter, connection: bus, profile: eastron_sdm630}
  car: {role: ev_charger, connection: chargers, charge_point_id: CP_1, security_profile: 2}
"""


async def test_a_password_that_nobody_knows_is_told_unless_the_charger_was_adopted_with_one(tmp_path: Path) -> None:
    site, data = tmp_path / "home.yaml", tmp_path / "data"
    site.write_text(CHARGER_SITE)
    data.mkdir()
    for folder in (None, data):
        (finding,) = await check_site(site, devices=False, data=folder)
        assert finding.where == f"{site}:7: devices.car.security_profile"
        assert "none is known" in finding.what and "!secret" in finding.remedy
    store = SqliteStore.open(data / "hearth.sqlite")
    await Credentials(store).adopt("CP_1", Secret.of(b"a password of its own"))
    await store.close()
    assert await check_site(site, devices=False, data=data) == []


@pytest.mark.parametrize(
    "more",
    [
        "security_profile: 2, password: long enough to be one",
        "security_profile: 3",
        "version: '1.6', security_profile: 0",
    ],
)
async def test_a_charger_that_can_come_in_is_good(tmp_path: Path, more: str) -> None:
    site = tmp_path / "home.yaml"
    site.write_text(CHARGER_SITE.replace("security_profile: 2", more))
    assert await check_site(site, devices=False) == []


async def test_a_charger_of_which_nothing_is_asked_is_said_to_be_so(tmp_path: Path) -> None:
    """Profile 0 is for whoever writes it: nobody comes to it by leaving a line out unawares."""
    site = tmp_path / "home.yaml"
    site.write_text(CHARGER_SITE.replace(", security_profile: 2", ""))
    (finding,) = await check_site(site, devices=False)
    assert finding.severity == "warning" and "whoever is in the home's network" in finding.what
    assert "security_profile: 0" in finding.remedy
