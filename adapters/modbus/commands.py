"""A device's controls: a wish is written when it changed, and again only to keep the device from falling back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from adapters.modbus.bus import Bus
from adapters.modbus.planner import ModelMoved
from adapters.modbus.writes import Control
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.ports import Clock

log = logging.getLogger(__name__)

WRITE_GAP_S = 1.0
"""At most one write a second, home time: registers in flash wear out."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the device was told last: when (monotonic home s), and how long it keeps it (None: until told otherwise)."""

    setpoint: Setpoint
    at: float
    lasts_s: float | None


class Commands:
    """The controls of one device by kind of setpoint."""

    def __init__(self, device: str, unit: int, bus: Bus, clock: Clock) -> None:
        self._device, self._unit, self._bus, self._clock = device, unit, bus, clock
        self._controls: Mapping[SetpointKind, Control] = {}
        self._held: dict[SetpointKind, Held] = {}
        self._latest: dict[SetpointKind, Setpoint] = {}
        self._next_write = 0.0
        self._next_urgent: dict[SetpointKind, float] = {}
        self._writing = asyncio.Lock()

    def meet(self, controls: Mapping[SetpointKind, Control]) -> None:
        """These are the device's controls; only what they declare may be written."""
        self._controls = controls
        spans: Iterable[frozenset[tuple[int, int, int]]] = (control.spans for control in controls.values())
        self._bus.allow_writes(self._unit, self._device, frozenset[tuple[int, int, int]]().union(*spans))

    def forget(self) -> None:
        """The device may have restarted: write the next wish whatever it was before."""
        self._held.clear()

    async def apply(self, setpoint: Setpoint) -> None:
        """Write the setpoint unless the device holds it already for long enough; raises DeviceError.

        One that had to wait for its turn and was overtaken by another of its kind is not written any more.
        """
        control = self._controls.get(setpoint.kind)
        if control is None:
            raise CommandRefused(self._device, "apply setpoint", f"the device has no control for {setpoint.kind.value}")
        life_s = (setpoint.until - self._clock.now()).total_seconds()
        if life_s <= 0:
            raise CommandRefused(self._device, "apply setpoint", "its end has passed")
        self._latest[setpoint.kind] = setpoint
        if self._holds(setpoint, life_s):
            self._held[setpoint.kind] = replace(self._held[setpoint.kind], setpoint=setpoint)
            return
        await self._wait_turn(setpoint)
        async with self._writing:
            if self._latest.get(setpoint.kind) is setpoint:
                await self._write(control, setpoint)

    async def _write(self, control: Control, setpoint: Setpoint) -> None:
        life_s = (setpoint.until - self._clock.now()).total_seconds()
        if life_s <= 0:
            raise CommandRefused(self._device, "apply setpoint", "its end has passed")
        self._took_turn(setpoint)
        self._held.pop(setpoint.kind, None)
        try:
            await control.apply(setpoint, life_s)
        except ModelMoved:  # nothing was written: the turn was not used
            self._next_write = 0.0
            self._next_urgent.pop(setpoint.kind, None)
            raise
        self._held[setpoint.kind] = Held(setpoint, self._clock.monotonic(), control.lasts_s(life_s))

    async def end_overdue(self) -> None:
        """The safe value where a wish's end has passed and the device has no timer to end it.

        A device that refuses it is told of in the log and left as it is; raises DeviceUnreachable, DeviceAnswerWrong.
        """
        now = self._clock.now()
        for kind, held in list(self._held.items()):
            if held.lasts_s is None and held.setpoint.until <= now:
                log.info("%s: %s has ended, nobody renewed it", self._device, kind.value)
                try:
                    await self._controls[kind].release()
                except CommandRefused as error:
                    log.warning("%s", error)
                del self._held[kind]

    async def release(self) -> None:
        """The safe value of each control; all are tried, then the first error is raised; raises DeviceError."""
        self._held.clear()
        self._latest.clear()
        refused: CommandRefused | None = None
        for control in self._controls.values():
            try:
                await control.release()
            except CommandRefused as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def _holds(self, setpoint: Setpoint, life_s: float) -> bool:
        held = self._held.get(setpoint.kind)
        if held is None or not setpoint.same_wish(held.setpoint):
            return False
        if held.lasts_s is None:
            return True
        left_s = held.at + held.lasts_s - self._clock.monotonic()
        ends_soon_enough = left_s <= life_s + 1.0 or held.setpoint.until <= setpoint.until
        return left_s >= held.lasts_s / 2 and ends_soon_enough

    async def _wait_turn(self, setpoint: Setpoint) -> None:
        """Safety and binding limits go out at once, and then once a second by kind; they wait for no one else's."""
        now = self._clock.monotonic()
        due = self._next_urgent.get(setpoint.kind, now) if _is_urgent(setpoint) else self._next_write
        if due > now:
            await self._clock.sleep(due - now)

    def _took_turn(self, setpoint: Setpoint) -> None:
        self._next_write = self._clock.monotonic() + WRITE_GAP_S
        if _is_urgent(setpoint):
            self._next_urgent[setpoint.kind] = self._next_write


def _is_urgent(setpoint: Setpoint) -> bool:
    return setpoint.authority <= Authority.BINDING_LIMIT
