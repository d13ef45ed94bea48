"""The service manager's watchdog, fed by a completed tick: a hung loop is restarted."""

from __future__ import annotations

import os
import socket

from gateway.ports import Clock
from gateway.runtime.tick import Tick


async def keep_watch(tick: Tick, clock: Clock) -> None:
    """Tell systemd READY once and WATCHDOG=1 while ticks complete (sd_notify protocol); returns without systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    interval = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6
    before, ready = -1, False
    while True:
        if tick.count > before:
            _notify(address, "WATCHDOG=1" if ready else "READY=1\nWATCHDOG=1")
            before, ready = tick.count, ready or tick.count > 0
        await clock.sleep(0, real_floor=min(interval, 1.0))


def _notify(address: str, message: str) -> None:
    path = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(message.encode(), path)
