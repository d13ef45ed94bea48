"""The circuits of the site file: a sound tree becomes nouns, and every mistake is named with its line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.assembly import KINDS
from gateway.config import SiteFile, load_site
from gateway.model.site import Circuit, Sharing
from gateway.web.settings import WebSettings

HEAD = """\
site: {name: Home, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou, SHARING}
connections:
  bus: {kind: modbus_tcp, host: 127.0.0.1}
  chargers: {kind: ocpp}
circuits:
"""
DEVICES = """\
devices:
  grid_meter: {role: main_meter, connection: bus, profile: eastron_sdm630}
  garage_meter: {role: sub_meter, connection: bus, profile: eastron_sdm630, unit: 2}
  car: {role: ev_charger, connection: chargers, charge_point_id: CP_1, circuit: garage, security_profile: 0}
"""
GOOD = """\
  garage: {name: Garage, fuse_a: 16, meter: garage_meter, parent: house}
  house: {fuse_a: [20, 20, 16], limit_w: 11000}
"""


def load(tmp_path: Path, circuits: str, devices: str = DEVICES, sharing: str = "") -> SiteFile:
    path = tmp_path / "home.yaml"
    path.write_text(HEAD.replace(", SHARING", sharing) + circuits + devices)
    return load_site(path, KINDS, WebSettings)


def test_a_tree_of_circuits_becomes_nouns(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD, sharing=", sharing: priority")
    assert found.findings == ()
    assert found.site.circuits == (
        Circuit("garage", "Garage", (16.0, 16.0, 16.0), None, "house", "garage_meter"),
        Circuit("house", "house", (20.0, 20.0, 16.0), 11_000.0),
    )
    assert found.site.sharing is Sharing.PRIORITY
    assert [device.circuit for device in found.site.devices] == ["", "", "garage"]
    assert [circuit.id for circuit in found.site.above("garage")] == ["garage", "house"]


def test_a_home_without_circuits_shares_fairly_below_its_main_fuse(tmp_path: Path) -> None:
    found = load(tmp_path, "", DEVICES.replace(", circuit: garage", ""))
    assert (found.findings, found.site.circuits, found.site.sharing) == ((), (), Sharing.FAIR)


@pytest.mark.parametrize(
    ("circuits", "where", "what", "remedy", "left"),
    [
        ("  garage: {fuse_a: 16, parent: hose}\n  house: {fuse_a: 20}\n", ":6: circuits.garage.parent",
         "unknown circuit 'hose'", "Did you mean 'house'?", []),
        ("  garage: {fuse_a: 16, parent: house}\n  house: {fuse_a: 20, parent: garage}\n", ":6: circuits.garage.parent",
         "hangs on itself", "Name the circuit above it", []),
        ("  garage: {fuse_b: 16}\n", ":6: circuits.garage.fuse_b", "unknown key 'fuse_b'", "Did you mean 'fuse_a'?", []),
        ("  garage: {fuse_a: 16, meter: garge_meter}\n", ":6: circuits.garage.meter", "unknown device 'garge_meter'",
         "Did you mean 'garage_meter'?", ["car"]),
        ("  garage: {fuse_a: 16, meter: grid_meter}\n", ":6: circuits.garage.meter", "is a main_meter",
         "Name a sub_meter", ["car"]),
        ("  garage: {fuse_a: 32}\n", ":6: circuits.garage", "its fuse is above that of the main fuse",
         "Correct fuse_a", ["car"]),
        ("  garage: {}\n", ":6: circuits.garage", "neither fuse_a nor limit_w", "Give it one of them", ["car"]),
        ("  garage: {fuse_a: 16}\n  shed: {fuse_a: 10}\n", ":7: circuits.shed", "no device hangs on it",
         "Write 'circuit: shed'", ["car"]),
        ("  garage: {fuse_a: 5}\n", ":10: devices.car", "above the 5 A fuse of its circuit", "Lower safe_current_a", ["car"]),
        ("  garage: {limit_w: 9000, parent: house}\n  house: {limit_w: 8000}\n", ":6: circuits.garage",
         "its limit is above that of house", "Correct limit_w", ["car"]),
    ],
    ids=["unknown parent", "loop", "unknown key", "unknown meter", "wrong meter", "above the main fuse", "no limit",
         "nothing on it", "safe current", "above its parent's limit"],
)  # fmt: skip
def test_a_mistake_in_the_circuits_is_named(
    tmp_path: Path, circuits: str, where: str, what: str, remedy: str, left: list[str]
) -> None:
    found = load(tmp_path, circuits)
    first = next(f for f in found.findings if what in f.what)
    assert first.where.endswith(where) and remedy in first.remedy
    assert [d.id for d in found.site.devices if d.circuit] == left


def test_a_device_on_a_circuit_nobody_knows_is_left_out_as_its_fuse_could_not_be_guarded(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD, DEVICES.replace("circuit: garage", "circuit: garag"))
    assert "car" not in [device.id for device in found.site.devices]
    finding = next(f for f in found.findings if "unknown circuit 'garag'" in f.what)
    assert finding.where.endswith(":11: devices.car.circuit") and finding.severity == "error"


@pytest.mark.parametrize(
    ("circuits", "devices", "what"),
    [
        ("  garage: {fuse_b: 16}\n", DEVICES, ["unknown key 'fuse_b'", "is left out with circuit 'garage'"]),
        ("  garage: {fuse_a: 16}\n", DEVICES.replace("circuit: garage", "circuit: garage, colour: red"), ["unknown key 'colour'"]),
        ("  garage: {fuse_a: 16, meter: garage_meter}\n", DEVICES.replace("unit: 2", "unit: two"),
         ["Input should be a valid integer", "is left out with device 'garage_meter'"]),
        ("  garage: {fuse_a: 16, parent: house}\n  house: {fuse_b: 20}\n", DEVICES,
         ["unknown key 'fuse_b'", "is left out with circuit 'house'", "is left out with circuit 'garage'"]),
    ],
    ids=["circuit", "device on it", "its meter", "the one above"],
)  # fmt: skip
def test_one_mistake_brings_no_false_second_one(tmp_path: Path, circuits: str, devices: str, what: list[str]) -> None:
    """Wrong before: "no device hangs on it", and "unknown circuit 'garage'. Known: none"."""
    found = [finding.what for finding in load(tmp_path, circuits, devices).findings]
    assert len(found) == len(what)
    assert all(words in told for words, told in zip(what, found, strict=True)), found
