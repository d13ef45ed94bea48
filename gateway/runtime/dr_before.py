"""What each device would do without an event: the plans that are made as if it were unknown, and kept.

    - 2 h                  car comes           start                 end
      |-- plan for all ------|------------------|---------------------|
                             |-- plan for it ---|---------------------|
                                                |-- for the battery --|

The first is made before the home prepares for the event (a tank heated, a car charged ahead); of an event announced
later than that it is the plan the home followed when it came. A car that comes later has a plan from then on; the
battery follows the house, so its plan is made as late as can be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from gateway.core.demand_response.schedule import event_span
from gateway.model.archive import ArchivedDay
from gateway.model.dr import EventRecord
from gateway.model.plan import Plan
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import ChargePhase, Snapshot
from gateway.ports import Clock, Store

LEAD = timedelta(hours=2)
HOUR = timedelta(hours=1)
REMEMBERED = 3
"""So many plans followed are remembered beside the newest: an event may cause several within a look's pace."""
Without = Callable[[str], Awaitable[Plan | None]]
Slots = list[tuple[datetime, float]]


@dataclass(slots=True)
class Before:
    """Keeps plans without the events; `without` makes one, `archive` tells what was planned and measured of a day."""

    site: Site
    clock: Clock
    store: Store
    last: Callable[[], Snapshot | None]
    without: Without | None = None
    archive: Callable[[date], Awaitable[ArchivedDay]] | None = None
    _kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    _followed: list[Plan] = field(default_factory=list)

    def look(self) -> None:
        """Remember the plan that is followed now: an event that comes next does not know it."""
        snapshot = self.last()
        plan = snapshot.plan if snapshot is not None else None
        if plan is not None and plan not in self._followed[-1:]:
            self._followed = [*self._followed[-REMEMBERED:], plan]

    async def keep(self, record: EventRecord, ahead_s: float) -> None:
        """Make what is due now for one event; `ahead_s` is how long a plan takes, home s."""
        span, now = event_span(record, self.site.timezone), self.clock.now()
        if span is None or self.without is None or now < span[0] - LEAD:
            return
        kept = await self._known(record.key)
        over = span[1] is not None and now >= span[1]
        started = now >= span[0] - timedelta(seconds=ahead_s)
        came = self._came(kept)
        if over or (kept and not came and (kept.get("started") or not started)):
            return
        followed = None if kept else self._at_receipt(record, span[0])
        plan = followed or await self.without(record.key)
        if plan is not None:
            await self._add(record.key, kept, plan, came, started)

    def slots(self, key: str, device: str) -> Slots:
        """What a device would do without the event, W from each start on; empty where no plan was kept."""
        found = self._kept.get(key, {}).get("devices", {}).get(device, [])
        off = self._kept.get(key, {}).get("off_w", {}).get(device, 0.0)
        return [(datetime.fromisoformat(start), max(0.0, power + off) if off else power) for start, power in found]

    def _at_receipt(self, record: EventRecord, start: datetime) -> Plan | None:
        """The plan followed when an event came that was announced too late for one of its own; None: not known."""
        if record.first_seen <= start - LEAD:
            return None
        before = [plan for plan in self._followed if plan.made_at <= record.first_seen]
        return before[-1] if before else None

    async def _known(self, key: str) -> dict[str, Any]:
        """What was kept of an event, also before a restart; empty at first."""
        if key not in self._kept:
            self._kept[key] = await self.store.get(f"dr-before/{key}") or {}
        return self._kept[key]

    async def _add(self, key: str, kept: dict[str, Any], plan: Plan, came: Sequence[str], started: bool) -> None:
        now = self.clock.now().isoformat()
        anew = [d for d in self.site.devices if not kept or d.id in came or self._late(d, kept, started)]
        devices = dict(kept.get("devices", {}))
        for name, slots in powers(plan, anew).items():
            devices[name] = [slot for slot in devices.get(name, []) if slot[0] < now] + slots
        made = {**kept, "devices": devices, "cars": self._cars(), "started": started}
        if not kept:
            made["off_w"] = await self._off_w()
        self._kept[key] = made
        await self.store.put(f"dr-before/{key}", made)

    def _late(self, device: Device, kept: dict[str, Any], started: bool) -> bool:
        battery = device.role in (Role.BATTERY, Role.HYBRID_INVERTER)
        return battery and started and not kept.get("started")

    def _came(self, kept: dict[str, Any]) -> list[str]:
        """Chargers where a car has come since the last plan was kept."""
        before = kept.get("cars", {})
        return [name for name, here in self._cars().items() if here and before.get(name) is False]

    def _cars(self) -> dict[str, bool]:
        """Whether a car is plugged in at each charger that speaks."""
        snapshot = self.last()
        told = snapshot.chargers if snapshot is not None else {}
        silent = (ChargePhase.OFFLINE, ChargePhase.FAULTED)
        return {name: x.phase is not ChargePhase.AVAILABLE for name, x in told.items() if x.phase not in silent}

    async def _off_w(self) -> dict[str, float]:
        """How far heat pumps were from their plans in the last hour, W: they modulate, and plans know them roughly."""
        if self.archive is None:
            return {}
        now = self.clock.now()
        day = await self.archive(now.astimezone(self.site.timezone).date())
        recent = [x for x in day.quarters if now - HOUR - timedelta(minutes=15) <= x.start and x.planned is not None]
        found = {}
        for device in self.site.of_role(Role.HEAT_PUMP):
            misses = [
                x.measured_w[device.id] - x.planned.power_w[device.id]
                for x in recent
                if x.planned is not None and device.id in x.measured_w and device.id in x.planned.power_w
            ]
            found[device.id] = steady(misses)
        return {name: off for name, off in found.items() if off}


def steady(misses: Sequence[float]) -> float:
    """What several misses, W, have in common: the smallest of them when all go one way, else nothing.

    A pump that ran ahead of its plan for a while and stopped is not off for ever.
    """
    if misses and (min(misses) > 0 or max(misses) < 0):
        return min(misses, key=abs)
    return 0.0


def powers(plan: Plan, devices: Sequence[Device]) -> dict[str, list[tuple[str, float]]]:
    """What a plan means for devices, as it is stored: W from each slot's start on."""
    return {
        device.id: [(slot.start.isoformat(), slot.power_w[device.id]) for slot in plan.slots]
        for device in devices
        if plan.slots and device.id in plan.slots[0].power_w
    }
