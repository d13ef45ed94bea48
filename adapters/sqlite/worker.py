"""One connection in one thread: every statement runs there, in order, and the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from adapters.sqlite.database import is_damage, open_database, transaction
from gateway.model.errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Worker:
    """Runs work on the connection; raises StoreError for everything that fails there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.generation = 0
        """Rises when the file was replaced by a new one: ids read from the old one mean nothing any more."""
        self._connection: sqlite3.Connection | None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._closed = False
        try:
            self._connection = self._thread.submit(open_database, path).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def read(self, work: Work[T]) -> T:
        """Run `work` outside a transaction."""
        return await self._submit(lambda: self._guarded(work))

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction; it is on the disk when this returns."""

        def committed(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        return await self._submit(lambda: self._guarded(committed))

    async def close(self) -> None:
        """Finish what is under way and close; a second call does nothing."""
        if not self._closed:
            self._closed = True
            if self._connection is not None:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._thread.shutdown(wait=False)

    async def _submit(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _guarded(self, work: Work[T]) -> T:
        try:
            if self._connection is None:
                self._connection = open_database(self._path)
            return work(self._connection)
        except sqlite3.Error as error:
            if is_damage(error):
                self._renew()
            raise StoreError(f"{self._path.name}: {error}") from error
        except (OverflowError, ValueError) as error:
            raise StoreError(f"{self._path.name}: a value cannot be stored: {error}") from error

    def _renew(self) -> None:
        # Damage found while running: the caller gets an error now, its next try reaches a sound file.
        connection, self._connection = self._connection, None
        self.generation += 1
        if connection is not None:
            connection.close()
        self._connection = open_database(self._path, damaged=True)
