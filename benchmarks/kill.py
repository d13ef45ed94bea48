"""kill -9 in the midst of writing: how many acknowledged rows are lost.

    python benchmarks/kill.py [--kills 1000]

A process writes transaction ids, reports, audit rows, facts, intervals and roll-ups and says on stdout what the store
acknowledged; it is killed at a random moment, again and again, on the same file. Two files at a time: a kill costs the start
of a process.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.table import ROOT, Row

FILES = 2
LATER_S = 0.004
"""The kill comes up to so long after the last line read: in the midst of any of the next commits."""
START = datetime(2026, 1, 1, tzinfo=UTC)


def killed_once(path: Path, lines: int, later_s: float) -> list[int]:
    """What one writer acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.adapters.sqlite_harness.writer", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    said = [int(process.stdout.readline()) for _ in range(lines)]
    time.sleep(later_s)
    process.kill()
    rest = process.stdout.read().split("\n")
    process.wait()
    return said + [int(line) for line in rest[:-1]]


def killed(path: Path, kills: int, seed: int) -> list[int]:
    """What all writers on one file acknowledged."""
    dice = random.Random(seed)
    draws = [(dice.randint(1, 30), dice.uniform(0, LATER_S)) for _ in range(kills)]
    return [number for lines, later_s in draws for number in killed_once(path, lines, later_s)]


async def lost(path: Path, acknowledged: list[int]) -> int:
    """How many acknowledged rows of any kind are not there; raises StoreError when the file is not sound."""
    SqliteStore.verify(path)
    store, end = SqliteStore.open(path), START + timedelta(days=99)
    reports = {int(report.key) for report in await store.pending("utility")}
    audit = {int(row.subject) for row in await store.audit(START, end, limit=1_000_000)}
    facts = {int(key.removeprefix("fact ")) for key in await store.keys("fact ")}
    intervals = {int(i.import_wh or 0) for i in await store.intervals("house", START, end)}
    rollups = {int(row.mean) for row in await store.rollups("d19", "power_w", START, end)}
    await store.close()
    return sum(len(set(acknowledged) - kept) for kept in (reports, audit, facts, intervals, rollups))


def rows(quick: bool, kills: int = 1000) -> list[Row]:
    """The promise about kills, as far as the store goes."""
    kills, begin = (10 if quick else kills), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(FILES) as threads:
        paths = [Path(folder) / f"hearth-{number}.sqlite" for number in range(FILES)]
        said = list(threads.map(killed, paths, [kills // FILES] * FILES, range(FILES)))
        spent = time.monotonic() - begin
        missing = sum(asyncio.run(lost(path, numbers)) for path, numbers in zip(paths, said, strict=True))
    return [
        Row(
            "kill -9: nothing acknowledged is lost",
            "0 lost",
            f"{missing} of {5 * sum(len(numbers) for numbers in said)} acknowledged rows lost",
            f"{kills} kills of a writing process on {FILES} files in {spent:.0f} s; every file sound afterwards",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    for row in rows(False, parser.parse_args().kills):
        print(row.line())


if __name__ == "__main__":
    main()
