"""How often a setpoint is written: the pace, who may overtake whom, the watchdog, a wish that nobody renews."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.modbus.device import ModbusDevice
from gateway.model.authority import Authority
from gateway.model.errors import DeviceUnreachable
from gateway.model.setpoint import Setpoint
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer, a_bus, a_device, band, reconnected
from tests.adapters.modbus_writes import PROFILE, CountedClock, LaterClock, a_battery, limit


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(PROFILE)
    return tmp_path


async def slept_between(mine: Path, authority: Authority) -> list[float]:
    clock = CountedClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=clock)
        for percent in (60, 50, 40):
            await device.apply(limit(percent, authority=authority))
        assert [values for _, values in server.writes] == [[650], [550], [450]]
    return clock.slept


async def test_wishes_of_the_plan_are_written_once_a_second_at_most(mine: Path) -> None:
    slept = await slept_between(mine, Authority.PLAN)
    assert len(slept) == 2
    assert all(0.8 < seconds <= 1 for seconds in slept)


@pytest.mark.parametrize("authority", [Authority.ELECTRICAL_SAFETY, Authority.BINDING_LIMIT])
async def test_safety_and_binding_limits_wait_for_nobody(mine: Path, authority: Authority) -> None:
    clock = CountedClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=clock)
        await device.apply(limit(60, authority=Authority.PLAN))
        await device.apply(limit(50, authority=authority))
        await device.apply(band(0, 1000, authority=authority))
        assert clock.slept == []
        await device.apply(limit(40, authority=authority))
        assert len(clock.slept) == 1 and 0.8 < clock.slept[0] <= 1


@pytest.mark.slow
async def test_of_a_storm_of_safety_wishes_the_first_and_the_last_are_written(mine: Path) -> None:
    """Wrong before: each of them was written, 20 in 0.1 s, into registers that may be flash."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine)
        storm = [limit(60 - n, authority=Authority.ELECTRICAL_SAFETY) for n in range(20)]
        await device.apply(storm[0])
        begun = SystemClock().monotonic()
        await asyncio.gather(*(device.apply(wish) for wish in storm[1:]))
        assert [values for _, values in server.writes] == [[650], [460]]
        assert SystemClock().monotonic() - begun < 1.5


async def test_a_plans_wish_that_waits_is_overtaken_by_safety_and_never_written(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=SystemClock(speed=10.0))
        await device.apply(limit(60, authority=Authority.PLAN))
        waiting = asyncio.create_task(device.apply(limit(90, authority=Authority.PLAN)))
        await asyncio.sleep(0.02)
        await device.apply(limit(10, authority=Authority.ELECTRICAL_SAFETY))
        await waiting
        assert [values for _, values in server.writes] == [[650], [150]]


async def written(device: ModbusDevice, server: RawServer, setpoint: Setpoint) -> int:
    before = len(server.writes)
    await device.apply(setpoint)
    return len(server.writes) - before


async def test_a_devices_watchdog_is_fed_at_half_its_time_and_flash_is_spared_otherwise(mine: Path) -> None:
    clock = CountedClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=clock)
        assert await written(device, server, band(0, 1000)) == 3
        assert await written(device, server, limit(60)) == 1
        clock.ahead_s += 29
        assert await written(device, server, band(0, 1000)) == 0
        clock.ahead_s += 2
        assert await written(device, server, band(0, 1000)) == 3
        clock.ahead_s += 86_400
        assert await written(device, server, limit(60)) == 0, "it has no watchdog"


async def test_a_wish_that_nobody_renews_is_ended_by_us_where_the_device_has_no_timer(mine: Path) -> None:
    clock = LaterClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=clock)
        await device.apply(limit(60))
        clock.later = timedelta(seconds=29)
        await device.read()
        assert server.writes == [(70, [650])]
        clock.later = timedelta(seconds=31)
        await device.read()
        await device.read()
        assert server.writes == [(70, [650]), (70, [1050])], "the safe value, once"
        await device.apply(replace(limit(50), until=clock.now() + timedelta(seconds=5)))
        server.exceptions = {70: 4}
        clock.later = timedelta(seconds=60)
        assert await device.read(), "a refused safe value costs no reading"


async def test_a_renewed_wish_goes_on_without_being_written_again(mine: Path) -> None:
    clock = LaterClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=clock)
        first = limit(60)
        await device.apply(first)
        await device.apply(replace(first, until=first.until + timedelta(seconds=60)))
        clock.later = timedelta(seconds=31)
        await device.read()
        assert server.writes == [(70, [650])]


@pytest.mark.slow
async def test_after_a_reconnect_a_wish_is_written_again_as_the_device_may_have_restarted(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine)
        await device.apply(limit(60))
        server.mood = ["die"]
        with pytest.raises(DeviceUnreachable):
            await device.read()
        await reconnected(bus, 2)
        assert await written(device, server, limit(60)) == 1
