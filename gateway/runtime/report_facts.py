"""What reports are made of, gathered from store, snapshot and plan for one span of time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.core.demand_response.report_data import Held, Peak, ReportData, Storage
from gateway.core.demand_response.schedule import event_span
from gateway.model.dr import EventRecord
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint
from gateway.model.site import BatterySpec, Device, Role, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Store
from gateway.runtime.dr_baselines import Baselines
from gateway.runtime.measured import measured
from gateway.runtime.setpoint_history import held

Ahead = Callable[[datetime], Mapping[str, Sequence[BaselineRow]]]
"""By payload type, what else can be told of the time to come: offers of flexibility, reservations wished."""
EXPECTED = frozenset({"BASELINE", "DELTA_USAGE"})
A_DAY = timedelta(days=1)


def nothing_ahead(now: datetime) -> Mapping[str, Sequence[BaselineRow]]:
    """The home offers nothing."""
    return {}


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Gathers; `last` is the newest snapshot, `now` home time."""

    site: Site
    store: Store
    baselines: Baselines
    last: Callable[[], Snapshot | None]
    ahead: Ahead = nothing_ahead

    def names(self) -> ReportData:
        """What there is to report about, without a value: enough to see whether a report is due."""
        commanded = self._commanded()
        told: dict[str, Sequence[Held]] = {d.id: () for d in self._devices() if d.id in commanded}
        return ReportData(devices={d.id: () for d in self._devices()}, setpoints=told)

    async def gather(
        self, record: EventRecord, edges: Collection[datetime], kinds: Collection[str], peaks: bool, now: datetime
    ) -> ReportData:
        """All that reports of these payload types need; `edges` are the starts and ends of their rows."""
        start, end = min(edges), max(edges)
        devices = {device.id: await measured(self.store, device.id, edges) for device in self._devices()}
        meter = next((d.id for d in self.site.of_role(Role.MAIN_METER)), "")
        home, rows = await self._expected(record, start, end) if EXPECTED & set(kinds) else ((), {})
        snapshot = self.last()
        plan = snapshot.plan if snapshot is not None else None
        state = snapshot.main_meter() if snapshot else None
        return ReportData(
            site=await measured(self.store, meter, edges),
            devices=devices,
            baseline=home,
            device_baselines=rows,
            forecast=_forecast(plan, "grid"),
            device_forecasts={d.id: _forecast(plan, d.id) for d in self._devices()},
            storage=self._storage(snapshot),
            stored_wh=self._stored(plan),
            ahead=self.ahead(now),
            setpoints=await self._told(start, now) if "SETPOINT" in kinds else {},
            peaks=await self._peaks(meter, start, end) if peaks else (),
            soc_percent=snapshot.soc_percent() if snapshot else None,
            register_wh=state.get(Quantity.ENERGY_IMPORT) if state else None,
            registers_wh=self._registers(snapshot),
        )

    async def _expected(
        self, record: EventRecord, start: datetime, end: datetime
    ) -> tuple[Sequence[BaselineRow], Mapping[str, Sequence[BaselineRow]]]:
        """The baseline from the event's own start, as its first hours say how the day began; of a long one the span's."""
        span = event_span(record, self.site.timezone)
        begun = span[0] if span is not None and start - span[0] < A_DAY else start
        home, rows = await self.baselines.of_event(record, min(begun, start), end)
        return home.rows, rows

    def _devices(self) -> tuple[Device, ...]:
        return (*self.baselines.devices(), *self.baselines.batteries())

    async def _peaks(self, meter: str, start: datetime, end: datetime) -> list[Peak]:
        found = await self.store.rollups(meter, Quantity.POWER.value, start, end)
        return [Peak(row.start.timestamp(), row.high) for row in found]

    def _storage(self, snapshot: Snapshot | None) -> dict[str, Storage]:
        found = {}
        for device in self.baselines.batteries():
            if isinstance(device.spec, BatterySpec):
                state = snapshot.devices.get(device.id) if snapshot else None
                soc = state.get(Quantity.SOC) if state else None
                now, usable = device.spec.at(soc), device.spec.max_soc_percent - device.spec.min_soc_percent
                found[device.id] = Storage(
                    soc, device.spec.capacity_wh * usable / 100, now.max_charge_w, now.max_discharge_w
                )
        return found

    def _stored(self, plan: Plan | None) -> list[BaselineRow]:
        """What the first battery could give at each slot, at its terminals, Wh."""
        spec = next((d.spec for d in self.baselines.batteries() if isinstance(d.spec, BatterySpec)), None)
        if plan is None or spec is None:
            return []
        share = spec.capacity_wh * spec.discharge_efficiency / 100
        return [
            BaselineRow(slot.start, slot.duration_s, max(0.0, slot.soc_percent - spec.min_soc_percent) * share)
            for slot in plan.slots
            if slot.soc_percent is not None
        ]

    def _registers(self, snapshot: Snapshot | None) -> dict[str, float]:
        told = {d.id: snapshot.devices.get(d.id) for d in self._devices()} if snapshot else {}
        found = {name: state.get(Quantity.ENERGY_IMPORT) for name, state in told.items() if state is not None}
        return {name: value for name, value in found.items() if value is not None}

    def _commanded(self) -> Mapping[str, Setpoint]:
        snapshot = self.last()
        return snapshot.commanded if snapshot is not None else {}

    async def _told(self, start: datetime, now: datetime) -> dict[str, list[Held]]:
        """What the devices were told since `start`."""
        return await held(self.store, self.site, self._devices(), self._commanded(), start, now)


def _forecast(plan: Plan | None, name: str) -> list[BaselineRow]:
    """What a plan expects of the grid or a device; the hour before it begins counts as its first slot."""
    slots = [slot for slot in plan.slots if name in slot.power_w] if plan is not None else []
    rows = [BaselineRow(s.start, s.duration_s, s.power_w[name] * s.duration_s / 3600) for s in slots]
    if not rows:
        return []
    return [BaselineRow(rows[0].start - timedelta(hours=1), 3600.0, slots[0].power_w[name]), *rows]
