"""Mistakes of an installer, each made for real: every one is named with place and remedy, and the rest of the home runs."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from gateway.demo import ROOT, ZONE, Demo
from tests.end_to_end.harness import LivingHome, free_port

pytestmark = [pytest.mark.end_to_end]

SITE = """\
site:
  name: Ladder home
  timezone: Europe/Brussels
  latitude: 50.85
  longitude: 4.35
  main_fuse_a: 25
  tariff: demo_tou
connections:
  meter_bus: {kind: modbus_tcp, host: 127.0.0.1, port: METER}
web:
  port: WEB
devices:
  grid_meter:
    role: main_meter
    connection: meter_bus
    profile: eastron_sdm630
"""
MISTAKES = {
    "no such file": (None, 2, "cannot be read", "--site"),
    "not YAML": ("site: [\nname: }\n", 2, ":2", "Mend the line"),
    "no site section": ("web: {port: 8080}\n", 2, "the section 'site' is missing", "example.yaml"),
    "misspelt key": (SITE.replace("main_fuse_a", "main_fuze_a"), 2, ":6: site.main_fuze_a", "main_fuse_a"),
    "unknown tariff": (SITE.replace("demo_tou", "cheap"), 2, "cheap.yaml: there is no such file", "demo_tou"),
    "unknown profile": (SITE.replace("sdm630", "sdm63O"), 1, ":13: devices.grid_meter", "eastron_sdm630"),
    "wrong role": (SITE.replace("main_meter", "main_metre"), 1, ":13: devices.grid_meter.role", "main_meter"),
    "unknown connection": (SITE.replace("connection: meter_bus", "connection: meter"), 1, "connection 'meter'", "meter_bus"),
}  # fmt: skip


def hearth(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def findings(result: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    found = json.loads(result.stdout)
    assert all(set(row) == {"where", "what", "remedy", "severity"} and row["remedy"] for row in found)
    return found


@pytest.mark.parametrize(("text", "code", "place", "remedy"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_the_file_is_named_with_place_and_remedy(
    tmp_path: Path, text: str | None, code: int, place: str, remedy: str
) -> None:
    site = tmp_path / "home.yaml"
    if text is not None:
        site.write_text(text.replace("METER", "502").replace("WEB", "8080"))
    result = hearth("check", "--site", str(site), "--json")
    assert result.returncode == code, result
    found = [f for f in findings(result) if place in f"{f['where']}: {f['what']}"]
    assert found, result.stdout
    assert remedy in found[0]["remedy"]


def test_a_sound_file_is_good_and_an_unusable_one_is_refused_by_run_too(tmp_path: Path) -> None:
    site = tmp_path / "home.yaml"
    site.write_text(SITE.replace("METER", "502").replace("WEB", "8080"))
    good = hearth("check", "--site", str(site))
    assert (good.returncode, good.stdout) == (0, f"{site}: good\n")
    site.write_text("site: 12\n")
    refused = hearth("run", "--site", str(site), "--data", str(tmp_path))
    assert refused.returncode == 2
    assert "the section 'site' is missing" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_register_type_in_a_profile_leaves_its_device_out_and_says_where(tmp_path: Path) -> None:
    profile = broken_config(tmp_path) / "devices" / "modbus" / "eastron_sdm630.yaml"
    site = tmp_path / "home.yaml"
    site.write_text(SITE.replace("METER", "502").replace("WEB", "8080"))
    result = hearth("check", "--site", str(site), "--json", "--config", str(tmp_path / "config"))
    found = findings(result)
    assert result.returncode == 1
    assert "registers[0].type" in found[0]["where"] and profile.name in found[0]["where"]
    assert "float32" in found[0]["remedy"]


def broken_config(folder: Path) -> Path:
    shutil.copytree(ROOT / "config", folder / "config")
    profile = folder / "config" / "devices" / "modbus" / "eastron_sdm630.yaml"
    profile.write_text(profile.read_text().replace("address: 0, type: float32", "address: 0, type: flaot32", 1))
    return folder / "config"


# --- a home with everything wrong but its meter


class Ladder:
    """House, meter and utility for real; a site file around them with a mistake of each kind."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.web, self.dead, self.csms = folder, free_port(), free_port(), free_port()
        self.demo = Demo(self.web, 1.0, lambda text: None)
        self.demo.real_epoch, self.demo.home_epoch = time.time(), datetime.now(ZONE)
        self.hub = self.demo._sim("house", "--seed", "1")
        self.meter = self.demo._sim("meter", "--hub", str(self.hub))
        self.vtn = self.demo._sim("vtn", "--client", "home:right:ven")
        self.taken = socket.create_server(("127.0.0.1", self.csms))

    @property
    def site(self) -> Path:
        text = (ROOT / "config" / "site" / "demo.yaml").read_text()
        for name, port in (("meter", self.meter), ("inverter", self.dead), ("broker", self.dead), ("vtn", self.vtn),
                           ("csms", self.csms), ("web", self.web), ("hook", self.dead)):  # fmt: skip
            text = text.replace(f"${name}", str(port))
        text = text.replace("shelly_gen2_switch", "shelly_gen3_switch").replace("demo-secret", "wrong")
        path = self.folder / "home.yaml"
        path.write_text(text)
        return path

    def close(self) -> None:
        self.taken.close()
        self.demo.stop()


