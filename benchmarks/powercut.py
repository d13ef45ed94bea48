"""Power cuts in the midst of writing: how many acknowledged rows are lost, with synchronous=FULL and with NORMAL.

    python benchmarks/powercut.py [--cuts 500]

The store writes on a VFS that holds back what was not synced (tests/adapters/sqlite_harness/power.py); at a random write
the power goes: any of the unsynced sectors may be on the disk, in any order. Then the file is opened normally. The same
harness must lose rows with NORMAL, or it would prove nothing. Needs apsw, which is no dependency of Hearth.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.table import Row
from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport
from gateway.model.errors import StoreError
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONGEST = 400
"""The power goes at the latest with this access to the disk after the opening."""
KINDS = ("fact", "audit", "report", "interval", "rollup")


class Outcome(NamedTuple):
    """Of many cuts: rows acknowledged, rows of them lost, cuts that lost any, files that were not sound."""

    acknowledged: int = 0
    lost: int = 0
    losing: int = 0
    unsound: int = 0


async def write(store: SqliteStore, first: int, said: set[tuple[str, int]]) -> None:
    """Write numbered rows of every kind until the power goes; `said` takes what was acknowledged."""
    number = first
    while True:
        time = T0 + number * MINUTE
        await store.put(f"fact {number}", {"number": number})
        said.add(("fact", number))
        await store.append(AuditRow(time, "asked", str(number), "x" * 200))
        said.add(("audit", number))
        await store.enqueue(DrReport(str(number), "utility", "", "", "", "", "", "", "", ()), T0)
        said.add(("report", number))
        await store.save_intervals([Interval("house", time, 900, number, 0.0, IntervalQuality.VALID, "counter")])
        said.add(("interval", number))
        await store.save_rollups([Rollup(f"d{n}", Quantity.POWER, time, number, 0, 9e3, number, 60) for n in range(30)])
        said.add(("rollup", number))
        number += 1


async def kept(path: Path) -> set[tuple[str, int]]:
    """What is there when the file is opened normally."""
    store, end = SqliteStore.open(path), T0 + timedelta(days=999)
    found = {("fact", int(key.removeprefix("fact "))) for key in await store.keys("fact ")}
    found |= {("audit", int(row.subject)) for row in await store.audit(T0, end, limit=1_000_000)}
    found |= {("report", int(report.key)) for report in await store.pending("utility")}
    found |= {("interval", int(i.import_wh or 0)) for i in await store.intervals("house", T0, end)}
    found |= {("rollup", int(row.mean)) for row in await store.rollups("d29", "power_w", T0, end)}
    await store.close()
    return found


async def cut_once(path: Path, first: int, synchronous: str, dice: random.Random) -> set[tuple[str, int]]:
    """Write until a cut; returns what was acknowledged."""
    from tests.adapters.sqlite_harness.power import Connection, Disk, ForgetfulVfs, forget_log_index

    disk, said = Disk(dice), set[tuple[str, int]]()
    vfs = ForgetfulVfs(disk)

    def connect(where: Path) -> sqlite3.Connection:
        connection: Any = Connection(where, synchronous)
        return connection  # type: ignore[no-any-return]

    store = SqliteStore.open(path, connect)
    disk.writes_left = dice.randrange(LONGEST)
    with suppress(StoreError):
        await write(store, first, said)
    with suppress(sqlite3.Error):
        await store.close()
    disk.lose()
    vfs.unregister()
    forget_log_index(path)
    return said


async def cuts(folder: Path, count: int, synchronous: str, seed: int = 1) -> Outcome:
    """`count` cuts on one file, each going on where the last one left off."""
    dice, path, outcome, expected = random.Random(seed), folder / f"{synchronous}.sqlite", Outcome(), set()
    await SqliteStore.open(path).close()
    for number in range(count):
        said = await cut_once(path, 1000 * number, synchronous, dice)
        try:
            SqliteStore.verify(path)
            sound = True
        except StoreError:
            sound = False
        found = await kept(path)
        expected |= said
        missing = expected - found
        outcome = Outcome(
            outcome.acknowledged + len(said), outcome.lost + len(missing), outcome.losing + bool(missing),
            outcome.unsound + (not sound),
        )  # fmt: skip
        # What is lost once is counted once.
        expected = expected & found
    return outcome


def rows(quick: bool, count: int = 500) -> list[Row]:
    """The promise about power cuts."""
    count, words = (30 if quick else count), {}
    with tempfile.TemporaryDirectory() as folder:
        for synchronous in ("FULL", "NORMAL"):
            o = asyncio.run(cuts(Path(folder), count, synchronous))
            words[synchronous] = f"{o.lost} of {o.acknowledged} acknowledged rows lost, {o.unsound} files unsound"
            losing = o.losing
    return [
        Row("power cut: nothing acknowledged is lost", "0 lost", words["FULL"],
            f"{count} cuts on a VFS that loses unsynced sectors (apsw); the same with synchronous=NORMAL: "
            f"{words['NORMAL']}, in {losing} of {count} cuts")
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=500)
    for row in rows(False, parser.parse_args().cuts):
        print(row.line())


if __name__ == "__main__":
    main()
