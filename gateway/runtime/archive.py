"""Archives what the plan in force says of each quarter hour, as it comes into force, and reads it back."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from gateway.core.metering.resample import local_day
from gateway.core.tariff.ledger import quarter_of
from gateway.model.archive import GRID, HOUSE, SUN, ArchivedDay, ArchivedQuarter, PlannedQuarter
from gateway.model.errors import StoreError
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval
from gateway.model.site import Role, Site
from gateway.ports import Clock, FactStore, IntervalStore, ReadingStore

log = logging.getLogger(__name__)

KEPT_DAYS = 400
"""One document a day in so many places that are used again: some 2 kB each."""
KEY = "planned/"
STEP = timedelta(seconds=INTERVAL_S)
Columns = dict[str, list[Any]]


class ArchiveStore(FactStore, IntervalStore, ReadingStore, Protocol):
    """Small documents, and what was measured."""


@dataclass(slots=True)
class PlanArchive:
    """Keeps a row a quarter hour; `plan` answers the plan in force."""

    site: Site
    clock: Clock
    store: ArchiveStore
    plan: Callable[[], Plan | None]
    _today: tuple[date, dict[int, PlannedQuarter]] | None = field(default=None, init=False)

    async def run(self) -> None:
        """Keep what is planned at the start of each quarter hour until cancelled."""
        while True:
            try:
                await self.once()
            except StoreError as error:
                log.warning("the plan is not archived: %s", error)
            now = self.clock.now().timestamp()
            # A moment after the edge: the plan made at the edge itself was not yet followed.
            await self.clock.sleep(INTERVAL_S - now % INTERVAL_S, real_floor=1.0)

    async def once(self) -> None:
        """Keep the running quarter hour, once; the first word counts, later plans know more than it did."""
        start = quarter_of(self.clock.now())
        day = start.astimezone(self.site.timezone).date()
        kept = await self._kept(day)
        number = self._number(start, day)
        planned = planned_quarter(self.plan(), start)
        if planned is None or number in kept:
            return
        kept[number] = planned
        self._today = day, kept
        await self.store.put(_key(day), _document(day, kept), later=True)

    async def day(self, day: date) -> ArchivedDay:
        """One local day, planned against actual, as far as it has passed."""
        start, end = local_day(day, self.site.timezone)
        kept = await self._kept(day)
        passed = max(0, int((min(end, self.clock.now()) - start) / STEP))
        measured = await self._measured(start, end)
        levels = await self._levels(start, end)
        quarters = tuple(
            ArchivedQuarter(at, kept.get(index), measured.get(at, {}), levels.get(at))
            for index, at in enumerate(start + STEP * index for index in range(passed))
        )
        return ArchivedDay(day, start, end, quarters)

    async def _kept(self, day: date) -> dict[int, PlannedQuarter]:
        if self._today is not None and self._today[0] == day:
            return self._today[1]
        document = await self.store.get(_key(day))
        if document is None or document.get("day") != day.isoformat():
            return {}
        start = local_day(day, self.site.timezone)[0]
        return await asyncio.to_thread(_planned_from, document, start)

    def _number(self, start: datetime, day: date) -> int:
        return int((start - local_day(day, self.site.timezone)[0]) / STEP)

    async def _measured(self, start: datetime, end: datetime) -> dict[datetime, dict[str, float]]:
        found: dict[datetime, dict[str, float]] = {}
        for name, series in series_by_plan(self.site).items():
            for row in await self.store.intervals(series, start, end):
                power = _mean_w(row)
                if power is not None:
                    found.setdefault(row.start, {})[name] = power
        return found

    async def _levels(self, start: datetime, end: datetime) -> dict[datetime, float]:
        """The battery's level at the end of each quarter hour, percent."""
        battery = next(iter(self.site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)), None)
        if battery is None:
            return {}
        rows = await self.store.rollups(battery.id, Quantity.SOC.value, start, end)
        return {quarter_of(row.start): row.last for row in rows}


def series_by_plan(site: Site) -> dict[str, str]:
    """The series of interval data that measures what a plan names: plan's name -> series."""
    meter = next((device.id for device in site.of_role(Role.MAIN_METER)), "")
    sources = (Role.MAIN_METER, Role.SUB_METER, Role.PV)
    own = {
        device.id: f"{device.id}/battery" if device.role is Role.HYBRID_INVERTER else device.id
        for device in site.devices
        if device.role not in sources
    }
    return {GRID: meter, HOUSE: "house", SUN: "solar", **own}


def planned_quarter(plan: Plan | None, start: datetime) -> PlannedQuarter | None:
    """The plan's mean over the quarter hour from `start`; None where it does not hold its start."""
    end = start + STEP
    parts = [
        (slot, (min(slot_end, end) - max(slot.start, start)).total_seconds())
        for slot in (plan.slots if plan else ())
        if (slot_end := slot.start + timedelta(seconds=slot.duration_s)) > start and slot.start < end
    ]
    whole = sum(seconds for _, seconds in parts)
    if whole < INTERVAL_S / 2:
        return None
    names = parts[0][0].power_w
    power = {name: sum(slot.power_w.get(name, 0.0) * s for slot, s in parts) / whole for name in names}
    price = sum(slot.import_price_micro_per_kwh * s for slot, s in parts) / whole
    return PlannedQuarter(start, power, parts[-1][0].soc_percent, round(price))


def _mean_w(row: Interval) -> float | None:
    return None if row.net_wh is None else row.net_wh * 3600 / row.duration_s


# ---- one packed document a day


def _key(day: date) -> str:
    return f"{KEY}{day.toordinal() % KEPT_DAYS:03}"


def _document(day: date, kept: Mapping[int, PlannedQuarter]) -> dict[str, Any]:
    """Columns: much alike from row to row, they pack to a tenth."""
    numbers = sorted(kept)
    rows = [kept[number] for number in numbers]
    names = sorted({name for row in rows for name in row.power_w})
    columns: Columns = {
        "at": numbers,
        "price": [row.price_micro_per_kwh for row in rows],
        "soc": [None if row.soc_percent is None else round(row.soc_percent, 1) for row in rows],
    }
    powers = {name: [None if (w := row.power_w.get(name)) is None else round(w) for row in rows] for name in names}
    packed = zlib.compress(json.dumps(columns | {"w": powers}, separators=(",", ":")).encode(), 9)
    return {"day": day.isoformat(), "rows": b64encode(packed).decode()}


def _planned_from(document: Mapping[str, Any], start: datetime) -> dict[int, PlannedQuarter]:
    rows = json.loads(zlib.decompress(b64decode(document["rows"])))
    found = {}
    for index, number in enumerate(rows["at"]):
        power = {name: float(watts[index]) for name, watts in rows["w"].items() if watts[index] is not None}
        found[number] = PlannedQuarter(start + STEP * number, power, rows["soc"][index], rows["price"][index])
    return found
