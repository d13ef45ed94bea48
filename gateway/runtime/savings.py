"""What Hearth saved: each morning the day before is held against a stated baseline, and kept."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway.core.metering.resample import local_day
from gateway.model.errors import StoreError, WishRefused
from gateway.model.preferences import Preferences
from gateway.model.reading import INTERVAL_S
from gateway.model.savings import Savings, SavingsDay, SavingsMonth, StoredMore
from gateway.model.series import Series
from gateway.model.site import Role, Site
from gateway.model.tariff import Tariff
from gateway.ports import Clock
from gateway.runtime.bills import Spot, no_spot
from gateway.runtime.savings_day import CannotCount, DayReader, MeasuredStore

if TYPE_CHECKING:
    from gateway.core.planning.savings import Comparison, MeasuredDay
    from gateway.core.tariff.bill import Metered

log = logging.getLogger(__name__)

EVERY_S, FIRST_S = 3600.0, 120.0
READY = timedelta(hours=3)
"""So long after midnight a day's data are in, and the sessions of the evening have mostly ended."""
AGAIN_DAYS = 3
"""The last days are counted anew each morning: sessions end, intervals are corrected."""
BACK_DAYS = 31
"""So far back days are counted that were not yet: roll-ups of the battery's level are kept for 60."""
LONGEST_DAYS = 400
KEY = "savings/"


@dataclass(slots=True)
class SavingsBook:
    """Counts each finished local day once its data are in; `preferences` tells the comfort both ways must keep."""

    site: Site
    clock: Clock
    store: MeasuredStore
    tariff: Tariff
    preferences: Callable[[], Preferences]
    spot: Spot = no_spot
    _counted_on: date | None = field(default=None, init=False)

    async def run(self) -> None:
        """Count what is due, soon and every hour, until cancelled."""
        # The first tick and the first plan come before a month of days.
        await self.clock.sleep(FIRST_S, real_floor=5.0)
        while True:
            try:
                await self.count_due()
            except StoreError as error:
                log.warning("savings are counted later: %s", error)
            await self.clock.sleep(EVERY_S, real_floor=10.0)

    def today(self) -> date:
        """The local day."""
        return self.clock.now().astimezone(self.site.timezone).date()

    async def count_due(self) -> int:
        """Count every day that is due, oldest first; how many were."""
        ready = (self.clock.now() - READY).astimezone(self.site.timezone).date()
        if self._counted_on == ready:
            return 0
        first = ready - timedelta(days=BACK_DAYS)
        # A day that could not be counted is tried again: its data may have been imported since.
        kept = {day.day for day in (await self._kept(first, ready)).values() if day.counted}
        days = [first + timedelta(days=ahead) for ahead in range(BACK_DAYS)]
        due = [day for day in days if day not in kept or day >= ready - timedelta(days=AGAIN_DAYS)]
        for day in due:
            await self.count(day)
        self._counted_on = ready
        return len(due)

    async def count(self, day: date) -> SavingsDay:
        """Count one finished local day and keep it; it takes up where the baseline of the day before ended."""
        before = (await self._kept(day - timedelta(days=1), day)).get(day - timedelta(days=1))
        found, wh = await self._count(day, before.stored.wh if before is not None and before.counted else {})
        key = f"{KEY}{day:%Y-%m}"
        document = await self.store.get(key) or {"days": {}}
        document["days"][day.isoformat()] = _document(found, wh)
        await self.store.put(key, document, later=True)
        return found

    async def between(self, first: date, last: date) -> Savings:
        """What was counted from `first` to `last`, both included; raises WishRefused for an impossible span."""
        if last < first:
            raise WishRefused("The first day must not lie after the last. Swap them.")
        if (last - first).days >= LONGEST_DAYS:
            raise WishRefused(f"At most {LONGEST_DAYS} days at a time. Ask for a shorter span.")
        kept = await self._kept(first, last + timedelta(days=1))
        days = tuple(kept[day] for day in sorted(kept))
        billed = any(each.demand or each.tiers for each in self.tariff.versions)
        months = await self._months(days) if billed else ()
        return Savings(days, months)

    async def _count(self, day: date, more: Mapping[str, float]) -> tuple[SavingsDay, list[int]]:
        reader = DayReader(self.site, self.store, self.preferences(), day, self.clock.now())
        spot = await self._told(day, day + timedelta(days=2))
        before, after = await asyncio.to_thread(self._worth, day, spot)
        try:
            measured = await reader.read(before, after)
        except CannotCount as why:
            return SavingsDay(day, False, str(why)), []
        found = await asyncio.to_thread(_compare, measured, more, self.tariff.on(day), spot)
        return _day_of(day, found, measured, reader.notes), [round(wh) for wh in found.baseline.import_wh]

    def _worth(self, day: date, spot: Series | None) -> tuple[float, float]:
        """What a stored Wh counts at the day's two midnights, micro-units: the mean price of the day each begins."""
        from gateway.core.tariff.rates import prices

        days = [local_day(day + timedelta(days=ahead), self.site.timezone) for ahead in (0, 1)]
        bought, _ = prices(
            self.tariff, [start for start, _ in days], [(end - start).total_seconds() for start, end in days], spot
        )
        return float(bought[0]) / 1000, float(bought[1]) / 1000

    async def _told(self, first: date, after: date) -> Series | None:
        if not self.tariff.needs_spot:
            return None
        return await self.spot(*(local_day(day, self.site.timezone)[0] for day in (first, after)))

    async def _kept(self, first: date, after: date) -> dict[date, SavingsDay]:
        """The days kept from `first` until before `after`."""
        return {day: _day_from(day, entry) for day, entry in (await self._entries(first, after)).items()}

    async def _entries(self, first: date, after: date) -> dict[date, dict[str, Any]]:
        months = sorted({f"{first + timedelta(days=ahead):%Y-%m}" for ahead in range((after - first).days)})
        found: dict[date, dict[str, Any]] = {}
        for month in months:
            document = await self.store.get(KEY + month) or {}
            found |= {date.fromisoformat(day): entry for day, entry in document.get("days", {}).items()}
        return {day: entry for day, entry in found.items() if first <= day < after}

    async def _months(self, days: tuple[SavingsDay, ...]) -> tuple[SavingsMonth, ...]:
        """What peaks and tiers make of each month's counted days."""
        meter = next((device.id for device in self.site.of_role(Role.MAIN_METER)), "")
        found = []
        for month in sorted({day.day.replace(day=1) for day in days if day.counted}):
            counted = [day.day for day in days if day.counted and day.day.replace(day=1) == month]
            entries = await self._entries(counted[0], counted[-1] + timedelta(days=1))
            spans = [local_day(day, self.site.timezone) for day in counted]
            rows = [row for start, end in spans for row in await self.store.intervals(meter, start, end)]
            other = [(start, _energies(entries[day])) for (start, _), day in zip(spans, counted, strict=True)]
            spot = await self._told(counted[0], counted[-1] + timedelta(days=1))
            found.append(SavingsMonth(month, *await asyncio.to_thread(_rest, self.tariff.on(month), rows, other, spot)))
        return tuple(found)


