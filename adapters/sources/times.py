"""Instants as services and files write them; times without a zone are read in order, for the hour that comes twice."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?=$|[ T])")
_SHORT_HOUR = re.compile(r"(?<=[ T])(\d:\d\d)")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]24:00(:00)?")


def as_iso(raw: Any) -> Any:
    """A time as people write it, in ISO 8601: 22.11.2026 7:00, and 24:00 for the midnight that ends a day.

    What may be read in two ways (11/12/2026) stays as it is, and so is no time.
    """
    if not isinstance(raw, str) or len(raw) > 40:
        return raw
    text = _GERMAN.sub(lambda d: f"{d[3]}-{int(d[2]):02}-{int(d[1]):02}", raw.strip(), count=1)
    text = _SHORT_HOUR.sub(r"0\1", text, count=1)
    if (end := _MIDNIGHT.fullmatch(text)) is not None:
        try:
            return f"{date.fromisoformat(end[1]) + timedelta(days=1)}T00:00"
        except (ValueError, OverflowError):
            return raw
    return text


class Instants:
    """Reads the times of one list of rows, in their order."""

    def __init__(self, form: str, zone: ZoneInfo) -> None:
        self._form, self._zone = form, zone
        self._last: datetime | None = None

    def read(self, raw: Any) -> datetime | None:
        """Aware UTC, whole minutes; None for what is no time of our days (or a local one that does not exist)."""
        try:
            when = self._iso(raw) if self._form == "iso" else self._unix(raw)
        except (ValueError, OverflowError, OSError, TypeError):
            return None
        if when is None or not FIRST <= when < LAST:
            return None
        # Some mark the first second of an interval as 00:00:01.
        self._last = when.replace(second=0, microsecond=0)
        return self._last

    def _unix(self, raw: Any) -> datetime | None:
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            return None
        seconds = float(raw) / (1000 if self._form == "unix_ms" else 1)
        return datetime.fromtimestamp(seconds, UTC)

    def _iso(self, raw: Any) -> datetime | None:
        if not isinstance(raw, str) or len(raw) > 40:
            return None
        when = datetime.fromisoformat(raw.strip())
        return when.astimezone(UTC) if when.tzinfo is not None else self._local(when)

    def _local(self, naive: datetime) -> datetime | None:
        """A local time: at the end of summer time the second one of two that look alike."""
        local = naive.replace(tzinfo=self._zone)
        when = local.astimezone(UTC)
        if when.astimezone(self._zone).replace(tzinfo=None) != naive:
            return None
        if self._last is not None and when <= self._last:
            second = local.replace(fold=1).astimezone(UTC)
            return second if second - when >= timedelta(minutes=1) else when
        return when
