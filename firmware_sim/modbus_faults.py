"""Faults a Modbus device can be told to have, by lines of the hub: {"device": ..., "kind": ..., "for_s": home s}.

The kinds are the lies of firmware_sim/lies.py and:

stall   no reply until it is over
refuse  the exception `code` (4) is sent
close   the connection is closed instead of a reply
frozen  the device shows the values of the moment the fault began
die     listener and connections are gone (done by the server's owner)
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from datetime import timedelta
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.lies import ASKED, ERROR, KINDS, LINE, READS, REGISTERS, SCALES, STATE, State
from firmware_sim.modbus_frames import Frame, Piece

LOOK_S = 0.05


class Faults:
    """The faults in force."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._active: dict[str, dict[str, Any]] = {}
        self._told: State | None = None
        self._before: dict[int, Frame] = {}

    def begin(self, fault: dict[str, Any]) -> float:
        """Start one fault for `for_s` (30) seconds of home time, returned; raises ValueError for what is unknown."""
        kind = str(fault.get("kind"))
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind}")
        seconds = float(fault.get("for_s", 30))
        numbers = {key: float(value) for key, value in fault.items() if key not in ("device", "kind", "for_s")}
        now = self._clock.now()
        self._active[kind] = {**numbers, "since": now, "until": now + timedelta(seconds=seconds)}
        return seconds

    def active(self, kind: str) -> dict[str, Any] | None:
        """The numbers of a fault in force, with `age_s`; None while it is not."""
        fault, now = self._active.get(kind), self._clock.now()
        if fault is None or now >= fault["until"]:
            return None
        return {**fault, "age_s": (now - fault["since"]).total_seconds()}

    def told(self, state: State) -> State:
        """What the device believes of a state of the house."""
        if self.active("frozen") and self._told is not None:
            return self._told
        for kind, lie in STATE.items():
            if numbers := self.active(kind):
                state = lie(state, numbers)
        self._told = state
        return state

    def scales(self, scales: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """SunSpec scale factors as (shown, applied to the values)."""
        changed, wrong, lost = (self.active(kind) for kind in SCALES)
        shown = {name: value + 1 for name, value in scales.items()} if changed or wrong else dict(scales)
        applied = shown if changed else scales
        return (dict.fromkeys(shown, -0x8000) if lost else shown), applied

    def asked(self, request: bytes) -> bytes:
        """The request the device believes to have heard."""
        numbers = self.active(ASKED[0])
        if not numbers or request[0] not in READS:
            return request
        function, start, count = struct.unpack(">BHH", request)
        return struct.pack(">BHH", function, (start + int(numbers.get("shift", 6))) & 0xFFFF, count)

    async def through(self, frame: Frame) -> list[Piece]:
        """What is sent of one answer; nothing means: close the connection."""
        while self.active("stall"):
            await asyncio.sleep(LOOK_S)
        if self.active("close"):
            return []
        if refuse := self.active("refuse"):
            frame = replace(frame, pdu=bytes((frame.pdu[0] | ERROR, int(refuse.get("code", 4)))))
        frame = self._registers(frame)
        before, self._before[frame.unit] = self._before.get(frame.unit, frame), frame
        if frame.pdu[0] in READS:
            for kind, lie in LINE.items():
                if numbers := self.active(kind):
                    return lie(frame, before, numbers)
        return [Piece(frame.packed())]

    def _registers(self, frame: Frame) -> Frame:
        for kind, lie in REGISTERS.items():
            if self.active(kind) and frame.pdu[0] in READS:
                words = list(struct.unpack(f">{frame.pdu[1] // 2}H", frame.pdu[2:]))
                frame = replace(frame, pdu=frame.pdu[:2] + struct.pack(f">{len(words)}H", *lie(words)))
        return frame
