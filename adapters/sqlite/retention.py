"""What is deleted when, in small committed pieces between which other writes pass."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from adapters.sqlite.interval_days import KEPT_OPEN_DAYS, pack_old_days
from adapters.sqlite.rows import micros, minute, seconds
from adapters.sqlite.worker import Worker

ROLLUP_DAYS = 60
AUDIT_DAYS = 400
DELIVERED_DAYS = 90
SUPERSEDED_DAYS = 90
PRUNE_MINUTES = 20
"""Roll-ups are deleted this many minutes at a time, so that no other write waits long."""
BY_TIME = (("audit", "time", AUDIT_DAYS), ("outbox", "delivered", DELIVERED_DAYS),
           ("notifications", "ended", DELIVERED_DAYS))  # fmt: skip

# An edit and all it superseded is history for ever; of automatic versions the one in force stays.
DELETE_SUPERSEDED = """
    DELETE FROM intervals WHERE device = :device
    AND start IN (SELECT start FROM intervals WHERE device = :device AND start < :before AND sequence > 0)
    AND sequence < (SELECT max(sequence) FROM intervals AS newest
        WHERE newest.device = :device AND newest.start = intervals.start)
    AND NOT EXISTS (SELECT 1 FROM intervals AS edit WHERE edit.device = :device AND edit.start = intervals.start
        AND edit.sequence >= intervals.sequence AND edit.quality = 'edited')
"""


async def prune(worker: Worker, now: datetime) -> int:
    """Delete what is too old; returns rows deleted; raises StoreError.

    Roll-ups after 60 days, audit rows after 400, delivered reports, ended notifications and interval versions that
    were superseded by themselves after 90. Interval data in force, sessions and events stay; past days of interval data
    are packed. Pages are used again, so the file stops growing without VACUUM.
    """
    deleted = await _rollups(worker, minute(now - timedelta(days=ROLLUP_DAYS)))
    for table, column, days in BY_TIME:
        sql = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {column} < ? LIMIT 1000)"
        while count := await _rows(worker, sql, (micros(now - timedelta(days=days)),)):
            deleted += count
    deleted += await _superseded(worker, seconds(now - timedelta(days=SUPERSEDED_DAYS)))
    before = seconds(now - timedelta(days=KEPT_OPEN_DAYS))
    while await worker.write(lambda c: pack_old_days(c, before)):
        pass
    return deleted


async def _rollups(worker: Worker, cutoff: int) -> int:
    deleted = 0
    while True:
        oldest = await worker.read(lambda c: c.execute("SELECT min(minute) FROM rollups").fetchone()[0])
        if oldest is None or oldest >= cutoff:
            return deleted
        upto = min(oldest + PRUNE_MINUTES, cutoff)
        deleted += await _rows(worker, "DELETE FROM rollups WHERE minute < ?", (upto,))


async def _superseded(worker: Worker, before: int) -> int:
    devices = await worker.read(lambda c: c.execute("SELECT id FROM devices").fetchall())
    values = [{"device": device, "before": before} for (device,) in devices]
    return sum([await _rows(worker, DELETE_SUPERSEDED, value) for value in values])


async def _rows(worker: Worker, sql: str, values: tuple[int, ...] | dict[str, int]) -> int:
    def work(connection: sqlite3.Connection) -> int:
        return connection.execute(sql, values).rowcount

    return await worker.write(work)
