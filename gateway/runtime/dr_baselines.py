"""What the home and its devices would have used without an event, from what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from gateway.core.demand_response.baseline.devices import device_baseline
from gateway.core.demand_response.baseline.history import History
from gateway.core.demand_response.baseline.methods import AUTO, DEFAULT, METHODS
from gateway.core.demand_response.baseline.placebo import HISTORY_DAYS, assessed
from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow
from gateway.core.demand_response.opt import asks_action
from gateway.core.demand_response.proof_rules import ProofRules
from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.standing import followed
from gateway.model.dr import EventRecord
from gateway.model.quantity import Quantity
from gateway.model.site import Device, Role, Site
from gateway.ports import Clock, Store
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.measured import QUARTER, measured, quarter

LOOK_BACK = timedelta(days=HISTORY_DAYS + 1)
WEATHER_DAYS = HISTORY_DAYS + 5
CHOSEN, WEATHER, TOLD = "dr-baseline", "dr-weather", "told temperature"
METERED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
"""Controlled devices with a measurement of their own, whose energy an event moves. The battery moves the home's
energy too, but its own band is not a consumption; it shows in the whole home's figure."""


@dataclass(slots=True)
class Baselines:
    """Makes baselines from what is stored and the plans kept without each event."""

    site: Site
    clock: Clock
    store: Store
    dr: DemandResponse
    rules: ProofRules = field(default_factory=ProofRules)
    holiday: Callable[[date], bool] = lambda day: False
    before: Callable[[str, str], list[tuple[datetime, float]]] = lambda key, device: []
    """What a device would do without an event (by key), W from each slot's start on; empty where it is not known."""
    _weather_day: date | None = None

    def devices(self) -> tuple[Device, ...]:
        """The controlled devices with a measurement of their own."""
        return self.site.of_role(*METERED)

    def batteries(self) -> tuple[Device, ...]:
        """The batteries."""
        return self.site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)

    async def of_event(
        self, record: EventRecord, start: datetime, end: datetime
    ) -> tuple[Baseline, dict[str, tuple[BaselineRow, ...]]]:
        """The whole home's baseline over [start, end) and those of its controlled devices.

        The home's is the unmeasured house by its method, plus what devices and battery would have done, plus the sun as
        it was: day matching says nothing useful about a car that charges on other days at other hours.
        """
        rows = {}
        for device in self.devices():
            power_w = await self._before_w(device, start)
            rows[device.id] = device_baseline(start, end, power_w=power_w, planned_w=self._planned(record, device))
        house = await self._house(record, start, end)
        extra = [row for device in rows.values() for row in device] + await self._sources(record, start, end)
        return house.plus(extra), rows

    async def keep_weather(self) -> None:
        """Once a day, keep the hours of outdoor temperature that sources told; methods look back further than they do."""
        today = self.clock.now().date()
        if self._weather_day == today:
            return
        self._weather_day = today
        kept = _hours(await self.store.get(WEATHER)) | _hours(await self.store.get(TOLD))
        since = int((self.clock.now() - timedelta(days=WEATHER_DAYS)).timestamp()) // 3600
        hours = {hour: value for hour, value in sorted(kept.items()) if hour >= since}
        if hours:
            first = min(hours)
            values = [hours.get(hour) for hour in range(first, max(hours) + 1)]
            await self.store.put(WEATHER, {"first_hour": first, "values": values}, later=True)

    async def _house(self, record: EventRecord, start: datetime, end: datetime) -> Baseline:
        """By the method the program demands, else by the one that fits the home; an event stays with its method."""
        history = await self._history(record, start, end)
        demanded = self.rules.of(record.event.program_key).baseline
        method = record.baseline_method if record.baseline_method in METHODS else demanded
        kind = "working" if history.works(start.astimezone(self.site.timezone).date()) else "other"
        chosen = await self.store.get(CHOSEN) or {}
        current = str(chosen.get(kind, DEFAULT))
        found = await asyncio.to_thread(assessed, history, start, end, method=method, current=current)
        if found.rows and method == AUTO and found.method != current:
            await self.store.put(CHOSEN, {**chosen, kind: found.method})
        if found.rows and found.method != record.baseline_method and record.key in self.dr.records:
            await self.dr.update(record.key, baseline_method=found.method)
        return found

    async def _history(self, record: EventRecord, start: datetime, end: datetime) -> History:
        house = await self.store.intervals("house", start - LOOK_BACK, end)
        weather = _hours(await self.store.get(WEATHER)) | _hours(await self.store.get(TOLD))
        today = end.astimezone(self.site.timezone).date()
        days = [today - timedelta(days=back) for back in range(HISTORY_DAYS + 2)]
        return History(
            house,
            self.site.timezone,
            excluded_days=self.event_days(record),
            holidays={day for day in days if self.holiday(day)},
            temperature_c=weather,
        )

    def event_days(self, record: EventRecord) -> set[date]:
        """The local days on which the home took part in another event."""
        days: set[date] = set()
        for other in self.dr.records.values():
            span = event_span(other, self.site.timezone)
            if other.key == record.key or span is None or not asks_action(other.event):
                continue
            if followed(other, span[0], span[1] or datetime.max.replace(tzinfo=UTC)):
                days.add(span[0].astimezone(self.site.timezone).date())
        return days

    async def _sources(self, record: EventRecord, start: datetime, end: datetime) -> list[BaselineRow]:
        """Sun and battery without the event: the sun as it shone, the battery as planned, else as it ran."""
        rows = await self._as_measured("solar", start, end)
        for device in self.batteries():
            planned = self._planned(record, device)
            if planned is not None:
                rows += device_baseline(start, end, power_w=0.0, planned_w=planned)
            else:
                name = device.id if device.role is Role.BATTERY else f"{device.id}/battery"
                rows += await self._as_measured(name, start, end)
        return rows

    async def _as_measured(self, device: str, start: datetime, end: datetime) -> list[BaselineRow]:
        found = await measured(self.store, device, (start, end))
        return [BaselineRow(x.start, x.duration_s, x.net_wh) for x in found if x.net_wh is not None]

    def _planned(self, record: EventRecord, device: Device) -> Callable[[datetime], float | None] | None:
        slots = self.before(record.key, device.id)
        return planned_w(slots) if slots else None

    async def _before_w(self, device: Device, start: datetime) -> float:
        rollups = await self.store.rollups(device.id, Quantity.POWER.value, start - timedelta(minutes=15), start)
        return sum(row.mean for row in rollups) / len(rollups) if rollups else 0.0


def planned_w(slots: list[tuple[datetime, float]]) -> Callable[[datetime], float | None]:
    """Mean planned power from a given time to the end of its quarter hour."""

    def mean_w(start: datetime) -> float | None:
        end = quarter(start) + QUARTER
        energy, covered = 0.0, 0.0
        for (begin, power), (until, _) in zip(
            slots, [*slots[1:], (datetime.max.replace(tzinfo=start.tzinfo), 0.0)], strict=True
        ):
            overlap = (min(end, until) - max(start, begin)).total_seconds()
            if overlap > 0:
                energy, covered = energy + power * overlap, covered + overlap
        return energy / covered if covered else None

    return mean_w


def _hours(document: dict[str, object] | None) -> dict[int, float]:
    """Hours of temperature as documents keep them: `first_hour` (since 1970) and `values`, degC."""
    first, values = (document or {}).get("first_hour"), (document or {}).get("values")
    if not isinstance(first, int) or not isinstance(values, list):
        return {}
    return {first + i: float(value) for i, value in enumerate(values) if isinstance(value, int | float)}
