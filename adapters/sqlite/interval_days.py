"""Past days of interval data packed into one sealed batch each: half of the bytes, and a year is read at once.

Only rows that nothing ever superseded are packed. A later correction is a row again and wins over the batch.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

from adapters.sqlite.interval_rows import DAMAGED, USUAL, Kind
from adapters.sqlite.seals import NAN, interval_seal, seed
from gateway.model.reading import INTERVAL_S, IntervalQuality

DAY_S = 86400
KEPT_OPEN_DAYS = 2
"""So long late counters still correct a day; before that it is not packed."""
WORTH_ROWS = 48
"""A day with fewer rows than half of its quarter hours stays as it is."""
DAYS_AT_ONCE = 10
"""Days packed in one transaction, so that no other write waits long."""
_HEAD = struct.Struct("<HH")

SELECT = "SELECT day, body, seal FROM interval_days WHERE device = ? AND day >= ? AND day <= ? ORDER BY day"
_DAYS = (
    "SELECT start / 86400 FROM intervals WHERE device = ?1 AND start < ?2 AND start / 86400 NOT IN"
    " (SELECT day FROM interval_days WHERE device = ?1) GROUP BY 1 HAVING count(*) >= ?3 LIMIT ?4"
)
_SINGLE = (
    "SELECT start, sequence, duration_s, import_wh, export_wh, quality, method, seal FROM intervals WHERE device = ?1"
    " AND start >= ?2 AND start < ?2 + 86400 GROUP BY start HAVING count(*) = 1 ORDER BY start"
)


Columns = tuple[Iterable[int], Iterable[float | None], Iterable[float | None], list[Kind]]
"""Starts, imports, exports and kinds of one day."""


class Batch(NamedTuple):
    """Columns of many intervals in order of time; `damaged` of them are only known to be missing."""

    starts: list[int]
    imports: list[float | None]
    exports: list[float | None]
    kinds: list[Kind]
    damaged: int


def pack_old_days(connection: sqlite3.Connection, before: int) -> int:
    """Pack some of the days that ended before `before` (s since 1970); returns how many, 0 when none is left."""
    count = 0
    for device, name in connection.execute("SELECT id, name FROM devices").fetchall():
        values = (device, before // DAY_S * DAY_S, WORTH_ROWS, DAYS_AT_ONCE - count)
        for (day,) in connection.execute(_DAYS, values).fetchall() if count < DAYS_AT_ONCE else []:
            _pack(connection, device, name, day)
            count += 1
    return count


def read_days(name: str, rows: Iterable[tuple[int, bytes, int]]) -> Batch:
    """The columns of all batches of one device; a batch that fails its checksum is a day of missing intervals."""
    batch = Batch([], [], [], [], 0)
    damaged = 0
    for day, body, seal in rows:
        whole = is_whole(name, day, body, seal)
        starts, imports, exports, kinds = _unpack(day, body) if whole else _missing(day)
        damaged += 0 if whole else len(kinds)
        batch.starts.extend(starts)
        batch.imports.extend(imports)
        batch.exports.extend(exports)
        batch.kinds.extend(kinds)
    return batch._replace(damaged=damaged)


def is_whole(name: str, day: int, body: bytes, seal: int) -> bool:
    """Whether a batch is as it was written."""
    return isinstance(body, bytes) and crc32(body, seed(name, str(day))) == seal


def _pack(connection: sqlite3.Connection, device: int, name: str, day: int) -> None:
    rows = [row for row in connection.execute(_SINGLE, (device, day * DAY_S)) if _sound(name, row)]
    kinds = sorted({(row[1], row[2], row[5], row[6]) for row in rows})[:256]
    rows = [row for row in rows if (row[1], row[2], row[5], row[6]) in kinds]
    body = _packed(day, rows, kinds)
    connection.executemany("DELETE FROM intervals WHERE device = ? AND start = ?", [(device, row[0]) for row in rows])
    values = (device, day, body, crc32(body, seed(name, str(day))))
    connection.execute("INSERT INTO interval_days VALUES (?, ?, ?, ?)", values)


def _sound(name: str, row: tuple[Any, ...]) -> bool:
    # A damaged row is not sealed anew: it stays where its own checksum tells.
    return row[7] is None or interval_seal(row[:5], seed(name, row[5], row[6])) == row[7]


def _packed(day: int, rows: list[tuple[Any, ...]], kinds: list[tuple[Any, ...]]) -> bytes:
    count, words = len(rows), json.dumps(kinds).encode()
    amounts = [NAN if row[place] is None else row[place] for place in (3, 4) for row in rows]
    return b"".join((
        _HEAD.pack(count, len(words)), words, struct.pack(f"<{count}I", *(row[0] - day * DAY_S for row in rows)),
        bytes(kinds.index((row[1], row[2], row[5], row[6])) for row in rows), struct.pack(f"<{2 * count}d", *amounts),
    ))  # fmt: skip


def _unpack(day: int, body: bytes) -> Columns:
    count, length = _HEAD.unpack_from(body)
    at = _HEAD.size + length
    words = [Kind(*kind) for kind in json.loads(body[_HEAD.size : at])]
    begin = day * DAY_S
    starts = [begin + second for second in struct.unpack_from(f"<{count}I", body, at)]
    kinds = words * count if len(words) == 1 else [words[n] for n in body[at + 4 * count : at + 5 * count]]
    amounts = struct.unpack_from(f"<{2 * count}d", body, at + 5 * count)
    return starts, _nones(amounts[:count]), _nones(amounts[count:]), kinds


def _nones(values: tuple[float, ...]) -> Iterable[float | None]:
    # NaN is the only value that differs from itself, and it makes the sum one.
    total = sum(values)
    return values if total == total else [None if value != value else value for value in values]


def _missing(day: int) -> Columns:
    starts = list(range(day * DAY_S, (day + 1) * DAY_S, INTERVAL_S))
    kind = Kind(USUAL[0], INTERVAL_S, IntervalQuality.MISSING.value, DAMAGED)
    return starts, [None] * len(starts), [None] * len(starts), [kind] * len(starts)
