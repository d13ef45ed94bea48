"""Roll-ups and intervals in the database: ids of their series and devices, rows written sealed, rows read checked."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Generic, NamedTuple, TypeVar

from adapters.sqlite import interval_rows as iv
from adapters.sqlite import rows as r
from adapters.sqlite.interval_days import DAY_S, SELECT, read_days
from adapters.sqlite.later import Change
from adapters.sqlite.worker import Worker
from gateway.model.reading import Interval, Rollup

T = TypeVar("T")

ROLLUPS = (
    "SELECT minute, series, mean, low, high, last, count, suspect, seal FROM rollups WHERE minute >= ? AND minute < ?"
    " AND series = (SELECT id FROM series WHERE device = ? AND quantity = ?) ORDER BY minute"
)
DEVICE = "SELECT id FROM devices WHERE name = ?"


class Checked(NamedTuple, Generic[T]):
    """What was read, and how many rows were not what had been written (left out, or missing in their place)."""

    rows: list[T]
    damaged: int


class Readings:
    """The tables of readings over one worker; keeps the ids it has seen."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._series: dict[tuple[str, str], int] = {}
        self._devices: dict[str, int] = {}
        self._generation = worker.generation

    async def save(
        self, rollups: Sequence[Rollup], intervals: Sequence[Interval], also: Change = lambda c: None
    ) -> None:
        """Store roll-ups (a later one of the same minute replaces), intervals and what `also` does in one transaction."""

        def work(c: sqlite3.Connection) -> None:
            self._put_rollups(c, rollups)
            self._put_intervals(c, intervals)
            also(c)

        await self._forgetful(work)

    async def rollups(self, device: str, quantity: str, start: datetime, end: datetime) -> Checked[Rollup]:
        """The roll-ups of one series with start in [start, end), in order."""
        values = (r.minute(start), r.minute(end), r.plain(device), quantity)
        read = self._worker.read
        return await read(lambda c: Checked(*r.sound_rollups(device, quantity, c.execute(ROLLUPS, values))))

    async def intervals(self, device: str, start: datetime, end: datetime) -> Checked[Interval]:
        """The intervals in force of one device with start in [start, end), in order."""
        since, until = r.seconds(start), r.seconds(end)

        def work(c: sqlite3.Connection, number: int) -> Checked[Interval]:
            rows = c.execute(
                f"{iv.SELECT} AND start >= ? AND start < ? ORDER BY start, sequence", (number, since, until)
            )
            single = Checked(*iv.intervals_of(device, iv.in_force(rows.fetchall())))
            packed = self._packed(c, number, device, since, until)
            return Checked(_joined(packed.rows, single.rows), packed.damaged + single.damaged)

        return await self._of_device(device, work)

    async def history(self, device: str, start: datetime) -> Checked[Interval]:
        """Every version kept of one interval, the one in force last."""
        at = r.seconds(start)

        def work(c: sqlite3.Connection, number: int) -> Checked[Interval]:
            rows = c.execute(f"{iv.SELECT} AND start = ? ORDER BY sequence", (number, at)).fetchall()
            single = Checked(*iv.intervals_of(device, rows))
            packed = self._packed(c, number, device, at, at + 1)
            return Checked(packed.rows + single.rows, packed.damaged + single.damaged)

        return await self._of_device(device, work)

    def _put_rollups(self, c: sqlite3.Connection, rollups: Sequence[Rollup]) -> None:
        found = {k: self._series_id(c, *k) for k in {(x.device, x.quantity.value) for x in rollups}}
        values = [r.rollup_row(found[x.device, x.quantity.value], x) for x in rollups]
        c.executemany("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def _put_intervals(self, c: sqlite3.Connection, intervals: Sequence[Interval]) -> None:
        """Each with the next sequence number of its start."""
        for interval in intervals:
            device = self._device_id(c, interval.device)
            (sequence,) = c.execute(iv.NEXT_SEQUENCE, (device, r.seconds(interval.start))).fetchone()
            c.execute(iv.INSERT, iv.interval_row(device, sequence, interval))

    async def _of_device(
        self, device: str, work: Callable[[sqlite3.Connection, int], Checked[Interval]]
    ) -> Checked[Interval]:
        def found(c: sqlite3.Connection) -> Checked[Interval]:
            number = c.execute(DEVICE, (r.plain(device),)).fetchone()
            return Checked([], 0) if number is None else work(c, number[0])

        return await self._worker.read(found)

    @staticmethod
    def _packed(c: sqlite3.Connection, number: int, device: str, since: int, until: int) -> Checked[Interval]:
        days = c.execute(SELECT, (number, since // DAY_S, (until - 1) // DAY_S))
        starts, imports, exports, kinds, damaged = read_days(device, days)
        if not starts:
            return Checked([], 0)
        begin, end = bisect_left(starts, since), bisect_left(starts, until)
        part = slice(begin, end)
        return Checked(iv.built(device, starts[part], imports[part], exports[part], kinds[part]), damaged)

    async def _forgetful(self, work: Callable[[sqlite3.Connection], None]) -> None:
        if self._generation != self._worker.generation:
            self._forget()
        tries = count()

        def fresh(c: sqlite3.Connection) -> None:
            # Tried again within one call when the disk was full: the first try was rolled back with its ids.
            if next(tries):
                self._forget()
            work(c)

        try:
            await self._worker.write(fresh)
        except BaseException:
            # Ids given inside a transaction that failed were rolled back with it: the caches must not keep them.
            self._forget()
            raise

    def _forget(self) -> None:
        self._series, self._devices, self._generation = {}, {}, self._worker.generation

    def _series_id(self, c: sqlite3.Connection, device: str, quantity: str) -> int:
        if (device, quantity) not in self._series:
            key = (r.plain(device), quantity)
            c.execute("INSERT OR IGNORE INTO series (device, quantity) VALUES (?, ?)", key)
            found = c.execute("SELECT id FROM series WHERE device = ? AND quantity = ?", key).fetchone()
            self._series[device, quantity] = int(found[0])
        return self._series[device, quantity]

    def _device_id(self, c: sqlite3.Connection, name: str) -> int:
        if name not in self._devices:
            c.execute("INSERT OR IGNORE INTO devices (name) VALUES (?)", (r.plain(name),))
            self._devices[name] = int(c.execute(DEVICE, (r.plain(name),)).fetchone()[0])
        return self._devices[name]


def _joined(packed: list[Interval], single: list[Interval]) -> list[Interval]:
    """Both in order of time; of the same interval the single row is the later word."""
    if not packed or not single or packed[-1].start < single[0].start:
        return packed + single
    last = {interval.start: interval for interval in packed} | {interval.start: interval for interval in single}
    return [last[start] for start in sorted(last)]
