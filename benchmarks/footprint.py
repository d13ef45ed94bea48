"""Memory, start time, CPU and bytes written of the gateway beside the simulated home, at speed 1.

    python benchmarks/footprint.py [--seconds 300] [--evening 420]

Prints a table; asserts nothing. Memory is PSS (shared pages counted once) of the gateway's process, sampled each 2 s.

Bytes written are the kernel's own count (write_bytes of /proc/PID/io): every page of 4 KiB made dirty, the index of
the log included, which is what a card is asked to take; what was handed to write calls (wchar) is shown beside it and
is less, because a commit of 2 kB dirties one or two such pages. Writing the log back comes every few hours and is added:
blocks that came new in the second half of the time go on to come new, the others are written once each time. With
`--evening` two homes run side by side, one without a car and one whose car charges, measured after two minutes; seven
minutes hold one end of a quarter hour and two plans. The first housekeeping comes ten minutes after the start: a
longer measurement would take the day's copy of the facts for one of every ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.writes import LogWatch
from gateway.demo import Child, Demo, _free_port
from tests.end_to_end.harness import LivingHome

BLOCK_BYTES = 4096
CHARGING_H = 6
START_LOCAL = (17, 26)
"""So that a quarter hour is closed after the first two minutes and before the first housekeeping, ten after the start."""


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
        begin, cpu, written, memory = time.monotonic(), cpu_s(pid), Meter(gateway), list[float]()
        while time.monotonic() - begin < self.seconds:
            memory.append(field(f"/proc/{pid}/smaps_rollup", "Pss:") / 1024)
            time.sleep(2)
        spent = time.monotonic() - begin
        found = written.read()
        self.rows = [
            ("demo command to live page", f"{live:.1f} s", "<= 60 s"),
            ("process start to first tick", f"{metric(self.port, 'hearth_first_tick_seconds'):.2f} s", "<= 2.5 s"),
            ("memory, PSS median", f"{statistics.median(memory):.0f} MB", "<= 100 MB"),
            ("memory, PSS peak", f"{max(memory):.0f} MB", "<= 180 MB"),
            ("CPU of a core", f"{100 * (cpu_s(pid) - cpu) / spent:.1f} %", "<= 3 %"),
            ("written per day", found.words(), "<= 50 MB"),
            ("commits and pages of the log per hour, by table", found.tables, ""),
        ]


@dataclass(slots=True)
class Written:
    """What one gateway wrote in a while, in bytes, and for whom."""

    seconds: float
    storage: float
    handed: float
    back: float
    """What writing the log back adds."""
    commits: float
    tables: str

    @property
    def per_day(self) -> float:
        """MB a day, the writing back included."""
        return (self.storage + self.back) * 86400 / self.seconds / 1e6

    def words(self) -> str:
        """Every part of the figure."""
        day = 86400 / self.seconds / 1e6
        return (
            f"{self.per_day:.1f} MB (log {self.storage * day:.1f}, {self.back * day:.1f} written back; "
            f"handed to write calls {self.handed * day:.1f}; {self.commits * 3600 / self.seconds:.0f} commits an hour)"
        )


class Meter:
    """Counts what a gateway writes from its making to `read`."""

    def __init__(self, gateway: Child) -> None:
        self._io, self._database = f"/proc/{gateway.process.pid}/io", _database(gateway)
        self._log = LogWatch(self._database)
        self._log.look(forget=True)
        self._begin, self._before = time.monotonic(), self._counts()

    def read(self) -> Written:
        """Stop and tell."""
        spent = time.monotonic() - self._begin
        storage, handed = (now - before for now, before in zip(self._counts(), self._before, strict=True))
        self._log.stop()
        back = self._log.blocks_written_back() * BLOCK_BYTES
        tables = _by_table(self._log, 3600 / spent)
        return Written(spent, storage, handed, back, len(self._log.commits), tables)

    def _counts(self) -> tuple[float, float]:
        return field(self._io, "write_bytes:"), field(self._io, "wchar:")


def evening(seconds: float, *, charging: bool, settle_s: float = 120.0) -> Written:
    """What a home in the evening writes at speed 1 in its steady state, with a car that charges or without one."""
    with LivingHome(1.0, script=[], start=START_LOCAL) as home:
        _pack_history(home)
        home.hub({"car": {"plugged": charging, "soc_percent": 20}})
        if charging:
            home.until(lambda: home.get("/api/v1/chargers")[0]["transaction"], 60)
        page = threading.Thread(target=_open_page, args=(home.port,), daemon=True)
        page.start()
        time.sleep(settle_s)
        meter = Meter(home.child("gateway"))
        time.sleep(seconds)
        return meter.read()


def _pack_history(home: LivingHome) -> None:
    """The history a new home brings in is packed once: that is no part of its days."""
    gateway = home.kill("gateway", signal.SIGTERM)

    async def pack() -> None:
        store = SqliteStore.open(_database(gateway))
        await store.prune(home.now())
        await store.close()

    asyncio.run(pack())
    home.again(gateway)
    home.until(lambda: home.get("/healthz"), 20)


def evenings(seconds: float) -> list[tuple[str, str, str]]:
    """Rows of (what, measured, target): a day without a car, one of charging, and one that charges for six hours."""
    with ThreadPoolExecutor(2) as pool:
        idle, busy = pool.map(lambda charging: evening(seconds, charging=charging), (False, True))
    mixed = (idle.per_day * (24 - CHARGING_H) + busy.per_day * CHARGING_H) / 24
    return [
        ("written per day, no car", idle.words(), ""),
        ("written per day, charging all day", busy.words(), ""),
        (f"written per day, charging {CHARGING_H} h", f"{mixed:.1f} MB", "<= 50 MB"),
        ("log, no car", idle.tables, ""),
        ("log, charging", busy.tables, ""),
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
    parser.add_argument("--evening", type=float, default=0.0, help="seconds of the evenings; 0 leaves them out")
    options = parser.parse_args()
    rows = measure(options.seconds) if options.seconds else []
    rows += evenings(options.evening) if options.evening else []
    print("| promise | measured | target |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
