"""A disk that forgets: a VFS that keeps what was not synced apart, and loses it, in parts and torn, when the power is cut.

Needs apsw, which brings an SQLite of its own. What runs on it is the store itself (worker, transactions, statements,
pragmas); what differs from the product is the Python module between them and the version of SQLite.
"""

from __future__ import annotations

import random
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
NAME = "forgetful"


class Disk:
    """What lies on the disk (the files) and what only the writer believes is there: the writes since the last sync."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.pending: dict[str, list[tuple[int, bytes | None]]] = {}
        """By file, in order: (offset, bytes), or (size, None) for a truncation."""
        self.writes_left = -1
        self.off = False

    def count(self) -> None:
        """One more access; raises when the power goes with it, and ever after."""
        if self.off or self.writes_left == 0:
            self.off = True
            raise apsw.IOError("the power is off")
        self.writes_left -= 1

    def sync(self, path: str) -> None:
        """All writes to one file are on the disk now, in order."""
        for offset, data in self.pending.pop(path, []):
            self._put(path, offset, data)

    def lose(self) -> None:
        """The power is cut: of each file's pending writes any sectors may have reached the disk, in any order."""
        for path, writes in self.pending.items():
            parts = [part for write in writes for part in _sectors(*write)]
            kept = self.dice.choice(("none", "some", "first", "last"))
            if kept == "none":
                continue
            if kept == "some":
                parts = [part for part in parts if self.dice.random() < 0.5]
                self.dice.shuffle(parts)
            else:
                cut = self.dice.randrange(len(parts) + 1)
                parts = parts[:cut] if kept == "first" else parts[cut:]
            for offset, data in parts:
                self._put(path, offset, data)
        self.pending.clear()

    @staticmethod
    def _put(path: str, offset: int, data: bytes | None) -> None:
        with Path(path).open("r+b") as file:
            if data is None:
                file.truncate(offset)
            else:
                file.seek(offset)
                file.write(data)


def _sectors(offset: int, data: bytes | None) -> list[tuple[int, bytes | None]]:
    if data is None:
        return [(offset, None)]
    cuts = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    return [(offset + begin, data[begin:end]) for begin, end in pairwise(cuts)]


class _File(apsw.VFSFile):
    """A file whose writes stay pending until they are synced; reading sees them."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = name if isinstance(name, str) else name.filename()

    def _view(self) -> bytearray:
        content = bytearray(Path(self._path).read_bytes())
        for offset, data in self._disk.pending.get(self._path, []):
            if data is None:
                del content[offset:]
            else:
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
        return content

    def xRead(self, amount: int, offset: int) -> bytes:
        pending = self._disk.pending.get(self._path)
        return bytes(self._view()[offset : offset + amount]) if pending else super().xRead(amount, offset)

    def xFileSize(self) -> int:
        return len(self._view()) if self._disk.pending.get(self._path) else super().xFileSize()

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.count()
        self._disk.pending.setdefault(self._path, []).append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._disk.count()
        self._disk.pending.setdefault(self._path, []).append((size, None))

    def xSync(self, flags: int) -> None:
        self._disk.count()
        self._disk.sync(self._path)


class ForgetfulVfs(apsw.VFS):
    """The VFS over one Disk; registered until it is unregistered."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(NAME, "", maxpathname=0)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _File(self.disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.count()
        self.disk.pending.pop(filename, None)
        super().xDelete(filename, syncdir)


class _Cursor:
    """Of sqlite3's cursor what the store uses."""

    def __init__(self, cursor: Any, changed: int) -> None:
        self._cursor, self.rowcount = cursor, changed

    def __iter__(self) -> Any:
        return self._cursor

    def fetchone(self) -> Any:
        return next(self._cursor, None)

    def fetchall(self) -> list[Any]:
        return list(self._cursor)


class Connection:
    """apsw's connection with the methods and errors of sqlite3 that the store uses."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._synchronous = synchronous
        self._inner = _translated(apsw.Connection, str(path), vfs=NAME)
        # The index of the log in heap memory: the VFS need not pretend to share memory.
        self.execute("PRAGMA locking_mode=EXCLUSIVE")

    def execute(self, sql: str, values: Any = ()) -> _Cursor:
        if sql == "PRAGMA synchronous=FULL":
            sql = f"PRAGMA synchronous={self._synchronous}"
        if sql.startswith("PRAGMA wal_autocheckpoint"):
            # Far sooner than in the product, so that many cuts fall into the log's writing back.
            sql = "PRAGMA wal_autocheckpoint=60"
        return self._run(lambda: self._inner.execute(sql, values or None))

    def executemany(self, sql: str, values: Any) -> _Cursor:
        return self._run(lambda: self._inner.executemany(sql, values))

    def close(self) -> None:
        _translated(self._inner.close, True)

    def _run(self, call: Any) -> _Cursor:
        before = self._inner.total_changes()
        cursor = _translated(call)
        return _Cursor(cursor, self._inner.total_changes() - before)


def _translated(call: Any, *values: Any, **named: Any) -> Any:
    try:
        return call(*values, **named)
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error


def forget_log_index(path: Path) -> None:
    """After a cut there is no shared memory."""
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
