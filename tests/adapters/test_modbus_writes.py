"""Setpoints to Modbus devices: what may be written at all, how, how often, how it is checked, and the safe value."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.modbus.device import ModbusDevice
from adapters.modbus.profile import load_profile
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import AT_123, AT_124, PROFILES, RawServer, a_bus, a_device, band, hybrid, reconnected


def limit(percent: float, *, authority: Authority = Authority.BINDING_LIMIT) -> Setpoint:
    until = SystemClock().now() + timedelta(seconds=30)
    return Setpoint("dev", SetpointKind.PV_LIMIT, percent, until, authority, "test")


# ---- SunSpec models 123 and 124


@pytest.mark.parametrize(
    ("low", "high", "out_percent", "in_percent", "from_grid"),
    [(-5000, 5000, 100, 100, 0), (0, 0, 0, 0, 0), (0, 5000, 0, 100, 0), (2500, 2500, -50, 50, 1),
     (-1000, -1000, 20, -20, 0)],
    ids=["follow", "hold", "surplus", "charge", "discharge"],
)  # fmt: skip
async def test_a_battery_band_is_one_atomic_write_with_a_revert_time(
    low: float, high: float, out_percent: int, in_percent: int, from_grid: int
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        await a_device(bus, "sunspec_hybrid").apply(band(low, high, seconds=60))
        (address, rates), mode = server.writes
        signed = [value - 0x10000 if value >= 0x8000 else value for value in rates]
        assert address == AT_124 + 12
        assert signed == [out_percent * 100, in_percent * 100, 0, 60, 0, from_grid]
        assert mode == (AT_124 + 5, [3])


async def test_an_unchanged_setpoint_is_not_written_again_until_its_watchdog_needs_it() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 0, seconds=60))
        await device.apply(band(0, 0, seconds=60))
        assert len(server.writes) == 2
        await device.apply(band(0, 0, seconds=20))
        assert len(server.writes) == 4, "an earlier end must reach the device"


async def test_a_command_that_does_not_read_back_is_refused() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        server.ignore_writes = True
        with pytest.raises(CommandRefused, match="reads back"):
            await a_device(bus, "sunspec_hybrid").apply(band(0, 0))


async def test_release_hands_the_battery_back() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 0))
        await device.apply(limit(60))
        await device.release()
        assert server.registers[AT_124 + 5] == server.registers[AT_123 + 9] == 0


async def test_the_pv_limit_is_one_write() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        await a_device(bus, "sunspec_hybrid").apply(limit(60))
        assert server.writes == [(AT_123 + 5, [6000, 0, 30, 0, 1])]


async def test_a_meter_takes_no_setpoint() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        with pytest.raises(CommandRefused, match="takes no"):
            await a_device(bus, "eastron_sdm630").apply(band(0, 0))


# ---- writes a profile declares


PROFILE = """\
maker: M
model: X
source: {manual: m, version: '1', page: '2'}
verified: 'against nothing'
word_order: little
registers:
  - {quantity: power_w, function: holding, address: 0, type: int16}
writes:
  - setpoint: battery_band_w
    watchdog_s: 60
    unlock:
      - {function: 6, address: 40, fields: [{type: uint16, value: 4711}], read_back: none}
    frames:
      - function: 16
        address: 50
        fields:
          - {type: int32, of: value, scale: 10, range: [-5000, 5000], tolerance: 1}
          - {type: uint16, of: low, sign: -1, range: [0, 5000]}
      - {function: 6, address: 60, fields: [{type: uint16, value: 2}], read_back: 61}
    release:
      - {function: 6, address: 60, fields: [{type: uint16, value: 0}], read_back: none}
  - setpoint: pv_limit_percent
    frames:
      - {function: 6, address: 70, fields: [{type: uint16, of: value, scale: 0.1, offset: -5, range: [0, 100]}]}
    release:
      - {function: 6, address: 70, fields: [{type: uint16, copy_of: 71}]}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(PROFILE)
    return tmp_path


def a_battery(server: RawServer) -> None:
    server.registers = {61: 2, 71: 1050}


