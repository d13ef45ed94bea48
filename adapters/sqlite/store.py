"""SqliteStore: everything the hub keeps, in one SQLite file; implements gateway.ports.Store.

WAL with synchronous=FULL always: kill -9 cannot tell NORMAL from FULL, a power cut can. Every method that writes has
committed when it returns; every failure is a StoreError, after which nothing of that call was stored and the same
call may be tried again.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.sqlite import rows as r
from adapters.sqlite.codec import from_json, to_json
from adapters.sqlite.database import TRANSACTIONS, copy_database, verify_database
from adapters.sqlite.worker import Worker
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrReport, EventRecord
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.reading import Interval, Rollup
from gateway.model.session import EvSession

ROLLUP_DAYS = 60
AUDIT_DAYS = 400
DELIVERED_DAYS = 90
PLANS_KEPT = 200
PRUNE_MINUTES = 20
"""Roll-ups are deleted this many minutes at a time, so that no other write waits long."""


class SqliteStore:
    """The store on disk; open it with `SqliteStore.open`, end with `close`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._series: dict[tuple[str, str], int] = {}
        self._devices: dict[str, int] = {}
        self._generation = worker.generation

    @classmethod
    def open(cls, path: Path) -> SqliteStore:
        """Open or make the database (blocks for some milliseconds; `:memory:` works); raises StoreError.

        A damaged file is renamed to <name>.damaged-<n>; the new one holds a notification that says so.
        """
        return cls(Worker(path))

    @staticmethod
    def verify(path: Path) -> None:
        """Raise StoreError unless `path` is a sound database this version can read."""
        verify_database(path)

    async def close(self) -> None:
        """Finish what is under way and close."""
        await self._worker.close()

    async def backup(self, target: Path) -> None:
        """A consistent copy of everything committed so far, also while others write; raises StoreError."""
        await self._worker.read(lambda c: copy_database(c, target))

    # Readings -----------------------------------------------------------------------------------------------------

    async def save_rollups(self, rollups: Sequence[Rollup]) -> None:
        """Store roll-ups of closed minutes in one transaction; raises StoreError."""

        def work(c: sqlite3.Connection) -> None:
            found = {k: self._series_id(c, *k) for k in {(x.device, x.quantity.value) for x in rollups}}
            values = [r.rollup_row(found[x.device, x.quantity.value], x) for x in rollups]
            c.executemany("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

        await self._forgetful(work)

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        """Roll-ups of one series with start in [start, end), in order."""
        sql = (
            "SELECT minute, mean, low, high, last, count, suspect FROM rollups"
            " WHERE minute >= ? AND minute < ? AND series = (SELECT id FROM series WHERE device = ? AND quantity = ?)"
            " ORDER BY minute"
        )
        found = await self._all(sql, r.minute(start), r.minute(end), r.plain(device), quantity)
        return r.rollups_of(device, quantity, found)

    async def save_intervals(self, intervals: Sequence[Interval]) -> None:
        """Store intervals in one transaction; a later row for the same (device, start) supersedes, none is lost."""

        def work(c: sqlite3.Connection) -> None:
            found = {name: self._device_id(c, name) for name in {x.device for x in intervals}}
            c.executemany(r.INSERT_INTERVAL, [r.interval_row(found[x.device], x) for x in intervals])

        await self._forgetful(work)

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        """The intervals in force of one device with start in [start, end), in order."""
        sql = (
            "SELECT start, duration_s, import_wh, export_wh, quality, method FROM intervals"
            " WHERE device = (SELECT id FROM devices WHERE name = ?) AND start >= ? AND start < ?"
            " ORDER BY start, sequence"
        )
        return r.intervals_of(device, await self._all(sql, r.plain(device), r.seconds(start), r.seconds(end)))

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        """Every version ever stored of one interval, the one in force last."""
        sql = (
            "SELECT start, duration_s, import_wh, export_wh, quality, method FROM intervals"
            " WHERE device = (SELECT id FROM devices WHERE name = ?) AND start = ? ORDER BY sequence"
        )
        found = await self._all(sql, r.plain(device), r.seconds(start))
        return [r.intervals_of(device, [row])[0] for row in found]

    # Charging sessions --------------------------------------------------------------------------------------------

    async def next_transaction(self) -> int:
        """A transaction id that was never given before and never will be again, >= 1."""
        sql = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        return int(await self._worker.write(lambda c: c.execute(sql, (TRANSACTIONS,)).fetchall()[0][0]))

    async def save_session(self, session: EvSession) -> None:
        """Insert or replace one session, committed."""
        end = None if session.end is None else r.micros(session.end)
        values = (session.transaction, r.plain(session.charger), r.micros(session.start), end, to_json(session))
        await self._put("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", *values)

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        """Sessions that overlap [start, end), open ones included, in order of start."""
        sql = (
            "SELECT document FROM sessions WHERE start < ? AND (end IS NULL OR end > ? OR (start >= ? AND end = start))"
            " AND (? = '' OR charger = ?) ORDER BY start, number"
        )
        since, name = r.micros(start), r.plain(charger)
        return [from_json(EvSession, d) for (d,) in await self._all(sql, r.micros(end), since, since, name, name)]

    # Demand response ----------------------------------------------------------------------------------------------

    async def save_event(self, record: EventRecord) -> None:
        """Insert or replace one event record, committed."""
        event = record.event
        values = (r.plain(event.server), r.plain(event.id), r.micros(record.first_seen), to_json(record))
        await self._put("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", *values)

    async def event_records(self) -> list[EventRecord]:
        """All event records kept, in order of first receipt."""
        found = await self._all("SELECT document FROM events ORDER BY first_seen, event")
        return [from_json(EventRecord, document) for (document,) in found]

    async def enqueue(self, report: DrReport, at: datetime) -> bool:
        """Keep a report until it is delivered, committed; False when its key was kept before."""
        sql = "INSERT INTO outbox (key, server, queued, document) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
        return await self._put(sql, r.plain(report.key), r.plain(report.server), r.micros(at), to_json(report)) == 1

    async def pending(self, server: str) -> list[DrReport]:
        """Reports not yet delivered to `server`, oldest first."""
        sql = "SELECT document FROM outbox WHERE server = ? AND delivered IS NULL ORDER BY id"
        return [from_json(DrReport, document) for (document,) in await self._all(sql, r.plain(server))]

    async def delivered(self, key: str, at: datetime) -> None:
        """Mark one report as delivered, committed."""
        sql = "UPDATE outbox SET delivered = ? WHERE key = ? AND delivered IS NULL"
        await self._put(sql, r.micros(at), r.plain(key))

    # Facts --------------------------------------------------------------------------------------------------------

    async def put(self, key: str, document: dict[str, Any]) -> None:
        """Keep a JSON document under `key`."""
        await self._put("INSERT OR REPLACE INTO facts VALUES (?, ?)", r.plain(key), json.dumps(document))

    async def get(self, key: str) -> dict[str, Any] | None:
        """The document under `key`, or None."""
        found = await self._all("SELECT document FROM facts WHERE key = ?", r.plain(key))
        return None if not found else dict(json.loads(found[0][0]))

    async def keys(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted."""
        wanted = r.plain(prefix)
        sql = "SELECT key FROM facts WHERE substr(key, 1, ?) = ? ORDER BY key"
        return [key for (key,) in await self._all(sql, len(wanted), wanted)]

    # Audit and notifications --------------------------------------------------------------------------------------

    async def append(self, row: AuditRow) -> None:
        """Append one row, committed."""
        sql = "INSERT INTO audit (time, step, subject, text, authority, source) VALUES (?, ?, ?, ?, ?, ?)"
        await self._put(sql, *r.audit_row(row))

    async def audit(self, start: datetime, end: datetime, *, limit: int = 500) -> list[AuditRow]:
        """Rows with time in [start, end), newest first."""
        sql = (
            "SELECT time, step, subject, text, authority, source FROM audit WHERE time >= ? AND time < ?"
            " ORDER BY time DESC, id DESC LIMIT ?"
        )
        return [r.audit_of(row) for row in await self._all(sql, r.micros(start), r.micros(end), limit)]

    async def notify(self, notification: Notification) -> None:
        """Insert or replace the notification of this cause, committed."""
        sql = "INSERT OR REPLACE INTO notifications (cause, time, level, text, ended) VALUES (?, ?, ?, ?, ?)"
        await self._put(sql, *r.notification_row(notification))

    async def notifications(self, *, limit: int = 100) -> list[Notification]:
        """Notifications, newest first."""
        sql = "SELECT cause, time, level, text, ended FROM notifications ORDER BY time DESC, cause LIMIT ?"
        return [r.notification_of(row) for row in await self._all(sql, limit)]

    # Learned ------------------------------------------------------------------------------------------------------

    async def save_day_shapes(self, shapes: Sequence[DayShape]) -> None:
        """Store day shapes in one transaction; a later one for the same day replaces."""
        values = [(shape.day.isoformat(), to_json(shape)) for shape in shapes]
        await self._worker.write(lambda c: c.executemany("INSERT OR REPLACE INTO day_shapes VALUES (?, ?)", values))

    async def day_shapes(self, *, limit: int = 400) -> list[DayShape]:
        """The latest day shapes, oldest first."""
        found = await self._all("SELECT document FROM day_shapes ORDER BY day DESC LIMIT ?", limit)
        return [from_json(DayShape, document) for (document,) in reversed(found)]

    async def save_plan(self, plan: Plan) -> None:
        """Archive a plan as compressed JSON; the last PLANS_KEPT stay."""
        values = (r.micros(plan.made_at), r.plain(plan.cause), zlib.compress(to_json(plan).encode()))

        def work(c: sqlite3.Connection) -> None:
            c.execute("INSERT INTO plans (made_at, cause, document) VALUES (?, ?, ?)", values)
            c.execute("DELETE FROM plans WHERE id <= (SELECT max(id) FROM plans) - ?", (PLANS_KEPT,))

        await self._worker.write(work)

    async def plans(self, *, limit: int = PLANS_KEPT) -> list[Plan]:
        """The archived plans, newest first."""
        found = await self._all("SELECT document FROM plans ORDER BY id DESC LIMIT ?", limit)
        return [from_json(Plan, zlib.decompress(document)) for (document,) in found]

    # Housekeeping -------------------------------------------------------------------------------------------------

    async def prune(self, now: datetime) -> int:
        """Delete what is too old, in small committed batches between which other writes pass; returns rows deleted.

        Roll-ups after 60 days, audit rows after 400, delivered reports and ended notifications after 90; interval
        data, sessions and events stay. Pages are used again, so the file stops growing without VACUUM.
        """
        deleted = await self._prune_rollups(r.minute(now - timedelta(days=ROLLUP_DAYS)))
        for table, column, days in (
            ("audit", "time", AUDIT_DAYS),
            ("outbox", "delivered", DELIVERED_DAYS),
            ("notifications", "ended", DELIVERED_DAYS),
        ):
            sql = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {column} < ? LIMIT 1000)"
            while count := await self._put(sql, r.micros(now - timedelta(days=days))):
                deleted += count
        return deleted

    async def _prune_rollups(self, cutoff: int) -> int:
        deleted = 0
        while True:
            oldest = (await self._all("SELECT min(minute) FROM rollups"))[0][0]
            if oldest is None or oldest >= cutoff:
                return deleted
            upto = min(oldest + PRUNE_MINUTES, cutoff)
            deleted += await self._put("DELETE FROM rollups WHERE minute < ?", upto)

    # Inside -------------------------------------------------------------------------------------------------------

    async def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return await self._worker.read(lambda c: c.execute(sql, values).fetchall())

    async def _put(self, sql: str, *values: Any) -> int:
        return await self._worker.write(lambda c: c.execute(sql, values).rowcount)

    async def _forgetful(self, work: Callable[[sqlite3.Connection], None]) -> None:
        if self._generation != self._worker.generation:
            self._forget()
        try:
            await self._worker.write(work)
        except BaseException:
            # Ids given inside a transaction that failed were rolled back with it: the caches must not keep them.
            self._forget()
            raise

    def _forget(self) -> None:
        self._series, self._devices, self._generation = {}, {}, self._worker.generation

    def _series_id(self, c: sqlite3.Connection, device: str, quantity: str) -> int:
        if (device, quantity) not in self._series:
            key = (r.plain(device), quantity)
            c.execute("INSERT OR IGNORE INTO series (device, quantity) VALUES (?, ?)", key)
            found = c.execute("SELECT id FROM series WHERE device = ? AND quantity = ?", key).fetchone()
            self._series[device, quantity] = int(found[0])
        return self._series[device, quantity]

    def _device_id(self, c: sqlite3.Connection, name: str) -> int:
        if name not in self._devices:
            c.execute("INSERT OR IGNORE INTO devices (name) VALUES (?)", (r.plain(name),))
            found = c.execute("SELECT id FROM devices WHERE name = ?", (r.plain(name),)).fetchone()
            self._devices[name] = int(found[0])
        return self._devices[name]
