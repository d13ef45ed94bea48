"""After (and during) an event: baseline, delivered energy, reports, and the outbox to the utility's server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from gateway.core.demand_response.baseline import Baseline, BaselineRow, Delivered, baseline, delivered, device_baseline
from gateway.core.demand_response.report import ReportData, build_report
from gateway.core.demand_response.response import asks_action
from gateway.core.demand_response.schedule import event_span
from gateway.model.audit import AuditRow
from gateway.model.dr import DrReport, EventRecord, OptState
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

LOOK_S = 60.0
AHEAD_S = 5.0
GIVE_UP = timedelta(days=2)
"""Delivered energy that could not be measured so long after the end stays unknown."""
LOOK_BACK = timedelta(days=46)
METERED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
"""Controlled devices with a measurement of their own, whose energy an event moves. The battery moves the home's
energy too, but its own band is not a consumption; it shows in the whole home's figure."""


@dataclass(slots=True)
class Reporting:
    """Watches the events: keeps a plan without each, builds what is due, delivers what is kept.

    `without` makes the plan the home would follow now if the event with this id were unknown.
    """

    site: Site
    clock: Clock
    store: Store
    dr: DemandResponse
    tick: Tick
    without: Callable[[str], Awaitable[Plan | None]] | None = None
    _before: dict[str, dict[str, list[tuple[datetime, float]]]] = field(default_factory=dict)
    _retry_at: dict[str, datetime] = field(default_factory=dict)

    async def run(self) -> None:
        """Look every minute, and just before an event starts, until cancelled."""
        while True:
            await self.once()
            await self.clock.sleep(self._pause_s(), real_floor=0.1)

    def _pause_s(self) -> float:
        now = self.clock.now()
        starts = [span[0] for record in self.dr.records.values() if (span := event_span(record, self.site.timezone))]
        edges = [(start - now).total_seconds() - self._ahead_s() for start in starts]
        return min([max(LOOK_S, 0.5 * self.clock.speed), *(edge for edge in edges if edge > 0)])

    def _ahead_s(self) -> float:
        """How long before an event the plan without it is made, s: a plan takes some real time."""
        return max(AHEAD_S, 0.5 * self.clock.speed)

    async def once(self) -> None:
        """Keep the plan without each event that is about to start; build the reports that are due."""
        for record in list(self.dr.records.values()):
            if record.cancelled_at is None and record.opt in (OptState.JOINED, OptState.BINDING, OptState.SKIPPED):
                await self._keep_plan(record)
                await self._report(record)

    async def _keep_plan(self, record: EventRecord) -> None:
        """What each device would do without the event, planned when it starts: by then the car is there or not.

        A plan made earlier would not know a car that came since; one made later would already show the event.
        """
        key, span = f"dr-before/{record.key}", event_span(record, self.site.timezone)
        now = self.clock.now()
        if record.key in self._before or span is None or self.without is None:
            return
        if now < span[0] - timedelta(seconds=self._ahead_s()):
            return
        kept = await self.store.get(key)
        if kept is None:
            plan = await self.without(record.key) if span[1] is None or now < span[1] else None
            if plan is None:
                return
            kept = {"devices": _powers(plan, [*self._devices(), *self._batteries()])}
            await self.store.put(key, kept)
        self._before[record.key] = {
            device: [(datetime.fromisoformat(start), power) for start, power in slots]
            for device, slots in kept["devices"].items()
        }

    def _batteries(self) -> tuple[Device, ...]:
        return self.site.of_role(Role.BATTERY, Role.HYBRID_INVERTER)

    def _devices(self) -> tuple[Device, ...]:
        return self.site.of_role(*METERED)

    async def _report(self, record: EventRecord) -> None:
        span, now = event_span(record, self.site.timezone), self.clock.now()
        if span is None or now < span[0]:
            return
        await self._queue_reports(record, span[0], min(span[1] or now, now))
        if span[1] is not None and self._to_measure(record, span[1]):
            await self._delivered(record, span[0], span[1])

    def _grace(self) -> timedelta:
        """How long after an instant its intervals are on disk."""
        return timedelta(seconds=(GRACE_S + INTERVAL_S / 15) * max(1.0, self.clock.speed / 30))

    async def _queue_reports(self, record: EventRecord, start: datetime, end: datetime) -> None:
        """Put what is due into the outbox; the data are gathered only when something is."""
        nothing = ReportData(devices={device.id: () for device in self._devices()})
        if not self._due(record, nothing):
            return
        reports = self._due(record, await self._data(record, start, end))
        for report in reports:
            await self.store.enqueue(report, self.clock.now())
        reported = self.dr.records[record.key].reported + tuple(report.key for report in reports)
        await self.dr.update(record.key, reported=reported)

    def _due(self, record: EventRecord, data: ReportData) -> list[DrReport]:
        until, zone = self.clock.now() - self._grace(), self.site.timezone
        return [
            report
            for descriptor in record.event.reports
            for report in build_report(record, self.dr.timeline, descriptor, data, until, timezone=zone)
        ]

    def _to_measure(self, record: EventRecord, end: datetime) -> bool:
        """Whether delivered energy is still owed; gaps may be filled by counters that speak late, for a while."""
        now = self.clock.now()
        if record.delivered_wh is not None or record.opt is OptState.SKIPPED or not asks_action(record.event):
            return False
        return end + self._grace() <= now < end + GIVE_UP and now >= self._retry_at.get(record.key, now)

    async def _delivered(self, record: EventRecord, start: datetime, end: datetime) -> None:
        found, now = await self.measure(record, start, end), self.clock.now()
        tried = record.key in self._retry_at
        self._retry_at[record.key] = now + timedelta(seconds=INTERVAL_S)
        if found.energy_wh is not None or not tried:
            row = AuditRow(now, "released", record.key, _words(found), 6, record.key)
            await self.store.append(row)
        if found.energy_wh is None:
            return
        await self.dr.update(
            record.key,
            delivered_wh=found.energy_wh,
            delivered_low_wh=found.low_wh,
            delivered_high_wh=found.high_wh,
            home_delivered_wh=found.home_wh,
            home_delivered_low_wh=found.home_low_wh,
            home_delivered_high_wh=found.home_high_wh,
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

        The home's is the unmeasured house by 10-in-10, plus what devices and battery would have done, plus the sun as
        it was: day matching says nothing useful about a car that charges on other days at other hours.
        """
        rows = {}
        for device in self._devices():
            planned = self._planned(record, device)
            power_w = await self._before_w(device, start)
            rows[device.id] = device_baseline(start, end, power_w=power_w, planned_w=planned)
        house = await self.store.intervals("house", start - LOOK_BACK, end)
        matched = baseline(house, start, end, excluded_days=self._event_days(record), tz=self.site.timezone)
        extra = [row for device in rows.values() for row in device] + await self._sources(record, start, end)
        summed = tuple(
            replace(row, energy_wh=row.energy_wh + sum(_share(part, row) for part in extra)) for row in matched.rows
        )
        return replace(matched, rows=summed), rows

    async def _sources(self, record: EventRecord, start: datetime, end: datetime) -> list[BaselineRow]:
        """Sun and battery without the event: the sun as it shone, the battery as planned, else as it ran."""
        rows = await self._as_measured("solar", start, end)
        for device in self._batteries():
            planned = self._planned(record, device)
            if planned is not None:
                rows += device_baseline(start, end, power_w=0.0, planned_w=planned)
            else:
                name = device.id if device.role is Role.BATTERY else f"{device.id}/battery"
                rows += await self._as_measured(name, start, end)
        return rows

    async def _as_measured(self, device: str, start: datetime, end: datetime) -> list[BaselineRow]:
        found = await self.store.intervals(device, start, end)
        return [BaselineRow(x.start, x.duration_s, x.net_wh) for x in found if x.net_wh is not None]

    def _planned(self, record: EventRecord, device: Device) -> Callable[[datetime], float | None] | None:
        slots = self._before.get(record.key, {}).get(device.id)
        return _planned(slots) if slots else None

    async def _before_w(self, device: Device, start: datetime) -> float:
        rollups = await self.store.rollups(device.id, Quantity.POWER.value, start - timedelta(minutes=15), start)
        return sum(row.mean for row in rollups) / len(rollups) if rollups else 0.0

    def _event_days(self, record: EventRecord) -> set[date]:
        days: set[date] = set()
        for other in self.dr.records.values():
            span = event_span(other, self.site.timezone)
            joined = other.opt in (OptState.JOINED, OptState.BINDING) and asks_action(other.event)
            if other.key != record.key and joined and span is not None:
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
        device.id: [(slot.start.isoformat(), slot.power_w[device.id]) for slot in plan.slots]
        for device in devices
        if plan.slots and device.id in plan.slots[0].power_w
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
        text += f" ({found.low_wh / 1000:.2f} to {found.high_wh / 1000:.2f} kWh)"
    if found.home_wh is not None and found.home_low_wh is not None and found.home_high_wh is not None:
        low, high = found.home_low_wh / 1000, found.home_high_wh / 1000
        text += f"; the whole home {found.home_wh / 1000:.2f} kWh (80 % interval {low:.2f} to {high:.2f} kWh)"
    parts = ", ".join(f"{device} {energy / 1000:.2f}" for device, energy in found.per_device.items())
    return f"{text}; by device: {parts}" if parts else text
