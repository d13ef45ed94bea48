"""What can be saved from a damaged database file: rows known by their shape, wherever they stand."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from adapters.sqlite.database import transaction
from adapters.sqlite.pages import KEYS, KEYS_INSIDE, Cell, Pages, Value
from adapters.sqlite.seals import interval_seal, seed

SAVED_MINUTES = 2880
"""Minutes of roll-ups saved: the interval data go on from them; more would keep the home waiting for its start."""
AT_ONCE = 2000
"""Rows held in memory at a time."""
KEPT_MINUTES = 90 * 1440
"""No two minutes of roll-ups are further apart."""

WITHOUT_SETTINGS = "No settings could be read: password and preferences must be set again."

Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table's rows look: a letter for each column (n none, i whole, r real, t text, b bytes)."""

    table: str
    letters: str
    words: str
    """What the owner calls the rows."""
    replaces: bool = True
    """Whether a row of the damaged file is newer than that of the good copy; else such rows are never updated."""
    keys: bool = False
    """A table without rowid."""
    document: int | None = None
    """The column that is JSON."""


SHAPES = (
    Shape("facts", "tt", "settings", document=1),
    Shape("counters", "ti", "counters"),
    Shape("sessions", "nti[in]t[nt]?", "charging sessions", document=4),
    Shape("events", "ttit", "events", document=3),
    Shape("outbox", "ntti[in]t", "reports", document=5),
    Shape("audit", "nitttit", "audit rows"),
    Shape("notifications", "titt[in]", "notifications"),
    Shape("day_shapes", "tt", "day shapes", document=1),
    Shape("devices", "nt", "devices", replaces=False),
    Shape("series", "ntt", "series", replaces=False),
    Shape("intervals", "i{4}[irn]{2}tt[in]?", "intervals", replaces=False, keys=True),
    Shape("interval_days", "iibi", "days of intervals", replaces=False),
    Shape("rollups", "i{8}[in]?", "minute values", replaces=False, keys=True),
)
"""In order of what was promised most. Other trees (indices, the schema, plans) have none of these shapes."""
ROLLUPS = SHAPES[-1]
_LETTERS = {type(None): "n", int: "i", float: "r", str: "t", bytes: "b"}


@dataclass(slots=True)
class Saved:
    """How many rows came over by table, and what could not be read."""

    rows: dict[str, int] = field(default_factory=dict)
    pages: int = 0
    broken_pages: int = 0
    broken_rows: int = 0

    def __str__(self) -> str:
        """What was saved and what is lost, in a person's words."""
        counts = [f"{self.rows[shape.table]} {shape.words}" for shape in SHAPES if self.rows.get(shape.table)]
        saved = f"Saved from it: {', '.join(counts) or 'nothing'}."
        if self.rows and not self.broken_pages and not self.broken_rows:
            return f"{saved} Lost: no row that could be seen."
        lost = f"Lost: what stood in {self.broken_pages} of {self.pages} pages, and {self.broken_rows} broken rows."
        return f"{saved} {lost}" + ("" if self.rows.get("facts") else f" {WITHOUT_SETTINGS}")


def save(aside: Path, connection: sqlite3.Connection) -> Saved:
    """Bring over from a damaged file, its log included, every row that can be read; raises sqlite3.Error and OSError.

    The file is only read, by its pages: neither its header nor its schema nor its trees need to be whole.
    """
    if not aside.exists() or aside.stat().st_size == 0:
        return Saved()
    saved = Saved()
    with contextlib.closing(Pages(aside)) as pages:
        names: set[str] = set()
        ends = {number: _minute(cell) for number, cell in pages.last_cells() if shape_of(cell) is ROLLUPS}
        since = _newest(sorted(ends.values())) - SAVED_MINUTES
        old = {number for number, minute in ends.items() if minute <= since}
        waiting: dict[str, list[Row]] = {shape.table: [] for shape in SHAPES}
        for shape, row in _rows(pages.cells(old), since, names):
            waiting[shape.table].append(row)
            if len(waiting[shape.table]) >= AT_ONCE:
                _put(connection, shape, waiting[shape.table], saved)
        for shape in SHAPES:
            _put(connection, shape, waiting[shape.table], saved)
        _name_devices(connection, names)
        saved.pages, saved.broken_pages = pages.count + pages.missing, pages.broken_pages
        saved.broken_rows = pages.broken_rows
    return saved


