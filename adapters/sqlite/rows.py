"""Rows to nouns and back: times as whole microseconds, roll-ups and intervals as compact numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model.audit import AuditRow, Notification
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup

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
    """The columns of table rollups; values as whole thousandths, half the bytes of floats."""
    values = (round(value * 1000) for value in (r.mean, r.low, r.high, r.last))
    return (minute(r.start), series, *values, r.count, r.suspect)


def rollups_of(device: str, quantity: str, rows: Iterable[tuple[Any, ...]]) -> list[Rollup]:
    """Roll-ups from (minute, mean, low, high, last, count, suspect)."""
    kind = Quantity(quantity)
    return [
        Rollup(
            device, kind, EPOCH + timedelta(minutes=at), mean / 1000, low / 1000, high / 1000, last / 1000, count, bad
        )
        for at, mean, low, high, last, count, bad in rows
    ]


def interval_row(device: int, i: Interval) -> tuple[Any, ...]:
    """The values of INSERT_INTERVAL."""
    start = seconds(i.start)
    return (device, start, device, start, i.duration_s, i.import_wh, i.export_wh, i.quality.value, i.method)


INSERT_INTERVAL = (
    "INSERT INTO intervals VALUES (?, ?,"
    " (SELECT coalesce(max(sequence), -1) + 1 FROM intervals WHERE device = ? AND start = ?), ?, ?, ?, ?, ?)"
)


def intervals_of(device: str, rows: Iterable[tuple[Any, ...]]) -> list[Interval]:
    """The intervals in force from (start, duration_s, import_wh, export_wh, quality, method) by start and sequence."""
    last = {row[0]: row for row in rows}
    from_timestamp, qualities = datetime.fromtimestamp, {quality.value: quality for quality in IntervalQuality}
    return [
        Interval(device, from_timestamp(start, UTC), duration_s, import_wh, export_wh, qualities[quality], method)
        for start, duration_s, import_wh, export_wh, quality, method in last.values()
    ]


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
