"""Interval history from CSV: strict for each row; a bad row is a finding, the others are taken."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from gateway.model.errors import Finding
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

COLUMNS = ["start", "device", "import_wh", "export_wh"]
MAX_WH = 50_000.0
"""More than 200 kW for a quarter of an hour is not a home (usually kWh and Wh were mixed up)."""
_DEVICE = re.compile(r"[\w./-]{1,64}")


def parse_interval_csv(lines: Iterable[str]) -> Iterator[Interval | Finding]:
    """Quarter-hour intervals from lines `start,device,import_wh,export_wh`, header first.

    `start` is ISO 8601 with a zone on a quarter hour; energies are Wh >= 0, empty when unknown (not both). Rows become
    intervals of quality valid with the method "imported"; a row that is not so becomes a Finding with its line number.
    """
    reader = csv.reader(lines)
    header = next(reader, None)
    if header is None or [name.strip().lower() for name in header] != COLUMNS:
        yield Finding("line 1", f"the header is not {','.join(COLUMNS)}", "Name exactly these columns, with commas.")
        return
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Finding(f"line {reader.line_num}", f"is not CSV ({error})", "Check the quotes of this line.")
            continue
        if row:
            yield _interval(row, f"line {reader.line_num}")


def _interval(row: list[str], where: str) -> Interval | Finding:
    try:
        if len(row) != len(COLUMNS):
            raise Finding(where, f"has {len(row)} columns", f"Give {len(COLUMNS)}: {','.join(COLUMNS)}.")
        start = _start(row[0].strip(), where)
        device = row[1].strip()
        if not _DEVICE.fullmatch(device):
            raise Finding(where, f"device {device!r} is not an id", "Use letters, digits, '_', '-', '.' and '/'.")
        taken, given = _energy(row[2], "import_wh", where), _energy(row[3], "export_wh", where)
        if taken is None and given is None:
            raise Finding(where, "states no energy", "Leave the row out: what is not measured is not 0.")
    except Finding as finding:
        return finding
    return Interval(device, start, INTERVAL_S, taken, given, IntervalQuality.VALID, "imported")


def _start(text: str, where: str) -> datetime:
    try:
        start = datetime.fromisoformat(text)
        if start.tzinfo is None:
            raise Finding(where, f"start {text!r} has no zone", "Write it with one: 2026-01-31T14:15:00+01:00.")
        start = start.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Finding(where, f"start {text!r} is not a time", "Write ISO 8601: 2026-01-31T14:15:00+01:00.") from error
    if start.microsecond or (start.minute * 60 + start.second) % INTERVAL_S:
        raise Finding(where, f"start {text} is not on a quarter hour", "Intervals start at :00, :15, :30 or :45.")
    return start


def _energy(text: str, column: str, where: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise Finding(where, f"{column} {text.strip()!r} is not a number", "Write Wh with a decimal point.") from error
    if not math.isfinite(value) or value < 0:
        raise Finding(where, f"{column} is {value:g}", "Energies are Wh >= 0; exports have their own column.")
    if value > MAX_WH:
        raise Finding(where, f"{column} is {value:g} Wh in 15 minutes", "No home does that: check the unit (Wh).")
    return value
