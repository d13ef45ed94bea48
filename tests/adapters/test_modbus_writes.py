"""Setpoints a profile declares: what may be written at all, how, how it is checked, and the safe value."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import AT_123, AT_124, PROFILES, RawServer, a_bus, a_device, band, hybrid
from tests.adapters.modbus_writes import PROFILE, CountedClock, a_battery, limit
from tests.adapters.shipped import shipped

# ---- writes a profile declares


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(PROFILE)
    return tmp_path


async def test_a_band_is_unlocked_written_at_once_and_then_switched_on_in_the_declared_order(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        await a_device(bus, "mine", folder=mine).apply(band(-1000, -250))
        assert server.functions == [6, 16, 6]
        assert server.writes == [(40, [4711]), (50, [0xFFE7, 0xFFFF, 1000]), (60, [2])]


async def test_scale_and_offset_are_undone_and_the_safe_value_is_copied_from_the_device(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=CountedClock())
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
        device = a_device(bus, "mine", folder=mine, clock=CountedClock())
        with pytest.raises(CommandRefused, match="register 60 reads back 7 instead of 2"):
            await device.apply(band(-1000, 0))
        await device.apply(limit(60))
        server.ignore_writes = True
        with pytest.raises(CommandRefused, match="register 70 reads back 650 instead of 550"):
            await device.apply(limit(50))


async def test_a_number_within_its_tolerance_is_held(mine: Path) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        a_battery(server)
        device = a_device(bus, "mine", folder=mine, clock=CountedClock())
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
        device = a_device(bus, "mine", folder=mine, clock=CountedClock())
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
        device = a_device(bus, "mine", folder=mine, clock=CountedClock())
        assert device.controls == {SetpointKind.BATTERY_BAND, SetpointKind.PV_LIMIT}
        with pytest.raises(CommandRefused, match="takes no current_a"):
            await device.apply(wish)
        assert server.writes == []


# ---- shipped


async def test_a_huawei_battery_is_held_and_given_back_as_its_table_says() -> None:
    """Golden: 47075 most charging, 47077 most discharging, W, 32 bits high word first; 37046, 37048 what it allows."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.registers = {37046: 0, 37047: 5000, 37048: 1, 37049: 0}
        device = a_device(bus, "huawei_sun2000_hybrid", clock=CountedClock())
        await device.apply(band(0, 2500))
        await device.release()
        assert server.functions == [16, 16]
        assert server.writes == [(47075, [0, 2500, 0, 0]), (47075, [0, 5000, 1, 0])]
        with pytest.raises(CommandRefused, match="outside"):
            await device.apply(band(1000, 1000))


def test_every_shipped_write_names_a_safe_value() -> None:
    declared = {
        path.stem: shipped(path.stem).writes for path in PROFILES.glob("*.yaml") if "writes:" in path.read_text()
    }
    assert {"huawei_sun2000_hybrid"} <= declared.keys()
    assert all(write.release and write.frames for writes in declared.values() for write in writes)
