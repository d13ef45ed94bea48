"""What `hearth check` tells of a house that runs, but not as it was meant; and files beside the site file that are odd."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.assembly import CONFIG, load_strategies, load_tariff, read_yaml
from gateway.config import SiteFile
from gateway.model.errors import Finding, SiteFileError
from gateway.reload import read_anew, read_site
from gateway.tools import check_site
from tests.site_files import load

SITE = """\
site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: TARIFF}
connections:
  bus: {kind: modbus_tcp, host: 127.0.0.1}
  relays: {kind: mqtt, host: 127.0.0.1}
SOURCES
circuits:
  shed: {fuse_a: 10}
devices:
  meter: {role: main_meter, connection: bus, profile: eastron_sdm630}
  load: {role: LOAD, connection: relays, profile: tasmota_energy, topic: load, circuit: shed, SECTION}
"""
POOL, TANK, WASH = "pool_pump", "water_heater", "appliance"
SOUND = ("pool_pump", "pool_pump: {power_w: 800}")


def written(folder: Path, load: tuple[str, str] = SOUND, tariff: str = "demo_tou", sources: str = "") -> Path:
    path = folder / "home.yaml"
    text = SITE.replace("TARIFF", tariff).replace("SOURCES\n", sources)
    path.write_text(text.replace("LOAD", load[0]).replace("SECTION", load[1]))
    return path


async def checked(path: Path, config: Path = CONFIG) -> list[Finding]:
    return await check_site(path, devices=False, config=config)


async def test_a_sound_site_is_good(tmp_path: Path) -> None:
    assert await checked(written(tmp_path)) == []


@pytest.mark.parametrize(
    ("role", "section", "words"),
    [
        (POOL, "pool_pump: {power_w: 2400}", "draws 2400 W on one phase, more than its fuse of 10 A"),
        (TANK, "water_heater: {power_w: 2400, volume_l: 200}", "more than its fuse of 10 A"),
        (WASH, "appliance: {profile_w: [100, 2400]}", "more than its fuse of 10 A"),
        (POOL, "pool_pump: {power_w: 800, hours_per_day: 2, min_run_h: 3}", "min_run_h of 3 h is more than its 2 hours"),
        (TANK, "water_heater: {power_w: 2000, volume_l: 200, max_temperature_c: 55}",
         "the tank's thermostat stops at 55 °C: it cannot be heated to 60 °C against legionella"),
    ],
    ids=["pool pump", "tank", "appliance", "runs longer than a day's hours", "hygiene out of reach"],
)  # fmt: skip
async def test_a_load_that_does_not_fit_is_told_with_its_place(
    tmp_path: Path, role: str, section: str, words: str
) -> None:
    (finding,) = await checked(written(tmp_path, (role, section)))
    assert words in finding.what and finding.severity == "warning" and finding.remedy
    assert finding.where.startswith(f"{tmp_path}/home.yaml:9: devices.load")


@pytest.mark.parametrize(
    ("tariff", "source", "words"),
    [
        ("nl_dynamic_2023_example", "file: p.csv", ["there is no file"]),
        ("demo_tou", "profile: energy_charts, area: BE", ["no rate of the tariff demo_tou follows the spot price"]),
        ("nl_dynamic_2023_example", "profile: energy_charts, area: NL", []),
    ],
)
async def test_prices_that_are_missing_or_that_nobody_asks_for_are_told(
    tmp_path: Path, tariff: str, source: str, words: list[str]
) -> None:
    found = await checked(written(tmp_path, tariff=tariff, sources=f"  prices: {{kind: prices, {source}}}\n"))
    assert [part in finding.what for part, finding in zip(words, found, strict=True)] == [True] * len(words), found
    assert all("connections.prices" in finding.where for finding in found)


async def test_a_tariff_in_cents_is_told_by_the_check(tmp_path: Path) -> None:
    config = folder_with(tmp_path, "cents", (CONFIG / "tariffs" / "demo_tou.yaml").read_text())
    text = (config / "tariffs" / "cents.yaml").read_text().replace("id: demo_tou", "id: cents")
    (config / "tariffs" / "cents.yaml").write_text(text.replace("import: 0.", "import: 28."))
    found = await checked(written(tmp_path, tariff="cents"), config)
    assert found and all("looks like cents" in finding.what for finding in found)
    assert "cents.yaml: rates[0].import" in found[0].where


# ---- times of day in the site file


@pytest.mark.parametrize("given", ['"08:00Z"', "8", '"8"', '"08:00:30"', '"24:30"', "12.5", "2026-11-21", "true"])
def test_a_pool_hour_that_is_no_local_time_leaves_the_pump_out_with_words(tmp_path: Path, given: str) -> None:
    """Wrong before: "08:00Z" was taken and killed each tick; a bare 8 became eight seconds past midnight."""
    site = load(written(tmp_path, (POOL, f"pool_pump: {{power_w: 800, earliest: {given}}}")))
    (finding,) = site.findings
    assert finding.where == f"{tmp_path}/home.yaml:9: devices.load.pool_pump.earliest"
    assert 'write local time as "HH:MM" in quotes, without a zone' in finding.what
    assert [entry.device.id for entry in site.devices] == ["meter"]


@pytest.mark.parametrize(
    ("given", "hours"),
    [('earliest: "08:00", latest: "24:00"', (8, 0)), ("earliest: 08:00, latest: 20:00", (8, 20)), ("latest: 1080", (0, 18))],
    ids=["to midnight", "without quotes", "as YAML 1.1 reads 18:00"],
)  # fmt: skip
def test_pool_hours_are_read_with_and_without_quotes(tmp_path: Path, given: str, hours: tuple[int, int]) -> None:
    site = load(written(tmp_path, (POOL, f"pool_pump: {{power_w: 800, {given}}}")))
    assert site.findings == ()
    spec = site.devices[1].device.spec
    assert (spec.earliest.hour, spec.latest.hour) == hours  # type: ignore[union-attr]


# ---- files beside the site file


def folder_with(folder: Path, name: str, text: str | bytes, kind: str = "tariffs") -> Path:
    config = folder / "config"
    for each in ("tariffs", "dr", "devices", "sources"):
        shutil.copytree(CONFIG / each, config / each, dirs_exist_ok=True)
    (config / kind / f"{name}.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return config


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just words\n", b"\xff\xfe\x00", "a: " + "9" * 5000, "a: [", "a: \x00"]
)
def test_a_file_that_is_no_map_is_refused_in_words(tmp_path: Path, text: str | bytes) -> None:
    """Wrong before: an emptied tariff was no finding but an error that ended the gateway."""
    path = folder_with(tmp_path, "odd", text) / "tariffs" / "odd.yaml"
    with pytest.raises(SiteFileError) as refused:
        read_yaml(path)
    assert refused.value.findings[0].where == str(path) and refused.value.findings[0].remedy


def test_a_tariff_under_another_name_than_its_file_is_refused(tmp_path: Path) -> None:
    config = folder_with(tmp_path, "mine", (CONFIG / "tariffs" / "demo_tou.yaml").read_text())
    with pytest.raises(SiteFileError, match=r"'demo_tou' is not the file's name\. Write id: mine"):
        load_tariff(config / "tariffs" / "mine.yaml", "EUR")


def held(folder: Path) -> tuple[SiteFile, Path]:
    return read_site(written(folder)), folder_with(
        folder, "default", (CONFIG / "dr" / "default.yaml").read_text(), "dr"
    )


@pytest.mark.parametrize(
    ("kind", "name", "text", "words"),
    [
        ("tariffs", "demo_tou", "", "is empty"),
        ("tariffs", "demo_tou", "- a\n", "is no map"),
        ("dr", "default", "", "is empty"),
        ("dr", "default", "levels: {9: {ev: pause}}\n", "9 is not a level"),
        ("dr", "default", "levels: [1]\n", "expected a table"),
    ],
)
def test_a_reload_of_an_emptied_or_wrong_file_is_refused_and_the_old_one_holds(
    tmp_path: Path, kind: str, name: str, text: str, words: str
) -> None:
    before, config = held(tmp_path)
    assert read_anew(before, config).tariff.id == "demo_tou"
    (config / kind / f"{name}.yaml").write_text(text)
    with pytest.raises(SiteFileError, match=words):
        read_anew(before, config)


def test_the_shipped_strategies_are_sound() -> None:
    assert load_strategies(CONFIG / "dr" / "default.yaml").levels
