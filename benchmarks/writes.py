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

from adapters.sqlite.database import LOG_PAGES
from adapters.sqlite.snapshot import snapshot

FRAME = struct.Struct(">IIII")
HEADER_BYTES, FRAME_BYTES = 32, 24
LOOK_S = 0.5
FREE = "free"
GROWING = ("rollups", "audit", "idx_audit_time")
"""Tables whose rows come at the end; the others are written here and there, or used again."""
BLOCK_BYTES = 4096


class LogWatch:
    """Reads the log of one database twice a second until stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._salts, self._next, self._page_bytes = b"", 0, 1024
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

    def look(self, *, forget: bool = False) -> None:
        """Read now; with `forget` count from here on."""
        with self._lock:
            self._read()
            if forget:
                self.commits.clear()

    def blocks_written_back(self) -> float:
        """How many blocks of the file system the share of these commits in writing the log back dirties.

        What came new of the growing tables in the second half stands for their growth, each block written back once;
        all others are written once each time the log is full.
        """
        half, owners = len(self.commits) // 2, self._owners()
        frames = sum(len(commit) for commit in self.commits)
        before, after = self._blocks(self.commits[:half]), self._blocks(self.commits[half:])
        new = {page for commit in self.commits[half:] for page in commit if owners.get(page) in GROWING}
        grown = len(self._blocks([sorted(new)]) - before)
        return 2 * grown + max(0, len(before | after) - 2 * grown) * frames / LOG_PAGES

    def _blocks(self, commits: list[list[int]]) -> set[int]:
        return {(page - 1) * self._page_bytes // BLOCK_BYTES for commit in commits for page in commit}

    def pages_by_table(self) -> Counter[str]:
        """How many pages of which table or index were written."""
        owners = self._owners()
        return Counter(owners.get(page, FREE) for commit in self.commits for page in commit)

    def commits_by_table(self) -> Counter[str]:
        """How many commits touched what, the tables of one commit joined."""
        owners = self._owners()
        return Counter(" + ".join(sorted({owners.get(page, FREE) for page in commit})) for commit in self.commits)

    def _owners(self) -> dict[int, str]:
        with snapshot(self._path) as copy, closing(sqlite3.connect(copy)) as connection:
            return dict(connection.execute("SELECT pageno, name FROM dbstat"))

    def _run(self) -> None:
        while not self._done.wait(LOOK_S):
            self.look()
        self.look()

    def _read(self) -> None:
        try:
            content = self._log.read_bytes()
        except FileNotFoundError:
            return
        if len(content) < HEADER_BYTES:
            return
        self._page_bytes = size = struct.unpack(">I", content[8:12])[0]
        salts = content[16:24]
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
