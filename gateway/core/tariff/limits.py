"""Contracted power: how much may be imported when."""

from __future__ import annotations

from datetime import datetime

from gateway.core.tariff.windows import fits, local_edges
from gateway.model.tariff import Tariff


def import_limit_w(tariff: Tariff, when: datetime) -> float | None:
    """The least contracted power whose window holds at `when`, W; None where nothing is contracted."""
    tariff = tariff.at(when)
    if not tariff.contracted:
        return None
    local = when.astimezone(tariff.timezone)
    return min((part.power_w for part in tariff.contracted if fits(tariff, part.when, local)), default=None)


def limit_edges(tariff: Tariff, start: datetime, end: datetime) -> list[datetime]:
    """The instants inside (start, end) at which another contracted power may begin, aware UTC, sorted."""
    if not tariff.contracted:
        return []
    return local_edges(tariff, [part.when for part in tariff.contracted], start, end)
