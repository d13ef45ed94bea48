"""Setpoints by SunSpec models 123 and 124: what is written where, with which end, and how it is checked."""

from __future__ import annotations

import pytest

from gateway.model.errors import CommandRefused
from tests.adapters.modbus_server import AT_123, AT_124, RawServer, a_bus, a_device, band, hybrid
from tests.adapters.modbus_writes import CountedClock, limit


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
        device = a_device(bus, "sunspec_hybrid", clock=CountedClock())
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
        device = a_device(bus, "sunspec_hybrid", clock=CountedClock())
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


@pytest.mark.parametrize("kind", ["band", "limit", "release"])
async def test_a_control_model_that_moved_is_looked_up_before_anything_is_written(kind: str) -> None:
    """Wrong before: the write went where the model had been, into another one."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid", clock=CountedClock())
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
        device = a_device(bus, "sunspec_hybrid", clock=CountedClock())
        await device.apply(band(0, 2500))
        server.registers[AT_124 + 25] = 0xFFFF  # tenths of a percent instead of hundredths
        await device.apply(band(0, 1250))
        assert server.writes[0][1][:2] == [0, 5000]
        assert server.writes[2][1][:2] == [0, 250]
