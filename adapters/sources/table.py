"""The text of a file as rows: CSV with a head, or a JSON list of objects; what may be read in two ways is complained of."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEPARATORS = ";\t,"
"""By these columns may be told apart; of several that stand equally often in the head the first."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its place in the file (of JSON: in the list), its fields by lower-case name, and what is wrong with it."""

    place: int
    fields: Mapping[str, Any]
    wrong: str = ""


def table(text: str) -> tuple[Sequence[str], Iterator[Line]]:
    """The head (empty for JSON) and the rows; raises ValueError, csv.Error or RecursionError, also while rows are read."""
    return ((), _objects(text)) if text.lstrip().startswith("[") else _lines(text)


def _objects(text: str) -> Iterator[Line]:
    for place, row in enumerate(json.loads(text), 1):
        known = {str(k).strip().lower(): v for k, v in row.items()} if isinstance(row, dict) else {}
        yield Line(place, known, "" if isinstance(row, dict) else f"row {place} is no object")


def _lines(text: str) -> tuple[Sequence[str], Iterator[Line]]:
    opened = io.StringIO(text, newline="")
    head, skipped = "", 0
    for head in opened:
        if head.strip() and not head.lstrip().startswith("#"):
            break
        head, skipped = "", skipped + 1
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader([head], delimiter=separator, skipinitialspace=True, strict=True)
    names = [name.strip().lower() for name in next(reader, [])]
    return names, _rows(opened, names, separator, skipped + 1)


def _rows(opened: io.StringIO, names: Sequence[str], separator: str, before: int) -> Iterator[Line]:
    """The rows below the head, of which `before` lines were read."""
    reader = csv.reader(opened, delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    for fields in reader:
        place = before + reader.line_num
        if not any(field.strip() for field in fields) or fields[0].startswith("#"):
            continue
        # Where ; or tabs separate, a comma may be the decimal sign; times hold none that matters.
        told = (field.strip() if separator == "," else field.strip().replace(",", ".") for field in fields)
        yield Line(place, dict(zip(names, told, strict=False)), _wrong(fields, names, separator, place))


def _wrong(fields: Sequence[str], names: Sequence[str], separator: str, place: int) -> str:
    """A row of more fields than the head may be a decimal comma: 0,21 would be a price of 0."""
    more = fields[len(names) :]
    plain = separator != "," or any("." in field for field in fields[1:])
    if not more or (plain and not any(field.strip() for field in more)):
        return ""
    words = f"row {place} has {len(fields)} fields where the head has {len(names)}"
    return f"{words}: a decimal comma? Write 0.21, or put ; between the columns" if separator == "," else words
