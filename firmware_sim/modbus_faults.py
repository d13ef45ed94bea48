"""Faults a Modbus device can be told to have, by lines of the hub: {"device": ..., "kind": ..., "for_s": home s}.

kind    what happens for `for_s`
stall   no reply until it is over
late    each reply comes `seconds` of the world late (1.5)
count   one register too few is sent
close   the connection is closed instead of a reply
refuse  the exception `code` (4) is sent
lie     powers are told `factor` times (2)
frozen  the device shows the values of the moment the fault began
die     listener and connections are gone (done by the server's owner)
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from firmware_sim.clock import SimClock

LOOK_S = 0.05


class Faults:
    """The faults in force."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._active: dict[str, dict[str, Any]] = {}

    def begin(self, fault: dict[str, Any]) -> float:
        """Start one fault for `for_s` (30) seconds of home time, returned; raises ValueError for a wrong number."""
        seconds = float(fault.get("for_s", 30))
        numbers: dict[str, Any] = {key: float(fault[key]) for key in ("factor", "seconds", "code") if key in fault}
        until = self._clock.now() + timedelta(seconds=seconds)
        self._active[str(fault.get("kind"))] = {**numbers, "until": until}
        return seconds

    def active(self, kind: str) -> dict[str, Any] | None:
        fault = self._active.get(kind)
        return fault if fault is not None and self._clock.now() < fault["until"] else None

    @property
    def factor(self) -> float:
        """What powers are multiplied with: 1 for an honest device."""
        lie = self.active("lie")
        return float(lie.get("factor", 2.0)) if lie else 1.0

    @property
    def frozen(self) -> bool:
        return self.active("frozen") is not None

    async def through(self, reply: bytes) -> bytes:
        """The reply as the faults leave it; empty means: close the connection."""
        while self.active("stall"):
            await asyncio.sleep(LOOK_S)
        if late := self.active("late"):
            await asyncio.sleep(float(late.get("seconds", 1.5)))
        if self.active("close"):
            return b""
        if refuse := self.active("refuse"):
            return bytes((reply[0] | 0x80, int(refuse.get("code", 4))))
        if self.active("count") and reply[0] in (3, 4):
            return bytes((reply[0], reply[1] - 2)) + reply[2:-2]
        return reply
