"""`hearth train-shapes`: a dictionary of load shapes from a folder of many homes' interval files."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.shape_day import HOURS, MIN_COVERAGE, Array, day_numbers
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.core.learning.shape_training import ROUNDS, Round, with_found
from gateway.core.metering.csv_rows import parse_energy_csv
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.errors import Finding, HearthError
from gateway.training_days import DaysOnDisk

ENDINGS = (".csv", ".csv.gz")
PIECE = 2_000
"""Days that are looked at at a time: 0.4 MB, and ten times that while they are."""
MIN_DAYS = 100
TOO_SMALL_WH = 100.0
"""A home whose middle day turns over less is taken to be told in kWh: an idle refrigerator alone uses more."""


class TrainingError(HearthError):
    """No dictionary can be made of this folder; the words say why."""


@dataclass(slots=True)
class FileTaken:
    """What came of one file: its series by their number, homes and days taken, and how many days were left out for what."""

    path: Path
    series: dict[str, int] = field(default_factory=dict)
    homes: int = 0
    days: int = 0
    left: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        what = f"{self.days} days of {self.homes} home{'s' * (self.homes != 1)} taken" if self.days else "nothing taken"
        left = "".join(f"; {number} day{'s' * (number != 1)} {why}, left out" for why, number in self.left.items())
        return f"{self.path}: {what}{left}"


@dataclass(slots=True)
class Trained:
    """What came of it: homes and days that went in, file by file, and what is wrong with the files."""

    files: list[FileTaken] = field(default_factory=list)
    passed: list[Path] = field(default_factory=list)
    """Files with another ending, which were not looked into."""
    shapes: tuple[str, ...] = ()

    @property
    def homes(self) -> int:
        """All homes of which a day was taken."""
        return sum(each.homes for each in self.files)

    @property
    def days(self) -> int:
        """All days taken."""
        return sum(each.days for each in self.files)

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong with the files."""
        return [finding for each in self.files for finding in each.findings]


def train_shapes(
    folder: Path,
    out: Path,
    base: ShapeDictionary,
    zone: ZoneInfo,
    now: datetime,
    track: Callable[[list[Path]], Iterable[Path]] = iter,
    tell: Callable[[Trained], None] = lambda read: None,
) -> Trained:
    """Fit the dictionary `base` to the homes whose interval CSVs (also .gz) lie in `folder`, and write it to `out`.

    Each series of a file is one home; where there is "house", it is one home with its "solar", and the other series are
    devices of it. So are the files of a sub-folder together when one of them has "house" and no series comes twice.
    Rows of 5, 15, 30 and 60 minutes are taken; days are local days of `zone`. `tell` hears of every file once all are
    read. A file that cannot be read is a finding and the others go on. All days wait on disk, so that memory does not
    grow with their number. Raises TrainingError when there is nothing to learn from or `out` cannot be written.
    """
    there = sorted(path for path in folder.rglob("*") if path.is_file() and path != out)
    files = [path for path in there if path.name.lower().endswith(ENDINGS)]
    if not files:
        raise TrainingError(f"{folder}: no {' or '.join(ENDINGS)} file in it")
    result = Trained(passed=[path for path in there if path not in set(files)])
    disk, numbers = DaysOnDisk(zone), count()
    with tempfile.TemporaryFile() as spool:
        try:
            for path in track(files):
                result.files.append(_read(path, now, disk, numbers))
            for unit in _units(folder, result.files):
                _take(unit, disk, spool)
        finally:
            disk.close()
        tell(result)
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


def _read(path: Path, now: datetime, disk: DaysOnDisk, numbers: Iterator[int]) -> FileTaken:
    """Bring the rows of a file to disk, each series under the next of `numbers`; a torn file gives no series."""
    found, wrong, refused = FileTaken(path), None, 0
    try:
        with _opened(path) as lines:
            for row in parse_energy_csv(lines, now):
                if not isinstance(row, Finding):
                    if row.device not in found.series:
                        found.series[row.device] = next(numbers)
                    if disk.add(found.series[row.device], row.start, row.net_wh):
                        continue
                    what = f"'{row.device}' has {row.start.isoformat()} already, in a line above"
                    row = Finding(row.where, what, "Keep one; where the clock is set back, write the offset from UTC.")
                wrong, refused = wrong or row, refused + 1
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        # What of it is on disk belongs to no home.
        unread = Finding(str(path), f"cannot be read ({error})", "Copy it again, as CSV in UTF-8.")
        return FileTaken(path, findings=[unread])
    if wrong is not None:
        more = f" (and {refused - 1} rows more)" if refused > 1 else ""
        found.findings.append(Finding(f"{path}: {wrong.where}", wrong.what + more, wrong.remedy))
    return found


