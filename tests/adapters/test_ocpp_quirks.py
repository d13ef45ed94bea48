"""Every quirk charger of the witness on the real CSMS under the real tick: nobody configures anything.

One home with a charger per quirk. What is wanted goes 10 A -> 0 A -> 10 A; each car must end there, or its charger
is named as one that does not obey and is counted at its maximum by the guard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.ocpp.csms import Csms
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from firmware_sim.clock import SimClock
from firmware_sim.ocppj.quirks import QUIRKS
from firmware_sim.sim_charger import SimCharger
from gateway.core.control.timing import ControlTiming
from gateway.core.metering.freeze import Wishes
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity
from gateway.model.reading import Reading
from gateway.model.site import ChargerSpec, Device, Role
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.system_clock import SystemClock
from gateway.runtime.tick import Tick
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions
from tests.core.homes import SITE
from tests.fakes import FakeStore

SPEED = 10.0
START = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)
WANTED_A, SLACK_A = 10.0, 0.6
SETTLED_WITHIN_S = 60.0
"""Real seconds: ten times as many of the home's."""
FOUND_OUT = {"sixteen-on-201"}
"""It speaks 1.6 under the name of 2.0.1: what it is told until that is found out is wrong for it."""
MOMENTARY = {"hang", "drop", "reboot"}
METER = (
    (Quantity.CURRENT_L1, Quantity.POWER_L1),
    (Quantity.CURRENT_L2, Quantity.POWER_L2),
    (Quantity.CURRENT_L3, Quantity.POWER_L3),
)


@dataclass
class World:
    """A CSMS, a tick and a charger per quirk, all on one fast clock."""

    habits: dict[str, tuple[str, ...]]
    """Charger's identity -> its quirks."""
    version: str
    options: dict[str, Any] = field(default_factory=dict)
    mode: ChargeMode = ChargeMode.NOW
    sims: dict[str, SimCharger] = field(default_factory=dict)

    def __post_init__(self) -> None:
        epoch = time.time()
        self.clock = SystemClock(speed=SPEED, home_epoch=START, real_epoch=epoch)
        self.sim_clock = SimClock(START, epoch, SPEED)
        self.sessions, self.facts, self.store = FakeSessions(), FakeFacts(), FakeStore()
        spec = ChargerSpec(max_current_a=WANTED_A)
        devices = tuple(Device(name, name, Role.EV_CHARGER, spec) for name in self.habits)
        meter = Device("meter", "Main meter", Role.MAIN_METER)
        self.site = replace(SITE, main_fuse_a=4000.0, devices=(meter, *devices))
        settings = OcppSettings(kind="ocpp", host="127.0.0.1", port=0, uploads_port=None, ping_interval_s=2)
        self.csms = Csms("csms", settings, self.clock, self.sessions, self.facts, self._changed)
        self.chargers = {
            device.id: self.csms.charger(device, OcppDeviceSettings(charge_point_id=device.id)) for device in devices
        }
        self.notices = Notices(self.store, self.clock, Changes())
        self.state = HomeState(self.site, self.clock, {"meter": 100.0}, dict(self.chargers))
        timing = ControlTiming.at_speed(SPEED)
        self.tick = Tick(
            self.state, self.clock, timing, self._wishes, dict(self.chargers), {}, self.store, self.notices
        )

    def _changed(self, device: str, what: str) -> None:
        self.tick.reachable(device)

    def _wishes(self) -> Wishes:
        return Wishes(Preferences(charging={name: ChargingPreference(self.mode) for name in self.habits}))

    @asynccontextmanager
    async def living(self) -> AsyncIterator[World]:
        tasks = [asyncio.create_task(work) for work in (self.csms.run(), self.tick.run(), self._meter())]
        await asyncio.wait_for(self.csms.serving.wait(), 5)
        async with AsyncExitStack() as stack:
            for name, habits in self.habits.items():
                url = f"ws://127.0.0.1:{self.csms.port}/ocpp"
                sim = SimCharger(
                    url, name, version=self.version, habits=habits, clock=self.sim_clock,
                    model=f"Model {name}", **self.options,
                )  # fmt: skip
                sim.plug(40.0)
                self.sims[name] = await stack.enter_async_context(sim)
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _meter(self) -> None:
        """The main meter of the home: what the cars really draw, once a second."""
        while True:
            drawn = [sum(sim.currents_a[phase] for sim in self.sims.values()) + 1.0 for phase in range(3)]
            now = self.clock.now()
            values = [(Quantity.POWER, sum(drawn) * 230)]
            for (current, power), amps in zip(METER, drawn, strict=True):
                values += [(current, amps), (power, amps * 230)]
            for quantity, value in values:
                self.state.take(Reading("meter", quantity, value, now))
            await self.clock.sleep(1.0, real_floor=0.1)

    def reported(self, name: str, amps: float) -> bool:
        """Named to a person: one that does not obey and is counted at its maximum by the guard, or one that takes
        no command and draws nothing above `amps`."""
        refuses = f"command {name}" in self.notices.open and self.sims[name].current_a <= amps + SLACK_A
        return refuses or (name in self.tick.disobeying and f"disobeys {name}" in self.notices.open)

    def unsettled(self, amps: float) -> list[str]:
        """The chargers that neither draw `amps` nor are reported; all of them can be stopped, so a report excuses no
        current where none is wanted."""
        return [
            f"{name}: {sim.current_a:.1f} A, {sim.status}, offers {sim.station.connectors[0].offered_a}, "
            f"rung {self.chargers[name].limiter.rung}"
            for name, sim in self.sims.items()
            if abs(sim.current_a - amps) > SLACK_A and not (amps and self.reported(name, amps))
        ]

    async def settles(self, amps: float) -> list[str]:
        """Wait until all are as wanted for three looks on end; who is not, after all."""
        good = 0
        end = time.monotonic() + SETTLED_WITHIN_S
        while time.monotonic() < end and good < 3:
            await asyncio.sleep(0.1)
            good = 0 if self.unsettled(amps) else good + 1
        return self.unsettled(amps)


def named(version: str, besides: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """A charger per quirk of this version, and one without."""
    known = [name for name, quirk in QUIRKS.items() if version in quirk.versions and name not in {*MOMENTARY, *besides}]
    return {"plain": (), **{name: (name,) for name in known}}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_every_quirk_charger_ends_at_the_wanted_current_or_is_reported(version: str) -> None:
    async with World(named(version), version).living() as world:
        for mode, amps in ((ChargeMode.NOW, WANTED_A), (ChargeMode.OFF, 0.0), (ChargeMode.NOW, WANTED_A)):
            world.mode = mode
            assert await world.settles(amps) == [], f"wanted {amps} A"
        errors = {name: sim.wire_errors[:2] for name, sim in world.sims.items() if sim.wire_errors}
        for name in FOUND_OUT & errors.keys():
            errors.pop(name)
            assert world.chargers[name].status().version == "1.6"
        assert errors == {}
