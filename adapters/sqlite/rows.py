"""Rows to nouns and back: times as whole microseconds, roll-ups as compact sealed numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sqlite.seals import is_sealed, rollup_seal, seed
from gateway.model.audit import AuditRow, Notification
from gateway.model.quantity import Quantity
from gateway.model.reading import Rollup

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(when: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (when - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The aware UTC time of `micros`."""
    return EPOCH + timedelta(microseconds=value)


def seconds(when: datetime) -> int:
    """Whole seconds since 1970, rounded up so that a half-open range keeps its meaning."""
    return -((EPOCH - when) // timedelta(seconds=1))


def minute(when: datetime) -> int:
    """Whole minutes since 1970, rounded up likewise."""
    return -((EPOCH - when) // timedelta(minutes=1))


def plain(text: str) -> str:
    """Text that SQLite can keep: halves of surrogate pairs (bad bytes of a device) become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def rollup_row(series: int, r: Rollup) -> tuple[Any, ...]:
    """The columns of table rollups: whole thousandths, low, high and last as differences from the mean.

    A counter's register is six bytes, what it moved in a minute is two.
    """
    mean, low, high, last = (round(value * 1000) for value in (r.mean, r.low, r.high, r.last))
    row = (minute(r.start), series, mean, low - mean, high - mean, last - mean, r.count, r.suspect)
    return (*row, rollup_seal(seed(r.device, r.quantity.value), *row))


def sound_rollups(device: str, quantity: str, rows: Iterable[tuple[Any, ...]]) -> tuple[list[Rollup], int]:
    """Roll-ups from the whole rows of one series, and how many rows failed their checksum and were left out."""
    kind, start, found, damaged = Quantity(quantity), seed(device, quantity), [], 0
    for row in rows:
        at, _, mean, low, high, last, count, suspect, seal = row
        if seal is not None and not is_sealed(start, *row):
            damaged += 1
            continue
        base = 0 if seal is None else mean
        values = (mean / 1000, (base + low) / 1000, (base + high) / 1000, (base + last) / 1000)
        found.append(Rollup(device, kind, EPOCH + timedelta(minutes=at), *values, count, suspect))
    return found, damaged


def audit_row(row: AuditRow) -> tuple[Any, ...]:
    """The columns of table audit after its id."""
    return (micros(row.time), plain(row.step), plain(row.subject), plain(row.text), row.authority, plain(row.source))


def audit_of(row: tuple[Any, ...]) -> AuditRow:
    """An audit row from (time, step, subject, text, authority, source)."""
    return AuditRow(instant(row[0]), *row[1:])


def notification_row(n: Notification) -> tuple[Any, ...]:
    """The columns of table notifications."""
    ended = None if n.ended is None else micros(n.ended)
    return (plain(n.cause), micros(n.time), plain(n.level), plain(n.text), ended)


def notification_of(row: tuple[Any, ...]) -> Notification:
    """A notification from (cause, time, level, text, ended)."""
    cause, time, level, text, ended = row
    return Notification(instant(time), cause, level, text, None if ended is None else instant(ended))
