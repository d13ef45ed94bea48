"""The days of many homes, kept in a file that goes away by itself: memory holds one day of each series under way."""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

HOURS = 24
GRID_S = 300
LENGTHS_S = (300, 900, 1800, 3600)
"""How long the rows of a day may be; it shows in how far they lie apart."""
LEAST_OF_HOUR_S = 1800
"""An hour measured less than this is not known."""
MOST_OPEN = 1000
SLOTS = 512
"""More than a local day of 25 hours has starts on 5 minutes (300), so that each has a bit of its own."""
_LAYOUT = struct.Struct(f"<{HOURS}d{HOURS}H{SLOTS // 8}s")


@dataclass(slots=True)
class _Day:
    """One series' local day: net Wh and rows of each wall-clock hour, and a bit for each start that came."""

    day: str
    wh: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    rows: list[int] = field(default_factory=lambda: [0] * HOURS)
    came: int = 0

    def packed(self) -> bytes:
        return _LAYOUT.pack(*self.wh, *self.rows, self.came.to_bytes(SLOTS // 8, "little"))

    @classmethod
    def unpacked(cls, day: str, data: bytes) -> _Day:
        found = _LAYOUT.unpack(data)
        rows = [int(count) for count in found[HOURS : 2 * HOURS]]
        return cls(day, list(found[:HOURS]), rows, int.from_bytes(found[-1], "little"))

    def length_s(self) -> int | None:
        """How long its rows are: what most of them lie apart; None where that is no length that can be taken."""
        bits = [at for at, bit in enumerate(reversed(format(self.came, "b"))) if bit == "1"]
        apart = Counter(after - before for before, after in pairwise(bits))
        length = apart.most_common(1)[0][0] * GRID_S if apart else 0
        return length if length in LENGTHS_S else None

    def hours(self) -> list[float | None] | None:
        """Net Wh of each hour on the dial; an hour that comes twice counts as its mean. None: rows of another length."""
        length = self.length_s()
        if length is None:
            return None
        seconds = [count * length for count in self.rows]
        return [wh * 3600 / s if s >= LEAST_OF_HOUR_S else None for wh, s in zip(self.wh, seconds, strict=True)]


class DaysOnDisk:
    """Rows in, days out; a series is a number of the caller's."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone, self._open = zone, dict[int, _Day]()
        # An empty name: SQLite's own temporary file, gone when it is closed.
        self._file = sqlite3.connect("")
        self._file.execute("PRAGMA temp_store = FILE")
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute(
            "CREATE TABLE days (series INTEGER, day TEXT, sums BLOB, PRIMARY KEY (series, day)) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def add(self, series: int, start: datetime, net_wh: float) -> bool:
        """Take a row; False when this start came before. `start` lies on 5 minutes."""
        local = start.astimezone(self._zone)
        day = self._day(series, local.date().isoformat())
        bit = 1 << (int(start.timestamp()) // GRID_S % SLOTS)
        if day.came & bit:
            return False
        day.came |= bit
        day.wh[local.hour] += net_wh
        day.rows[local.hour] += 1
        return True

    def days(self, series: int) -> Iterator[tuple[date, list[float | None] | None]]:
        """The local days of a series in order, each with its hours as net Wh; None: its rows are of no length that counts."""
        if (day := self._open.pop(series, None)) is not None:
            self._write(series, day)
        for text, data in self._file.execute("SELECT day, sums FROM days WHERE series = ? ORDER BY day", (series,)):
            yield date.fromisoformat(text), _Day.unpacked(text, data).hours()

    def _day(self, series: int, day: str) -> _Day:
        found = self._open.get(series)
        if found is not None and found.day == day:
            return found
        if found is not None:
            self._write(series, found)
        elif len(self._open) >= MOST_OPEN:
            oldest = next(iter(self._open))
            self._write(oldest, self._open.pop(oldest))
        row = self._file.execute("SELECT sums FROM days WHERE series = ? AND day = ?", (series, day)).fetchone()
        self._open[series] = found = _Day.unpacked(day, row[0]) if row else _Day(day)
        return found

    def _write(self, series: int, day: _Day) -> None:
        self._file.execute("INSERT OR REPLACE INTO days VALUES (?, ?, ?)", (series, day.day, day.packed()))
