"""One database file: opening it safely and committing to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.sqlite.migrations import migrate
from gateway.model.errors import StoreError

BUSY_S = 10.0
MEMORY = ":memory:"
TRANSACTIONS = "transaction"
"""Name of the counter of OCPP transaction ids."""

KEPT_ON_DAMAGE = ("counters", "facts", "sessions", "events", "outbox", "audit", "notifications", "day_shapes")
"""What is brought over from a damaged file as far as it can be read: everything somebody was promised."""

Connect = Callable[[Path], sqlite3.Connection]


def plain_connection(path: Path) -> sqlite3.Connection:
    """The standard library's connection, in autocommit, usable from any one thread at a time."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def connect_migrated(path: Path, connect: Connect = plain_connection) -> sqlite3.Connection:
    """A connection to a migrated database in WAL with synchronous=FULL; raises sqlite3.Error and StoreError."""
    connection = connect(path)
    try:
        # A minute of roll-ups is some kilobytes: with small pages half as much is written to the card. New files only.
        connection.execute("PRAGMA page_size=1024")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # A page that changes each minute is written back a fourth as often as by default; 4 MB to read after a kill.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
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
    words = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"{path}: cannot be opened: {words}")
