"""A database that is not sound: set aside, replaced by the last good copy, what was promised since saved from it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from adapters.sqlite.copies import GOOD, OLDER, check_soundness, copy_database
from adapters.sqlite.database import (
    MEMORY,
    TRANSACTIONS,
    Connect,
    beside,
    connect_migrated,
    is_damage,
    plain_connection,
    transaction,
    unusable,
)
from adapters.sqlite.rows import micros
from adapters.sqlite.salvage import Saved, save
from adapters.sqlite.scrub import damage_in, mark_missing
from gateway.model.errors import StoreError

log = logging.getLogger(__name__)

SIDE_FILES = ("-wal", "-shm")


def open_database(path: Path, connect: Connect = plain_connection) -> sqlite3.Connection:
    """A connection to a migrated database in WAL with synchronous=FULL.

    A damaged, emptied or vanished file is replaced as by `replace_damaged`. Raises StoreError when the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _vanished(path):
            return replace_damaged(path, "it was empty or gone", connect)
        return connect_migrated(path, connect)
    except sqlite3.Error as error:
        if is_damage(error):
            return replace_damaged(path, str(error), connect)
        raise unusable(path, error) from error
    except OSError as error:
        raise unusable(path, error) from error


def replace_damaged(path: Path, reason: str, connect: Connect = plain_connection) -> sqlite3.Connection:
    """Rename a damaged file aside and go on with the last good copy (or a new file) and what can be saved.

    A notification in the new file says so. Raises StoreError when the disk refuses.
    """
    try:
        written = path.stat().st_mtime if path.exists() else 0.0
        aside = set_aside(path)
        log.error("%s is damaged (%s); it is kept as %s", path, reason, aside.name)
        copied = _put_good_copy(path)
        connection = connect_migrated(path, connect)
        saved = save(aside, connection)
        with transaction(connection):
            mark_missing(connection, damage_in(connection))
            _mark(connection, aside, max(written, copied or 0.0), copied, saved)
    except (sqlite3.Error, OSError) as second:
        raise StoreError(f"{path}: no new database could be made: {second}") from second
    return connection


def set_aside(path: Path) -> Path:
    """Rename a damaged database and its log; returns the new name of the database."""
    number = 1
    while (aside := beside(path, f".damaged-{number}")).exists():
        number += 1
    for suffix in ("", *SIDE_FILES):
        with contextlib.suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
    return aside


def bring_back(path: Path, connection: sqlite3.Connection) -> None:
    """Write the database of an open connection under its name again, after somebody deleted the file; closes it.

    The connection still holds the deleted file, and with it everything. Raises StoreError.
    """
    whole = beside(path, ".rescued")
    copy_database(connection, whole)
    # Closing removes the log by its name: first the old one goes, then the name is given to the new file.
    connection.close()
    for suffix in SIDE_FILES:
        beside(path, suffix).unlink(missing_ok=True)
    try:
        whole.replace(path)
    except OSError as error:
        raise unusable(path, error) from error


def _vanished(path: Path) -> bool:
    """Whether there was a database once (its good copy is there) and now there is an empty file or none."""
    if str(path) == MEMORY or (path.exists() and path.stat().st_size > 0):
        return False
    return beside(path, GOOD).exists() or beside(path, OLDER).exists()


def _put_good_copy(path: Path) -> float | None:
    """Put the newest sound copy in place; returns when it was made (s since 1970), None when there is none."""
    for suffix in (GOOD, OLDER):
        copy, part = beside(path, suffix), beside(path, ".part")
        try:
            check_soundness(copy)
        except StoreError:
            continue
        shutil.copyfile(copy, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        return copy.stat().st_mtime
    return None


def _mark(connection: sqlite3.Connection, aside: Path, written: float, copied: float | None, saved: Saved) -> None:
    # Ids are given one by one from 1, far fewer than one a second: the damaged file's age is above every id it gave.
    connection.execute(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (TRANSACTIONS, int(written)),
    )
    start = (
        "there was no good copy: a new one was begun"
        if copied is None
        else f"the last good copy ({_words(copied)}) took its place"
    )
    text = (
        f"The database was damaged and {start}. {saved if aside.exists() else 'Nothing was left of it.'}"
        f" The damaged one is kept as {aside.name}. Mend: restore a backup with `hearth restore` if more is missed;"
        " a second time points to a failing disk."
    )
    time = micros(datetime.fromtimestamp(written, UTC))
    connection.execute(
        "INSERT OR REPLACE INTO notifications (cause, time, level, text, ended) VALUES (?, ?, ?, ?, NULL)",
        (f"database damaged {aside.name}", time, "alarm", text),
    )


def _words(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
