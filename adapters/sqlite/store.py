"""SqliteStore: everything the hub keeps, in one SQLite file; implements gateway.ports.Store.

WAL with synchronous=FULL always: kill -9 cannot tell NORMAL from FULL, a power cut can. Every method that writes has
committed when it returns, but for what is told to come later: samples, learned things and archived plans join the next
commit. Every failure is a StoreError, after which nothing of that call was stored and the same call may be tried again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from adapters.sqlite import retention, scrub
from adapters.sqlite import rows as r
from adapters.sqlite.codec import from_json, to_json
from adapters.sqlite.copies import DatabaseDamaged, copy_database, damage_of, keep_good_copy, verify_database
from adapters.sqlite.database import (
    MEMORY,
    TRANSACTIONS,
    Connect,
    HeldElsewhere,
    impatient_connection,
    plain_connection,
)
from adapters.sqlite.readings import Checked, Readings
from adapters.sqlite.snapshot import snapshot
from adapters.sqlite.worker import Trouble, Worker
from gateway.model.audit import AuditRow, Notification
from gateway.model.dr import DrReport, EventRecord
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.reading import Interval, Rollup
from gateway.model.session import EvSession, SessionAccount

T = TypeVar("T")

PUT_FACT = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET document = excluded.document"
PUT_SHAPE = (
    "INSERT INTO day_shapes VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET document = excluded.document"
    " WHERE document <> excluded.document"
)
PLANS_KEPT = 200
SCRUBS = "scrub"
"""Name of the counter of scrubs: it says which slice is next."""


class SqliteStore:
    """The store on disk; open it with `SqliteStore.open`, end with `close`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._readings = Readings(worker)
        self._borrowed = ExitStack()

    @classmethod
    def open(cls, path: Path, connect: Connect = plain_connection) -> SqliteStore:
        """Open or make the database (blocks for some milliseconds; `:memory:` works); raises StoreError.

        It is this process's alone until `close`; HeldElsewhere when another one has it. A damaged file is renamed to
        <name>.damaged-<n> and the last good copy takes its place, with what was promised since; a notification in it
        says so.
        """
        return cls(Worker(path, connect))

    @property
    def folder(self) -> Path:
        """Where the database lies, and beside it the home's keys."""
        return self._worker.path.parent

    @classmethod
    def open_beside(cls, path: Path) -> SqliteStore:
        """Open to read, also while another process has the database: then a consistent copy, gone at `close`."""
        try:
            return cls.open(path, impatient_connection)
        except HeldElsewhere:
            borrowed = ExitStack()
            with borrowed:
                store = cls.open(borrowed.enter_context(snapshot(path)))
                store._borrowed = borrowed.pop_all()
            return store

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
        self._borrowed.close()

    async def backup(self, target: Path) -> None:
        """A consistent copy of everything committed so far, also while others write; raises StoreError."""
        await self._worker.flush()
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
        await self._readings.save(rollups, ())

    async def save_minute(
        self, rollups: Sequence[Rollup], intervals: Sequence[Interval], documents: Mapping[str, dict[str, Any]]
    ) -> None:
        """Roll-ups, intervals, documents and all that waits to be written in one transaction; raises StoreError."""
        facts = [(r.plain(key), json.dumps(document)) for key, document in documents.items()]
        if rollups or intervals or facts:
            await self._readings.save(rollups, intervals, lambda c: c.executemany(PUT_FACT, facts))
        else:
            await self._worker.flush()

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> list[Rollup]:
        """Roll-ups of one series with start in [start, end), in order; a minute that fails its checksum is not there."""
        return self._told(device, await self._readings.rollups(device, quantity, start, end))

    async def save_intervals(self, intervals: Sequence[Interval]) -> None:
        """Store intervals in one transaction; a later row for the same (device, start) supersedes, none is lost."""
        await self._readings.save((), intervals)

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

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        """Insert or replace one session, committed; `later`, for a sample of an open one, with the next commit."""
        end = None if session.end is None else r.micros(session.end)
        values = (session.transaction, r.plain(session.charger), r.micros(session.start), end)
        # An update in place; what is named in it has its index written again, so a sample names only what it changes.
        start = "" if later else " charger = excluded.charger, start = excluded.start, end = excluded.end,"
        sql = (
            'INSERT INTO sessions (number, charger, start, "end", document) VALUES (?, ?, ?, ?, ?)'
            f" ON CONFLICT (number) DO UPDATE SET{start} document = excluded.document"
        )
        if later:
            # Encoded only when it is written: of the samples of a minute that is the last one.
            row = str(session.transaction)
            self._worker.later("sessions", row, lambda c: c.execute(sql, (*values, to_json(session))))
        else:
            await self._put(sql, *values, to_json(session))

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        """Sessions that overlap [start, end), open ones included, in order of start."""
        sql = (
            "SELECT document FROM sessions WHERE start < ? AND (end IS NULL OR end > ? OR (start >= ? AND end = start))"
            " AND (? = '' OR charger = ?) ORDER BY start, number"
        )
        since, name = r.micros(start), r.plain(charger)
        found = await self._all(sql, r.micros(end), since, since, name, name, of="sessions")
        return [from_json(EvSession, document) for (document,) in found]

    async def save_account(self, account: SessionAccount) -> None:
        """Keep what one stored session cost, with the next commit: it can be made anew."""
        sql = "UPDATE sessions SET account = ? WHERE number = ?"
        self._later("accounts", str(account.transaction), sql, to_json(account), account.transaction)

    async def accounts(self, start: datetime, end: datetime) -> list[SessionAccount]:
        """The accounts kept of the sessions that overlap [start, end), in order of their start."""
        sql = (
            "SELECT account FROM sessions WHERE start < ? AND (end IS NULL OR end > ? OR (start >= ? AND end = start))"
            " AND account IS NOT NULL ORDER BY start, number"
        )
        since = r.micros(start)
        values = (r.micros(end), since, since)

        def read(c: sqlite3.Connection) -> list[SessionAccount]:
            # Decoded in the worker: a month of slices would hold up the tick.
            return [from_json(SessionAccount, document) for (document,) in c.execute(sql, values)]

        return await self._worker.read(read, of="accounts")

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

    async def queued_at(self, key: str) -> datetime | None:
        """When a report was first kept; None for one that is not known."""
        found = await self._all("SELECT queued FROM outbox WHERE key = ?", r.plain(key))
        return r.instant(found[0][0]) if found else None

    async def delivered(self, key: str, at: datetime) -> None:
        """Mark one report as delivered, committed."""
        sql = "UPDATE outbox SET delivered = ? WHERE key = ? AND delivered IS NULL"
        await self._put(sql, r.micros(at), r.plain(key))

    # Facts --------------------------------------------------------------------------------------------------------

    async def put(self, key: str, document: dict[str, Any], *, later: bool = False) -> None:
        """Keep a JSON document under `key`, committed; `later`, where nobody was promised it, with the next commit."""
        values = (r.plain(key), json.dumps(document))
        if later:
            self._later("facts", key, PUT_FACT, *values)
        else:
            await self._put(PUT_FACT, *values)

    async def get(self, key: str) -> dict[str, Any] | None:
        """The document under `key`, or None."""
        found = await self._all("SELECT document FROM facts WHERE key = ?", r.plain(key), of="facts")
        return None if not found else dict(json.loads(found[0][0]))

    async def keys(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted."""
        wanted = r.plain(prefix)
        sql = "SELECT key FROM facts WHERE substr(key, 1, ?) = ? ORDER BY key"
        return [key for (key,) in await self._all(sql, len(wanted), wanted, of="facts")]

    # Audit and notifications --------------------------------------------------------------------------------------

    async def append(self, row: AuditRow) -> None:
        """Append one row, committed."""
        sql = "INSERT INTO audit (time, step, subject, text, authority, source) VALUES (?, ?, ?, ?, ?, ?)"
        await self._put(sql, *r.audit_row(row))

    async def audit(
        self, start: datetime, end: datetime, *, subject: str | None = None, limit: int = 500
    ) -> list[AuditRow]:
        """Rows with time in [start, end), newest first; of one subject or of all."""
        sql = (
            "SELECT time, step, subject, text, authority, source FROM audit WHERE time >= ?1 AND time < ?2"
            " AND (?3 IS NULL OR subject = ?3) ORDER BY time DESC, id DESC LIMIT ?4"
        )
        return [r.audit_of(row) for row in await self._all(sql, r.micros(start), r.micros(end), subject, limit)]

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
        """Store day shapes with the next commit; a later one for the same day replaces."""
        for shape in shapes:
            day = shape.day.isoformat()
            self._later("day_shapes", day, PUT_SHAPE, day, to_json(shape))

    async def day_shapes(self, *, limit: int = 400) -> list[DayShape]:
        """The latest day shapes, oldest first."""
        sql = "SELECT document FROM day_shapes ORDER BY day DESC LIMIT ?"
        return [from_json(DayShape, document) for (document,) in reversed(await self._all(sql, limit, of="day_shapes"))]

    async def save_plan(self, plan: Plan) -> None:
        """Archive a plan as compressed JSON with the next commit; the last PLANS_KEPT stay."""
        made_at = r.micros(plan.made_at)
        values = (made_at, r.plain(plan.cause), zlib.compress(to_json(plan).encode()))

        def change(c: sqlite3.Connection) -> None:
            c.execute("INSERT INTO plans (made_at, cause, document) VALUES (?, ?, ?)", values)
            c.execute("DELETE FROM plans WHERE id <= (SELECT max(id) FROM plans) - ?", (PLANS_KEPT,))

        self._worker.later("plans", f"{made_at} {plan.cause}", change)

    async def plans(self, *, limit: int = PLANS_KEPT) -> list[Plan]:
        """The archived plans, newest first."""
        found = await self._all("SELECT document FROM plans ORDER BY id DESC LIMIT ?", limit, of="plans")
        return [from_json(Plan, zlib.decompress(document)) for (document,) in found]

    # Housekeeping -------------------------------------------------------------------------------------------------

    async def prune(self, now: datetime) -> int:
        """Delete what is too old (see adapters.sqlite.retention); returns rows deleted; raises StoreError."""
        return await retention.prune(self._worker, now)

    # Inside -------------------------------------------------------------------------------------------------------

    async def _all(self, sql: str, *values: Any, of: str = "") -> list[tuple[Any, ...]]:
        return await self._worker.read(lambda c: c.execute(sql, values).fetchall(), of=of)

    async def _put(self, sql: str, *values: Any) -> int:
        return await self._worker.write(lambda c: c.execute(sql, values).rowcount)

    def _later(self, table: str, row: str, sql: str, *values: Any) -> None:
        self._worker.later(table, row, lambda c: c.execute(sql, values))

    def _told(self, device: str, found: Checked[T]) -> list[T]:
        if found.damaged:
            words = f"{found.damaged} stored values of {device} are not what was written and are treated as missing."
            self._worker.on_trouble(f"rows damaged {device}", words)
        return found.rows
