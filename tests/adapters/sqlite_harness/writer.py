"""A process that writes to the store and says on stdout what was acknowledged, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.sqlite.store import SqliteStore
from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

T0 = datetime(2026, 1, 1, tzinfo=UTC)


async def write_for_ever(path: Path) -> None:
    store = SqliteStore.open(path)
    while True:
        number = await store.next_transaction()
        await store.enqueue(DrReport(str(number), "utility", "", "", "", "", "", "", "", ()), T0)
        await store.append(AuditRow(T0, "asked", str(number), "x" * 200))
        time = T0 + number * timedelta(minutes=1)
        await store.save_intervals([Interval("house", time, 900, number, 0.0, IntervalQuality.VALID, "counter")])
        await store.save_rollups([Rollup(f"d{n}", Quantity.POWER, time, number, 0, 9e3, number, 60) for n in range(20)])
        await store.put(f"fact {number}", {"number": number})
        # One write call: the line is in the pipe before anything can kill us in between.
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
