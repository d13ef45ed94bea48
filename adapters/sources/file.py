"""A file as a source of series: CSV with a head, or a JSON list of objects; read anew when it or the day changed.

    start,value                          start,end,temperature,irradiance
    2026-11-21T00:00,0.21                2026-11-21T00:00+01:00,2026-11-21T01:00+01:00,4.5,0

`value` is what the connection brings (prices, carbon); other columns bear the name of their kind. Times without a zone
are the site's local time; in the hour that comes twice the first stands first.
"""

from __future__ import annotations

import asyncio
import csv
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sources.answer import Unusable, number, unit_of
from adapters.sources.points import Dropped, Row, plausible, spaced, strange_words
from adapters.sources.settings import PricesSettings, SourceSettings
from adapters.sources.table import Line, table
from adapters.sources.times import Instants, as_iso
from gateway.model.errors import ServerAnswerWrong, ServerUnreachable
from gateway.model.series import Series, SeriesKind
from gateway.ports import Clock

LOOK_EVERY_S = 55.0
"""With its scatter of 5 % never more than a minute."""
MAX_FILE_ROWS, MAX_FILE_BYTES = 40_000, 5_000_000
"""A year of quarters of an hour."""
BEFORE, AFTER = timedelta(days=2), timedelta(days=10)
"""So much around what is asked for is taken from a file; a long one is not kept in memory."""
FAR_ROWS = 48
STARTS, ENDS = ("start", "time", "timestamp", "datetime", "from"), ("end", "to")


@dataclass(frozen=True, slots=True)
class Window:
    """What counts of a file: [start, end)."""

    start: datetime
    end: datetime