def _put(connection: sqlite3.Connection, shape: Shape, rows: list[Row], saved: Saved) -> None:
    """Store what waits of one table, and empty it. Rows of an older version lack the last column (seal, account)."""
    verb = "INSERT OR REPLACE" if shape.replaces else "INSERT OR IGNORE"
    width = len(connection.execute(f"PRAGMA table_info({shape.table})").fetchall())
    sql = f"{verb} INTO {shape.table} VALUES ({','.join('?' * width)})"
    with transaction(connection):
        done = connection.executemany(sql, [(*row, *[None] * (width - len(row))) for row in rows])
        saved.rows[shape.table] = saved.rows.get(shape.table, 0) + max(0, done.rowcount)
    rows.clear()


def _newest(minutes: list[int]) -> int:
    """The last of sorted minutes; a garbled row that says a time years ahead is not believed."""
    return max((minute for minute in minutes if minute <= minutes[len(minutes) // 2] + KEPT_MINUTES), default=0)


def _name_devices(connection: sqlite3.Connection, names: set[str]) -> None:
    """Where the row of a device is lost, indices and series still tell names; the checksum of an interval proves one."""
    sql = (
        "SELECT device, start, sequence, duration_s, import_wh, export_wh, quality, method, seal FROM intervals"
        " WHERE seal IS NOT NULL AND device NOT IN (SELECT id FROM devices) GROUP BY device"
    )
    with transaction(connection):
        for device, *row, quality, method, seal in connection.execute(sql).fetchall():
            for name in names:
                if interval_seal(tuple(row), seed(name, quality, method)) == seal:
                    connection.execute("INSERT OR IGNORE INTO devices VALUES (?, ?)", (device, name))


def _rows(cells: Iterable[Cell], since: int, names: set[str]) -> Iterator[tuple[Shape, Row]]:
    for cell in cells:
        shape = shape_of(cell)
        names.update(value for value in cell.values[:2] if isinstance(value, str) and len(cell.values) <= 3)
        if shape is ROLLUPS and not since < _minute(cell) <= since + SAVED_MINUTES:
            continue
        if shape is not None:
            first = () if not shape.letters.startswith("n") else (cell.rowid,)
            yield shape, (*first, *cell.values[len(first) :])


def shape_of(cell: Cell) -> Shape | None:
    """The table a row is of; None when it is of none that is saved."""
    letters = "".join([_LETTERS[type(value)] for value in cell.values])
    alike = _alike(letters, cell.kind in (KEYS, KEYS_INSIDE))
    return next((shape for shape in alike if _sensible(shape, cell.values)), None)


@lru_cache(maxsize=100)
def _alike(letters: str, keys: bool) -> list[Shape]:
    return [shape for shape in SHAPES if shape.keys is keys and re.fullmatch(shape.letters, letters)]


def _sensible(shape: Shape, row: Row) -> bool:
    """Whether the values can be of that table: two tables look the same but for a date, and documents are JSON."""
    if shape.letters == "tt" and (shape.table == "day_shapes") is not _is_date(row[0]):
        return False
    try:
        return shape.document is None or isinstance(json.loads(str(row[shape.document])), dict)
    except ValueError:
        return False


def _is_date(value: Value) -> bool:
    try:
        return bool(date.fromisoformat(str(value)))
    except ValueError:
        return False


def _minute(cell: Cell) -> int:
    value = cell.values[0]
    return value if isinstance(value, int) else 0
