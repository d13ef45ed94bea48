"""Instants as services and files write them; times without a zone are read in order, for the hour that comes twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


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
