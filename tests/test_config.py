"""The site file: a sound one becomes the site, and every mistake is named with its line and its remedy."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import pytest

from gateway.assembly import CONFIG
from gateway.model.errors import SiteFileError
from gateway.model.site import BatterySpec, ChargerSpec, Role
from gateway.site_tariff import load_site_tariff
from tests.site_files import GOOD, changed, line_of, load, refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.yaml"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "holds no sections"), (b"site: \xff\n", "is not UTF-8 text"), (b"site: a\x00\n", "a character that YAML"),
     ("site: Müller".encode("latin-1"), "is not UTF-8 text"), (b"", "holds no sections")],
    ids=["byte order mark", "no text", "zero byte", "another alphabet", "empty"],
)  # fmt: skip
def test_a_file_that_is_no_text_is_named_in_words_for_people(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    (finding,) = refused(path)
    assert finding.where == str(path)
    assert words in finding.what
    assert finding.remedy


def test_text_without_quotes_that_reads_as_a_number_is_told_to_be_quoted(path: Path) -> None:
    (finding,) = refused(path, GOOD.replace("name: Home", "name: 12"))
    assert finding.where == f"{path}:2: site.name"
    assert finding.remedy == 'Quote it: "12".'


def test_a_good_file_becomes_the_site_and_its_settings(path: Path) -> None:
    site_file = load(path, GOOD)
    assert site_file.findings == ()
    assert [(e.device.id, e.device.name, e.device.role, e.connection) for e in site_file.devices] == [
        ("grid_meter", "grid_meter", Role.MAIN_METER, "bus"),
        ("inverter", "Solar and battery", Role.HYBRID_INVERTER, "bus"),
        ("car", "car", Role.EV_CHARGER, "chargers"),
    ]
    assert site_file.devices[1].line == line_of(GOOD, "inverter:")
    assert site_file.site.devices[2].spec == ChargerSpec()


def test_one_device_under_two_names_is_named(path: Path) -> None:
    twin = "  twin: {role: sub_meter, connection: bus, profile: eastron_sdm630}\n"
    text = GOOD.replace("  grid_meter:", twin + "  grid_meter:")
    findings = load(path, text).findings
    assert any("is the same device as 'twin'" in str(finding) for finding in findings), findings


def test_a_mistake_of_the_site_hides_none_of_the_others(path: Path) -> None:
    text = GOOD.replace("timezone: Europe/Brussels", "timezone: Europe/Brusels").replace(
        "kind: modbus_tcp", "kind: modbus_tpc", 1
    )
    with pytest.raises(SiteFileError) as caught:
        load(path, text)
    words = " ".join(str(finding) for finding in caught.value.findings)
    assert "unknown time zone" in words and "Did you mean 'modbus_tcp'?" in words


def test_a_main_meter_may_be_called_grid(path: Path) -> None:
    site_file = load(path, GOOD.replace("  grid_meter:", "  grid:"))
    assert site_file.devices[0].device.id == "grid" and not site_file.findings


def test_wear_cost_is_turned_from_currency_per_kwh_to_micro_per_wh(path: Path) -> None:
    text = changed("      max_discharge_w: 5000\n", "      max_discharge_w: 5000\n      wear_cost_per_kwh: 0.05\n")
    spec = load(path, text).site.devices[1].spec
    assert isinstance(spec, BatterySpec) and spec.wear_cost_micro_per_wh == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("old", "new", "marker", "words"),
    [
        ("    profile: eastron_sdm630", "    profle: eastron_sdm630", "profle", "unknown key 'profle'. Did you mean 'profile'?"),
        ("role: main_meter", "role: main_metre", "grid_meter:", "unknown role 'main_metre'. Did you mean 'main_meter'?"),
        ("role: main_meter\n    connection: bus", "role: main_meter\n    connection: buss", "grid_meter:", "unknown connection 'buss'. Did you mean 'bus'?"),
        ("kind: modbus_tcp", "kind: modbus_tpc", "bus:", "unknown kind of connection 'modbus_tpc'. Did you mean 'modbus_tcp'?"),
        ("role: main_meter\n    connection: bus", "role: main_meter\n    connection: utility", "grid_meter:", "'utility' carries no devices"),
        ("eastron_sdm630", "eastron_sdm630\n    unit: one", "unit: one", "valid integer"),
        ("    profile: eastron_sdm630\n", "", "role: main_meter", "profile: is missing. Add it: Name of a device profile"),
        ("eastron_sdm630", "eastron_sdm630\n    battery: {capacity_wh: 1}", "battery: {", "does not fit the role main_meter"),
        ("capacity_wh: 10000", "capacity_kwh: 10", "capacity_kwh", "Did you mean 'capacity_wh'?"),
        ("capacity_wh: 10000", "capacity_wh: -1", "capacity_wh", "greater than 0 (given: -1). capacity_wh: Usable capacity, Wh."),
        ("phases: [1, 2, 3]", "phases: []", "phases:", "at least 1 item"),
        ("phases: [1, 2, 3]", "phases: [1, 4]", "phases:", "less than or equal to 3"),
        ("phases: [1, 2, 3]", "phases: [1, 1]", "phases:", "phase twice"),
        ("phases: [1, 2, 3]", "safe_current_a: 4", "safe_current_a", "safe_current_a must be 0, or between"),
        ("phases: [1, 2, 3]", "min_current_a: 17", "min_current_a", "must not be above max_current_a"),
        ("  car:", "  solar:", "solar:", "cannot be a device's id"),
        ("  car:", "  grid:", "grid:", "cannot be the id of a ev_charger: it means the home's main_meter"),
        ("  car:", "  my/car:", "my/car:", "cannot be a device's id"),
        ("web:", "wbe:", "wbe:", "unknown key 'wbe'. Did you mean 'web'?"),
        ("port: 8080", "port: 99999", "port: 99999", "less than or equal to 65535"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_remedy(path: Path, old: str, new: str, marker: str, words: str) -> None:
    text = changed(old, new)
    found = [str(finding) for finding in load(path, text).findings]
    where = f"home.yaml:{line_of(text, marker)}"
    assert any(where in finding and words in finding for finding in found), found


def test_a_hybrid_inverter_without_its_battery_is_named_at_its_own_line(path: Path) -> None:
    """Wrong before: the missing section was reported at line 1."""
    text = re.sub(r"    battery:\n(      .*\n){3}", "", GOOD)
    places = {finding.where.split(": ")[0] for finding in load(path, text).findings}
    assert places == {f"{path}:{line_of(text, 'name: Solar')}"}


def test_one_broken_device_leaves_the_rest(path: Path) -> None:
    site_file = load(path, changed("role: ev_charger", "role: ev_charger\n    colour: red"))
    assert [entry.device.id for entry in site_file.devices] == ["grid_meter", "inverter"]
    assert len(site_file.findings) == 1


def test_a_broken_connection_takes_its_devices_along_and_leaves_the_rest(path: Path) -> None:
    site_file = load(path, changed("kind: modbus_tcp, host: 127.0.0.1", "kind: modbus_tcp"))
    assert [entry.device.id for entry in site_file.devices] == ["car"]
    assert len(site_file.findings) == 4, "the main meter went with its bus, which is told too"


def test_a_mistake_in_a_connection_is_not_told_as_an_unknown_connection(path: Path) -> None:
    """Wrong before: "unknown connection 'bus'. Known: none", though it stands there."""
    site_file = load(path, changed("kind: modbus_tcp, host: 127.0.0.1", "kind: modbus_tcp"))
    said = [finding.what for finding in site_file.findings]
    assert said.count("is left out with connection 'bus'") == 2 and "'grid_meter' is left out" in said[-1]
    assert not any("unknown" in what for what in said)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (GOOD.replace("    kind: ocpp\n", "    kind: ocpp\n    port: 8080\n"), "port: 8080\n  utility", "web.port"),
        (GOOD.replace("    kind: ocpp\n", "    kind: ocpp\n    uploads_port: 8887\n"), "uploads_port", "connections.chargers.port"),
        (GOOD.replace("  port: 8080", "  port: 8888"), "  chargers:", "web.port"),
        (GOOD.replace("  utility:", "  others: {kind: ocpp, uploads_port: null}\n  utility:"), "others", "connections.chargers.port"),
    ],
    ids=["pages", "uploads", "a default", "two of them"],
)  # fmt: skip
def test_two_that_listen_on_one_port_are_told(path: Path, text: str, where: str, what: str) -> None:
    (finding,) = load(path, text).findings
    assert finding.where.startswith(f"{path}:{line_of(text, where.splitlines()[0])}: connections.")
    assert f"that of {what} too" in finding.what and finding.remedy == "Choose another port."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    kind: ocpp\n", "    kind: ocpp\n    port: 0\n    uploads_port: 0\n"),
        ("    kind: ocpp\n", "    kind: ocpp\n    port: 8080\n    host: 192.168.1.5\n"),
    ],
    ids=["any free one", "another address"],
)
def test_ports_that_do_not_meet_are_good(path: Path, old: str, new: str) -> None:
    assert load(path, changed(old, new)).findings == ()


@pytest.mark.parametrize(
    ("identity", "words"),
    [("garage/left", "holds '/', which few chargers write into a URL as they must (%2F)"), ("CP:1", "the user of a password cannot")],
)  # fmt: skip
def test_an_identity_that_hardly_gets_through_the_door_is_told(path: Path, identity: str, words: str) -> None:
    text = changed("charge_point_id: CP_1", f"charge_point_id: {identity}")
    (finding,) = load(path, text).findings
    assert finding.where == f"{path}:{line_of(text, identity)}: devices.car.charge_point_id"
    assert words in finding.what and finding.severity == "warning"


def test_an_empty_device_is_named(path: Path) -> None:
    (finding,) = load(path, GOOD + "  tank:\n").findings
    assert (finding.where, finding.what) == (f"{path}:{line_of(GOOD + '  tank:', '  tank:')}: devices.tank", "is empty")


def test_a_second_main_meter_is_left_out(path: Path) -> None:
    second = "  other:\n    role: main_meter\n    connection: bus\n    profile: eastron_sdm630\n"
    site_file = load(path, GOOD + second)
    (finding,) = site_file.findings
    assert finding.what == "'grid_meter' is the main meter already"
    assert [device.id for device in site_file.site.of_role(Role.MAIN_METER)] == ["grid_meter"]


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("main_fuse_a: 25", "main_fuse_a: -1", 6, "greater than 0"),
        ("  main_fuse_a: 25\n", "", 2, "main_fuse_a: is missing. Add it: Rating of the main fuse per phase, A"),
        ("Europe/Brussels", "Europe/Brusels", 3, "unknown time zone 'Europe/Brusels'"),
        ("Europe/Brussels", "Europe", 3, "unknown time zone 'Europe'"),
        ("latitude: 50.85", "lattitude: 50.85", 4, "Did you mean 'latitude'?"),
        ("  latitude: 50.85", "\tlatitude: 50.85", 4, ""),
        ("  latitude: 50.85", "  name: Twice", 4, "duplicate key"),
    ],
)
def test_a_mistake_in_the_site_itself_stops_it(path: Path, old: str, new: str, where: int, words: str) -> None:
    found = [str(finding) for finding in refused(path, changed(old, new))]
    assert any(f"home.yaml:{where}" in finding and words in finding for finding in found), found


def test_a_misspelt_site_section_is_recognised(path: Path) -> None:
    """Wrong before: only 'site is missing' was said, and the misspelt key was not shown."""
    found = [str(finding) for finding in refused(path, changed("site:\n", "siet:\n"))]
    assert any("Did you mean 'site'?" in finding for finding in found)
    assert any("the section 'site' is missing" in finding for finding in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no sections"),
        (b"- a\n- b\n", "holds no sections"),
        (b"site: [1, 2", "home.yaml:"),
        (b"site:\n  name: H\xffme\n", "home.yaml"),
    ],
)
def test_a_file_that_is_no_site_file_is_refused_with_a_word(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    assert words in str(refused(path)[0])


def test_a_missing_file_is_refused_with_a_word(path: Path) -> None:
    (finding,) = refused(path)
    assert finding.what == "cannot be read (No such file or directory)" and "--site" in finding.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_nobody_may_read_is_refused_with_a_word(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)
    assert "Permission denied" in str(refused(path)[0])


def test_what_is_sound_alone_but_not_together_is_told_and_leaves_nothing_out(tmp_path: Path) -> None:
    site_file = load(
        tmp_path / "home.yaml",
        """
