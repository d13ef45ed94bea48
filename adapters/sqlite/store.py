"""SqliteStore: everything the hub keeps, in one SQLite file; implements gateway.ports.Store.

WAL with synchronous=FULL always: kill -9 cannot tell NORMAL from FULL, a power cut can. Every method that writes has
committed when it returns; every failure is a StoreError, after which nothing of that call was stored and the same
call may be tried again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from adapters.sqlite import retention, scrub
from adapters.sqlite import rows as r
from adapters.sqlite.codec import from_json, to_json
from adapters.sqlite.copies import DatabaseDamaged, copy_database, damage_of, keep_good_copy, verify_database
from adapters.sqlite.database import MEMORY, TRANSACTIONS, Connect, plain_connection
from adapters.sqlite.readings import Checked, Readings
from adapters.sqlite.worker import Trouble, Worker
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrReport, EventRecord
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.reading import Interval, Rollup
from gateway.model.session import EvSession

T = TypeVar("T")

PLANS_KEPT = 200
SCRUBS = "scrub"
"""Name of the counter of scrubs: it says which slice is next."""


class SqliteStore:
    """The store on disk; open it with `SqliteStore.open`, end with `close`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._readings = Readings(worker)

    @classmethod
    def open(cls, path: Path, connect: Connect = plain_connection) -> SqliteStore:
        """Open or make the database (blocks for some milliseconds; `:memory:` works); raises StoreError.

        A damaged file is renamed to <name>.damaged-<n> and the last good copy takes its place, with what was promised
        since; a notification in it says so.
        """
        return cls(Worker(path, connect))

    @staticmethod
    def verify(path: Path) -> None:
        """Raise StoreError unless `path` is a sound database this version can read, every row as it was written."""
        verify_database(path)

    def on_trouble(self, tell: Trouble) -> None:
        """Have `tell` called with (cause, words) when the disk is full or stored values are lost, (cause, None) after."""
        self._worker.on_trouble = tell

    async def close(self) -> None:
        """Finish what is under way and close."""
        await self._worker.close()

    async def backup(self, target: Path) -> None:
        """A consistent copy of everything committed so far, also while others write; raises StoreError."""
        await self._worker.read(lambda c: copy_database(c, target))

    async def keep_copy(self, now: datetime) -> bool:
        """Keep the last good copy beside the database if one is due (daily; a large one seldomer); False when not.

        Only a sound database is copied; one found damaged is replaced by the copy before. Raises StoreError.
        """
        path = self._worker.path
        if str(path) == MEMORY:
            return False
        try:
            # On a connection and in a thread of its own: writing goes on.
            return await asyncio.to_thread(keep_good_copy, path, now)
        except DatabaseDamaged as error:
            await self._worker.renew(str(error))
            raise

    async def scrub(self, now: datetime) -> list[scrub.Damage]:
        """Hold the next slice of stored rows against their checksums, and mark what fails as missing; raises StoreError.

        Called each six hours it sees all intervals in a day, all roll-ups in a week. A notification says what was lost.
        """
        if str(self._worker.path) == MEMORY:
            return []
        sql = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        number = await self._worker.write(lambda c: c.execute(sql, (SCRUBS,)).fetchall()[0][0])
        found = await asyncio.to_thread(damage_of, self._worker.path, number)
        if found:

            def work(c: sqlite3.Connection) -> tuple[str, str]:
                scrub.mark_missing(c, found)
                return scrub.notice_of(c, found, now)

            self._worker.on_trouble(*await self._worker.write(work))
        return found

    # Readings -----------------------------------------------------------------------------------------------------

    async def save_rollups(self, rollups: Sequence[Rollup]) -> None:
        """Store roll-ups of closed minutes in one transaction; raises StoreError."""
        await self._readings.save_rollups(rollups)

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        """Roll-ups of one series with start in [start, end), in order; a minute that fails its checksum is not there."""
        return self._told(device, await self._readings.rollups(device, quantity, start, end))

    async def save_intervals(self, intervals: Sequence[Interval]) -> None:
        """Store intervals in one transaction; a later row for the same (device, start) supersedes, none is lost."""
        await self._readings.save_intervals(intervals)

    async def intervals(self, device: str, start: datetime, end: datetime) -> list[Interval]:
        """The intervals in force of one device with start in [start, end), in order.

        One that fails its checksum is missing: "damaged on the disk".
        """
        return self._told(device, await self._readings.intervals(device, start, end))

    async def interval_history(self, device: str, start: datetime) -> list[Interval]:
        """Every version kept of one interval, the one in force last."""
        return self._told(device, await self._readings.history(device, start))

    # Charging sessions --------------------------------------------------------------------------------------------

    async def next_transaction(self) -> int:
        """A transaction id that was never given before and never will be again, >= 1."""
        sql = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        return int(await self._worker.write(lambda c: c.execute(sql, (TRANSACTIONS,)).fetchall()[0][0]))

    async def save_session(self, session: EvSession) -> None:
        """Insert or replace one session, committed."""
        end = None if session.end is None else r.micros(session.end)
        values = (session.transaction, r.plain(session.charger), r.micros(session.start), end, to_json(session))
        # An update in place: replacing would write the index of starts each minute of charging, too.
        sql = (
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET charger = excluded.charger,"
            " start = excluded.start, end = excluded.end, document = excluded.document"
        )
        await self._put(sql, *values)

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
        sql = (
            "INSERT INTO events VALUES (?, ?, ?, ?) ON CONFLICT (server, event) DO UPDATE SET"
            " first_seen = excluded.first_seen, document = excluded.document"
        )
        await self._put(sql, *values)

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
        sql = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET document = excluded.document"
        await self._put(sql, r.plain(key), json.dumps(document))

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
        sql = (
            "INSERT INTO day_shapes VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET document = excluded.document"
            " WHERE document <> excluded.document"
        )
        await self._worker.write(lambda c: c.executemany(sql, values))

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
        """Delete what is too old (see adapters.sqlite.retention); returns rows deleted; raises StoreError."""
        return await retention.prune(self._worker, now)

    # Inside -------------------------------------------------------------------------------------------------------

    async def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return await self._worker.read(lambda c: c.execute(sql, values).fetchall())

    async def _put(self, sql: str, *values: Any) -> int:
        return await self._worker.write(lambda c: c.execute(sql, values).rowcount)

    def _told(self, device: str, found: Checked[T]) -> list[T]:
        if found.damaged:
            words = f"{found.damaged} stored values of {device} are not what was written and are treated as missing."
            self._worker.on_trouble(f"rows damaged {device}", words)
        return found.rows
