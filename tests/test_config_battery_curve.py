"""A battery's power by its state of charge in the site file: rows that become the curve, and rows that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.site import BatterySpec
from tests.site_files import GOOD, changed, load

LAST = "      max_discharge_w: 5000\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.yaml"


def rows(text: str) -> str:
    return changed(LAST, f"{LAST}      power_by_soc: {text}\n")


def test_the_rows_of_a_battery_become_its_curve(path: Path) -> None:
    spec = load(path, rows("[[5, 5000, 2500], [80, 5000, 5000], [100, 1000, 5000]]")).site.devices[1].spec
    assert isinstance(spec, BatterySpec)
    assert spec.power_by_soc == ((5.0, 5000.0, 2500.0), (80.0, 5000.0, 5000.0), (100.0, 1000.0, 5000.0))
    assert spec.at(90.0).max_charge_w == pytest.approx(3000.0)


def test_a_file_without_rows_has_the_same_power_at_every_state_of_charge(path: Path) -> None:
    spec = load(path, GOOD).site.devices[1].spec
    assert isinstance(spec, BatterySpec) and spec.power_by_soc == () and spec.at(99.0) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[80, 5000, 5000], [80, 1000, 5000]]", "the SoC must rise from row to row"),
        ("[[80, 6000, 5000]]", "no row may pass max_charge_w or max_discharge_w"),
        ("[[80, 5000, 5001]]", "no row may pass max_charge_w or max_discharge_w"),
        ("[[0, 0, 5000], [100, 0, 5000]]", "some row must let it charge"),
        ("[[0, 5000, 0], [100, 5000, 0]]", "some row must let it discharge"),
        ("[[101, 5000, 5000]]", "less than or equal to 100"),
        ("[[50, -1, 5000]]", "greater than or equal to 0"),
        ("[[50, 5000]]", "is missing"),
        ("[[50, .nan, 5000]]", "power_by_soc"),
    ],
)
def test_rows_that_cannot_hold_are_refused_in_words(path: Path, text: str, words: str) -> None:
    findings = load(path, rows(text)).findings
    assert any(words in str(finding) for finding in findings), findings
