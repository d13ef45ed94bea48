"""A home with a pool pump and a dishwasher, for the tests of loads that are placed whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from gateway.core.planning.request import PlanRequest
from gateway.model.loads import ApplianceRun, Loads
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity as Q
from gateway.model.site import ApplianceSpec, Device, PoolPumpSpec, Role
from gateway.model.snapshot import ChargePhase, DeviceState
from tests.core.test_planning_properties import DEVICES, ZONE, request

POOL = PoolPumpSpec(1_100, 6, time(0), time(0), min_run_h=1.0)
WASH = ApplianceSpec((2_000, 200, 100, 1_800, 100, 50), 900, phase=2)
WASH_WH = 1062.5
WASH_H = 1.5


def asked(
    now: datetime,
    *,
    pool: PoolPumpSpec = POOL,
    wash: ApplianceSpec = WASH,
    run: ApplianceRun | None = None,
    loads: Mapping[str, Any] | None = None,
    pool_w: float = 0.0,
    wash_w: float = 0.0,
    devices: tuple[Device, ...] = DEVICES,
    **change: Any,
) -> PlanRequest:
    """The home of the planner's properties, the car away, with both loads; `loads` sets fields of what is remembered."""
    wishes = change.pop("preferences", None)
    found = request(now, phase=change.pop("phase", ChargePhase.AVAILABLE), **change)
    own = (Device("pool", "Pool pump", Role.POOL_PUMP, pool), Device("dishwasher", "Dishwasher", Role.APPLIANCE, wash))
    states = {
        "pool": DeviceState("pool", Role.POOL_PUMP, True, 1.0, {Q.ON: float(pool_w > 0), Q.POWER: pool_w}),
        "dishwasher": DeviceState("dishwasher", Role.APPLIANCE, True, 1.0, {Q.ON: float(wash_w > 0), Q.POWER: wash_w}),
    }
    known = Loads(**{"runs": {"dishwasher": run} if run else {}, **(loads or {})})
    snapshot = replace(found.snapshot, devices={**found.snapshot.devices, **states}, loads=known)
    if wishes is not None:
        found, snapshot = replace(found, preferences=wishes), replace(snapshot, preferences=wishes)
    return replace(found, site=replace(found.site, devices=(*devices, *own)), snapshot=snapshot)


def wish(now: datetime, done_by: datetime, not_before: datetime | None = None) -> ApplianceRun:
    return ApplianceRun("dishwasher", not_before or now, done_by, "owner", now)


def energy_wh(plan: Plan, device: str, start: datetime | None = None, end: datetime | None = None) -> float:
    return sum(
        slot.power_w.get(device, 0.0) * slot.duration_s / 3600
        for slot in plan.slots
        if (start is None or slot.start >= start) and (end is None or slot.start < end)
    )


def running(plan: Plan, device: str) -> list[tuple[datetime, datetime]]:
    """The spans in which a device draws power, local time."""
    spans: list[tuple[datetime, datetime]] = []
    for index, slot in enumerate(plan.slots):
        end = plan.slots[index + 1].start if index + 1 < len(plan.slots) else None
        if slot.power_w.get(device, 0.0) <= 0 or end is None:
            continue
        start, end = slot.start.astimezone(ZONE), end.astimezone(ZONE)
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