class FileSource:
    """One file; `path` is absolute."""

    def __init__(
        self, name: str, settings: SourceSettings, path: Path, zone: ZoneInfo, currency: str, clock: Clock
    ) -> None:
        self.name, self.kinds = name, settings.kinds
        self.every_s = settings.every_s or LOOK_EVERY_S
        self.identity = f"file {path} {settings.unit if isinstance(settings, PricesSettings) else ''}"
        self.dropped = 0
        """How many rows could not be read."""
        self.dropped_why = ""
        self.longest_pause_s = self.every_s
        """A file that was mended is read as soon as one that was changed."""
        self.title = path.name
        self._path, self._zone, self._clock = path, zone, clock
        self._unit = (settings.unit if isinstance(settings, PricesSettings) else "") or f"{currency}/kWh"
        self._seen: tuple[float, int, datetime, datetime] | None = None
        self._series: list[Series] = []

    async def fetch(self, start: datetime, end: datetime) -> list[Series]:
        """What the file tells of [start, end) and the days around it; where nothing, what it tells nearest to them.

        Raises ServerUnreachable (cannot be read) or ServerAnswerWrong (cannot be used)."""
        try:
            return await asyncio.to_thread(self._read, start, end)
        except OSError as error:
            raise ServerUnreachable(self.name, f"{self._path.name} cannot be read ({error.strerror})") from None
        except (Unusable, UnicodeError, ValueError, RecursionError, csv.Error) as error:
            words = str(error) if isinstance(error, Unusable) else "is neither CSV with a head nor a JSON list"
            raise ServerAnswerWrong(self.name, f"{self._path.name}: {words}") from None

    def expected(self, now: datetime) -> datetime:
        """It should tell of this moment."""
        return now

    def next_news(self, now: datetime, until: datetime | None) -> datetime | None:
        """Nobody knows when the file changes."""
        return None

    async def close(self) -> None:
        """Nothing is held open."""

    def _read(self, start: datetime, end: datetime) -> list[Series]:
        state = self._path.stat()
        seen = (state.st_mtime, state.st_size, start, end)
        if seen == self._seen:
            return self._series
        with self._path.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise Unusable(f"is longer than {MAX_FILE_BYTES // 1_000_000} MB")
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeError:
            raise Unusable("is no UTF-8 text") from None
        told_at = min(datetime.fromtimestamp(state.st_mtime, UTC), self._clock.now())
        self._series = self._told(text, Window(start - BEFORE, end + AFTER), told_at)
        self._seen = seen
        return self._series

    def _told(self, text: str, window: Window, told_at: datetime) -> list[Series]:
        head, lines = table(text)
        columns = {kind: Column(kind, self._unit, window, alone=len(self.kinds) == 1) for kind in self.kinds}
        wrong = self._sorted(lines, list(columns.values()))
        series, dropped = [], wrong
        for kind, column in columns.items():
            if why := column.dropped.too_many(column.good):
                raise Unusable(why)
            dropped.join(column.dropped)
            if points := spaced(column.rows):
                series.append(Series(kind, points, self.name, told_at, column.currency))
        if not series:
            raise Unusable(f"tells nothing: {dropped.first or self._columns_words(head)}")
        self.dropped, self.dropped_why = dropped.count, dropped.first
        return series

    def _sorted(self, lines: Iterable[Line], columns: Sequence[Column]) -> Dropped:
        """Give each column what the rows say of it; returns the rows that cannot be told apart."""
        starts, ends = Instants("iso", self._zone), Instants("iso", self._zone)
        wrong, count = Dropped(), 0
        for line in lines:
            count += 1
            if count > MAX_FILE_ROWS:
                raise Unusable(f"holds more than {MAX_FILE_ROWS:,} rows")
            if line.wrong:
                wrong.add(line.wrong)
                continue
            start = starts.read(as_iso(_first(line, STARTS)))
            end = ends.read(as_iso(_first(line, ENDS)))
            for column in columns:
                column.take(line, start, end)
        if wrong.count > max(1, count // 10):
            raise Unusable(f"{wrong.first} ({wrong.count} of {count} rows)")
        return wrong

    def _columns_words(self, head: Sequence[str]) -> str:
        names = [name for kind in self.kinds for name in _names(kind, alone=len(self.kinds) == 1)]
        said = f"; its head is {_shown(', '.join(head))}" if any(head) else ""
        return f"its columns should be start and {' or '.join(names)}{said}"


class Column:
    """What a file tells of one kind, in the kind's own unit; of what lies outside the window only the next rows."""

    def __init__(self, kind: SeriesKind, unit: str, window: Window, *, alone: bool) -> None:
        self.kind, self.good, self.dropped = kind, 0, Dropped()
        spot = kind is SeriesKind.SPOT
        self.currency, self._factor = unit_of(unit) if spot else ("", 1.0)
        self._names, self._window = _names(kind, alone=alone), window
        self._near: list[Row] = []
        self._past: deque[Row] = deque(maxlen=FAR_ROWS)
        self._future: list[Row] = []

    @property
    def rows(self) -> list[Row]:
        """Those of the window; where there is none the last ones before it and the first ones after it."""
        near = any(row.value is not None for row in self._near)
        return self._near if near else [*self._past, *self._near, *self._future]

    def take(self, line: Line, start: datetime | None, end: datetime | None) -> None:
        """One row; an empty field says nothing and is not bad."""
        name = next((name for name in self._names if line.fields.get(name) not in (None, "")), None)
        if name is None:
            if start is not None and any(known in line.fields for known in self._names):
                self._keep(Row(start, None, None))
            return
        value = number(line.fields[name])
        if start is None or value is None:
            at, what = (name, "number") if start is not None else ("start", "time")
            said = line.fields[name] if start is not None else _first(line, STARTS)
            self.dropped.add(f"row {line.place}, {at}: {_shown(said)} is no {what} that we can read")
        elif not plausible(self.kind, value * self._factor, self.currency):
            words = strange_words(self.kind, value * self._factor, self.currency)
            self.dropped.add(f"row {line.place}: {words}", strange=True)
            self._keep(Row(start, None, None))
            return
        if start is not None:
            self.good += value is not None
            self._keep(Row(start, end, None if value is None else value * self._factor))

    def _keep(self, row: Row) -> None:
        if self._window.start <= row.start < self._window.end:
            self._near.append(row)
        elif row.start < self._window.start:
            self._past.append(row)
        elif len(self._future) < FAR_ROWS:
            self._future.append(row)


def _names(kind: SeriesKind, *, alone: bool) -> list[str]:
    """How a kind's column may be called; that of the only kind also more plainly."""
    plain = ["value", "price"] if kind is SeriesKind.SPOT else ["value"]
    return [kind.value, *plain] if alone else [kind.value]


def _first(line: Line, names: Sequence[str]) -> Any:
    return next((line.fields[name] for name in names if line.fields.get(name) not in (None, "")), None)


def _shown(said: Any) -> str:
    words = "".join(letter if letter.isprintable() else "?" for letter in str(said)[:60])
    hint = " (write 0.21)" if isinstance(said, str) and said.count(",") == 1 else ""
    return f"'{words}'{hint}" if said is not None else "nothing"
