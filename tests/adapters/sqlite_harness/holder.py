"""A process that has a database open as a gateway has it: some things committed, one waiting; until its stdin ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapters.sqlite.store import SqliteStore


async def hold(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.put("promised", {"n": 1})
    await store.put("waiting", {"n": 2}, later=True)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    for line in sys.stdin:
        await store.put(line.strip(), {})
        sys.stdout.write("written\n")
        sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1])))