@pytest.fixture(scope="module")
def ladder() -> Iterator[Ladder]:
    with tempfile.TemporaryDirectory(prefix="hearth-e2e-") as folder:
        made = Ladder(Path(folder))
        try:
            yield made
        finally:
            made.close()


def test_check_asks_every_device_once_and_names_each_that_fails(ladder: Ladder) -> None:
    result = hearth("check", "--site", str(ladder.site), "--level", "devices", "--json")
    found = {row["where"]: row for row in findings(result)}
    assert result.returncode == 1
    said = {name: next((row for where, row in found.items() if name in where), None)
            for name in ("inverter", "devices.tank", "heat_pump", "devices.car", "utility", "grid_meter")}  # fmt: skip
    assert said["grid_meter"] is None
    for name, place, words in (
        ("inverter", "home.yaml:", str(ladder.dead)),
        ("devices.tank", "home.yaml:", "shelly_gen3_switch"),
        ("heat_pump", "home.yaml:", str(ladder.dead)),
        ("devices.car", "home.yaml:", f"127.0.0.1:{ladder.csms}"),
        ("utility", "home.yaml:", "client_secret"),
    ):
        row = said[name]
        assert row is not None, name
        assert place in row["where"]
        assert words in " ".join(row.values()), row


def test_the_rest_of_the_home_runs(ladder: Ladder) -> None:
    """The meter is read, ticks and pages go on; each thing left out or silent stands on the page in words."""
    data = ladder.folder / "data"
    log = (ladder.folder / "gateway.log").open("w")
    command = [sys.executable, "-m", "gateway", "run", "--site", str(ladder.site), "--data", str(data)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    home = object.__new__(LivingHome)
    home.port = ladder.web
    try:
        home.until(lambda: home.state()["devices"]["grid_meter"]["online"], 20)
        state = home.state()
        assert state["grid_w"] is not None
        assert [d["online"] for name, d in state["devices"].items() if name in ("inverter", "car")] == [False, False]

        for words in ("shelly_gen2_switch?", "utility&#39;s server", f"127.0.0.1:{ladder.csms}", "does not answer"):
            home.until(lambda words=words: words in home.get("/"), 25)
        before = ticks(home)
        home.until(lambda: ticks(home) >= before + 3, 10)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == 0
        log.close()


def ticks(home: LivingHome) -> float:
    return float(home.get("/metrics").split("\nhearth_ticks_total ")[1].split()[0])


def test_a_taken_page_port_is_named_and_control_goes_on(ladder: Ladder, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = tmp_path / "home.yaml"
        site.write_text(SITE.replace("METER", str(ladder.meter)).replace("WEB", str(port)))
        with (tmp_path / "log").open("w") as log:
            command = [sys.executable, "-m", "gateway", "run", "--site", str(site), "--data", str(tmp_path)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            try:
                wait_for(tmp_path / "log", f"cannot be served on 127.0.0.1:{port}")
                wait_for(tmp_path / "log", "first tick")
                assert process.poll() is None
            finally:
                process.terminate()
                assert process.wait(10) == 0
    assert "set another web.port" in (tmp_path / "log").read_text()


def wait_for(file: Path, words: str, within_s: float = 15) -> None:
    end = time.monotonic() + within_s
    while words not in file.read_text():
        assert time.monotonic() < end, file.read_text()[-2000:]
        time.sleep(0.05)
