"""Who writes to a database: commits and pages by table, read from its log while another process writes.

A frame of the log is a page that a commit changed; SQLite's own table dbstat says whose page it is.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

FRAME = struct.Struct(">IIII")
HEADER_BYTES, FRAME_BYTES = 32, 24
LOOK_S = 0.5
FREE = "free"


class LogWatch:
    """Reads the log of one database twice a second until stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._salts, self._next = b"", 0
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.commits: list[list[int]] = []
        """The page numbers of each commit."""
        self._open: list[int] = []
        self._thread.start()

    def stop(self) -> None:
        """Read once more and end."""
        self._done.set()
        self._thread.join()

    def pages_by_table(self) -> Counter[str]:
        """How many pages of which table or index were written."""
        with closing(sqlite3.connect(self._path)) as connection:
            owners = dict(connection.execute("SELECT pageno, name FROM dbstat"))
        return Counter(owners.get(page, FREE) for commit in self.commits for page in commit)

    def commits_by_table(self) -> Counter[str]:
        """How many commits touched what, the tables of one commit joined."""
        with closing(sqlite3.connect(self._path)) as connection:
            owners = dict(connection.execute("SELECT pageno, name FROM dbstat"))
        return Counter(" + ".join(sorted({owners.get(page, FREE) for page in commit})) for commit in self.commits)

    def _run(self) -> None:
        while not self._done.wait(LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        with self._lock:
            self._read()

    def _read(self) -> None:
        try:
            content = self._log.read_bytes()
        except FileNotFoundError:
            return
        if len(content) < HEADER_BYTES:
            return
        size, salts = struct.unpack(">I", content[8:12])[0], content[16:24]
        if salts != self._salts:
            self._salts, self._next, self._open = salts, 0, []
        step = FRAME_BYTES + size
        while (at := HEADER_BYTES + self._next * step) + step <= len(content):
            page, committed, *found = FRAME.unpack(content[at : at + 16])
            if struct.pack(">II", *found) != salts:
                return
            self._next += 1
            self._open.append(page)
            if committed:
                self.commits.append(self._open)
                self._open = []
