"""Setpoints to devices whose profile declares the registers to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.modbus.bus import Bus
from adapters.modbus.writes import Write, WriteField, WriteFrame, WriteSpan
from gateway.model.errors import CommandRefused
from gateway.model.setpoint import Setpoint


class RegisterControl:
    """A Control as a profile declares it."""

    def __init__(self, bus: Bus, unit: int, write: Write, device: str) -> None:
        self._bus, self._unit, self._write, self._device = bus, unit, write, device

    @property
    def spans(self) -> frozenset[WriteSpan]:
        """All it may ever write."""
        return self._write.spans

    def lasts_s(self, life_s: float) -> float | None:
        """Its watchdog's time, whatever the wish's life."""
        return self._write.watchdog_s

    async def apply(self, setpoint: Setpoint, life_s: float) -> None:
        """Unlock, write in the declared order, read back; raises CommandRefused before anything is sent when out of range."""
        wish = {"value": setpoint.value, "low": setpoint.low}
        await self._send([*self._write.unlock, *self._write.frames], wish, f"set {self._write.kind.value}")

    async def release(self) -> None:
        """Write the safe value; raises DeviceError."""
        await self._send(self._write.release, {}, f"release {self._write.kind.value}")

    async def _send(self, frames: Iterable[WriteFrame], wish: Mapping[str, float], action: str) -> None:
        try:
            sending = [(frame, [await self._words(field, wish) for field in frame.fields]) for frame in frames]
        except ValueError as error:
            raise CommandRefused(self._device, action, str(error)) from error
        sent = [(frame, [word for words in fields for word in words]) for frame, fields in sending]
        for frame, words in sent:
            await self._bus.write_registers(self._unit, frame.address, words, self._device, function=frame.function)
        for frame, words in sent:
            await self._verify(frame, words, action)

    async def _words(self, field: WriteField, wish: Mapping[str, float]) -> list[int]:
        if field.copy_of is None:
            return field.words(wish)
        return await self._bus.read_block(self._unit, "holding", field.copy_of, field.size, self._device)

    async def _verify(self, frame: WriteFrame, sent: Sequence[int], action: str) -> None:
        if frame.read_back is None:
            return
        held = await self._bus.read_block(self._unit, "holding", frame.read_back, frame.count, self._device)
        for wrong in frame.faults(sent, held)[:1]:
            raise CommandRefused(self._device, action, wrong)