def _compare(day: MeasuredDay, more: Mapping[str, float], tariff: Tariff, spot: Series | None) -> Comparison:
    from gateway.core.planning.savings import compare, stored_from

    return compare(stored_from(day, more), tariff, spot)


def _rest(
    tariff: Tariff, rows: list[Any], other: list[tuple[datetime, list[int]]], spot: Series | None
) -> tuple[int, int]:  # fmt: skip
    from gateway.core.planning.savings import month_rest
    from gateway.core.tariff.bill import metered

    return month_rest(tariff, metered(row for row in rows if row.net_wh is not None), _metered(other), spot)


def _metered(days: list[tuple[datetime, list[int]]]) -> Metered:
    import numpy as np

    from gateway.core.tariff.bill import Metered

    starts = [start.timestamp() + INTERVAL_S * i for start, wh in days for i in range(len(wh))]
    energies = [float(each) for _, wh in days for each in wh]
    begin = np.array(starts)
    return Metered(begin, begin + INTERVAL_S, np.array(energies), np.zeros(len(energies)))


def _day_of(day: date, found: Comparison, measured: MeasuredDay, notes: list[str]) -> SavingsDay:
    import numpy as np

    return SavingsDay(
        day,
        True,
        "",
        found.cost_micro,
        found.baseline_micro,
        found.settled_micro,
        found.uncertain_micro,
        round(float(np.nansum(measured.import_wh)), 1),
        round(float(found.baseline.import_wh.sum()), 1),
        tuple(notes),
        StoredMore({name: round(float(wh), 1) for name, wh in found.baseline.more_after.wh.items()}),
        round(found.wear_micro) if measured.batteries else None,
        round(found.baseline.wear_micro) if measured.batteries else None,
    )


# ---- one document a month: some 20 kB, 250 kB a year


def _document(day: SavingsDay, import_wh: list[int]) -> dict[str, Any]:
    if not day.counted:
        return {"why": day.why}
    packed = b"".join(min(max(wh, 0), 65_535).to_bytes(2, "little") for wh in import_wh)
    return {
        "cost": day.cost_micro,
        "baseline": day.baseline_micro,
        "settled": day.settled_micro,
        "uncertain": day.uncertain_micro,
        "import_wh": day.import_wh,
        "baseline_import_wh": day.baseline_import_wh,
        "notes": list(day.notes),
        "stored": dict(day.stored.wh),
        "quarters": b64encode(packed).decode(),
        "wear": day.wear_micro,
        "baseline_wear": day.baseline_wear_micro,
    }


def _day_from(day: date, entry: Mapping[str, Any]) -> SavingsDay:
    if "why" in entry:
        return SavingsDay(day, False, str(entry["why"]))
    return SavingsDay(
        day,
        True,
        "",
        int(entry["cost"]),
        int(entry["baseline"]),
        int(entry["settled"]),
        int(entry["uncertain"]),
        float(entry["import_wh"]),
        float(entry["baseline_import_wh"]),
        tuple(entry["notes"]),
        StoredMore(dict(entry["stored"])),
        entry.get("wear"),
        entry.get("baseline_wear"),
    )


def _energies(entry: Mapping[str, Any]) -> list[int]:
    packed = b64decode(entry.get("quarters", ""))
    return [int.from_bytes(packed[i : i + 2], "little") for i in range(0, len(packed), 2)]
