"""After (and during) an event: baseline, delivered energy, reports, and the outbox to the utility's server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from gateway.core.demand_response.baseline import Baseline, BaselineRow, Delivered, baseline, delivered, device_baseline
from gateway.core.demand_response.report import ReportData, build_report
from gateway.core.demand_response.schedule import event_span
from gateway.model.audit import AuditRow
from gateway.model.dr import EventRecord, OptState
from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S
from gateway.model.site import Device, Role, Site
from gateway.ports import Clock, DrServer, Store
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.meters import GRACE_S
from gateway.runtime.tick import Tick

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=46)
METERED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
"""Controlled devices with a measurement of their own, whose energy an event moves. The battery moves the home's
energy too, but its own band is not a consumption; it shows in the whole home's figure."""


@dataclass(slots=True)
class Reporting:
    """Watches the events: keeps the plan made before each, builds what is due, delivers what is kept."""

    site: Site
    clock: Clock
    store: Store
    dr: DemandResponse
    tick: Tick
    plan: Callable[[], Plan | None] = lambda: None
    _before: dict[str, dict[str, list[tuple[datetime, float]]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(60, real_floor=0.5)

    async def once(self) -> None:
        """Keep the plan before each new event; build the reports that are due."""
        for record in list(self.dr.records.values()):
            await self._keep_plan(record)
            if record.cancelled_at is None and record.opt in (OptState.JOINED, OptState.BINDING, OptState.SKIPPED):
                await self._report(record)

    async def _keep_plan(self, record: EventRecord) -> None:
        """The plan in force when the event arrived says what each device would have done without it."""
        key = f"dr-before/{record.event.id}"
        if record.event.id in self._before:
            return
        kept = await self.store.get(key)
        if kept is None:
            plan = self.plan()
            if plan is None:
                return
            kept = {"devices": _powers(plan, self._devices())}
            await self.store.put(key, kept)
        self._before[record.event.id] = {
            device: [(datetime.fromisoformat(start), power) for start, power in slots]
            for device, slots in kept["devices"].items()
        }

    def _devices(self) -> tuple[Device, ...]:
        return self.site.of_role(*METERED)

    async def _report(self, record: EventRecord) -> None:
        span = event_span(record, self.site.timezone)
        now = self.clock.now()
        grace = timedelta(seconds=(GRACE_S + INTERVAL_S / 15) * max(1.0, self.clock.speed / 30))
        if span is None or now < span[0]:
            return
        data = await self._data(record, span[0], min(span[1] or now, now))
        over = span[1] is not None and now >= span[1] + grace
        reports = [
            report
            for descriptor in record.event.reports
            for report in build_report(
                record, self.dr.timeline, descriptor, data, now - grace, timezone=self.site.timezone
            )
        ]
        for report in reports:
            await self.store.enqueue(report, now)
        known = self.dr.records[record.event.id]
        if reports:
            known = replace(known, reported=(*known.reported, *(report.key for report in reports)))
        if over and span[1] is not None and known.delivered_wh is None and known.opt is not OptState.SKIPPED:
            known = await self._delivered(known, span[0], span[1])
        if known is not self.dr.records[record.event.id]:
            await self.dr.update(known)

    async def _delivered(self, record: EventRecord, start: datetime, end: datetime) -> EventRecord:
        found = await self.measure(record, start, end)
        words = _words(found)
        row = AuditRow(self.clock.now(), "released", record.event.id, words, 6, record.event.id)
        await self.store.append(row)
        if found.energy_wh is None:
            return record
        return replace(
            record,
            delivered_wh=found.energy_wh,
            delivered_low_wh=found.low_wh,
            delivered_high_wh=found.high_wh,
        )

    async def measure(self, record: EventRecord, start: datetime, end: datetime) -> Delivered:
        """Delivered energy over [start, end): baseline minus measurement, per controlled device and whole home."""
        home, rows = await self._baselines(record, start, end)
        measured = {device: await self.store.intervals(device, start, end) for device in rows}
        meter = next((d.id for d in self.site.of_role(Role.MAIN_METER)), "")
        whole = await self.store.intervals(meter, start, end)
        return delivered(rows, measured, home=home, home_measured=whole)

    async def _baselines(
        self, record: EventRecord, start: datetime, end: datetime
    ) -> tuple[Baseline, dict[str, tuple[BaselineRow, ...]]]:
        """The whole home's baseline and those of its controlled devices.

        The home's is the unmeasured house by 10-in-10 plus what the devices would have done: day matching says nothing
        useful about a car that charges on other days at other hours.
        """
        rows = {}
        for device in self._devices():
            planned = self._before.get(record.event.id, {}).get(device.id)
            rows[device.id] = device_baseline(
                start,
                end,
                power_w=await self._before_w(device, start),
                planned_w=_planned(planned) if planned else None,
            )
        house = await self.store.intervals("house", start - LOOK_BACK, end)
        matched = baseline(house, start, end, excluded_days=self._event_days(record), tz=self.site.timezone)
        extra = [row for device in rows.values() for row in device]
        summed = tuple(
            replace(row, energy_wh=row.energy_wh + sum(_share(part, row) for part in extra)) for row in matched.rows
        )
        return replace(matched, rows=summed), rows

    async def _before_w(self, device: Device, start: datetime) -> float:
        rollups = await self.store.rollups(device.id, Quantity.POWER.value, start - timedelta(minutes=15), start)
        return sum(row.mean for row in rollups) / len(rollups) if rollups else 0.0

    def _event_days(self, record: EventRecord) -> set[date]:
        days: set[date] = set()
        for other in self.dr.records.values():
            span = event_span(other, self.site.timezone)
            if other.event.id != record.event.id and span is not None:
                days.add(span[0].astimezone(self.site.timezone).date())
        return days

    async def _data(self, record: EventRecord, start: datetime, end: datetime) -> ReportData:
        home, _ = await self._baselines(record, start, end)
        meter = next((d.id for d in self.site.of_role(Role.MAIN_METER)), "")
        devices = {device.id: await self.store.intervals(device.id, start, end) for device in self._devices()}
        snapshot = self.tick.last
        state = snapshot.main_meter() if snapshot else None
        return ReportData(
            site=await self.store.intervals(meter, start, end),
            devices=devices,
            baseline=home.rows,
            soc_percent=snapshot.soc_percent() if snapshot else None,
            register_wh=state.get(Quantity.ENERGY_IMPORT) if state else None,
        )

    async def deliver(self, server: DrServer) -> None:
        """Send what is kept for one server, oldest first, until cancelled; a lost link keeps it for later."""
        failures = 0
        while True:
            try:
                for report in await self.store.pending(server.name):
                    await server.send(report)
                    await self.store.delivered(report.key, self.clock.now())
                    row = AuditRow(
                        self.clock.now(), "confirmed", report.event, f"report {report.payload_type} delivered", 6
                    )
                    await self.store.append(replace(row, source=report.event))
                failures = 0
                pause = 5.0
            except ServerError as error:
                failures += 1
                wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
                if failures == 1 or isinstance(error, ServerRefused):
                    log.warning("report kept for later: %s", error)
                pause = wished or min(300.0, 2.0**failures)
            await self.clock.sleep(pause, real_floor=min(pause, 30.0) if failures else 0.5)


def _powers(plan: Plan, devices: Sequence[Device]) -> dict[str, list[tuple[str, float]]]:
    return {
        device.id: [(slot.start.isoformat(), slot.power_w.get(device.id, 0.0)) for slot in plan.slots]
        for device in devices
    }


def _planned(slots: list[tuple[datetime, float]]) -> Callable[[datetime], float | None]:
    """Mean planned power of the quarter hour that starts at a given time."""

    def mean_w(start: datetime) -> float | None:
        end = start + timedelta(seconds=INTERVAL_S)
        energy, covered = 0.0, 0.0
        for (begin, power), (until, _) in zip(
            slots, [*slots[1:], (datetime.max.replace(tzinfo=start.tzinfo), 0.0)], strict=True
        ):
            overlap = (min(end, until) - max(start, begin)).total_seconds()
            if overlap > 0:
                energy, covered = energy + power * overlap, covered + overlap
        return energy / covered if covered else None

    return mean_w


def _share(part: BaselineRow, row: BaselineRow) -> float:
    overlap = (min(part.end, row.end) - max(part.start, row.start)).total_seconds()
    return part.energy_wh * overlap / part.duration_s if overlap > 0 else 0.0


def _words(found: Delivered) -> str:
    if found.energy_wh is None:
        return "event over; what was delivered is not known, because a measurement has gaps"
    text = f"event over; delivered {found.energy_wh / 1000:.2f} kWh by the controlled devices"
    if found.low_wh is not None and found.high_wh is not None:
        text += f" (80 % interval {found.low_wh / 1000:.2f} to {found.high_wh / 1000:.2f} kWh)"
    return text
