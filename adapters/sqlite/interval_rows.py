"""Interval data from rows and back, a year of quarter hours at once: by columns, not one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, NamedTuple

from adapters.sqlite.rows import EPOCH, plain, seconds
from adapters.sqlite.seals import NAN, interval_seal, interval_seals, seed
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

USUAL = (0, INTERVAL_S, "valid", "counter")
"""(sequence, duration, quality, method) of nearly every row."""

# One column for what is nearly always the same: making four objects for each of 35,000 rows costs more than the rest.
SELECT = (
    "SELECT start, import_wh, export_wh, seal, CASE WHEN quality = 'valid' AND method = 'counter' AND sequence = 0"
    f" AND duration_s = {INTERVAL_S} THEN NULL ELSE sequence || '|' || duration_s || '|' || quality || '|' || method END"
    " FROM intervals WHERE device = ?"
)
NEXT_SEQUENCE = "SELECT coalesce(max(sequence), -1) + 1 FROM intervals WHERE device = ? AND start = ?"
INSERT = "INSERT INTO intervals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
DAMAGED = "damaged on the disk"
_QUARTER = timedelta(seconds=INTERVAL_S)
_QUALITIES: dict[str, IntervalQuality] = {quality.value: quality for quality in IntervalQuality}


class Kind(NamedTuple):
    """What says how an interval came about; nearly always the same."""

    sequence: int
    duration_s: int
    quality: str
    method: str


def interval_row(device: int, sequence: int, i: Interval) -> tuple[Any, ...]:
    """The values of INSERT."""
    row = (seconds(i.start), sequence, i.duration_s, i.import_wh, i.export_wh)
    quality, method = i.quality.value, plain(i.method)
    seal = interval_seal(row, seed(i.device, quality, method))
    return (device, *row, quality, method, seal)


def in_force(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of rows by start and sequence, the last of each start."""
    last = {row[0]: row for row in rows}
    return rows if len(last) == len(rows) else list(last.values())


def intervals_of(device: str, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Interval], int]:
    """Intervals from rows of SELECT, and how many failed their checksum: such a one is missing, not believed."""
    if not rows:
        return [], 0
    starts, imports, exports, seals, rests = zip(*rows, strict=True)
    kinds = {rest: _kind(rest) for rest in set(rests)}
    found = built(device, starts, imports, exports, [kinds[rest] for rest in rests])
    seeds = {rest: seed(device, kind.quality, kind.method) for rest, kind in kinds.items()}
    sequences, durations = ([kinds[rest][place] for rest in rests] for place in (0, 1))
    columns = (starts, sequences, durations, _numbers(imports), _numbers(exports))
    expected = interval_seals(*columns, map(seeds.__getitem__, rests))  # type: ignore[arg-type]
    wrong = [] if expected == list(seals) else _wrong(expected, seals)
    for number in wrong:
        time = found[number].start
        found[number] = Interval(device, time, INTERVAL_S, None, None, IntervalQuality.MISSING, DAMAGED)
    return found, len(wrong)


def built(
    device: str,
    starts: Sequence[int],
    imports: Iterable[float | None],
    exports: Iterable[float | None],
    kinds: Sequence[Kind],
) -> list[Interval]:
    """Intervals from columns.

    Through the slots: a frozen dataclass's own __init__ takes a microsecond, a year has 35,040 of them.
    """
    if not starts:
        return []
    made: list[Interval] = list(map(object.__new__, repeat(Interval, len(starts))))
    columns: tuple[Iterable[Any], ...] = (repeat(device), _times(starts), *_kind_columns(kinds), imports, exports)
    for name, column in zip(_STORED, columns, strict=True):
        deque(map(getattr(Interval, name).__set__, made, column), maxlen=0)
    for name, value in _REST.items():
        deque(map(getattr(Interval, name).__set__, made, repeat(value)), maxlen=0)
    return made


def _kind(rest: str | None) -> Kind:
    if rest is None:
        return Kind(*USUAL)
    sequence, duration_s, quality, method = rest.split("|", 3)
    return Kind(int(sequence), int(duration_s), quality, method)


def _kind_columns(kinds: Sequence[Kind]) -> tuple[Iterable[Any], Iterable[Any], Iterable[Any]]:
    """Duration, quality and method of each interval."""
    if kinds.count(kinds[0]) == len(kinds):
        return repeat(kinds[0].duration_s), repeat(_quality(kinds[0].quality)), repeat(kinds[0].method)
    return (
        [kind.duration_s for kind in kinds],
        [_quality(kind.quality) for kind in kinds],
        [kind.method for kind in kinds],
    )


def _quality(word: str) -> IntervalQuality:
    return _QUALITIES.get(word, IntervalQuality.MISSING)


def _numbers(values: Sequence[float | None]) -> Iterable[float]:
    if None not in values:
        return values  # type: ignore[return-value]
    return [NAN if value is None else value for value in values]


def _times(starts: Sequence[int]) -> list[datetime]:
    """Aware times; a quarter hour after the last is an addition, which costs a third of a conversion."""
    times, last, time = [], 0, EPOCH
    for start in starts:
        time = time + _QUARTER if start - last == INTERVAL_S else EPOCH + timedelta(seconds=start)
        last = start
        times.append(time)
    return times


def _wrong(expected: list[int], seals: tuple[int | None, ...]) -> list[int]:
    pairs = enumerate(zip(expected, seals, strict=True))
    return [number for number, (right, stored) in pairs if stored is not None and stored != right]


_STORED = ("device", "start", "duration_s", "quality", "method", "import_wh", "export_wh")
_REST = {
    item.name: item.default for item in fields(Interval) if item.name not in _STORED and item.default is not MISSING
}
