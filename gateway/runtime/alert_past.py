"""The whole local days before today as alerts of weeks read them, and what is found in them: a sign."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import numpy as np

from gateway.core.learning.alerts.days import by_day, day_start
from gateway.core.learning.alerts.usual import Floats
from gateway.model.alert import AlertKind, Cause, Evidence
from gateway.model.reading import Interval
from gateway.model.site import Site
from gateway.ports import AuditStore, IntervalStore
from gateway.runtime.alert_sight import Sight, plain

PAST_DAYS = 119
SHOWN_DAYS = 42


class PastStore(IntervalStore, AuditStore, Protocol):
    """Interval data, and what devices were told."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign in words, of a device or (None) of the home; `cost_micro`: where energy times price is not the cost."""

    kind: AlertKind
    sight: Sight
    what: str
    sure: str
    advice: str
    device: str | None = None
    cost_micro: int | None = None

    @property
    def cause(self) -> Cause:
        """What it is about."""
        return Cause(self.kind, self.device)


@dataclass(frozen=True, slots=True)
class Past:
    """The whole local days before today, PAST_DAYS of them, newest last."""

    site: Site
    store: PastStore
    now: datetime

    @property
    def first(self) -> date:
        """The oldest of the days."""
        return self.now.astimezone(self.site.timezone).date() - timedelta(days=PAST_DAYS)

    async def rows(self, device: str, days: int = PAST_DAYS) -> list[Interval]:
        """The interval data of the last so many of the days."""
        zone, today = self.site.timezone, self.first + timedelta(days=PAST_DAYS)
        return await self.store.intervals(device, day_start(today - timedelta(days=days), zone), day_start(today, zone))

    async def days(self, device: str) -> Floats:
        """Mean net W by day and quarter hour, nan where not known."""
        return await asyncio.to_thread(by_day, await self.rows(device), self.first, PAST_DAYS, self.site.timezone)

    def sight(self, power_w: float, back: int, actual: Floats, usual: Floats, energy_wh: float | None = None) -> Sight:
        """`back` is the first day it is about; mean W of each day as evidence."""
        shown = PAST_DAYS - SHOWN_DAYS
        zone = self.site.timezone
        begun = day_start(self.first + timedelta(days=back), zone)
        evidence = Evidence(
            day_start(self.first + timedelta(days=shown), zone), 86400, plain(actual[shown:]), plain(usual[shown:]),
            tuple(k >= back for k in range(shown, PAST_DAYS)),
        )  # fmt: skip
        energy = power_w * (self.now - begun).total_seconds() / 3600 if energy_wh is None else energy_wh
        return Sight(power_w, power_w, begun, energy, evidence)


def flows(rows: Sequence[Interval], first: date, count: int, site: Site, least: float = 0.95) -> tuple[Floats, Floats]:
    """Wh taken and given by day, nan where less than `least` of the day is known."""
    took, gave, known = np.zeros(count), np.zeros(count), np.zeros(count)
    for row in rows:
        at = (row.start.astimezone(site.timezone).date() - first).days
        if row.net_wh is not None and 0 <= at < count:
            took[at] += row.import_wh or 0.0
            gave[at] += row.export_wh or 0.0
            known[at] += row.duration_s
    held = known >= least * 86400
    return np.where(held, took, np.nan), np.where(held, gave, np.nan)
