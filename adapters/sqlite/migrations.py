"""The database's shape: ordered migrations, each applied once, in a transaction.

`PRAGMA user_version` counts them, so that a normal start sees at once that none is due and never imports
sqlite-utils (which costs memory a small hub has better uses for).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from gateway.model.errors import StoreError

Step = Callable[[Any], None]
"""A migration; gets a sqlite_utils Database."""


def _first_tables(db: Any) -> None:
    # Time-first key without rowid: one minute of all series lands on neighbouring pages (a fraction of the bytes).
    db.execute(
        "CREATE TABLE rollups (minute INTEGER, series INTEGER, mean INTEGER, low INTEGER, high INTEGER, last INTEGER,"
        " count INTEGER, suspect INTEGER, PRIMARY KEY (minute, series)) WITHOUT ROWID"
    )
    # Rows are never updated: a later sequence supersedes an earlier one.
    db.execute(
        "CREATE TABLE intervals (device INTEGER, start INTEGER, sequence INTEGER, duration_s INTEGER, import_wh REAL,"
        " export_wh REAL, quality TEXT, method TEXT, PRIMARY KEY (device, start, sequence)) WITHOUT ROWID"
    )
    db["devices"].create({"id": int, "name": str}, pk="id", not_null={"name"})
    db["devices"].create_index(["name"], unique=True)
    db["series"].create({"id": int, "device": str, "quantity": str}, pk="id", not_null={"device", "quantity"})
    db["series"].create_index(["device", "quantity"], unique=True)
    db["counters"].create({"name": str, "value": int}, pk="name")
    db["sessions"].create({"number": int, "charger": str, "start": int, "end": int, "document": str}, pk="number")
    db["sessions"].create_index(["start"])
    db["events"].create({"server": str, "event": str, "first_seen": int, "document": str}, pk=("server", "event"))
    db["outbox"].create(
        {"id": int, "key": str, "server": str, "queued": int, "delivered": int, "document": str}, pk="id"
    )
    db["outbox"].create_index(["key"], unique=True)
    db["facts"].create({"key": str, "document": str}, pk="key")
    db["audit"].create(
        {"id": int, "time": int, "step": str, "subject": str, "text": str, "authority": int, "source": str}, pk="id"
    )
    db["audit"].create_index(["time"])
    db["notifications"].create({"cause": str, "time": int, "level": str, "text": str, "ended": int}, pk="cause")
    db["day_shapes"].create({"day": str, "document": str}, pk="day")
    db["plans"].create({"id": int, "made_at": int, "cause": str, "document": bytes}, pk="id")


def _sealed_rows(db: Any) -> None:
    # Rows written before have no checksum (NULL); their low, high and last are absolute, those of sealed rows are
    # differences from the mean. Adding a column rewrites nothing, however large the table is.
    db.execute("ALTER TABLE rollups ADD COLUMN seal INTEGER")
    db.execute("ALTER TABLE intervals ADD COLUMN seal INTEGER")


def _packed_days(db: Any) -> None:
    db.execute(
        "CREATE TABLE interval_days (device INTEGER, day INTEGER, body BLOB, seal INTEGER, PRIMARY KEY (device, day))"
    )


def _accounts_of_sessions(db: Any) -> None:
    # What a session cost and why; of its row, so that it is kept, copied and salvaged with it.
    db.execute("ALTER TABLE sessions ADD COLUMN account TEXT")


STEPS: tuple[Step, ...] = (_first_tables, _sealed_rows, _packed_days, _accounts_of_sessions)
"""In order; append only, never edit one that was released."""

VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to VERSION; raises StoreError when a newer Hearth wrote it."""
    found = version_of(connection)
    if found > VERSION:
        raise StoreError(
            f"the database has version {found}, this Hearth knows {VERSION}: install the newer Hearth again"
        )
    if found < VERSION:
        _apply(connection, found)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the database has seen; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _apply(connection: sqlite3.Connection, found: int) -> None:
    from sqlite_utils import Database

    db = Database(connection, execute_plugins=False)
    for number, step in enumerate(STEPS[found:], found + 1):
        with db.atomic():
            step(db)
            # Inside the same transaction: a step is done entirely or not at all.
            connection.execute(f"PRAGMA user_version = {number}")
