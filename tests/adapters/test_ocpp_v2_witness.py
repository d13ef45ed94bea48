"""The simulated charge points, which share no code with the product, as witnesses of quirk 15 in real processes."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.ocpp.connector import Connector
from adapters.ocpp.csms import Csms
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from gateway.model.errors import DeviceError
from gateway.model.site import ChargerSpec, Device, Role
from gateway.runtime.system_clock import SystemClock
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, current

SPEED = 20.0
ROOT = Path(__file__).parents[2]
CHARGERS = [
    ("1.6", "sixteen-on-201"),
    ("2.0.1", "sixteen-shapes"),
    ("2.0.1", "meter-values-instead-of-events"),
    ("2.0.1", "inventory-without-evse"),
    ("2.1", "no-smart-available"),
    ("2.1", "no-boot"),
]


async def _charger(clock: SystemClock, csms: Csms, number: int, version: str, quirk: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "firmware_sim", "chargers",
        "--home-epoch", clock.now().isoformat(), "--real-epoch", str(time.time()), "--speed", str(SPEED),
        "--url", f"ws://127.0.0.1:{csms.port}/ocpp", "--first", str(number), "--version", version, "--quirk", quirk,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def _obeys(clock: SystemClock, connector: Connector) -> None:
    while True:
        with suppress(DeviceError):
            await connector.apply(current(10, clock.now() + timedelta(minutes=5), connector.id))
        if connector.status().power_w == pytest.approx(6900, abs=100):
            return
        await asyncio.sleep(0.1)


@pytest.mark.end_to_end
@pytest.mark.slow
async def test_q15_simulated_chargers_of_all_versions_end_at_the_wanted_current() -> None:
    clock = SystemClock(speed=SPEED)
    settings = OcppSettings.model_validate({"kind": "ocpp", "host": "127.0.0.1", "port": 0})
    csms = Csms("csms", settings, clock, FakeSessions(), FakeFacts(), lambda who, what: None)
    connectors = [
        csms.charger(
            Device(f"c{number}", quirk, Role.EV_CHARGER, ChargerSpec()),
            OcppDeviceSettings.model_validate({"charge_point_id": f"CP_{number}"}),
        )
        for number, (_, quirk) in enumerate(CHARGERS, 1)
    ]
    serving = asyncio.create_task(csms.run())
    await asyncio.wait_for(csms.serving.wait(), 5)
    processes = [await _charger(clock, csms, number, *which) for number, which in enumerate(CHARGERS, 1)]
    try:
        async with asyncio.timeout(90):
            await asyncio.gather(*(_obeys(clock, connector) for connector in connectors))
        versions = [connector.status().version for connector in connectors]
        assert versions == ["1.6", "2.0.1", "2.0.1", "2.0.1", "2.1", "2.1"]
    finally:
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.wait() for process in processes))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
