"""A device is added to the site file and nothing else of it changes; a mistake changes nothing at all."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.assembly import KINDS
from gateway.config import SiteFile, load_site
from gateway.model.errors import WishRefused
from gateway.site_edit import add_device, file_hash, lines_of
from gateway.web.settings import WebSettings

EXAMPLE = Path(__file__).parents[1] / "config" / "site" / "example.yaml"
ENTRY: dict[str, Any] = {
    "name": "Garage: left",
    "role": "ev_charger",
    "connection": "chargers",
    "charge_point_id": "CP_7",
    "security_profile": 1,
    "charger": {"phases": [3, 1, 2], "max_current_a": 16.0, "safe_current_a": 6.0},
}
HEAD = """site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou}
connections:
  chargers: {kind: ocpp}   # the wall
"""


def load(path: Path) -> SiteFile:
    return load_site(path, KINDS, WebSettings)


def add(path: Path, device: str = "garage", **changed: Any) -> SiteFile:
    return add_device(path, device, {**ENTRY, **changed}, expected=file_hash(path), load=load)


@pytest.mark.slow
def test_every_byte_of_the_example_stays_and_the_device_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(EXAMPLE.read_bytes())
    path.chmod(0o640)
    read = add(path)
    device = next(each for each in read.devices if each.device.id == "garage")
    assert (device.device.name, device.connection) == ("Garage: left", "chargers")
    added = "\n".join(lines_of("garage", ENTRY)) + "\n"
    assert path.read_text().replace(added, "") == EXAMPLE.read_text()
    assert (tmp_path / "site.yaml.bak").read_bytes() == EXAMPLE.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["site.yaml", "site.yaml.bak"]


@pytest.mark.parametrize(
    "devices",
    [
        "",
        "devices:\n",
        "devices: {}\n",
        "devices:\n    heat:\n        name: H  # the old one\n        role: ev_charger\n        connection: chargers\n"
        "        charge_point_id: X\n# the end\nweb: {port: 8081}\n",
        "devices: {heat: {name: H, role: ev_charger, connection: chargers, charge_point_id: X}}  # one line\n",
        "devices:\n  heat: {name: H, role: ev_charger, connection: chargers,\n    charge_point_id: X}",
        "web: {port: 8081}\ndevices:\n  heat:\n    name: >-\n      two\n\n      lines\n    role: ev_charger\n"
        "    connection: chargers\n    charge_point_id: X\n    password: !secret wall\n\n\n# tail\n",
    ],
)
def test_a_device_is_added_however_the_section_is_written(tmp_path: Path, devices: str) -> None:
    path, secrets = tmp_path / "site.yaml", tmp_path / "secrets.yaml"
    path.write_text(HEAD + devices)
    secrets.write_text("wall: sesame\n")
    secrets.chmod(0o600)
    before = load(path)
    after = add(path)
    assert [each.device for each in after.devices] == [
        *(each.device for each in before.devices),
        next(each.device for each in after.devices if each.device.id == "garage"),
    ]
    text = path.read_text()
    assert "# the wall" in text
    assert all(
        comment in text for comment in ("# the old one", "# the end", "# one line", "# tail") if comment in devices
    )
    assert "sesame" not in text
    assert ("!secret wall" in text) == ("!secret wall" in devices)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "changed", "why"),
    [
        ("car", {}, "already"),
        ("new one", {}, "cannot be"),
        ("ok", {"charger": {"max_current_a": 500}}, "cannot be used"),
        ("ok", {"connection": "nowhere"}, "cannot be used"),
        ("ok", {"charge_point_id": ""}, "cannot be used"),
    ],
)
def test_what_would_not_be_sound_is_refused_and_leaves_the_file_alone(
    tmp_path: Path, device: str, changed: dict[str, Any], why: str
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(EXAMPLE.read_bytes())
    with pytest.raises(WishRefused, match=why):
        add(path, device, **changed)
    assert path.read_bytes() == EXAMPLE.read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["site.yaml"]


def test_a_file_changed_by_hand_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD)
    known = file_hash(path)
    path.write_text(HEAD + "# mine\n")
    with pytest.raises(WishRefused, match="was changed"):
        add_device(path, "garage", ENTRY, expected=known, load=load)
    assert path.read_text().endswith("# mine\n")
