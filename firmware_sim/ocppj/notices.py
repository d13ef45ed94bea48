"""Messages that are lost when the line is down: heartbeats, statuses, what a trigger asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware_sim.ocppj.line import UNREACHABLE, Line, Payload


class Notices:
    """They go out one after the other, after the boot was accepted; what a trigger asked for also before."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: asyncio.Queue[tuple[str, Payload, bool]] = asyncio.Queue()

    def put(self, action: str, payload: Payload, *, triggered: bool) -> None:
        """Send this when its turn comes."""
        self._waiting.put_nowait((action, payload, triggered))

    async def run(self, booted: Callable[[], bool]) -> None:
        """Send until cancelled."""
        while True:
            action, payload, triggered = await self._waiting.get()
            if booted() or triggered or action == "BootNotification":
                try:
                    await self._line.call(action, payload)
                except UNREACHABLE:
                    continue
