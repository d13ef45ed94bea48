"""kill -9 in the midst of writing: how many acknowledged rows are lost.

    python benchmarks/kill.py [--kills 100]

A process writes transaction ids, reports, audit rows and facts and says on stdout what the store acknowledged; it is killed
at a random moment, again and again, on the same file.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.table import ROOT, Row

START = datetime(2026, 1, 1, tzinfo=UTC)


def killed_once(path: Path, lines: int) -> list[int]:
    """What one writer acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.adapters.sqlite_harness.writer", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    said = [int(process.stdout.readline()) for _ in range(lines)]
    process.kill()
    rest = process.stdout.read().split("\n")
    process.wait()
    return said + [int(line) for line in rest[:-1]]


async def lost(path: Path, acknowledged: list[int]) -> int:
    """How many acknowledged rows of any kind are not there."""
    store = SqliteStore.open(path)
    reports = {int(report.key) for report in await store.pending("utility")}
    audit = {int(row.subject) for row in await store.audit(START, START + timedelta(days=1), limit=1_000_000)}
    facts = {int(key.removeprefix("fact ")) for key in await store.keys("fact ")}
    await store.close()
    SqliteStore.verify(path)
    return sum(len(set(acknowledged) - kept) for kept in (reports, audit, facts))


def rows(quick: bool, kills: int = 100) -> list[Row]:
    """The promise about kills, as far as the store goes."""
    kills, dice = (10 if quick else kills), random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hearth.sqlite"
        acknowledged = [number for _ in range(kills) for number in killed_once(path, dice.randint(1, 40))]
        missing = asyncio.run(lost(path, acknowledged))
    return [
        Row(
            "kill -9: nothing acknowledged is lost",
            "0 lost",
            f"{missing} of {3 * len(acknowledged)} acknowledged rows lost",
            f"{kills} kills of a writing process on one file; a power cut was not tried (synchronous=FULL is set)",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    for row in rows(False, parser.parse_args().kills):
        print(row.line())


if __name__ == "__main__":
    main()
