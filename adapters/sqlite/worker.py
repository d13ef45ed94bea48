"""One connection in one thread: every statement runs there, in order, and the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from adapters.sqlite.damage import bring_back, open_database, replace_damaged
from adapters.sqlite.database import MEMORY, Connect, is_damage, is_full, plain_connection, transaction
from adapters.sqlite.later import Change, Later, seen
from adapters.sqlite.room import DISK, Room
from gateway.model.errors import StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Trouble = Callable[[str, str | None], None]
"""Told of (cause, words); words are None when that trouble is over."""

DATABASE = "database"
FULL = (
    "The disk is full. Facts are kept as far as they fit{thinned}. Control goes on. "
    "Mend: make room on the disk; Hearth goes on by itself."
)
BROUGHT_BACK = "The database file was deleted while Hearth ran; it was written again, nothing is lost."
EXCHANGED = "The database file was exchanged while Hearth ran; Hearth goes on with the new one."
REPLACED = "The database was found damaged and replaced. The notification beside says by what, and what was saved."


class Worker:
    """Runs work on the connection; raises StoreError for everything that fails there."""

    def __init__(self, path: Path, connect: Connect = plain_connection) -> None:
        self._path, self._connect = path, connect
        self.generation = 0
        """Rises when the file was replaced by another one: ids read from the old one mean nothing any more."""
        self.on_trouble: Trouble = lambda cause, words: None
        self._troubles: list[tuple[str, str | None]] = []
        self._connection: sqlite3.Connection | None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._closed = False
        self._later = Later()
        try:
            self._connection = self._thread.submit(self._open).result()
        except BaseException:
            self._thread.shutdown()
            raise
        self._room = Room(path, self._connection)

    @property
    def path(self) -> Path:
        """Where the database is."""
        return self._path

    async def read(self, work: Work[T], *, of: str = "") -> T:
        """Run `work` outside a transaction; it sees what waits to be written of the table `of`."""
        if of and self._later.concerns(of):
            upto = self._later.place
            return await self._submit(lambda: self._guarded(lambda c: seen(c, self._later, upto, work)))
        return await self._submit(lambda: self._guarded(work))

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction; it is on the disk when this returns, and with it what waited until now.

        May run `work` again when the disk is full.
        """
        upto = self._later.place

        def committed(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                # First what was asked for first: of the same row the last word stays.
                self._later.write(connection, upto)
                done = work(connection)
            self._later.written(upto)
            return done

        return await self._submit(lambda: self._guarded(lambda c: self._with_room(c, committed, upto)))

    def later(self, table: str, row: str, change: Change) -> None:
        """Let a change of one row wait for the next `write`; a change of it that waits already is replaced.

        Only a kill or a full disk may lose it; raises StoreError once closed.
        """
        if self._closed:
            raise StoreError("the store is closed")
        self._later.add(table, row, change)

    async def flush(self) -> None:
        """Commit what waits, if anything does."""
        if not self._later.empty:
            await self.write(lambda connection: None)

    async def renew(self, reason: str) -> None:
        """Replace a database that was found damaged; raises StoreError."""
        await self._submit(lambda: self._renew(reason))

    async def close(self) -> None:
        """Finish what is under way and close; a second call does nothing."""
        if not self._closed:
            try:
                await self.flush()
            except StoreError as error:
                log.warning("what waited to be written is lost: %s", error)
            self._closed = True
            if self._connection is not None:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._thread.shutdown(wait=False)

    async def _submit(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        finally:
            told, self._troubles = self._troubles, []
            for cause, words in told:
                self.on_trouble(cause, words)

    def _open(self) -> sqlite3.Connection:
        connection = open_database(self._path, self._connect)
        self._inode = self._inode_now()
        return connection

    def _inode_now(self) -> int | None:
        try:
            return None if str(self._path) == MEMORY else self._path.stat().st_ino
        except FileNotFoundError:
            return None

    def _guarded(self, work: Work[T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            elif self._inode_now() != self._inode:
                self._bring_back(self._connection)
            return work(self._connection)
        except sqlite3.Error as error:
            if is_damage(error):
                self._renew(str(error))
            raise StoreError(f"{self._path.name}: {error}") from error
        except (OverflowError, ValueError, struct.error) as error:
            raise StoreError(f"{self._path.name}: a value cannot be stored: {error}") from error

    def _with_room(self, connection: sqlite3.Connection, work: Work[T], upto: int) -> T:
        while True:
            try:
                done = work(connection)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                again = self._room.make(connection)
                self._tell_full()
                # What nobody was promised gives way to what somebody waits for.
                if not again and not self._later.written(upto):
                    raise
            else:
                self._troubles.extend(self._room.news())
                self._room.stay_ready(connection)
                return done

    def _tell_full(self) -> None:
        hours = self._room.thinned_minutes // 60
        thinned = f"; the oldest {hours} hours of minute values were given up for them" if hours else ""
        self._troubles.append((DISK, FULL.format(thinned=thinned)))

    def _bring_back(self, connection: sqlite3.Connection) -> None:
        """The file under our name is not ours: deleted (all we hold is written again) or replaced (that one counts)."""
        deleted = self._inode_now() is None
        if deleted:
            bring_back(self._path, connection)
        connection.close()
        self._connection = None
        self.generation += 1
        self._connection = self._open()
        self._troubles.append((DATABASE, BROUGHT_BACK if deleted else EXCHANGED))
        if not deleted:
            raise StoreError(f"{self._path.name}: the file was exchanged while open; try again")

    def _renew(self, reason: str) -> None:
        # Damage found while running: the caller gets an error now, its next try reaches a sound file.
        connection, self._connection = self._connection, None
        self.generation += 1
        if connection is not None:
            connection.close()
        self._connection = replace_damaged(self._path, reason, self._connect)
        self._inode = self._inode_now()
        self._troubles.append((DATABASE, REPLACED))