async def test_a_band_is_unlocked_written_at_once_and_then_switched_on_in_the_declared_order(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        await a_device(bus, "mine", folder=mine).apply(band(-1000, -250))
        assert server.functions == [6, 16, 6]
        assert server.writes == [(40, [4711]), (50, [0xFFE7, 0xFFFF, 1000]), (60, [2])]


async def test_scale_and_offset_are_undone_and_the_safe_value_is_copied_from_the_device(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine)
        await device.apply(limit(60))
        assert server.writes == [(70, [650])]
        await device.release()
        assert server.writes[1:] == [(60, [0]), (70, [1050])]


@pytest.mark.parametrize(
    ("setpoint", "reason"),
    [
        (band(0, 5001), "5001 is outside -5000..5000"),
        (band(2500, 2500), "-2500 is outside 0..5000"),
        (limit(100.5), "100.5 is outside 0..100"),
    ],
    ids=["too much", "a direction it cannot be forced in", "more than all"],
)
async def test_a_wish_outside_the_declared_range_is_refused_before_anything_is_written(
    mine: Path, setpoint: Setpoint, reason: str
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        wish = replace(setpoint, until=SystemClock().now() + timedelta(seconds=30))
        with pytest.raises(CommandRefused, match=reason):
            await a_device(bus, "mine", folder=mine).apply(wish)
        assert server.writes == []


async def test_what_does_not_read_back_is_refused_with_what_stands_there(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        server.registers[61] = 7
        device = a_device(bus, "mine", folder=mine)
        with pytest.raises(CommandRefused, match="register 60 reads back 7 instead of 2"):
            await device.apply(band(-1000, 0))
        await device.apply(limit(60))
        server.ignore_writes = True
        with pytest.raises(CommandRefused, match="register 70 reads back 650 instead of 550"):
            await device.apply(limit(50))


async def test_a_number_within_its_tolerance_is_held(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine)
        await device.apply(band(0, 1000))
        server.ignore_writes = True
        server.registers[50] = 101
        await device.apply(band(0, 1020))
        server.registers[50] = 104
        with pytest.raises(CommandRefused, match="register 50 reads back 104 instead of 102"):
            await device.apply(band(0, 1020.4))


async def test_a_write_the_device_refuses_is_told_in_its_words(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        server.exceptions = {70: 3}
        with pytest.raises(CommandRefused, match=r"the device refused it: 3 \(illegal value\)"):
            await a_device(bus, "mine", folder=mine).apply(limit(50))


# ---- the list of what may be written


@pytest.mark.parametrize(
    ("function", "address", "values"),
    [(6, 41, [1]), (16, 40, [1]), (16, 50, [1, 2, 3, 4]), (16, 51, [1, 2, 3]), (6, 0, [1])],
    ids=["next door", "another function", "one too many", "shifted", "a register that is only read"],
)
async def test_what_the_profile_does_not_declare_cannot_be_written(
    mine: Path, function: int, address: int, values: list[int]
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        device = a_device(bus, "mine", folder=mine)
        await device.read()
        with pytest.raises(CommandRefused, match="declares no such write"):
            await bus.write_registers(1, address, values, "dev", function=function)
        assert server.writes == []


async def test_a_device_may_not_write_what_another_of_the_same_unit_may(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        await a_device(bus, "mine", folder=mine).read()
        await bus.write_registers(1, 60, [1], "dev", function=6)
        for unit, device in ((1, "grid meter"), (2, "dev")):
            with pytest.raises(CommandRefused, match="declares no such write"):
                await bus.write_registers(unit, 60, [1], device, function=6)
        assert len(server.writes) == 1


async def test_a_sunspec_device_may_be_written_in_its_control_models_only() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        await a_device(bus, "sunspec_hybrid").read()
        for address in (AT_124 + 2, AT_124 + 6, AT_123 + 10):
            with pytest.raises(CommandRefused, match="declares no such write"):
                await bus.write_registers(1, address, [1], "dev")
        assert server.writes == []


async def test_a_kind_the_profile_does_not_declare_is_refused(mine: Path) -> None:
    until = SystemClock().now() + timedelta(seconds=30)
    wish = Setpoint("dev", SetpointKind.CURRENT, 6, until, Authority.BINDING_LIMIT, "test")
    async with RawServer().serve() as server, a_bus(server) as bus:
        device = a_device(bus, "mine", folder=mine)
        assert device.controls == {SetpointKind.BATTERY_BAND, SetpointKind.PV_LIMIT}
        with pytest.raises(CommandRefused, match="takes no current_a"):
            await device.apply(wish)
        assert server.writes == []


# ---- how often


class CountedClock(SystemClock):
    """Sleeps of the home's time take none, are counted, and move its monotonic time; so does `ahead`."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        if seconds:
            self.slept.append(seconds)
            self.ahead_s += seconds
            return
        await super().sleep(0, real_floor=real_floor)


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
        device = a_device(bus, "mine", folder=mine)
        await device.apply(limit(60, authority=Authority.PLAN))
        waiting = asyncio.create_task(device.apply(limit(90, authority=Authority.PLAN)))
        await asyncio.sleep(0.02)
        await device.apply(limit(10, authority=Authority.ELECTRICAL_SAFETY))
        await waiting
        assert [values for _, values in server.writes] == [[650], [150]]


@pytest.mark.parametrize("kind", ["band", "limit", "release"])
async def test_a_control_model_that_moved_is_looked_up_before_anything_is_written(kind: str) -> None:
    """Wrong before: the write went where the model had been, into another one."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 0))
        await device.apply(limit(60))
        move_models(server, 46)
        server.writes.clear()
        if kind == "release":
            await device.release()
            wanted = {AT_124 + 46 + 5, AT_123 + 46 + 9}
        else:
            await device.apply(band(0, 2500) if kind == "band" else limit(30))
            wanted = {AT_124 + 46 + 12, AT_124 + 46 + 5} if kind == "band" else {AT_123 + 46 + 5}
        assert {address for address, _ in server.writes} == wanted


def move_models(server: RawServer, by: int) -> None:
    """Put a model 122 before the controls."""
    moved = {at + by: word for at, word in server.registers.items() if at >= AT_123}
    between = {AT_123 + at: word for at, word in enumerate([122, by - 2] + [0] * (by - 2))}
    server.registers = {at: word for at, word in server.registers.items() if at < AT_123} | between | moved


async def test_the_scales_are_read_anew_for_each_write() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 2500))
        server.registers[AT_124 + 25] = 0xFFFF  # tenths of a percent instead of hundredths
        await device.apply(band(0, 1250))
        assert server.writes[0][1][:2] == [0, 5000]
        assert server.writes[2][1][:2] == [0, 250]


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


class LaterClock(SystemClock):
    """The system's clock, `later` than it is."""

    later = timedelta()

    def now(self) -> datetime:
        return super().now() + self.later


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


# ---- shipped


async def test_a_huawei_battery_is_held_and_given_back_as_its_table_says() -> None:
    """Golden: 47075 most charging, 47077 most discharging, W, 32 bits high word first; 37046, 37048 what it allows."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.registers = {37046: 0, 37047: 5000, 37048: 1, 37049: 0}
        device = a_device(bus, "huawei_sun2000_hybrid")
        await device.apply(band(0, 2500))
        await device.release()
        assert server.functions == [16, 16]
        assert server.writes == [(47075, [0, 2500, 0, 0]), (47075, [0, 5000, 1, 0])]
        with pytest.raises(CommandRefused, match="outside"):
            await device.apply(band(1000, 1000))


def test_every_shipped_write_names_a_safe_value() -> None:
    declared = {
        path.stem: load_profile(path.stem, PROFILES).writes
        for path in PROFILES.glob("*.yaml")
        if "writes:" in path.read_text()
    }
    assert {"huawei_sun2000_hybrid"} <= declared.keys()
    assert all(write.release and write.frames for writes in declared.values() for write in writes)
