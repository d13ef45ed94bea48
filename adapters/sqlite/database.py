"""One database file: opening it safely, setting a damaged one aside, copying it."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from adapters.sqlite.migrations import VERSION, migrate, version_of
from gateway.model.errors import StoreError

log = logging.getLogger(__name__)

BUSY_S = 10.0
TRANSACTIONS = "transaction"
"""Name of the counter of OCPP transaction ids."""

KEPT_ON_DAMAGE = ("counters", "facts", "sessions", "events", "outbox", "audit", "notifications", "day_shapes")
"""What is brought over from a damaged file as far as it can be read: everything somebody was promised."""


def open_database(path: Path, *, damaged: bool = False) -> sqlite3.Connection:
    """A connection to a migrated database in WAL with synchronous=FULL.

    A damaged file (or one known to be `damaged`) is renamed aside, what was promised to somebody is saved from it,
    and a notification in the new file says so. Raises StoreError when the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _replace(path, "found while running") if damaged else _connect(path)
    except sqlite3.Error as error:
        if is_damage(error):
            return _replace(path, str(error))
        raise StoreError(f"{path}: cannot be opened: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is not a sound database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Rename a damaged database and its log; returns the new name of the database."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """A consistent, compact copy, on the disk before it gets its name; replaces `target`. Raises StoreError."""
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{target}: the copy failed: {error}") from error


def verify_database(path: Path) -> None:
    """Raise StoreError unless `path` is a sound Hearth database of a version we know."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            version = version_of(connection)
            answer = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{path}: is not a usable database: {error}") from error
    if answer != "ok":
        raise StoreError(f"{path}: is damaged: {answer}")
    if not 0 < version <= VERSION:
        raise StoreError(f"{path}: is not a Hearth database this version can read (version {version})")


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


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        # A minute of roll-ups is some kilobytes: with small pages about half as much is written to the card. New files only.
        connection.execute("PRAGMA page_size=1024")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=8388608")
        migrate(connection)
        for table in KEPT_ON_DAMAGE:
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _replace(path: Path, reason: str) -> sqlite3.Connection:
    written = path.stat().st_mtime
    aside = set_aside(path)
    log.error("%s is damaged (%s); it is kept as %s", path, reason, aside.name)
    try:
        connection = _connect(path)
        saved = _save_promises(aside, connection)
        with transaction(connection):
            _mark(connection, aside, written, saved)
    except sqlite3.Error as second:
        raise StoreError(f"{path}: no new database could be made: {second}") from second
    return connection


def _save_promises(aside: Path, connection: sqlite3.Connection) -> list[str]:
    saved = []
    with contextlib.closing(sqlite3.connect(aside)) as old:
        for table in KEPT_ON_DAMAGE:
            # Each table by itself: one bad page loses one table at most.
            with contextlib.suppress(sqlite3.Error):
                rows = old.execute(f"SELECT * FROM {table}").fetchall()
                marks = ",".join("?" * len(rows[0])) if rows else ""
                with transaction(connection):
                    connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
                saved.append(table)
    return saved


def _mark(connection: sqlite3.Connection, aside: Path, written: float, saved: list[str]) -> None:
    # Ids are given one by one from 1, far fewer than one a second: the damaged file's age is above every id it gave.
    connection.execute(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (TRANSACTIONS, int(written)),
    )
    kept = ", ".join(saved) if saved else "nothing"
    text = (
        f"The database was damaged and a new one was started. The old one is kept as {aside.name}; saved from it: "
        f"{kept}. Mend: restore the last backup with `hearth restore`; a second time points to a failing disk."
    )
    micros = int(datetime.fromtimestamp(written, UTC).timestamp() * 1e6)
    connection.execute(
        "INSERT OR REPLACE INTO notifications (cause, time, level, text, ended) VALUES (?, ?, ?, ?, NULL)",
        (f"database damaged {aside.name}", micros, "alarm", text),
    )
