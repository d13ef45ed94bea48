"""What meter and inverter share: a Modbus server on one side, the hub on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.hub import HubClient, Message
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import ModbusServer
from firmware_sim.process import ready

log = logging.getLogger(__name__)


async def serve_device(
    hub: HubClient,
    server: ModbusServer,
    faults: Faults,
    clock: SimClock,
    show: Callable[[Message], None],
    *,
    port: int,
    rtu_port: int | None = None,
    pty: Path | None = None,
    beside: Callable[[], Any] | None = None,
) -> None:
    """Serve until cancelled: `show(state)` at each state of the house; READY once the first one was shown."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.run())
        first = asyncio.Event()
        tasks.create_task(_follow(hub, show, first))
        tasks.create_task(_suffer(hub, server, faults, clock))
        if beside is not None:
            tasks.create_task(beside())
        await first.wait()
        if pty is not None:
            tasks.create_task(server.serve_pty(pty))
        if rtu_port is not None:
            ready(f"{hub.name}-rtu", await server.listen(rtu_port, rtu=True))
        ready(hub.name, await server.listen(port))


async def _follow(hub: HubClient, show: Callable[[Message], None], first: asyncio.Event) -> None:
    async for state in hub.states():
        show(state)
        first.set()


async def _suffer(hub: HubClient, server: ModbusServer, faults: Faults, clock: SimClock) -> None:
    async with asyncio.TaskGroup() as tasks:
        while True:
            fault = await hub.faults.get()
            try:
                seconds = faults.begin(fault)
            except (TypeError, ValueError) as error:
                log.warning("%s cannot have the fault %s: %s", hub.name, fault, error)
                continue
            if fault.get("kind") == "die":
                tasks.create_task(server.die(partial(clock.sleep, seconds)))
