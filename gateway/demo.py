"""`hearth demo`: a simulated home of separate device processes on loopback, the gateway, and its pages."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from string import Template
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
ZONE = ZoneInfo("Europe/Brussels")
START_LOCAL = (17, 30)
"""The demo opens at 17:30 home time, so that the signature scene is seen within minutes."""
HISTORY_DAYS = 60
LEFT_ON_H = 25
STOP_S = 5.0

Say = Callable[[str], None]


class DemoError(Exception):
    """The demo cannot start; the text says why and how to mend it."""


@dataclass(slots=True)
class Child:
    """One process of the demo."""

    name: str
    process: subprocess.Popen[str]
    port: int | None = None
    arguments: tuple[str, ...] = ()


@dataclass(slots=True)
class Demo:
    """Starts the processes of a simulated home in order and ends them in reverse."""

    port: int
    speed: float
    say: Say
    seed: int = 1
    start_local: tuple[int, int] = START_LOCAL
    script: Path = ROOT / "firmware_sim" / "scripts" / "signature_scene.json"
    day: date | None = None
    """The home's local date at the start; today when not said."""
    left_on_w: float = 0.0
    """A heater that somebody forgot the evening before, W: in the last LEFT_ON_H hours of the history, and running on."""
    children: list[Child] = field(default_factory=list)
    real_epoch: float = 0.0
    home_epoch: datetime = field(default_factory=lambda: datetime.now(ZONE))  # noqa: TID251 - outside the product's loop

    def run(self, duration_s: float | None) -> None:
        """Run until Ctrl-C, `duration_s` real seconds or the death of the gateway; everything is stopped at the end."""
        self._need_port()
        with tempfile.TemporaryDirectory(prefix="hearth-demo-") as folder:
            try:
                gateway = self.start(Path(folder))
                self._wait(gateway, duration_s)
            finally:
                self.stop()

    def _need_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise DemoError(
                    f"port {self.port} on 127.0.0.1 is taken ({error.strerror}), perhaps by another demo. "
                    f"Mend: stop it, or choose another one: ./hearth demo --port {self.port + 1}"
                ) from error

    def start(self, folder: Path) -> Child:
        """Start every process in order, keeping files in `folder`; returns the gateway once it serves its pages."""
        self.real_epoch = time.time()  # noqa: TID251 - the demo sets the epoch that every process shares
        day = self.day or datetime.fromtimestamp(self.real_epoch, ZONE).date()
        self.home_epoch = datetime.combine(day, clock_time(*self.start_local), ZONE)
        broker = self._broker(folder)
        ports = self._devices(broker)
        site = self._site(folder, ports, broker)
        self.say(f"bringing {HISTORY_DAYS} days of history in through the CSV import")
        self._history(folder)
        gateway = self._gateway(site, folder)
        self._prefer()
        self._charger(ports)
        return gateway

    def _prefer(self) -> None:
        """The demo's owner came home at 17:20 and asked to charge now."""
        base = f"http://127.0.0.1:{self.port}"
        with urlopen(f"{base}/api/v1/preferences", timeout=5) as answer:
            wishes = json.loads(answer.read())
        wishes["charging"] = {
            "car": {"mode": "now", "ready_by": "07:00", "target_wh": 22000, "target_soc_percent": 100}
        }
        headers = {"content-type": "application/json", "origin": base}
        body = json.dumps(wishes).encode()
        urlopen(Request(f"{base}/api/v1/preferences", body, headers, method="PUT"), timeout=5).close()

    def _devices(self, broker: int | None) -> dict[str, int]:
        self.say("starting the simulated home: house, meter, inverter, charger, utility")
        ports = {"hub": self._sim("house", "--seed", str(self.seed), "--left-on", str(self.left_on_w))}
        for name in ("meter", "inverter"):
            ports[name] = self._sim(name, "--hub", str(ports["hub"]))
        ports["vtn"] = self._sim(
            "vtn", "--client", "home:demo-secret:ven", "--client", "utility:demo:bl", "--script", str(self.script)
        )
        ports["sources"] = self._sim("sources", "--seed", str(self.seed))
        ports["csms"], ports["hook"] = _free_port(), _free_port()
        if broker is not None:
            mqtt = ("--hub", str(ports["hub"]), "--broker-port", str(broker))
            for name in ("tank", "pool", "dishwasher"):
                self._sim("relay", *mqtt, "--name", name, server=False)
            self._sim("thermostat", *mqtt, "--name", "living_room", server=False)
        return ports

    def _charger(self, ports: dict[str, int]) -> None:
        url = f"ws://127.0.0.1:{ports['csms']}/ocpp"
        self._sim("chargepoint", "--hub", str(ports["hub"]), "--url", url, "--id", "CP_1", server=False)

    def _sim(self, name: str, *options: str, server: bool = True) -> int:
        port = ("--port", "0") if server else ()
        child = self._spawn(name, ["-m", "firmware_sim", name, *port, *self._time(), *options])
        return self._ready(child) if server else 0

    def _time(self) -> list[str]:
        return [
            "--home-epoch", self.home_epoch.isoformat(), "--real-epoch", repr(self.real_epoch), "--speed", str(self.speed),
        ]  # fmt: skip

    def _spawn(self, name: str, arguments: list[str], *, quiet: bool = False) -> Child:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        child = Child(name, process, None, tuple(arguments))
        self.children.append(child)
        return child

    def _ready(self, child: Child) -> int:
        """Wait for the line "READY <name> port=<n>", then keep draining what the child prints."""
        assert child.process.stdout is not None
        timer = threading.Timer(30.0, child.process.kill)
        timer.start()
        try:
            for line in child.process.stdout:
                if line.startswith("READY "):
                    child.port = int(line.rsplit("port=", 1)[1])
                    threading.Thread(target=_drain, args=(child.process,), daemon=True).start()
                    return child.port
        finally:
            timer.cancel()
        raise DemoError(f"the simulated {child.name} did not start (exit code {child.process.wait()})")

    def _broker(self, folder: Path) -> int | None:
        program = find_mosquitto() or install_mosquitto(self.say)
        if program is None:
            return None
        port = _free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
        )
        process = subprocess.Popen(
            [program, "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.children.append(Child("mosquitto", process, port))
        return port

    def _site(self, folder: Path, ports: dict[str, int], broker: int | None) -> Path:
        text = (ROOT / "config" / "site" / "demo.yaml").read_text()
        kept, _, heat = text.partition("# --- MQTT devices")
        filled = Template(text if broker is not None else kept).substitute(
            meter=ports["meter"],
            inverter=ports["inverter"],
            vtn=ports["vtn"],
            sources=ports["sources"],
            csms=ports["csms"],
            hook=ports["hook"],
            broker=broker or 0,
            web=self.port,
        )
        if broker is None:
            filled = filled.replace("  broker: {kind: mqtt, host: 127.0.0.1, port: 0}\n", "")
            filled = filled.replace("name: Demo home\n", "name: Demo home, no heat devices\n")
        assert heat, "config/site/demo.yaml lost its MQTT section"
        site = folder / "site.yaml"
        site.write_text(filled)
        return site

    def _history(self, folder: Path) -> None:
        rows = folder / "history.csv"
        until = self.home_epoch.isoformat()
        for arguments in (
            [
                "-m",
                "firmware_sim",
                "history",
                "--days",
                str(HISTORY_DAYS),
                "--until",
                until,
                "--out",
                str(rows),
                "--seed",
                str(self.seed),
                "--left-on",
                str(self.left_on_w),
                "--left-on-hours",
                str(LEFT_ON_H),
            ],
            ["-m", "gateway", "import", str(rows), "--data", str(folder), "--home-epoch", until],
        ):
            result = subprocess.run(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                raise DemoError(
                    f"the history could not be brought in: {(result.stderr or result.stdout).strip()[-400:]}"
                )

    def _gateway(self, site: Path, folder: Path) -> Child:
        arguments = ["-m", "gateway", "run", "--site", str(site), "--data", str(folder), "--demo", *self._time()]
        child = self._spawn("gateway", arguments, quiet=True)
        deadline = time.monotonic() + 30  # noqa: TID251 - real time of a real process
        while time.monotonic() < deadline:  # noqa: TID251
            if child.process.poll() is not None:
                raise DemoError(f"the gateway ended with exit code {child.process.returncode}; its reason stands above")
            with contextlib.suppress(OSError):
                if urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).status == 200:
                    return child
            time.sleep(0.1)
        raise DemoError("the gateway did not serve its pages within 30 s")

    def _wait(self, gateway: Child, duration_s: float | None) -> None:
        self.say(f"[bold green]http://127.0.0.1:{self.port}[/]  a living home, {self.speed:g} times faster than yours")
        self.say(f"the utility's page: http://127.0.0.1:{self._port_of('vtn')}   Ctrl-C stops everything")
        end = time.monotonic() + duration_s if duration_s is not None else None  # noqa: TID251
        while end is None or time.monotonic() < end:  # noqa: TID251
            if gateway.process.poll() is not None:
                raise DemoError(f"the gateway ended by itself with exit code {gateway.process.returncode}")
            time.sleep(0.2)

    def _port_of(self, name: str) -> int | None:
        return next((child.port for child in self.children if child.name == name), None)

    def stop(self) -> None:
        """End every process, the gateway first, and wait; one that does not listen is killed after 5 s."""
        gateways = [child for child in self.children if child.name == "gateway"]
        for group in (gateways, [child for child in reversed(self.children) if child not in gateways]):
            for child in group:
                if child.process.poll() is None:
                    child.process.send_signal(signal.SIGTERM)
            _reap(group)
        self.children.clear()


def _reap(children: list[Child]) -> None:
    deadline = time.monotonic() + STOP_S  # noqa: TID251 - real time of real processes
    for child in children:
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))  # noqa: TID251
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def find_mosquitto() -> str | None:
    """The broker's program, also where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def install_mosquitto(say: Say) -> str | None:
    """Install the broker where we may; otherwise say how and go on without the MQTT devices."""
    how = "sudo apt install mosquitto"
    if shutil.which("apt-get") is None:
        say(f"[yellow]no MQTT broker found[/]: the demo runs without the heat devices. Mend: install mosquitto ({how})")
        return None
    root = os.geteuid() == 0
    if not root and not (shutil.which("sudo") and sys.stdin.isatty() and _yes(f"Install the MQTT broker now ({how})?")):
        say(
            f"[yellow]mosquitto is not installed[/]: the demo runs without the water heater and the heat pump. Mend: {how}"
        )
        return None
    say("installing the MQTT broker (Debian package mosquitto); no service of it is started")
    prefix = [] if root else ["sudo"]
    with _no_service_starts(prefix):
        install = [
            *prefix,
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
        ]
        result = subprocess.run([*prefix, "apt-get", "update", "-qq"], check=False, capture_output=True)
        result = subprocess.run([*install, "mosquitto"], check=False, capture_output=True)
    if result.returncode or find_mosquitto() is None:
        say(f"[yellow]mosquitto could not be installed[/]: the demo runs without the heat devices. Mend: {how}")
    return find_mosquitto()


@contextlib.contextmanager
def _no_service_starts(prefix: list[str]) -> Iterator[None]:
    """Debian's own switch: while this policy stands, installing a package starts no service."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        subprocess.run(
            [*prefix, "tee", str(policy)], input="#!/bin/sh\nexit 101\n", text=True, check=False, capture_output=True
        )
        subprocess.run([*prefix, "chmod", "+x", str(policy)], check=False)
    try:
        yield
    finally:
        if ours:
            subprocess.run([*prefix, "rm", "-f", str(policy)], check=False)
        # A service enabled by the package would start at the next boot: it was not there before, so it is not left on.
        if shutil.which("systemctl"):
            subprocess.run([*prefix, "systemctl", "disable", "--now", "mosquitto"], check=False, capture_output=True)


def _yes(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for _ in process.stdout:
        pass
