"""A service's JSON answer becomes points, by its table. Pure: no socket, no clock.

One bad row is left out and counted; an answer that is mostly bad, of another unit or of another shape is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sources.points import Dropped, Row, plausible, strange_words, to_points
from adapters.sources.template import Value, fill
from adapters.sources.times import Instants
from adapters.sources.wire import PRICE_UNIT, UNITS, AnswerWire, SeriesWire, SourceProfile
from gateway.model.series import Point, SeriesKind

MAX_ROWS = 6000


class Unusable(Exception):
    """The answer cannot be used; the text says why, in words without anything secret."""


@dataclass(slots=True)
class Told:
    """What an answer tells: points by kind, the currency of prices, and how many rows were left out."""

    points: dict[SeriesKind, tuple[Point, ...]] = field(default_factory=dict)
    currency: str = ""
    dropped: Dropped = field(default_factory=Dropped)


def decode(documents: Sequence[Any], profile: SourceProfile, values: Mapping[str, Value]) -> Told:
    """What the answers tell together; raises Unusable. `values` are the options that fill placeholders in paths."""
    table, told = profile.answer, Told()
    lists = [rows for document in documents for rows in _lists(document, table, profile.series, values)]
    if sum(len(rows) for rows in lists) > MAX_ROWS:
        raise Unusable(f"the answer holds more than {MAX_ROWS} rows")
    only = {path: fill(text, values) for path, text in table.only.items()}
    for series in profile.series:
        found: list[Row] = []
        bad = Dropped()
        for rows in lists:
            found += _rows(rows, table, series, only, values, bad)
        if why := bad.too_many(len(found)):
            raise Unusable(why)
        told.points[series.kind] = to_points(found, table.longest_s, table.last_lasts_s)
        told.dropped.join(bad)
        if series.kind is SeriesKind.SPOT:
            told.currency = unit_of(fill(series.unit, values))[0]
    return told


def unit_of(unit: str) -> tuple[str, float]:
    """Currency of a price unit such as EUR/MWh and its factor to micro-units per kWh; raises Unusable."""
    known = PRICE_UNIT.fullmatch(unit)
    if known is None or known["currency"] == "{currency}":
        raise Unusable(f"'{unit}' is no unit of a price")
    return known["currency"], 1e6 if known["per"] == "kWh" else 1e3


def at(tree: Any, path: str) -> Any:
    """What stands at a path of keys and list numbers; None where there is nothing."""
    for key in path.split("."):
        if isinstance(tree, dict):
            tree = tree.get(key)
        elif isinstance(tree, list) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return None
    return tree


def number(raw: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str) or (isinstance(raw, str) and "_" in raw):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if abs(value) < 1e15 else None  # NaN is not below either


def _lists(
    document: Any, table: AnswerWire, series: Sequence[SeriesWire], values: Mapping[str, Value]
) -> list[list[Any]]:
    """The lists of rows of one answer; raises Unusable for another shape, unit or currency."""
    if table.columns is not None:
        lists = [_transposed(at(document, table.columns) if table.columns else document, table, series)]
    elif table.bare:
        lists = [document] if isinstance(document, list) else []
    else:
        found = (at(document, fill(path, values)) for path in table.rows)
        lists = [rows for rows in found if isinstance(rows, list)]
    if not lists:
        raise Unusable("the answer does not hold the list of values where it should")
    for path, text in table.expect.items():
        path, wanted = fill(path, values), fill(text, values)
        said = at(document, path)
        if _plain(said) != _plain(wanted) and (said is not None or any(lists)):
            # Whole: what is cut here could be half a key, which nobody would know and blank.
            raise Unusable(f"{path} should be {wanted} and is '{said}'")
    return lists


def _plain(said: Any) -> str:
    """For comparing units: "EUR / MWh" is "Eur/MWh"."""
    return "".join(str(said).split()).casefold()


def _transposed(columns: Any, table: AnswerWire, series: Sequence[SeriesWire]) -> list[Any]:
    """An object of lists as a list of objects; raises Unusable where the lists differ in length."""
    names = [table.start, *(path for each in series for path in each.values)]
    named = {name: columns.get(name) for name in names} if isinstance(columns, dict) else {}
    lists = {name: column for name, column in named.items() if isinstance(column, list)}
    if table.start not in lists or len(lists) < 2:
        raise Unusable("the answer does not hold the lists of values where it should")
    if len({len(column) for column in lists.values()}) > 1:
        raise Unusable("its lists of times and values differ in length")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _rows(
    rows: Sequence[Any],
    table: AnswerWire,
    series: SeriesWire,
    only: Mapping[str, str],
    values: Mapping[str, Value],
    bad: Dropped,
) -> list[Row]:
    """The rows of one kind, in the kind's own unit; adds to `bad`. A null says nothing and is not bad."""
    unit = fill(series.unit, values)
    currency, base = unit_of(unit) if series.kind is SeriesKind.SPOT else ("", UNITS[series.kind][unit])
    factor = series.scale * base
    paths = [fill(path, values) for path in series.values]
    starts, ends = (Instants(table.times, ZoneInfo(table.zone)) for _ in range(2))
    good = []
    for place, raw in enumerate(rows, 1):
        if any(str(at(raw, path)) != text for path, text in only.items()):
            continue
        start = starts.read(at(raw, table.start))
        said = next((found for path in paths if (found := at(raw, path)) is not None), None)
        if said is None and start is not None:
            continue
        value = number(said)
        if start is None or value is None:
            bad.add(f"row {place}, {paths[0] if start is not None else table.start}, cannot be read")
            continue
        if not plausible(series.kind, value * factor, currency):
            bad.add(f"row {place}: {strange_words(series.kind, value * factor, currency)}", strange=True)
            continue
        end = ends.read(at(raw, table.end)) if table.end else None
        good.append(_placed(start, end, value * factor, table, series))
    return good


def _placed(start: Any, end: Any, value: float, table: AnswerWire, series: SeriesWire) -> Row:
    step = timedelta(seconds=table.step_s) if table.step_s is not None else None
    if series.stamp == "end" and step is not None:
        return Row(start - step, start, value)
    return Row(start, end if end is not None or step is None else start + step, value)
