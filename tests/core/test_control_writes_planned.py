"""Few writes under a plan that is made anew every quarter hour: a replayed winter day, charged from the grid at night."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware_sim.physics.pv import dc_available_w
from firmware_sim.physics.replay import Replay, load_data
from gateway.assembly import load_tariff
from gateway.core.control.batteries import StorageMemory, battery_setpoints
from gateway.core.control.steering import MOST_A_DAY
from gateway.core.control.timing import ControlTiming
from gateway.core.planning.scheduler import make_plan
from gateway.model.plan import Forecast, IntentKind, Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Setpoint
from gateway.model.site import BatterySpec, Role
from gateway.model.snapshot import DeviceState, Snapshot
from tests.core.test_planning_properties import request

STEP_S, PLAN_S = 10, 900
START = datetime(2026, 1, 17, tzinfo=UTC)
TARIFF = load_tariff(Path(__file__).parents[2] / "config" / "tariffs" / "demo_tou.yaml", "EUR")


def hourly(name: str, power_w: Callable[[datetime], float], now: datetime) -> Forecast:
    """What comes, as hourly means: a forecast that knows the hours but not their minutes."""
    first = now.replace(minute=0)
    hours = [[power_w(first + timedelta(hours=h, minutes=m)) for m in range(5, 60, 10)] for h in range(50)]
    return Forecast(name, first, 3600, tuple(sum(hour) / 6 for hour in hours))


@pytest.mark.slow
@pytest.mark.parametrize("follows", [True, False])
def test_a_planned_winter_day_costs_at_most_sixty_writes(follows: bool) -> None:
    spec = BatterySpec(10_000, 5_000, 5_000, follows_meter=follows, wear_cost_micro_per_wh=20.0)
    asked, replay = request(START), Replay(1, load_data())
    site = replace(asked.site, devices=(asked.site.devices[0], replace(asked.site.devices[1], spec=spec)))

    def load_w(at: datetime) -> float:
        return sum(replay.load_w(at))

    def solar_w(at: datetime) -> float:
        return -0.97 * dc_available_w(replay.irradiance_w_m2(at), replay.outdoor_c(at))

    memory, power, soc, kinds = StorageMemory(), 0.0, 40.0, set[IntentKind]()
    made: Plan | None = None
    held: Setpoint | None = None
    sent, writes = START, 0
    for second in range(0, 86_400, STEP_S):
        now = START + timedelta(seconds=second)
        net_w = load_w(now) + solar_w(now)
        if held is not None:
            power = min(max(-net_w, held.low), held.value) if follows else held.value
        power = 0.0 if (power > 0 and soc >= 100) or (power < 0 and soc <= 5) else power
        soc += power * STEP_S / 3600 / spec.capacity_wh * 100
        devices = {
            "meter": DeviceState("meter", Role.MAIN_METER, True, 0.5, {Q.POWER: net_w + power}),
            "inverter": DeviceState("inverter", Role.HYBRID_INVERTER, True, 0.5, {Q.BATTERY_POWER: power, Q.SOC: soc}),
        }
        told = {} if held is None else {"inverter": held}
        shot = Snapshot(now, devices, {}, Preferences(), commanded=told, plan=made)
        if second % PLAN_S == 0:
            load, sun = hourly("load", load_w, now), hourly("solar", solar_w, now)
            made = make_plan(
                replace(asked, site=site, snapshot=shot, load=load, solar=sun, tariff=TARIFF, now=now,
                        preferences=Preferences()), alternatives=False)  # fmt: skip
            shot = replace(shot, plan=made)
            kinds |= {block.kind for block in made.blocks if block.device == "inverter"}
        (wish,), memory = battery_setpoints(site, shot, lambda _: math.inf, ControlTiming(), memory, float(second))
        if held is None or not wish.same_wish(held) or now - sent >= (held.until - sent) / 2:
            held, sent, writes = wish, now, writes + 1
    assert {IntentKind.CHARGE_AT, IntentKind.ZERO_GRID} <= kinds
    assert 10 < writes <= MOST_A_DAY
