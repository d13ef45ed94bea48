"""A meter of 48 values: requests per sweep, and CPU per sweep beside bare pymodbus making the same requests.

    python benchmarks/modbus.py [--sweeps 2000]

The meter is a small asyncio server in a process of its own, so that only the reading side is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.modbus.bus import Bus
from adapters.modbus.device import ModbusDevice
from adapters.modbus.planner import ReadLimits, Register
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
from benchmarks.table import ROOT, Row
from gateway.model.errors import DeviceError
from gateway.model.quantity import Quantity
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

BLOCKS = ((0, 32), (52, 32), (200, 32))
"""48 float32 values in three runs of registers, as far apart as in the SDM630's table."""
REPEATS = 5


async def serve() -> None:
    """Answer every read with float32 230.0; print the port, then, at the end of stdin, how many requests came."""
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                head = await reader.readexactly(12)
                asked += 1
                transaction, _, _, unit, function, _, count = struct.unpack(">HHHBBHH", head)
                data = struct.pack(">f", 230.0) * (count // 2)
                writer.write(struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data)) + data)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(asked, flush=True)


class MeterProcess:
    """The server's process; `requests` after `end` is how many came."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__, "--serve"], stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def end(self) -> int:
        said, _ = self._process.communicate(timeout=10)
        return int(said)


def profile_of_48() -> Profile:
    """48 registers; as the product knows fewer quantities, each takes two or three of them and adds them up."""
    addresses = [start + 2 * i for start, count in BLOCKS for i in range(count // 2)]
    quantities = list(Quantity)[:24]
    registers = [Register(quantities[n % 24], "input", address, "float32") for n, address in enumerate(addresses)]
    return Profile("b48", "benchmark", "48 values", "none", "no", ReadLimits(80, 8), 10.0, tuple(registers))


async def ours(port: int, sweeps: int, profile: Profile) -> float:
    """CPU us per sweep through bus, plan, decode and readings."""
    clock = SystemClock()
    bus = Bus("bench", ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=port), clock)
    settings = ModbusDeviceSettings(profile=profile.name)
    meter = ModbusDevice(Device("m", "M", Role.MAIN_METER), settings, profile, bus, clock, main=True)
    running = asyncio.create_task(bus.run())
    for _ in range(50):
        try:
            await meter.read()
            break
        except DeviceError:
            await asyncio.sleep(0.05)
    begin = time.process_time()
    for _ in range(sweeps):
        meter._slow_due = 0.0
        await meter.read()
    spent = time.process_time() - begin
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return 1e6 * spent / sweeps


async def bare(port: int, sweeps: int) -> float:
    """CPU us per sweep of bare pymodbus: the same requests, decoded with its own converter."""
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    convert, kind = client.convert_from_registers, client.DATATYPE.FLOAT32
    begin = time.process_time()
    for _ in range(sweeps):
        for address, count in BLOCKS:
            answer = await client.read_input_registers(address, count=count, device_id=1)
            words = answer.registers
            for i in range(0, count, 2):
                convert(words[i : i + 2], kind)
    spent = time.process_time() - begin
    client.close()
    return 1e6 * spent / sweeps


def requests_per_sweep(profile: Profile, sweeps: int = 20) -> float:
    """Requests on the wire per whole sweep, counted by the meter."""
    meter = MeterProcess()
    asyncio.run(ours(meter.port, sweeps, profile))
    return meter.end() / (sweeps + 1)


def rows(quick: bool, sweeps: int = 2000) -> list[Row]:
    """The promise about batched reads."""
    sweeps = 300 if quick else sweeps
    sdm630 = load_profile("eastron_sdm630", ROOT / "config" / "devices" / "modbus")
    shipped, wide = requests_per_sweep(sdm630), requests_per_sweep(profile_of_48())
    meter = MeterProcess()
    pairs = [
        (asyncio.run(ours(meter.port, sweeps, profile_of_48())), asyncio.run(bare(meter.port, sweeps)))
        for _ in range(REPEATS)
    ]
    meter.end()
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return [
        Row(
            "a meter in batched reads",
            "3 requests, <= 2x the CPU of bare pymodbus",
            f"{shipped:.0f} requests (SDM630), {wide:.0f} for 48 values; {mine:.0f} us CPU against {theirs:.0f} us,"
            f" {ratio:.2f}x",
            f"{REPEATS} x {sweeps} sweeps of 3 requests, 48 floats each, alternating; meter in its own process",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    for row in rows(False, options.sweeps):
        print(row.line())


if __name__ == "__main__":
    main()
