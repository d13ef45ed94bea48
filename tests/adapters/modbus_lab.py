"""A simulated device that can lie, read by the real bus, device, loop and intake, poll by poll, beside the truth."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from adapters.modbus.bus import Bus
from adapters.modbus.device import ModbusDevice
from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
from firmware_sim.clock import SimClock
from firmware_sim.inverter import SunSpecInverter
from firmware_sim.meter import Sdm630
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import ModbusServer
from gateway.model.quantity import Quantity as Q
from gateway.model.site import Device, Role, Site
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake, MeterLoop
from gateway.runtime.notices import Notices
from tests.adapters.shipped import shipped
from tests.fakes import FakeStore

NOON, NIGHT = datetime.fromisoformat("2026-06-10T11:00:00Z"), datetime.fromisoformat("2026-06-10T23:30:00Z")
TIMEOUT_S = 0.05
PAUSE_S = 0.02
ROLES = {"meter": Role.MAIN_METER, "inverter": Role.PV}
PROFILE = {"meter": "eastron_sdm630", "inverter": "sunspec_inverter"}


class PolledClock:
    """The world's clock plus what the test adds; the reading loop sleeps until the test polls."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self._start, self._began, self._added = start, time.monotonic(), 0.0
        self._polled, self.waiting = asyncio.Event(), asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._began + self._added

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        if seconds <= 0 and real_floor > 0:  # the bus keeps quiet, or waits for the line
            await asyncio.sleep(real_floor)
            return
        self.waiting.set()
        await self._polled.wait()
        self._polled.clear()

    async def poll(self, add_s: float) -> None:
        """Let time pass and the loop go round once."""
        self._added += add_s
        self.waiting.clear()
        self._polled.set()
        await self.waiting.wait()


class SimulatedTime(SimClock):
    """The device's clock: the same time."""

    def __init__(self, clock: PolledClock) -> None:
        super().__init__(clock.now(), 0.0, 1.0)
        object.__setattr__(self, "clock", clock)

    def now(self) -> datetime:
        return self.clock.now()  # type: ignore[attr-defined, no-any-return]


@dataclass
class TrueHome:
    """A home in which no two polls see the same powers; imports at all times, makes sun by day."""

    at: datetime
    polls: int = 0
    imported_wh: float = 1_234_000.0
    exported_wh: float = 56_000.0
    produced_wh: float = 7_890_000.0

    @property
    def sun(self) -> bool:
        return 6 <= self.at.hour < 18

    def watts(self) -> list[float]:
        n = self.polls
        return [1_510.0 + n * 13 % 97, 620.0 + n * 29 % 83, -210.0 - n * 17 % 61]

    def solar_w(self) -> float:
        return 1_800.0 + self.polls * 23 % 101 if self.sun else 0.0

    def volts(self) -> list[float]:
        return [229.3 + math.sin(self.polls), 231.1 + math.cos(self.polls), 230.2 - math.sin(self.polls)]

    def pass_time(self, until: datetime) -> None:
        """Count the energy of the powers up to `until`, then change the powers."""
        hours = (until - self.at).total_seconds() / 3600
        self.imported_wh += sum(self.watts()) * hours
        self.produced_wh += self.solar_w() * hours
        self.at, self.polls = until, self.polls + 1

    def state(self) -> dict[str, Any]:
        """In the house's own words; the panels are behind another meter, so that powers here are plain."""
        watts, volts, solar = self.watts(), self.volts(), self.solar_w()
        amps = [abs(w) / v for w, v in zip(watts, volts, strict=True)]
        third = [self.imported_wh / 3] * 3
        return {
            "voltage_v": volts, "grid_w": watts, "current_a": amps, "pv_w": -solar, "battery_w": 0.0,
            "inverter_w": [-solar / 3] * 3, "soc_percent": 50.0, "grid_import_wh": self.imported_wh,
            "grid_export_wh": self.exported_wh, "grid_phase_import_wh": third, "grid_phase_export_wh": [0.0] * 3,
            "inverter_export_wh": self.produced_wh, "pv_energy_wh": self.produced_wh,
            "battery_charged_wh": 3_000.0, "battery_discharged_wh": 2_900.0,
        }  # fmt: skip

    def truth(self, device: str) -> dict[Q, float]:
        """What the product should show, signs ours."""
        watts, volts, solar = self.watts(), self.volts(), self.solar_w()
        if device == "inverter":
            return {Q.POWER: -solar, Q.VOLTAGE_L1: volts[0], Q.CURRENT_L1: solar / 3 / volts[0], Q.FREQUENCY: 50.0,
                    Q.ENERGY_EXPORT: self.produced_wh}  # fmt: skip
        powers = dict(zip((Q.POWER_L1, Q.POWER_L2, Q.POWER_L3), watts, strict=True))
        voltages = dict(zip((Q.VOLTAGE_L1, Q.VOLTAGE_L2, Q.VOLTAGE_L3), volts, strict=True))
        amps = [abs(w) / v for w, v in zip(watts, volts, strict=True)]
        currents = dict(zip((Q.CURRENT_L1, Q.CURRENT_L2, Q.CURRENT_L3), amps, strict=True))
        counters = {Q.ENERGY_IMPORT: self.imported_wh, Q.ENERGY_EXPORT: self.exported_wh}
        return {Q.POWER: sum(watts), Q.FREQUENCY: 50.0, **powers, **voltages, **currents, **counters}


