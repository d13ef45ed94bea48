"""The simulated SDM630 over RTU on a pty, read by the product as over a serial line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.modbus.bus import Bus
from adapters.modbus.device import ModbusDevice
from adapters.modbus.profile import load_profile
from adapters.modbus.settings import ModbusDeviceSettings, ModbusRtuSettings
from gateway.demo import ROOT
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

pytestmark = pytest.mark.end_to_end


@contextmanager
def firmware(*arguments: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "firmware_sim", *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = next(text for text in process.stdout if text.startswith("READY"))
        yield int(line.rsplit("port=", 1)[1])
    finally:
        process.terminate()
        process.wait(10)


async def sweep(path: Path) -> list[Reading]:
    clock = SystemClock()
    bus = Bus("serial", ModbusRtuSettings(kind="modbus_rtu", path=str(path)), clock)
    owner = asyncio.create_task(bus.run())
    profile = load_profile("eastron_sdm630", ROOT / "config" / "devices" / "modbus")
    device = Device("meter", "Main meter", Role.MAIN_METER)
    meter = ModbusDevice(device, ModbusDeviceSettings(profile="eastron_sdm630"), profile, bus, clock, main=True)
    try:
        async with asyncio.timeout(10):
            while not bus.connected:
                await asyncio.sleep(0.05)
            return await meter.read()
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)


def test_a_meter_on_a_serial_line_reads_like_one_on_the_network(tmp_path: Path) -> None:
    line = tmp_path / "ttyMeter"
    with (
        firmware("house", "--port", "0") as hub,
        firmware("meter", "--hub", str(hub), "--port", "0", "--pty", str(line)),
    ):
        readings = {r.quantity: r for r in asyncio.run(sweep(line))}
    assert readings[Quantity.VOLTAGE_L1].value == pytest.approx(230, rel=0.1)
    assert readings[Quantity.POWER].quality is Quality.VALID
    total = sum(readings[q].value or 0.0 for q in (Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3))
    assert readings[Quantity.POWER].value == pytest.approx(total, abs=1.0)
    assert Quantity.ENERGY_IMPORT in readings
