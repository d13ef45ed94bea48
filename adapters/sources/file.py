"""A file as a source of series: CSV with a head, or a JSON list of objects; read anew when it changed.

    start,value                          start,end,temperature,irradiance
    2026-11-21T00:00,0.21                2026-11-21T00:00+01:00,2026-11-21T01:00+01:00,4.5,0

`value` is what the connection brings (prices, carbon); other columns bear the name of their kind. Times without a zone
are the site's local time; in the hour that comes twice the first stands first.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sources.answer import MAX_ROWS, Unusable, number, unit_of
from adapters.sources.points import Row, plausible, to_points
from adapters.sources.settings import PricesSettings, SourceSettings
from adapters.sources.times import Instants
from adapters.sources.web import MAX_ANSWER_BYTES
from gateway.model.errors import ServerAnswerWrong, ServerUnreachable
from gateway.model.series import Series, SeriesKind
from gateway.ports import Clock

LOOK_EVERY_S = 60.0
Table = Sequence[Mapping[str, Any]]


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
        self.title = path.name
        self._path, self._zone, self._clock = path, zone, clock
        self._unit = (settings.unit if isinstance(settings, PricesSettings) else "") or f"{currency}/kWh"
        self._seen: tuple[float, int] | None = None
        self._series: list[Series] = []

    async def fetch(self, start: datetime, end: datetime) -> list[Series]:
        """All that the file tells; raises ServerUnreachable (cannot be read) or ServerAnswerWrong (cannot be used)."""
        try:
            return await asyncio.to_thread(self._read)
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

    def _read(self) -> list[Series]:
        state = self._path.stat()
        seen = (state.st_mtime, state.st_size)
        if seen == self._seen:
            return self._series
        with self._path.open("rb") as opened:
            raw = opened.read(MAX_ANSWER_BYTES + 1)
        if len(raw) > MAX_ANSWER_BYTES:
            raise Unusable(f"is longer than {MAX_ANSWER_BYTES // 1_000_000} MB")
        told_at = min(datetime.fromtimestamp(state.st_mtime, UTC), self._clock.now())
        self._series = self._told(_table(raw.decode("utf-8-sig")), told_at)
        self._seen = seen
        return self._series

    def _told(self, table: Table, told_at: datetime) -> list[Series]:
        if len(table) > MAX_ROWS:
            raise Unusable(f"holds more than {MAX_ROWS} rows")
        currency, factor = unit_of(self._unit)
        series, self.dropped = [], 0
        for kind in self.kinds:
            spot = kind is SeriesKind.SPOT
            rows, bad = self._rows(table, kind, factor if spot else 1.0)
            self.dropped += bad
            if bad > max(1, len(rows)):
                raise Unusable(f"most of its rows cannot be read ({bad} of {bad + len(rows)})")
            if rows:
                points = to_points(rows, 3600.0)
                series.append(Series(kind, points, self.name, told_at, currency if spot else ""))
        if not series:
            raise Unusable(f"tells nothing: its columns should be start and {' or '.join(_columns(self.kinds))}")
        return series

    def _rows(self, table: Table, kind: SeriesKind, factor: float) -> tuple[list[Row], int]:
        """The rows of one kind, and how many are bad; an empty field says nothing and is not bad."""
        starts, ends = Instants("iso", self._zone), Instants("iso", self._zone)
        names = _columns((kind,)) if len(self.kinds) == 1 else [kind.value]
        rows, bad = [], 0
        for raw in table:
            said = next((raw[name] for name in names if raw.get(name) not in (None, "")), None)
            start = starts.read(raw.get("start"))
            if said is None:
                continue
            value = number(said)
            if start is None or value is None or not plausible(kind, value * factor):
                bad += 1
                continue
            rows.append(Row(start, ends.read(raw["end"]) if raw.get("end") else None, value * factor))
        return rows, bad


def _columns(kinds: Sequence[SeriesKind]) -> list[str]:
    names = [kind.value for kind in kinds]
    return [*names, "value"] if len(kinds) == 1 else names


def _table(text: str) -> Table:
    """The rows of the file; raises ValueError, csv.Error or RecursionError."""
    if text.lstrip().startswith("["):
        table = json.loads(text)
        return [row for row in table if isinstance(row, dict)]
    head = text.split("\n", 1)[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    rows = []
    for row in reader:
        # Where ; separates, a comma may be the decimal sign; times hold none that matters.
        rows.append({(k or "").strip().lower(): _field(v, separator) for k, v in row.items()})
        if len(rows) > MAX_ROWS:
            break
    return rows


def _field(value: Any, separator: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return text.replace(",", ".") if separator == ";" else text
