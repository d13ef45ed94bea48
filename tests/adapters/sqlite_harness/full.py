"""A store on a small file system that somebody else fills to the last byte; says what still works."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow
from gateway.model.errors import StoreError
from tests.adapters.sqlite_harness.nouns import DAY, T0, rollup


async def a_day(store: SqliteStore, day: int) -> None:
    rows = [rollup(minute, device=f"d{n}", start=T0 + day * DAY) for minute in range(0, 1440, 4) for n in range(8)]
    await store.save_rollups(rows)


def hog(folder: Path) -> None:
    """Take what is left of the file system."""
    with (folder / "hog").open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            return


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(word + "\n")


async def live(folder: Path) -> None:
    told: list[tuple[str, str | None]] = []
    store = SqliteStore.open(folder / "hearth.db")
    store.on_trouble(lambda *what: told.append(what))
    for day in range(8):
        await a_day(store, day)
    hog(folder)
    kept = 0
    for number in range(3000):
        try:
            await store.append(AuditRow(T0, "asked", str(number), "x" * 300))
            kept += 1
        except StoreError:
            pass
        hog(folder)
    if any(cause == "disk full" and words for cause, words in told):
        say("told")
    if len(await store.audit(T0, T0 + DAY, limit=9999)) == kept >= 1000:
        say("facts")
    (folder / "hog").unlink()
    await a_day(store, 8)
    if told[-1] == ("disk full", None):
        say("recovered")
    await store.close()
    SqliteStore.verify(folder / "hearth.db")
    say("sound")


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))