site: {name: Home, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 10, phases: 1, tariff: demo_tou}
connections: {chargers: {kind: ocpp}}
devices:
  car:
    role: ev_charger
    connection: chargers
    charge_point_id: CP_1
    charger: {phases: [1, 2, 3], safe_current_a: 16}
""",
    )
    told = [str(finding) for finding in site_file.findings]
    assert any("main_meter" in text for text in told)
    assert any("phase 3 of a site with 1" in text for text in told)
    assert any("above the main fuse of 10 A" in text for text in told)
    assert len(site_file.devices) == 1 and {f.severity for f in site_file.findings} == {"warning"}


def test_a_home_may_have_had_other_tariffs(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "tariffs"
    folder.mkdir(parents=True)
    shipped = (CONFIG / "tariffs" / "demo_tou.yaml").read_text(encoding="utf-8")
    for name, begins in (("first", ""), ("second", "valid_from: 2026-07-01\n")):
        text = shipped.replace("id: demo_tou", f"id: {name}")
        (folder / f"{name}.yaml").write_text(text + begins, encoding="utf-8")
    several = load(path, GOOD.replace("tariff: demo_tou", "tariff: [first, second]"))
    tariff = load_site_tariff(several, tmp_path / "config")
    assert (tariff.id, tariff.valid_from, [each.id for each in tariff.versions]) == (
        "second", date(2026, 7, 1), ["first", "second"],
    )  # fmt: skip
    assert tariff.on(date(2026, 6, 30)).id == "first"
    alone = load(path, GOOD.replace("tariff: demo_tou", "tariff: first"))
    assert load_site_tariff(alone, tmp_path / "config").others == ()


def test_tariffs_in_the_wrong_order_are_told_at_their_place(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "tariffs"
    folder.mkdir(parents=True)
    shipped = (CONFIG / "tariffs" / "demo_tou.yaml").read_text(encoding="utf-8")
    for name in ("first", "second"):
        (folder / f"{name}.yaml").write_text(shipped.replace("id: demo_tou", f"id: {name}"), encoding="utf-8")
    several = load(path, GOOD.replace("tariff: demo_tou", "tariff: [first, second]"))
    with pytest.raises(SiteFileError, match=r"site\.tariff\[1\].*does not say from when it holds"):
        load_site_tariff(several, tmp_path / "config")


def test_an_empty_list_of_tariffs_is_refused(path: Path) -> None:
    with pytest.raises(SiteFileError, match="tariff"):
        load(path, GOOD.replace("tariff: demo_tou", "tariff: []"))
