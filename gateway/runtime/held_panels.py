"""On which days the panels were held back by Hearth itself (zero export, negative price, a utility's limit)."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from gateway.core.learning.alerts.days import day_start
from gateway.ports import AuditStore

PART = timedelta(hours=6)
MOST_ROWS = 1000
"""Rows of an inverter looked at in each part of a day; a limit that follows the meter writes many, one of them is enough."""
_PERCENT = re.compile(r"(\d+) % until")


async def held_days(
    audit: AuditStore, inverters: Collection[str], first: date, count: int, zone: ZoneInfo
) -> list[int]:
    """The days, counted from `first`, on which an inverter was told less than 100 %; `inverters` are device ids.

    A limit without a later word holds over the day after it was told, no longer: the tick tells one that stands anew
    each half day, and the word that ends one may have been lost.
    """
    found: set[int] = set()
    for inverter in inverters:
        found |= await _held(audit, inverter, first, count, zone)
    return sorted(day for day in found if 0 <= day < count)


async def _held(audit: AuditStore, inverter: str, first: date, count: int, zone: ZoneInfo) -> set[int]:
    found: set[int] = set()
    for day in range(-1, count):
        at, end = (day_start(first + timedelta(days=day + k), zone) for k in (0, 1))
        last = None
        while at < end:
            rows = await audit.audit(at, min(at + PART, end), subject=inverter, limit=MOST_ROWS)
            told = [int(match[1]) for row in rows if row.step == "commanded"
                    and (match := _PERCENT.match(row.text))]  # fmt: skip
            if any(percent < 100 for percent in told):
                found.add(day)
            last = told[0] if told else last
            at += PART
        if last is not None and last < 100:
            found.add(day + 1)
    return found
