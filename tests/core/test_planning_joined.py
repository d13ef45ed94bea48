"""What a plan puts into a joined event: only what the tick does there too."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import numpy as np

from gateway.core.planning.request import PlanRequest
from gateway.core.planning.slots import make_slots
from gateway.model.authority import Authority
from gateway.model.plan import Plan
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Device, PoolPumpSpec, Role
from gateway.model.snapshot import DeviceState
from tests.core.test_planning_properties import at, plan_of, request

NOW, END = at("2026-11-18 20:50"), at("2026-11-18 22:00")
KINDS = (
    ("pool", LimitKind.DEVICE_POWER, 0.0),
    ("car", LimitKind.DEVICE_POWER, 0.0),
    ("tank", LimitKind.TANK_SHED, 1.0),
    ("pump", LimitKind.TEMPERATURE_OFFSET, -2.0),
)


def evening(hours: float, closes: time, **change: Any) -> PlanRequest:
    """A pool pump that needs `hours` until its window `closes`, in an event until 22:00 that the owner joined."""
    limits = tuple(
        Limit(kind, value, NOW, END, Authority.DEMAND_RESPONSE, "event", "The utility asks.", device)
        for device, kind, value in KINDS
    )
    asked = request(NOW, limits=limits, mode=ChargeMode.NOW, sun_w=0.0, soc=10.0, **change)
    pool = Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(1_100, hours, time(9), closes, min_run_h=0.25))
    states = {**asked.snapshot.devices, "pool": DeviceState("pool", Role.POOL_PUMP, True, 1.0, {})}
    # Had it charged as it came, nothing would be left to charge now: what it draws after the event is a new peak.
    waits = replace(asked.snapshot.chargers["car"], session_start=at("2026-11-18 17:00"))
    return replace(
        asked,
        site=replace(asked.site, devices=(*asked.site.devices, pool)),
        snapshot=replace(asked.snapshot, devices=states, chargers={"car": waits}),
    )


def ran_h(plan: Plan, device: str, *, joined: bool) -> float:
    slots = [s for s in plan.slots[:60] if s.power_w[device] > 50 and (s.start < END) == joined]
    return sum(slot.duration_s for slot in slots) / 3600


def test_a_pool_pump_waits_for_the_end_of_a_joined_event_however_high_the_peak_is_then() -> None:
    plan = plan_of(evening(1.1, time(0)))
    assert ran_h(plan, "pool", joined=True) == 0.0
    assert ran_h(plan, "pool", joined=False) >= 1.0


def test_a_pool_pump_runs_in_a_joined_event_from_its_last_moment_on() -> None:
    plan = plan_of(evening(1.0, time(22, 30)))
    first = next(slot.start for slot in plan.slots if slot.power_w["pool"] > 50)
    assert at("2026-11-18 21:25") <= first <= at("2026-11-18 21:30")
    assert not any("Pool" in words for words in plan.relaxed)


def test_heat_that_can_wait_is_not_put_into_the_last_minutes_of_a_joined_event() -> None:
    plan = plan_of(evening(1.0, time(0), tank_c=50.0, room_c=20.8))
    assert ran_h(plan, "tank", joined=True) == 0.0
    assert ran_h(plan, "pump", joined=True) == 0.0
    assert ran_h(plan, "tank", joined=False) + ran_h(plan, "pump", joined=False) > 0.0


def test_a_room_at_its_minimum_is_kept_there_in_a_joined_event() -> None:
    asked = evening(1.0, time(0), room_c=19.5, outdoor=None)
    asked = replace(asked, preferences=replace(asked.preferences, comfort_low_c=19.5))
    plan = plan_of(asked)
    assert ran_h(plan, "pump", joined=True) > 0.0
    assert not any("Heat pump" in words or "pump will" in words for words in plan.relaxed)


def test_a_peak_after_the_event_is_not_called_more_than_the_home_would_reach_by_itself() -> None:
    words = " ".join(plan_of(evening(1.1, time(0))).relaxed)
    assert "by itself" not in words
    assert "from now on if its cars had charged as they came" in words


def test_devices_that_return_each_at_its_own_second_cut_no_slot_into_pieces():
    """Wrong before: slots of 9, 11, 44 and 51 s, in which a relay was planned to run."""
    end = NOW + timedelta(hours=2)
    seconds = {"tank": 136, "pump": 187, "car": 231, "inverter": 242}
    steps = [
        Limit(
            LimitKind.DEVICE_POWER,
            0.0,
            end,
            end + timedelta(seconds=after),
            Authority.DEMAND_RESPONSE,
            "e",
            "Returns.",
            name,
        )
        for name, after in seconds.items()
    ]
    before = [replace(step, start=NOW, end=end) for step in steps]
    slots = make_slots(request(NOW, limits=(*before, *steps)), ())
    near = slots.hours[(slots.edges[:-1] >= end.timestamp()) & (slots.edges[:-1] < end.timestamp() + 600)]
    assert near.min() * 3600 >= 120
    # None of it is planned while its limit holds, and what binds is cut where it ends.
    for step in steps:
        assert slots.start(int(np.flatnonzero(slots.touched(step.start, step.end))[-1]) + 1) >= step.end
    hard = [replace(limit, authority=Authority.BINDING_LIMIT) for limit in (before[2], steps[2])]
    assert steps[2].end.timestamp() in make_slots(request(NOW, limits=tuple(hard)), ()).edges
