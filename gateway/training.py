"""`hearth train-shapes`: a dictionary of load shapes from a folder of many homes' interval files."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.shape_day import HOURS, Array, day_numbers
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.core.learning.shape_training import ROUNDS, Round, with_found
from gateway.core.metering.csv_rows import Steps, parse_interval_csv
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.errors import Finding, HearthError
from gateway.model.reading import Interval

ENDINGS = (".csv", ".csv.gz")
PIECE = 20_000
"""Days that are looked at at a time: 4 MB."""
MIN_DAYS = 100


class TrainingError(HearthError):
    """No dictionary can be made of this folder; the words say why."""


@dataclass(slots=True)
class Trained:
    """What came of it: homes and days that went in, and what is wrong with the files."""

    homes: int = 0
    days: int = 0
    findings: list[Finding] = field(default_factory=list)
    shapes: tuple[str, ...] = ()


def train_shapes(
    folder: Path,
    out: Path,
    base: ShapeDictionary,
    zone: ZoneInfo,
    now: datetime,
    track: Callable[[list[Path]], Iterable[Path]] = iter,
) -> Trained:
    """Fit the dictionary `base` to the homes whose interval CSVs (also .gz) lie in `folder`, and write it to `out`.

    Each series of a file is one home ("house" and "solar" of a file are one together); days are local days of `zone`.
    A file that cannot be read is a finding and the others go on. The days wait in a temporary file, so that memory does
    not grow with their number. Raises TrainingError when there is nothing to learn from or `out` cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.name.endswith(ENDINGS) and path.is_file())
    if not files:
        raise TrainingError(f"{folder}: no {' or '.join(ENDINGS)} file in it")
    result = Trained()
    with tempfile.TemporaryFile() as spool:
        for path in track(files):
            _take_file(path, zone, now, spool, result)
        if result.days < MIN_DAYS:
            why = f"; {result.findings[0]}" if result.findings else ""
            raise TrainingError(f"{folder}: only {result.days} days could be used, {MIN_DAYS} are needed{why}")
        fitted = _fitted(base, spool)
    origin = f"fitted to {result.days} days of {result.homes} homes, from: {base.origin}"
    result.shapes = fitted.names
    _write(out, fitted, origin)
    return result


def _fitted(base: ShapeDictionary, spool: IO[bytes]) -> ShapeDictionary:
    book, last = base, None
    for _ in range(ROUNDS):
        last = Round(book, np.random.default_rng(0))
        for piece in _pieces(spool):
            last.take(piece)
        book = last.fitted(base)
    return with_found(book, last) if last else book


def _pieces(spool: IO[bytes]) -> Iterator[Array]:
    spool.seek(0)
    while data := spool.read(PIECE * HOURS * 4):
        yield np.frombuffer(data, dtype=np.float32).reshape(-1, HOURS).astype(float)


def _take_file(path: Path, zone: ZoneInfo, now: datetime, spool: IO[bytes], result: Trained) -> None:
    try:
        homes, findings = _homes(path, zone, now)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        result.findings.append(Finding(str(path), f"cannot be read ({error})", "Copy it again, as CSV in UTF-8."))
        return
    result.findings += findings
    for days in homes:
        known = [numbers.shares for numbers in map(day_numbers, days) if numbers.known]
        if known:
            spool.write(np.array(known, dtype=np.float32).tobytes())
            result.homes += 1
            result.days += len(known)


def _homes(path: Path, zone: ZoneInfo, now: datetime) -> tuple[list[list[list[float | None]]], list[Finding]]:
    """Each home's days as hourly net Wh on the wall clock's dial, and the first thing wrong in the file."""
    hours: dict[str, dict[date, Array]] = {}
    steps, wrong, refused = Steps(), None, 0
    with _opened(path) as lines:
        for row in parse_interval_csv(lines, now):
            if isinstance(row, Interval):
                steps.add(row)
                _add(hours, row, zone)
            else:
                wrong, refused = wrong or row, refused + 1
    if (apart := steps.finding()) is not None:
        return [], [Finding(str(path), apart.what, apart.remedy)]
    findings = []
    if wrong is not None:
        more = f" (and {refused - 1} rows more)" if refused > 1 else ""
        findings = [Finding(f"{path}: {wrong.where}", wrong.what + more, wrong.remedy)]
    return [_days(days) for days in _joined(hours)], findings


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _add(hours: dict[str, dict[date, Array]], row: Interval, zone: ZoneInfo) -> None:
    """Energy and seconds of each wall-clock hour: an hour that comes twice counts as its mean."""
    if row.net_wh is None:
        return
    local = row.start.astimezone(zone)
    day = hours.setdefault(row.device, {}).setdefault(local.date(), np.zeros((2, HOURS)))
    day[0, local.hour] += row.net_wh
    day[1, local.hour] += row.duration_s


def _joined(hours: dict[str, dict[date, Array]]) -> list[dict[date, Array]]:
    """House and sun of one file are one home's."""
    if HOUSE not in hours or SOLAR not in hours:
        return list(hours.values())
    house, sun = hours.pop(HOUSE), hours.pop(SOLAR)
    both = {day: np.stack([rows[0] + sun[day][0], rows[1]]) for day, rows in house.items() if day in sun}
    return [both, *hours.values()]


def _days(days: dict[date, Array]) -> list[list[float | None]]:
    return [
        [float(wh) * 3600 / float(s) if s >= 1800 else None for wh, s in zip(rows[0], rows[1], strict=True)]
        for _, rows in sorted(days.items())
    ]


def _write(out: Path, book: ShapeDictionary, origin: str) -> None:
    document = {**book.to_document(), "origin": origin}
    beside = out.with_name(out.name + ".new")
    try:
        beside.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")
        beside.replace(out)
    except OSError as error:
        raise TrainingError(f"{out}: cannot be written ({error.strerror})") from error
