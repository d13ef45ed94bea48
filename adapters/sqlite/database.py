"""One database file: opening it safely and committing to it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.sqlite.migrations import migrate
from gateway.model.errors import StoreError

PAGE_BYTES = 1024
"""Of new files. A minute of roll-ups is some kilobytes: with small pages half as much is written to the card."""
LOG_PAGES = 4000
"""The log is written back when it has so many: a page that changes each minute goes to the card so much more seldom.
So many are read after a kill."""
BUSY_S, IMPATIENT_S = 10.0, 0.2
MEMORY = ":memory:"
TRANSACTIONS = "transaction"
"""Name of the counter of OCPP transaction ids."""

KEPT_ON_DAMAGE = ("counters", "facts", "sessions", "events", "outbox", "audit", "notifications", "day_shapes")
"""What is brought over from a damaged file as far as it can be read: everything somebody was promised."""

Connect = Callable[[Path], sqlite3.Connection]


class HeldElsewhere(StoreError):
    """Another process has the database open."""


def plain_connection(path: Path, timeout_s: float = BUSY_S) -> sqlite3.Connection:
    """The standard library's connection, in autocommit, usable from any one thread at a time.

    The index of the log is kept in memory, and so the file by one process: as a file (-shm) its pages would be written
    to the card up to twice a minute, more than all measurements. Others read by `adapters.sqlite.snapshot`.
    """
    if str(path) == MEMORY or os.name != "posix":
        return sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    uri = f"{path.absolute().as_uri()}?vfs=unix-excl"
    return sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)


def impatient_connection(path: Path) -> sqlite3.Connection:
    """A connection that does not wait until another process has closed the database."""
    return plain_connection(path, IMPATIENT_S)


def connect_migrated(path: Path, connect: Connect = plain_connection) -> sqlite3.Connection:
    """A connection to a migrated database in WAL with synchronous=FULL; raises sqlite3.Error and StoreError."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        connection.execute("PRAGMA journal_size_limit=8388608")
        migrate(connection)
        for table in KEPT_ON_DAMAGE:
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is not a sound database."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite found no room for what was to be written."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_held(error: sqlite3.Error) -> bool:
    """Whether another process holds the database."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything inside is committed to the disk, or nothing is."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back by itself already.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def beside(path: Path, suffix: str) -> Path:
    """The file of the same name with `suffix` added."""
    return path.with_name(path.name + suffix)


def unusable(path: Path, error: Exception) -> StoreError:
    """What a caller gets to read when the disk refuses."""
    if isinstance(error, sqlite3.Error) and is_held(error):
        return HeldElsewhere(f"{path}: another process has it open, perhaps the gateway. Mend: stop that one first")
    words = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"{path}: cannot be opened: {words}")
