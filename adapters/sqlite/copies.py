"""Copies of the database: a backup of everything, the last good copy beside it, and whether a file is sound."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from adapters.sqlite.database import BUSY_S, PAGE_BYTES, beside, is_damage
from adapters.sqlite.migrations import VERSION, version_of
from adapters.sqlite.scrub import Damage, damage_in
from gateway.model.errors import StoreError

GOOD, OLDER = ".good", ".good-1"
"""The last good copy and the one before it, beside the database."""
COPY_BYTES_PER_DAY = 8_000_000
"""Copies are made each day, or so seldom that they write no more than this."""
COPY_SLACK = timedelta(hours=3)
"""Housekeeping comes each six hours: a copy is due a little before its day is over."""
ROLLUP_MINUTES_COPIED = 60
"""Minutes of roll-ups in a good copy: the last registers, from which the energy of a gap is known."""


class DatabaseDamaged(StoreError):
    """The database that was to be copied is not sound; the copies stay as they are."""


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """A consistent, compact copy, on the disk before it gets its name; replaces `target`. Raises StoreError."""
    part = beside(target, ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(part),))
        part.chmod(0o600)  # what a home does is for its owner's eyes
        _named(part, target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{target}: the copy failed: {error}") from error


def keep_good_copy(path: Path, now: datetime) -> bool:
    """Make the last good copy if one is due; False when none was. Raises StoreError, also when the database is damaged.

    Everything but the minutes: they are most of the bytes and the least of the promises. Runs on a connection of its
    own, so that writing goes on meanwhile.
    """
    good, part = beside(path, GOOD), beside(path, GOOD + ".part")
    if not _due(good, now):
        return False
    try:
        part.unlink(missing_ok=True)
        _copy_facts(path, part)
        check_soundness(part)
        # In home time, as everything Hearth dates.
        os.utime(part, (now.timestamp(), now.timestamp()))
        if good.exists():
            good.replace(beside(path, OLDER))
        _named(part, good)
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise DatabaseDamaged(f"{path}: is damaged: {error}") from error
        raise StoreError(f"{good}: the copy failed: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return True


def check_soundness(path: Path) -> None:
    """Raise StoreError unless SQLite finds the structure of the database sound."""
    try:
        with contextlib.closing(_read_only(path)) as connection:
            answer = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{path}: is not a usable database: {error}") from error
    if answer != "ok":
        raise StoreError(f"{path}: is damaged: {answer}")


def verify_database(path: Path) -> None:
    """Raise StoreError unless `path` is a sound Hearth database of a version we know, checksums of all rows included."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    check_soundness(path)
    try:
        with contextlib.closing(_read_only(path)) as connection:
            version = version_of(connection)
            damage = damage_in(connection) if version == VERSION else []
    except sqlite3.Error as error:
        raise StoreError(f"{path}: is not a usable database: {error}") from error
    if not 0 < version <= VERSION:
        raise StoreError(f"{path}: is not a Hearth database this version can read (version {version})")
    if damage:
        raise StoreError(f"{path}: rows are not what was written: {'; '.join(str(item) for item in damage)}")


def damage_of(path: Path, number: int) -> list[Damage]:
    """What slice `number` of the rows fails, on a connection of its own so that writing goes on; raises StoreError."""
    try:
        with contextlib.closing(_read_only(path)) as connection:
            return damage_in(connection, number)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be looked through: {error}") from error


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)


def _due(good: Path, now: datetime) -> bool:
    if not good.exists():
        return True
    status, days = good.stat(), timedelta(days=1)
    age = timedelta(seconds=abs(now.timestamp() - status.st_mtime))
    return age >= max(days, days * (status.st_size / COPY_BYTES_PER_DAY)) - COPY_SLACK


def _copy_facts(path: Path, part: Path) -> None:
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute(f"PRAGMA page_size={PAGE_BYTES}")
        # Of use only when finished and synced: no journal is written twice for it.
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        copy.execute("ATTACH ? AS source", (str(path),))
        copy.execute("BEGIN")
        answer = str(copy.execute("PRAGMA source.integrity_check(1)").fetchone()[0])
        if answer != "ok":
            raise DatabaseDamaged(f"{path}: is damaged: {answer}")
        tables = _make_tables(copy)
        for table in tables:
            wanted = " WHERE minute > (SELECT max(minute) FROM source.rollups) - ?" if table == "rollups" else ""
            values = (ROLLUP_MINUTES_COPIED,) if wanted else ()
            copy.execute(f'INSERT INTO main."{table}" SELECT * FROM source."{table}"{wanted}', values)
        copy.execute("COMMIT")


def _make_tables(copy: sqlite3.Connection) -> list[str]:
    wanted = "SELECT name, type, sql FROM source.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    found = copy.execute(wanted + " ORDER BY type DESC").fetchall()
    for _, _, sql in found:
        copy.execute(sql)
    copy.execute(f"PRAGMA main.user_version = {int(copy.execute('PRAGMA source.user_version').fetchone()[0])}")
    return [name for name, kind, _ in found if kind == "table"]


def _named(part: Path, target: Path) -> None:
    """Give a finished file its name: content, then name, then the folder on the disk."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
