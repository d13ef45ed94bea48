"""Memory, start time, CPU and bytes written of the gateway beside the simulated home, at speed 1.

    python benchmarks/footprint.py [--seconds 300]

Prints a table; asserts nothing. Memory is PSS (shared pages counted once) of the gateway's process, sampled each 2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.writes import LogWatch
from gateway.demo import Child, Demo, _free_port


def field(path: str, name: str) -> float:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return float(line.split()[1])
    return 0.0


def cpu_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / 100


def metric(port: int, name: str) -> float:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)


class Measured(Demo):
    """A demo that is measured instead of looked at."""

    seconds = 300.0
    started = 0.0
    rows: list[tuple[str, str, str]]

    def _wait(self, gateway: Child, duration_s: float | None) -> None:
        live, pid = time.monotonic() - self.started, gateway.process.pid
        page = threading.Thread(target=_open_page, args=(self.port,), daemon=True)
        page.start()
        time.sleep(20)
        begin, cpu, written = time.monotonic(), cpu_s(pid), field(f"/proc/{pid}/io", "write_bytes:")
        memory, log = [], LogWatch(_database(gateway))
        while time.monotonic() - begin < self.seconds:
            memory.append(field(f"/proc/{pid}/smaps_rollup", "Pss:") / 1024)
            time.sleep(2)
        spent = time.monotonic() - begin
        log.stop()
        per_day = (field(f"/proc/{pid}/io", "write_bytes:") - written) * 86400 / spent / 1e6
        self.rows = [
            ("demo command to live page", f"{live:.1f} s", "<= 60 s"),
            ("process start to first tick", f"{metric(self.port, 'hearth_first_tick_seconds'):.2f} s", "<= 2.5 s"),
            ("memory, PSS median", f"{statistics.median(memory):.0f} MB", "<= 100 MB"),
            ("memory, PSS peak", f"{max(memory):.0f} MB", "<= 180 MB"),
            ("CPU of a core", f"{100 * (cpu_s(pid) - cpu) / spent:.1f} %", "<= 3 %"),
            ("written per day", f"{per_day:.0f} MB", "<= 50 MB"),
            ("commits and pages of the log per hour, by table", _by_table(log, 3600 / spent), ""),
        ]


def _database(gateway: Child) -> Path:
    arguments = [str(argument) for argument in gateway.process.args]
    return Path(arguments[arguments.index("--data") + 1]) / "hearth.sqlite"


def _by_table(log: LogWatch, scale: float) -> str:
    """Which tables were written together how often, and how many pages of 1 kB each table took."""
    commits = ", ".join(f"{name} {count * scale:.0f}" for name, count in log.commits_by_table().most_common(8))
    pages = ", ".join(f"{name} {count * scale:.0f}" for name, count in log.pages_by_table().most_common(8))
    return f"commits: {commits}; pages: {pages}"


def _open_page(port: int) -> None:
    """What a browser on the Now page does: fetch it, then read its stream."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
    with suppress(OSError, ValueError):
        for _ in urllib.request.urlopen(f"http://127.0.0.1:{port}/live", timeout=60):
            pass


def measure(seconds: float) -> list[tuple[str, str, str]]:
    """Rows of (what, measured, target) over `seconds` real seconds of a home at speed 1."""
    demo = Measured(_free_port(), 1.0, lambda text: print(f"  {text}", file=sys.stderr))
    Measured.seconds, Measured.started = seconds, time.monotonic()
    demo.run(None)
    return demo.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    rows = measure(parser.parse_args().seconds)
    print("| promise | measured | target |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
