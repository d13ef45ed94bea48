"""A dishwasher from the owner's wish to its end, through the tick: waits, begins, is not interrupted, survives a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.authority import Authority
from gateway.model.loads import RunPhase
from gateway.model.plan import IntentKind
from gateway.model.preferences import Preferences
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import ApplianceSpec, Device, PoolPumpSpec, Role
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.load_watch import LoadWatch
from tests.core.homes import SITE, block, plan
from tests.fakes import START
from tests.runtime.fakes_devices import FakeActuator, Rig

HOUR = timedelta(hours=1)
WASH = Device("wash", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000, 100), 60))
POOL = Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(1_100, 6))
HOME = replace(SITE, devices=(*SITE.devices, POOL, WASH))


class LoadsRig(Rig):
    """The rig with what remembers beside its tick, as the gateway wires them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.runs = ApplianceWishes(self.site, self.clock, self.store, lambda what: None)
        self.watch = LoadWatch(self.site, self.clock, self.store)
        self.base = Wishes(Preferences())
        self.tick.wishes = lambda: replace(self.base, loads=self.watch.loads(self.runs.runs))
        self.tick.on_tick = self.look

    def look(self, snapshot) -> None:
        self.runs.observe(snapshot, self.tick.setpoints)
        self.watch.observe(snapshot, self.tick.setpoints)

    def relay(self) -> list[float]:
        """What the dishwasher's relay was told, each change once."""
        told = [setpoint.value for setpoint in self.actuators["wash"].told]
        return [value for index, value in enumerate(told) if index == 0 or value != told[index - 1]]


def rig() -> LoadsRig:
    return LoadsRig(site=HOME, actuators={"wash": FakeActuator("wash"), "pool": FakeActuator("pool")})


@pytest.mark.slow
async def test_a_wish_waits_begins_with_the_plan_and_ends_by_itself():
    house = rig()
    await house.run(3)
    assert house.relay() == [1], "free for use by hand"
    await house.runs.ask("wash", None, START + 5 * HOUR, "owner")
    house.base = replace(house.base, plan=plan(block("wash", IntentKind.HOLD)))
    await house.run(5)
    assert house.relay() == [1, 0] and house.runs.runs["wash"].phase is RunPhase.WAITING
    house.base = replace(house.base, plan=plan(block("wash", IntentKind.RUN)))
    await house.run(5)
    assert house.relay() == [1, 0, 1] and house.runs.runs["wash"].phase is RunPhase.RUNNING
    await house.run(130)
    assert house.runs.runs["wash"].phase is RunPhase.DONE and house.relay() == [1, 0, 1]


async def test_no_plan_pause_or_joined_event_opens_the_relay_of_a_run_and_a_binding_limit_does():
    house = rig()
    await house.runs.ask("wash", None, START + 5 * HOUR, "owner")
    house.base = replace(house.base, plan=plan(block("wash", IntentKind.RUN)))
    await house.run(5)
    less = Limit(LimitKind.DEVICE_POWER, 0, START, START + HOUR, Authority.DEMAND_RESPONSE, "e", "less", "wash")
    pause = Override("o", "wash", "pause", START, START + HOUR, "owner")
    house.base = Wishes(Preferences(), (less,), (pause,), plan(block("wash", IntentKind.HOLD)))
    await house.run(10)
    assert house.relay()[-1] == 1
    house.base = replace(house.base, limits=(replace(less, authority=Authority.BINDING_LIMIT),))
    await house.run(30)
    assert house.relay()[-1] == 0 and house.runs.runs["wash"].phase is RunPhase.RUNNING
    house.base = replace(house.base, limits=())
    await house.run(5)
    assert house.relay()[-1] == 1, "it goes on"


async def test_a_new_gateway_never_opens_the_relay_of_a_run_under_way():
    first = rig()
    await first.runs.ask("wash", None, START + 5 * HOUR, "owner")
    first.base = replace(first.base, plan=plan(block("wash", IntentKind.RUN)))
    await first.run(5)
    await first.runs._keep(first.runs.runs)
    second = rig()
    second.runs.store = first.store
    await second.runs.resume()
    await second.run(5)
    assert second.relay() == [1] and second.runs.runs["wash"].phase is RunPhase.RUNNING


async def test_a_pool_pump_without_a_plan_runs():
    house = rig()
    await house.run(3)
    assert house.actuators["pool"].told[0].value == 1
