"""Space on the disk: what is done when there is none left."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from adapters.sqlite.database import MEMORY, beside, is_full, transaction

DISK, RESERVE = "disk full", "disk reserve"
"""Causes of what is told."""
RESERVE_BYTES = 2_000_000
"""Held back beside the database: deleting, too, writes to the log first."""
WRITES_FACTOR = 2
"""A full disk is full no more when so many reserves are free: given up, the reserve alone frees one."""
FREE_FACTOR = 4
"""The reserve is held back when so many of it are free."""
MISSING = (
    "Writing works, but only {free:.1f} MB are free on the disk: Hearth holds {reserve:.0f} MB back for the day it is"
    " full as soon as {wanted:.0f} MB are free. Mend: make room for {missing:.1f} MB more."
)
OPEN = "SELECT 1 FROM notifications WHERE cause = ? AND ended IS NULL"
ENOUGH_PAGES = 256
"""With so many free pages inside the file, thinning it further gains nothing."""
DAYS_LEFT = 2
"""Roll-ups of the last days stay: the interval data go on from them after a restart."""
THINNED_AT_ONCE = 20
MINUTES_PER_DAY = 1440


class Room:
    """The reserve, and thinning the oldest roll-ups so that facts still fit; `full` while the trouble lasts."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._reserve = None if str(path) == MEMORY else beside(path, ".reserve")
        # What was told before a restart is still open: it ends when it is over.
        self.full, self._short = (_is_open(connection, cause) for cause in (DISK, RESERVE))
        self._log_empty = False
        self.thinned_minutes = 0
        """How much history went since the trouble began, minutes."""
        self.provide()

    def provide(self) -> bool:
        """Hold the reserve back, if it fits with room to spare; says whether it is held."""
        if self._reserve is None or self._reserve.exists():
            return True
        try:
            if self._free() < FREE_FACTOR * RESERVE_BYTES:
                return False
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self._reserve.unlink(missing_ok=True)
            return False
        return True

    def _free(self) -> int:
        """Bytes free on the disk; none where the disk does not say."""
        try:
            space = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return space.f_bavail * space.f_frsize

    def make(self, connection: sqlite3.Connection) -> bool:
        """Make room; False when nothing more can be done. Raises sqlite3.Error other than a full disk."""
        if not self.full:
            self.full, self.thinned_minutes = True, 0
        steps = (self._empty_log, self._give_up_reserve, self._thin_a_day)
        # Every step, also after one that gained: the thinning may not fit any more a moment later.
        gained = [self._fits(step, connection) for step in steps]
        return any(gained)

    def stay_ready(self, connection: sqlite3.Connection) -> None:
        """While the disk is full, keep free pages inside the file: pages added at its end could not be written back."""
        if self.full and self._fits(self._thin_a_day, connection):
            self._log_empty = False

    def news(self) -> list[tuple[str, str | None]]:
        """After something could be written, at least each minute: what has begun (words) or ended (None) by cause."""
        self._log_empty = False
        held, free = self.provide(), self._free()
        told: list[tuple[str, str | None]] = []
        if self._short and held:
            told.append((RESERVE, None))
        if self.full and (held or free >= WRITES_FACTOR * RESERVE_BYTES):
            self.full = False
            told.append((DISK, None))
        if not self._short and not held and not self.full:
            told.append((RESERVE, _missing(free)))
        self._short = not held and (self._short or not self.full)
        return told

    @staticmethod
    def _fits(step: Callable[[sqlite3.Connection], bool], connection: sqlite3.Connection) -> bool:
        """What a step gained; nothing when there was no room for the step itself."""
        try:
            return step(connection)
        except sqlite3.Error as error:
            if is_full(error):
                return False
            raise

    def _give_up_reserve(self, connection: sqlite3.Connection) -> bool:
        """Let the reserve go; the log, which may have been too long to write back, is written back into its space."""
        try:
            if self._reserve is not None:
                self._reserve.unlink()
                self._fits(self._empty_log, connection)
                return True
        except OSError:
            pass
        return False

    def _empty_log(self, connection: sqlite3.Connection) -> bool:
        """Start the log again in the space it has; whether that gained anything.

        A reader, or the full disk itself, may forbid it.
        """
        if self._log_empty:
            return False
        busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        # The frames are counted until a commit begins the log anew: asked twice without one, nothing more is gained.
        self._log_empty = bool(busy == 0 and frames == copied)
        return self._log_empty and frames > 0

    def _thin_a_day(self, connection: sqlite3.Connection) -> bool:
        if connection.execute("PRAGMA freelist_count").fetchone()[0] >= ENOUGH_PAGES:
            return False
        first, last = connection.execute("SELECT min(minute), max(minute) FROM rollups").fetchone()
        if first is None or first >= last - DAYS_LEFT * MINUTES_PER_DAY:
            return False
        end = min(first + MINUTES_PER_DAY, last - DAYS_LEFT * MINUTES_PER_DAY)
        for upto in range(first + THINNED_AT_ONCE, end + THINNED_AT_ONCE, THINNED_AT_ONCE):
            with transaction(connection):
                connection.execute("DELETE FROM rollups WHERE minute < ?", (min(upto, end),))
            self._log_empty = False
        self.thinned_minutes += end - first
        return True


def _is_open(connection: sqlite3.Connection, cause: str) -> bool:
    try:
        return connection.execute(OPEN, (cause,)).fetchone() is not None
    except sqlite3.Error:
        # A damaged page is dealt with by the first read that needs it.
        return False


def _missing(free: int) -> str:
    wanted = FREE_FACTOR * RESERVE_BYTES
    figures = {"free": free / 1e6, "reserve": RESERVE_BYTES / 1e6, "wanted": wanted / 1e6}
    return MISSING.format(**figures, missing=max(0.1, (wanted - free) / 1e6))
