"""A home's tariffs one after the other: which holds when, and a span of time cut where the next begins.

valid_from   -          2026-01-01          2026-07-01
in force     | old      | new               | newest      each by its own days; a bill of older days is counted
                                                          by the tariff of those days
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from gateway.core.tariff.windows import midnight
from gateway.model.errors import Finding
from gateway.model.tariff import Period, Tariff


def spans(tariff: Tariff, start: datetime, end: datetime) -> list[tuple[datetime, datetime, Tariff]]:
    """[start, end) as (start, end, the tariff in force alone), in order; one entry where nothing changes."""
    if not tariff.others:
        return [(start, end, tariff)]
    marks = [mark for mark in changes(tariff) if start < mark < end]
    edges = [start, *marks, end]
    return [(a, b, tariff.on(a.astimezone(tariff.timezone).date())) for a, b in pairwise(edges)]


def changes(tariff: Tariff) -> list[datetime]:
    """The local midnights at which another of the tariffs begins, aware UTC, in order."""
    return [midnight(tariff, each.valid_from) for each in tariff.versions[1:] if each.valid_from is not None]


def joined(tariffs: Sequence[Tariff]) -> Tariff:
    """The tariffs of one home as one value, the last on its face; raises Finding where they cannot follow each other."""
    for number, (before, after) in enumerate(pairwise(tariffs), start=1):
        where = f"tariff[{number}]"
        if after.valid_from is None:
            what = f"'{after.id}' does not say from when it holds"
            raise Finding(where, what, "Give it valid_from, the first day of that tariff, e.g. valid_from: 2026-07-01.")
        if before.valid_from is not None and after.valid_from <= before.valid_from:
            what = f"'{after.id}' begins on {after.valid_from}, not after '{before.id}' on {before.valid_from}"
            raise Finding(where, what, "List the tariffs in the order in which they begin.")
        if (before.timezone, before.currency) != (after.timezone, after.currency):
            what = f"'{after.id}' counts in another time zone or currency than '{before.id}'"
            raise Finding(where, what, "Choose tariffs of one country and currency.")
        if after.valid_from.day != 1 and (_by_month(before) or _by_month(after)):
            what = f"'{after.id}' begins on {after.valid_from}, inside a month whose peak or amount of energy counts"
            raise Finding(where, what, "Let it begin on the first day of a month.")
    return replace(tariffs[-1], others=tuple(tariffs[:-1]))


def _by_month(tariff: Tariff) -> bool:
    return bool(tariff.demand) or (tariff.tiers is not None and tariff.tiers.period is Period.MONTH)
