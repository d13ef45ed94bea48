"""A sound site file, and how it is read whole, changed and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.assembly import KINDS
from gateway.config import SiteFile, load_site
from gateway.model.errors import Finding, SiteFileError
from gateway.web.settings import WebSettings

SITES = Path(__file__).parent.parent / "config" / "site"
GOOD = """\
site:
  name: Home
  timezone: Europe/Brussels
  latitude: 50.85
  longitude: 4.35
  main_fuse_a: 25
  tariff: demo_tou
connections:
  bus: {kind: modbus_tcp, host: 127.0.0.1}
  chargers:
    kind: ocpp
  utility:
    kind: openadr
    url: https://vtn.example.com/openadr3
    client_secret: top-secret-1
    ven_name: home
web:
  port: 8080
devices:
  grid_meter:
    role: main_meter
    connection: bus
    profile: eastron_sdm630
  inverter:
    name: Solar and battery
    role: hybrid_inverter
    connection: bus
    profile: sunspec_hybrid
    battery:
      capacity_wh: 10000
      max_charge_w: 5000
      max_discharge_w: 5000
  car:
    role: ev_charger
    connection: chargers
    charge_point_id: CP_1
    password: top-secret-2
    charger:
      phases: [1, 2, 3]
"""


def load(path: Path, text: str = "") -> SiteFile:
    if text:
        path.write_text(text)
    return load_site(path, KINDS, WebSettings)


def refused(path: Path, text: str = "") -> list[Finding]:
    with pytest.raises(SiteFileError) as caught:
        load(path, text)
    return caught.value.findings


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def line_of(text: str, part: str) -> int:
    return 1 + next(number for number, line in enumerate(text.splitlines()) if part in line)
