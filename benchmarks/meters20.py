"""Twenty three-phase meters once a second in one process: CPU, memory, and how evenly they are read.

    python benchmarks/meters20.py [--seconds 60] [--meters 20]

The meters are simulated SDM630s in a process of their own, each with its own connection. The reading process runs what the
gateway runs for them: buses, profiles, reading loops, validation, roll-ups, intervals, and the store on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.table import ROOT, Row

WARM_UP_S = 3.0


def state_of(number: int, at_s: float) -> dict[str, Any]:
    """A meter's home at one instant: powers that wander, currents and counters to match."""
    watts = [500.0 + 300 * math.sin(at_s / 60 + number + phase) for phase in range(3)]
    volts = [230.0 + math.sin(at_s / 7 + phase) for phase in range(3)]
    counted = 1e6 + (500.0 * 3 * at_s - 18_000 * sum(math.cos(at_s / 60 + number + p) for p in range(3))) / 3600
    return {
        "voltage_v": volts, "grid_w": watts, "current_a": [w / v for w, v in zip(watts, volts, strict=True)],
        "grid_import_wh": counted, "grid_export_wh": 0.0, "grid_phase_import_wh": [counted / 3] * 3,
        "grid_phase_export_wh": [0.0] * 3,
    }  # fmt: skip


async def serve(meters: int) -> None:
    """Serve so many meters, print their ports, and show new values five times a second until stdin ends."""
    from firmware_sim.clock import SimClock
    from firmware_sim.meter import Sdm630
    from firmware_sim.modbus_faults import Faults
    from firmware_sim.modbus_server import ModbusServer

    faults = Faults(SimClock(datetime.now(UTC), time.time()))
    shown = [Sdm630(faults) for _ in range(meters)]
    begin = time.time()
    for number, meter in enumerate(shown):
        meter.show(state_of(number, 0.0))
    servers = [ModbusServer({1: meter}, faults) for meter in shown]
    print(json.dumps([await server.listen(0) for server in servers]), flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        for number, meter in enumerate(shown):
            meter.show(state_of(number, time.time() - begin))
            await asyncio.sleep(0.2 / meters)


async def read(ports: list[int], seconds: float, folder: Path) -> dict[str, float]:
    """Read the meters for so long; CPU in percent of a core, RSS in MiB, jitter of the period in ms."""
    from adapters.modbus.bus import Bus
    from adapters.modbus.device import ModbusDevice
    from adapters.modbus.profile import load_profile
    from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
    from adapters.sqlite.store import SqliteStore
    from gateway.model.reading import Reading
    from gateway.model.site import Device, Role, Site
    from gateway.runtime.live import Changes, HomeState
    from gateway.runtime.meters import Intake, MeterLoop
    from gateway.runtime.notices import Notices
    from gateway.runtime.system_clock import SystemClock

    class Timed:
        """A meter that notes when it is asked."""

        def __init__(self, meter: ModbusDevice) -> None:
            self.id, self.period_s, self._meter = meter.id, meter.period_s, meter
            self.asked: list[float] = []
            self.answered = 0

        async def read(self) -> list[Reading]:
            self.asked.append(time.perf_counter())
            readings = await self._meter.read()
            self.answered += 1
            return readings

    clock, store = SystemClock(), SqliteStore.open(folder / "hearth.sqlite")
    roles = [Role.MAIN_METER, *[Role.SUB_METER] * (len(ports) - 1)]
    devices = tuple(Device(f"m{n}", f"Meter {n}", role) for n, role in enumerate(roles))
    site = Site("Twenty", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, 40.0, devices)
    state = HomeState(site, clock)
    intake = Intake(state, clock, store, Notices(store, clock, Changes()))
    profile = load_profile("eastron_sdm630", ROOT / "config" / "devices" / "modbus")
    buses = [
        Bus(f"b{n}", ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=port), clock)
        for n, port in enumerate(ports)
    ]
    timed = [
        Timed(ModbusDevice(device, ModbusDeviceSettings(profile=profile.name), profile, bus, clock, main=True))
        for device, bus in zip(devices, buses, strict=True)
    ]
    async with AsyncExitStack() as ending:
        ending.push_async_callback(store.close)
        tasks = [asyncio.create_task(bus.run()) for bus in buses]
        while not all(bus.connected for bus in buses):
            await asyncio.sleep(0.02)
        tasks += [asyncio.create_task(intake.run())]
        for meter, role in zip(timed, roles, strict=True):
            tasks.append(asyncio.create_task(MeterLoop(meter, intake, clock, role).run()))
        await asyncio.sleep(WARM_UP_S)
        for meter in timed:
            meter.asked.clear()
            meter.answered = 0
        cpu, begin = time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        cpu, spent = time.process_time() - cpu, time.perf_counter() - begin
        left = set(tasks)
        while left:  # a library may turn a cancellation into an error of its own: it is told again
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.5)
    steps = [later - first for meter in timed for first, later in zip(meter.asked, meter.asked[1:], strict=False)]
    off = sorted(abs(step - 1.0) * 1000 for step in steps)
    drift = [abs((meter.asked[-1] - meter.asked[0]) - (len(meter.asked) - 1)) * 1000 for meter in timed]
    return {
        "cpu": 100 * cpu / spent, "rss": _rss_mib(), "p50": off[len(off) // 2], "p99": off[int(len(off) * 0.99)],
        "worst": off[-1], "drift": max(drift) / spent, "sweeps": sum(meter.answered for meter in timed) / spent,
        "refused": float(sum(intake.refused.values())),
    }  # fmt: skip


def _rss_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def measure(meters: int, seconds: float) -> dict[str, float]:
    """One run with both processes."""
    pipe = subprocess.PIPE
    served = subprocess.Popen(
        [sys.executable, __file__, "--serve", "--meters", str(meters)], stdin=pipe, stdout=pipe, text=True
    )
    try:
        assert served.stdout
        ports = served.stdout.readline()
        command = [sys.executable, __file__, "--read", ports, "--seconds", str(seconds)]
        found: dict[str, float] = json.loads(subprocess.run(command, stdout=pipe, check=True, text=True).stdout)
        return found
    finally:
        served.communicate()


def rows(quick: bool, seconds: float = 120.0, meters: int = 20) -> list[Row]:
    """The promise about many meters in one process."""
    seconds = 15.0 if quick else seconds
    f = measure(meters, seconds)
    words = (
        f"CPU {f['cpu']:.1f} % of a core, RSS {f['rss']:.0f} MiB, {f['sweeps']:.1f} sweeps/s, {f['refused']:.0f} refused;"
        f" off its second p50 {f['p50']:.1f} ms, p99 {f['p99']:.1f} ms, worst {f['worst']:.0f} ms,"
        f" drift {f['drift']:.2f} ms/s"
    )
    how = f"{meters} simulated SDM630 at 1 Hz on {meters} TCP connections for {seconds:.0f} s, validation and store running"
    return [Row("20 meters at 1 Hz in one process", "jitter p99 <= 100 ms", words, how)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--meters", type=int, default=20)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.meters))
    elif options.read:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(read(json.loads(options.read), options.seconds, Path(folder)))))
    else:
        for row in rows(False, options.seconds, options.meters):
            print(row.line())


if __name__ == "__main__":
    main()
