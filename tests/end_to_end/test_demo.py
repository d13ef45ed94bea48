"""`./hearth demo` as a person meets it: it serves, it stops, it says what is in its way."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import demo as demo_module
from gateway.demo import ROOT
from tests.end_to_end.harness import LivingHome, free_port

pytestmark = [pytest.mark.end_to_end]


@contextlib.contextmanager
def started(*options: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo's process; however the test ends, no process of its family outlives it.

    Each child leads a session of its own and loses its parent when the demo dies: a mark in the environment, which all
    of them inherit, is what finds them.
    """
    # Making the launcher's own environment takes minutes of downloads: it is used when it stands already.
    lock = ROOT / ".venv" / "installed.lock"
    stands = lock.is_file() and lock.read_bytes() == (ROOT / "requirements.lock").read_bytes()
    command = [str(ROOT / "hearth")] if stands else [sys.executable, "-m", "gateway"]
    mark = uuid.uuid4().hex
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "HEARTH_TEST_MARK": mark}
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "demo", *options],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        while left := marked(mark):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def marked(mark: str) -> set[int]:
    """The living processes of ours that carry a mark in their environment."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in entry.read_bytes():
                found.add(int(entry.parent.name))
    return found


def children(pid: int) -> set[int]:
    """All living descendants of a process, from /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def serves(port: int, path: str = "/healthz") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def until_serving(process: subprocess.Popen[str], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while not serves(port):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


def alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    }


def test_the_demo_serves_refuses_a_second_one_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with started("--port", str(port), "--speed", "20", log=log) as process:
        until_serving(process, port, log)
        family = children(process.pid)
        assert len(family) >= 6
        with started("--port", str(port), log=tmp_path / "second") as second:
            assert second.wait(20) == 2
        said = (tmp_path / "second").read_text()
        assert f"port {port} on 127.0.0.1 is taken" in said
        assert f"./hearth demo --port {port + 1}" in said
        assert serves(port)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert time.monotonic() - begin < 6
        assert alive(family) == set()
        assert "Traceback" not in log.read_text()
        assert f"http://127.0.0.1:{port}" in log.read_text()


def test_the_demo_stops_by_itself_when_told_how_long(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with started("--port", str(port), "--duration", "3", log=log) as process:
        until_serving(process, port, log)
        family = children(process.pid)
        assert process.wait(20) == 0, log.read_text()
        assert alive(family) == set()


def test_a_port_taken_by_anything_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("--port", str(port), log=tmp_path / "log") as process:
            assert process.wait(20) == 2
    said = (tmp_path / "log").read_text()
    assert "is taken" in said
    assert "starting" not in said


def test_without_a_broker_the_demo_says_so_and_runs_without_the_heat_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without mosquitto, for a user who is not root and sits at no terminal."""
    real = demo_module.shutil.which
    monkeypatch.setattr(
        demo_module.shutil, "which", lambda name, **more: None if "mosquitto" in name else real(name, **more)
    )
    monkeypatch.setattr(demo_module.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(demo_module.sys, "stdin", io.StringIO())
    with LivingHome(20) as home:
        assert any("mosquitto is not installed" in text and "sudo apt install mosquitto" in text for text in home.said)
        home.until(lambda: home.state()["car_w"] and home.state()["grid_w"], 20)
        assert set(home.state()["devices"]) == {"grid_meter", "inverter", "car"}
        page = home.get("/")
        assert "Water heater" not in page
        assert "no heat devices" in page
