"""Writes nobody was promised: they join the next commit instead of making one, and a read sees them at once."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], object]


class Waiting(NamedTuple):
    """One write that waits, and its place in the order in which everything was asked for."""

    place: int
    change: Change


class Later:
    """The newest write of each row that waits for a commit; added in the event loop, written in the worker's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._place = 0

    @property
    def place(self) -> int:
        """The place of the last write added: a commit takes those up to where it was asked for itself."""
        return self._place

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def add(self, table: str, row: str, change: Change) -> None:
        """Let `change` wait; it takes the place of one that waits for the same row."""
        with self._lock:
            self._waiting.pop((table, row), None)
            self._place += 1
            self._waiting[table, row] = Waiting(self._place, change)

    def write(self, connection: sqlite3.Connection, upto: int) -> None:
        """Do what waits up to a place, in order, inside the transaction that is open; it waits on until `written`."""
        for _, change in self._due(upto):
            try:
                change(connection)
            except (OverflowError, ValueError) as error:
                # It must not keep those from the disk who wait for an answer.
                log.warning("a value cannot be stored and is left out: %s", error)

    def written(self, upto: int) -> bool:
        """Those up to a place are on the disk, or given up: they wait no more; False when there were none."""
        with self._lock:
            before = len(self._waiting)
            self._waiting = {row: waiting for row, waiting in self._waiting.items() if waiting.place > upto}
            return len(self._waiting) < before

    def concerns(self, table: str) -> bool:
        """Whether a row of this table waits."""
        with self._lock:
            return any(name == table for name, _ in self._waiting)

    def _due(self, upto: int) -> list[Waiting]:
        with self._lock:
            return [waiting for waiting in self._waiting.values() if waiting.place <= upto]


def seen(connection: sqlite3.Connection, later: Later, upto: int, work: Callable[[sqlite3.Connection], T]) -> T:
    """What `work` reads as if all that waits had been written; nothing is: not a byte goes to the disk for a look."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        later.write(connection, upto)
        return work(connection)
    finally:
        # An error may have rolled back by itself already.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
