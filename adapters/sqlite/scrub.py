"""Rows that are not what was written: finding them, and marking them as missing."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from adapters.sqlite.interval_days import DAY_S, is_whole
from adapters.sqlite.interval_rows import DAMAGED, INSERT, interval_row
from adapters.sqlite.rows import EPOCH, instant
from adapters.sqlite.seals import interval_seal, is_sealed, seed
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

ROLLUP_SLICES = 28
"""Every day's roll-ups are looked at once in so many calls (a week of housekeeping)."""
INTERVAL_SLICES = 4
MINUTES_PER_DAY = 1440
LATEST = 2**33
STARTS = range(0, DAY_S, INTERVAL_S)
WORDS = {"rollups": "minutes", "intervals": "intervals", "interval_days": "days of intervals"}


class Damage(NamedTuple):
    """One series or device with rows that fail their checksum, first to last; `keys` are of its table."""

    table: str
    name: str
    first: datetime
    last: datetime
    keys: list[tuple[int, ...]]

    def __str__(self) -> str:
        words = f"{len(self.keys)} {WORDS[self.table]} of {self.name}"
        return f"{words}, {self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"


def damage_in(connection: sqlite3.Connection, number: int | None = None) -> list[Damage]:
    """What fails its checksum: in the whole database, or in the slice of call `number`."""
    text = connection.text_factory
    # A flipped byte may be no UTF-8 any more: it is to be found, not to end the search.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        return [
            *_damaged_rollups(connection, number),
            *_damaged_intervals(connection, number),
            *_damaged_days(connection, number),
        ]
    finally:
        connection.text_factory = text


def mark_missing(connection: sqlite3.Connection, found: Iterable[Damage]) -> None:
    """Take damaged rows out: a minute is deleted, an interval becomes a missing one in the same place."""
    for damage in found:
        if damage.table == "interval_days":
            connection.executemany("DELETE FROM interval_days WHERE device = ? AND day = ?", damage.keys)
            rows = [
                _missing_row(damage.name, device, day * DAY_S + at, 0) for device, day in damage.keys for at in STARTS
            ]
            connection.executemany(INSERT.replace("INSERT", "INSERT OR IGNORE"), rows)
            continue
        if damage.table == "rollups":
            connection.executemany("DELETE FROM rollups WHERE minute = ? AND series = ?", damage.keys)
            continue
        connection.executemany("DELETE FROM intervals WHERE device = ? AND start = ? AND sequence = ?", damage.keys)
        rows = [_missing_row(damage.name, *key) for key in damage.keys if _possible(key[1])]
        connection.executemany(INSERT, rows)


def notice_of(connection: sqlite3.Connection, found: list[Damage], now: datetime) -> tuple[str, str]:
    """Cause and words of the notification of damaged rows, kept in the same transaction that took them out."""
    cause = f"rows damaged {now:%Y-%m-%d %H:%M}"
    text = (
        f"Stored values were not what was written and are missing now: {'; '.join(str(item) for item in found)}."
        " Mend: restore a backup if they matter; a second time points to a failing disk."
    )
    values = (cause, (now - EPOCH) // (instant(1) - EPOCH), "warning", text)
    connection.execute("INSERT OR REPLACE INTO notifications VALUES (?, ?, ?, ?, NULL)", values)
    return cause, text


def _damaged_rollups(connection: sqlite3.Connection, number: int | None) -> list[Damage]:
    names = {key: names for key, *names in connection.execute("SELECT id, device, quantity FROM series")}
    seeds = {key: seed(*found) for key, found in names.items()}
    wrong: dict[int, list[tuple[int, ...]]] = {}
    for begin, end in _days(connection, number):
        rows = connection.execute("SELECT * FROM rollups WHERE minute >= ? AND minute < ?", (begin, end))
        for row in rows:
            if row[-1] is not None and not is_sealed(seeds.get(row[1], 0), *row):
                wrong.setdefault(row[1], []).append((row[0], row[1]))
    return [
        Damage("rollups", "/".join(names.get(series, ["unknown"])), instant(keys[0][0] * 60_000_000),
               instant(keys[-1][0] * 60_000_000), keys)
        for series, keys in wrong.items()
    ]  # fmt: skip


def _days(connection: sqlite3.Connection, number: int | None) -> Iterator[tuple[int, int]]:
    first, last = connection.execute("SELECT min(minute), max(minute) FROM rollups").fetchone()
    if first is None:
        return
    for day in range(first // MINUTES_PER_DAY, last // MINUTES_PER_DAY + 1):
        if number is None or day % ROLLUP_SLICES == number % ROLLUP_SLICES:
            yield day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY


def _damaged_intervals(connection: sqlite3.Connection, number: int | None) -> list[Damage]:
    found = []
    for device, name in _devices(connection, number):
        sql = "SELECT * FROM intervals WHERE device = ? AND seal IS NOT NULL ORDER BY start, sequence"
        keys = [tuple(row[:3]) for row in connection.execute(sql, (device,)) if _interval_seal(name, row) != row[8]]
        if keys:
            begin, end = (_bounded(key[1]) for key in (keys[0], keys[-1]))
            found.append(Damage("intervals", name, begin, end, keys))
    return found


def _damaged_days(connection: sqlite3.Connection, number: int | None) -> list[Damage]:
    found = []
    for device, name in _devices(connection, number):
        rows = connection.execute("SELECT day, body, seal FROM interval_days WHERE device = ? ORDER BY day", (device,))
        keys: list[tuple[int, ...]] = [(device, row[0]) for row in rows if not is_whole(name, *row)]
        if keys:
            begin, end = _bounded(keys[0][1] * DAY_S), _bounded(keys[-1][1] * DAY_S)
            found.append(Damage("interval_days", name, begin, end, keys))
    return found


def _devices(connection: sqlite3.Connection, number: int | None) -> list[tuple[int, str]]:
    rows = connection.execute("SELECT id, name FROM devices").fetchall()
    return [row for row in rows if number is None or row[0] % INTERVAL_SLICES == number % INTERVAL_SLICES]


def _bounded(seconds: int) -> datetime:
    """A time for the eye; a damaged key may be any number."""
    return datetime.fromtimestamp(max(0, min(seconds, LATEST)), UTC)


def _interval_seal(name: str, row: tuple[Any, ...]) -> int | None:
    try:
        return interval_seal(row[1:6], seed(name, row[6], row[7]))
    except (struct.error, TypeError):
        return None


def _possible(start: int) -> bool:
    return start % INTERVAL_S == 0 and 0 < start < LATEST


def _missing_row(name: str, device: int, start: int, sequence: int) -> tuple[Any, ...]:
    time = datetime.fromtimestamp(start, UTC)
    missing = Interval(name, time, INTERVAL_S, None, None, IntervalQuality.MISSING, DAMAGED)
    return interval_row(device, sequence, missing)
