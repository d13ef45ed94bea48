"""What the store writes for 10 devices = 100 series: bytes a day, time of a commit, a year of intervals.

    python benchmarks/storage.py [--hours 24] [--folder DIR] [--page-bytes 1024] [--log-pages 4000]

Minutes follow one another as fast as the disk allows. Bytes are what the kernel was asked to write to storage
(/proc/self/io write_bytes) and, where the folder lies in memory, the sum of what was handed to write calls (wchar).
Prints a table; asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite import database
from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow
from gateway.model.plan import Plan, PlanSlot
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES = [f"device_{n}" for n in range(10)]
QUANTITIES = list(Quantity)[:10]
SLOTS = tuple(
    PlanSlot(
        T0 + timedelta(minutes=15 * n),
        900,
        {d: float(random.randint(-5000, 5000)) for d in DEVICES[:5]},
        50.0 + n / 10,
        None,
        None,
        250_000,
        50_000,
    )
    for n in range(192)
)
PLAN = Plan(T0, "time", "optimised", SLOTS, (), 1_000_000, 2_000_000, 5000.0, 40.0)


def io(name: str) -> int:
    text = Path("/proc/self/io").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":"))


def minute(number: int) -> list[Rollup]:
    start = T0 + timedelta(minutes=number)
    draw = random.random
    return [
        Rollup(d, q, start, draw() * 5e3, draw(), draw() * 6e3, draw() * 5e3, 60) for d in DEVICES for q in QUANTITIES
    ]


def quarter(device: str, number: int) -> Interval:
    start = T0 + timedelta(minutes=15 * number)
    return Interval(device, start, 900, random.random() * 500, 0.0, IntervalQuality.VALID, "counter")


async def timed(work: Awaitable[object]) -> float:
    begin = time.perf_counter()
    await work
    return 1000 * (time.perf_counter() - begin)


async def day(store: SqliteStore, hours: int) -> list[float]:
    """Each minute 100 roll-ups, at a quarter's end with ten intervals; each 5 minutes a wish that changed, and a plan."""
    spent = []
    for number in range(hours * 60):
        ended = number % 15 == 14
        intervals = [quarter(d, number // 15) for d in DEVICES] if ended else []
        edges = {"metering/edges": {d: {str(q): [number, 1e6 + number] for q in QUANTITIES[:4]} for d in DEVICES}}
        if number % 5 == 0:
            await store.save_plan(replace(PLAN, made_at=T0 + timedelta(minutes=number)))
        spent.append(await timed(store.save_minute(minute(number), intervals, edges if ended else {})))
        if number % 5 == 0:
            time = T0 + timedelta(minutes=number)
            await store.append(AuditRow(time, "commanded", "car", "16 A by the plan: cheap hour"))
    return sorted(spent)


async def measure(folder: Path, hours: int) -> list[tuple[str, str]]:
    store = SqliteStore.open(folder / "hearth.db")
    before = io("write_bytes"), io("wchar"), time.process_time()
    commits = await day(store, hours)
    scale = 24 / hours / 1e6
    written, handed = (io("write_bytes") - before[0]) * scale, (io("wchar") - before[1]) * scale
    rows = [
        ("written to storage per day (target <= 50 MB)", f"{written:.1f} MB"),
        ("handed to write calls per day", f"{handed:.1f} MB"),
        ("CPU per day", f"{(time.process_time() - before[2]) * 24 / hours:.1f} s"),
        (
            "commit of a minute, median / p99",
            f"{commits[len(commits) // 2]:.1f} / {commits[len(commits) * 99 // 100]:.1f} ms",
        ),
        ("database grows per day", f"{(folder / 'hearth.db').stat().st_size * scale:.1f} MB"),
    ]
    pruned = await timed(store.prune(T0 + timedelta(days=61)))
    await store.save_intervals([quarter("year", n) for n in range(365 * 96)])
    # As after the night's housekeeping.
    await store.prune(T0 + timedelta(days=400))
    read = min([await timed(store.intervals("year", T0, T0 + timedelta(days=365))) for _ in range(5)])
    rows += [
        ("read a year of one device's intervals", f"{read:.0f} ms"),
        ("prune all these roll-ups", f"{pruned:.0f} ms"),
    ]
    await store.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--page-bytes", type=int, default=database.PAGE_BYTES)
    parser.add_argument("--log-pages", type=int, default=database.LOG_PAGES)
    parser.add_argument("--folder", type=Path, default=None, help="a folder on the disk to measure")
    options = parser.parse_args()
    database.PAGE_BYTES, database.LOG_PAGES = options.page_bytes, options.log_pages
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print("| what | measured |\n|---|---|")
        for row in asyncio.run(measure(Path(folder), options.hours)):
            print(f"| {row[0]} | {row[1]} |")


if __name__ == "__main__":
    main()