def _opened(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _units(folder: Path, files: Sequence[FileTaken]) -> Iterator[list[FileTaken]]:
    """Files that are one home's together; the others each by itself."""
    beside: dict[Path, list[FileTaken]] = {}
    for each in files:
        beside.setdefault(each.path.parent, []).append(each)
    for parent, group in beside.items():
        names = [name for each in group for name in each.series]
        if parent != folder and HOUSE in names and len(names) == len(set(names)):
            yield group
        else:
            yield from ([each] for each in group)


def _take(unit: Sequence[FileTaken], disk: DaysOnDisk, spool: IO[bytes]) -> None:
    """The homes of some files that belong together: their days go to `spool`, and each file is told what came of it."""
    of = {name: (each, number) for each in unit for name, number in each.series.items()}
    for name, (file, number) in of.items():
        where = f"{file.path}: {name}"
        if name == SOLAR and HOUSE not in of:
            remedy = "Put 'house' and 'solar' of one home into one file, or their files into a sub-folder of their own."
            file.findings.append(Finding(where, "is left out: the sun alone is no home", remedy))
        elif HOUSE in of and name not in (HOUSE, SOLAR):
            remedy = "Nothing to do; a home of its own belongs into a file of its own."
            file.findings.append(Finding(where, "is left out: a device of the home whose 'house' is beside it", remedy))
        elif name != SOLAR:
            sun = of[SOLAR][1] if name == HOUSE and SOLAR in of else None
            _take_home(file, where, _joined(disk, number, sun, file.left), spool)


def _joined(disk: DaysOnDisk, number: int, sun: int | None, left: Counter[str]) -> Iterator[list[float | None]]:
    """A home's days as hourly net Wh on the dial, those of its sun added; days without the sun's rows are left out."""
    shone = dict(disk.days(sun)) if sun is not None else dict[date, list[float | None] | None]()
    for day, hours in disk.days(number):
        other = shone.get(day) if sun is not None else [0.0] * HOURS
        if hours is None or (sun is not None and day in shone and other is None):
            left["whose rows are not 5, 15, 30 or 60 minutes apart"] += 1
        elif other is None:
            left["without rows of 'solar'"] += 1
        else:
            yield [None if a is None or b is None else a + b for a, b in zip(hours, other, strict=True)]


def _take_home(file: FileTaken, where: str, days: Iterator[list[float | None]], spool: IO[bytes]) -> None:
    numbers = [day_numbers(hours) for hours in days]
    whole = [each for each in numbers if each.coverage >= MIN_COVERAGE]
    known = [each.shares for each in whole if each.known]
    middle = float(np.median([each.turned_wh for each in whole])) if whole else 0.0
    if 0 < middle < TOO_SMALL_WH:
        what = f"is left out: its middle day has {middle:.3g} Wh, so its energies are probably kWh"
        file.findings.append(Finding(where, what, "Write them in Wh: multiply by 1000."))
        return
    file.left[f"measured less than {100 * MIN_COVERAGE:.0f} %"] += len(numbers) - len(whole)
    file.left["with next to no energy"] += len(whole) - len(known)
    file.left = +file.left
    if not known:
        file.findings.append(Finding(where, "no day of it could be used", "The words about its file say why."))
        return
    spool.write(np.array(known, dtype=np.float32).tobytes())
    file.homes += 1
    file.days += len(known)


def _write(out: Path, book: ShapeDictionary, origin: str) -> None:
    document = {**book.to_document(), "origin": origin}
    beside = out.with_name(out.name + ".new")
    try:
        beside.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")
        beside.replace(out)
    except OSError as error:
        raise TrainingError(f"{out}: cannot be written ({error.strerror})") from error