TOLERANCES = {"power": 1.0, "voltage": 0.1, "current": 0.02, "frequency": 0.1, "energy": 2.0}
"""How far a value may be from the truth: what registers resolve, and the ms between poll and answer."""


@dataclass
class Lab:
    """One device, the product reading it, and the truth."""

    name: str
    clock: PolledClock
    home: TrueHome
    faults: Faults
    device: Any
    state: HomeState
    intake: Intake
    coarse: float = 1.0
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What the device's state said, poll by poll."""

    async def poll(self, add_s: float) -> set[Q]:
        """One poll; which quantities were accepted. Wrong ones are kept in `wrong`, words in `said`."""
        if not add_s:
            await asyncio.sleep(PAUSE_S)
        self.home.pass_time(self.clock.now() + timedelta(seconds=add_s))
        self.device.show(self.home.state())
        begin = self.clock.monotonic() + add_s
        await self.clock.poll(add_s)
        latest = self.state.latest.get(self.name, {})
        fresh = {quantity: item.value for quantity, item in latest.items() if item.at >= begin}
        self._compare(fresh)
        self.said.append(self.words())
        return set(fresh)

    def words(self) -> str:
        """Everything the state says about the device."""
        doubts = getattr(self.state, "doubts", {}).get(self.name, {})
        notes = [f"{key}: {text}" for key, text in doubts.items()] if isinstance(doubts, dict) else [str(doubts)]
        return "; ".join([self.state.silent.get(self.name, ""), self.state.suspect.get(self.name, ""), *notes])

    def _compare(self, fresh: dict[Q, float]) -> None:
        truth = self.home.truth(self.name)
        for quantity, value in fresh.items():
            if abs(value - truth[quantity]) > self.coarse * TOLERANCES[quantity.value.split("_")[0]]:
                self.wrong.append(f"poll {self.home.polls}: {quantity.value} {value:g}, in truth {truth[quantity]:g}")


def site() -> Site:
    devices = tuple(Device(name, name.title(), role) for name, role in ROLES.items())
    return Site("Lab", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, 25.0, devices)


@asynccontextmanager
async def lab(name: str, *, rtu: bool = False, start: datetime = NOON) -> AsyncIterator[Lab]:
    """The simulated "meter" (SDM630) or "inverter" (SunSpec) with the product's reading loop on it."""
    clock = PolledClock(start)
    time_there = SimulatedTime(clock)
    faults = Faults(time_there)
    shown: Any = Sdm630(faults) if name == "meter" else SunSpecInverter(faults, time_there)
    server = ModbusServer({1: shown}, faults)
    port = await server.listen(0, rtu=rtu)
    framing: Literal["tcp", "rtu"] = "rtu" if rtu else "tcp"
    settings = ModbusTcpSettings(
        kind="modbus_tcp", host="127.0.0.1", port=port, timeout_s=TIMEOUT_S, framing=framing
    )  # fmt: skip
    bus = Bus("line", settings, clock)
    profile = shipped(PROFILE[name])
    where = next(device for device in site().devices if device.id == name)
    product = ModbusDevice(
        where, ModbusDeviceSettings(profile=profile.name, period_s=10), profile, bus, clock, main=True
    )
    store = FakeStore()
    state = HomeState(site(), clock)
    intake = Intake(state, clock, store, Notices(store, clock, Changes()))
    home = TrueHome(clock.now())
    shown.show(home.state())
    line = asyncio.create_task(bus.run())
    async with asyncio.timeout(2):
        while not bus.connected:
            await asyncio.sleep(0.005)
    reading = asyncio.create_task(MeterLoop(product, intake, clock, ROLES[name]).run())
    await clock.waiting.wait()
    try:
        yield Lab(name, clock, home, faults, shown, state, intake)
    finally:
        for task in (reading, line):
            task.cancel()
        await asyncio.gather(reading, line, return_exceptions=True)
        await server.close()
