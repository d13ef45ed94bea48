"""The site files we ship: they load without findings, and the example shows every option."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import pytest
from pydantic import BaseModel

from gateway.assembly import KINDS
from gateway.model.site import BatterySpec, ChargerSpec, HeatPumpSpec, WaterHeaterSpec
from gateway.sections import SPECS, CircuitSection, SiteSection
from gateway.web.settings import WebSettings
from tests.site_files import SITES, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.yaml"


def test_the_example_loads_without_findings() -> None:
    site_file = load(SITES / "example.yaml")
    assert site_file.findings == ()
    assert site_file.site.import_limit_w is None and site_file.tariff == "nl_dynamic_2023_example"
    specs = {type(device.spec) for device in site_file.site.devices}
    assert {BatterySpec, ChargerSpec, WaterHeaterSpec, HeatPumpSpec} <= specs


def options(text: str) -> set[str]:
    """Every `key:` at the start of a line, commented out or not."""
    return set(re.findall(r"^ *(?:# )?(\w+):", text, re.MULTILINE))


def section(name: str) -> str:
    """The text of one of the example's sections."""
    parts = re.split(r"^(\w+):.*\n", (SITES / "example.yaml").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[name]


def entries(name: str) -> dict[str, str]:
    """The texts of the example's connections or devices, by name."""
    parts = re.split(r"^  (\w+):\n", section(name), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples_of_models() -> list[tuple[str, type[BaseModel], str]]:
    """Each model of the site file with the lines of the example where its options must be shown."""
    connections, devices = entries("connections"), entries("devices")
    kinds = {name: text.split("kind: ", 1)[1].split(None, 1)[0] for name, text in connections.items()}
    found: list[tuple[str, type[BaseModel], str]] = []
    found += [("site", SiteSection, section("site")), ("web", WebSettings, section("web"))]
    found.append(("circuit", CircuitSection, section("circuits")))
    found += [(name, model, "".join(devices.values())) for name, (model, _) in SPECS.items()]
    for kind, models in KINDS.items():
        names = {name for name in kinds if kinds[name] == kind}
        found.append((kind, models.connection, "".join(connections[name] for name in names)))
        if models.device:
            mine = [t for t in devices.values() if t.split("connection: ", 1)[1].split(None, 1)[0] in names]
            found.append((f"{kind} device", models.device, "".join(mine)))
    return found


SHOWN_WITH_THEIR_LIKE = {
    "p1_serial device": "p1_tcp device",
    "modbus_rtu device": "modbus_tcp device",
    "carbon": "prices",
    "weather": "prices",
}
"""Devices that have the same options on either kind of connection are shown once in full."""
INTERNAL = {"demo_login"}


def test_the_example_shows_every_option_of_every_section() -> None:
    """Wrong before: half of the options of brokers, chargers and utilities were in no example, nor was P1."""
    examples = {name: (model, text) for name, model, text in examples_of_models()}
    missing = []
    for name, (model, text) in examples.items():
        shown = options(text + examples[SHOWN_WITH_THEIR_LIKE.get(name, name)][1])
        missing += [f"{name}.{option}" for option in sorted(set(model.model_fields) - shown - INTERNAL)]
    assert missing == []


def test_the_demos_site_loads_without_findings_once_its_ports_are_filled_in(path: Path) -> None:
    ports = ("meter", "inverter", "broker", "csms", "vtn", "sources", "hook", "web")
    template = Template((SITES / "demo.yaml").read_text())
    site_file = load(path, template.substitute({name: str(9000 + n) for n, name in enumerate(ports)}))
    assert site_file.findings == () and len(site_file.devices) == 8
