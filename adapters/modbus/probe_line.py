"""The probe's own line: one connection, one question at a time, and time-outs that follow the answers seen.

The gateway's bus waits long and backs off, as its devices are known to be there; a scan meets mostly silence.
It only ever reads: functions 3, 4 and 43.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from adapters.modbus.bus import ABSENT, EXCEPTIONS, IllegalAddress
from adapters.modbus.client import Answer, Client, WireError, exception_code, make_client
from adapters.modbus.settings import BusSettings, ModbusRtuSettings
from adapters.modbus.timing import timing_of
from gateway.model.errors import DeviceAnswerWrong, DeviceUnreachable
from gateway.ports import Clock

CONNECT_S = 4.0
TCP_FLOOR_S = 0.15
SERIAL_TURN_S = 0.15
"""A meter's own time to think, and that of the adapter's cable."""
BITS_PER_CHARACTER = 11
FRAME_CHARACTERS = 13
"""A question and the frame of its answer, without the registers."""
PATIENCE = 4
"""A unit that has answered once is waited for so much longer."""
HANGUPS = 3
REST_S = 1.0
OBJECTS = {0: "vendor", 1: "product", 2: "revision", 4: "product name", 5: "model"}
"""Device identification (Modbus Application Protocol V1.1b3, clause 6.21)."""


class ProbeLine:
    """A line for probing: `name` is how people call it, `asked` counts the questions, `serial` says it is a cable."""

    def __init__(self, settings: BusSettings, clock: Clock) -> None:
        self.name = settings.path if isinstance(settings, ModbusRtuSettings) else f"{settings.host}:{settings.port}"
        self.asked = 0
        self.answered = 0
        self._settings, self._clock = settings, clock
        self.serial = isinstance(settings, ModbusRtuSettings)
        self._rtu = isinstance(settings, ModbusRtuSettings) or settings.framing == "rtu"
        self._line: Client | None = None
        self._lost = asyncio.Event()
        self._hangups = 0
        self._spent: deque[float] = deque(maxlen=20)
        self._alive: set[int] = set()

    async def open(self) -> None:
        """Open the connection; raises DeviceUnreachable with the cause in words."""
        self._lost = asyncio.Event()
        timing = timing_of(self._settings, ())
        line = make_client(self.name, self._settings, self._on_change)
        try:
            async with asyncio.timeout(CONNECT_S):
                opened = await line.connect()
        except (TimeoutError, OSError, WireError):
            opened = False
        if not opened:
            line.close()
            raise DeviceUnreachable(self.name, "connect", *await why_closed(self._settings))
        if timing.connect_delay_ms:
            await self._pause(timing.connect_delay_ms / 1000)
        self._line = line

    def close(self) -> None:
        """Close the connection."""
        line, self._line = self._line, None
        if line:
            line.close()

    async def read_block(self, unit: int, function: str, address: int, count: int, device: str) -> list[int]:
        """Registers as Bus.read_block; raises DeviceUnreachable, IllegalAddress or DeviceAnswerWrong."""
        action = f"read {function} registers {address}-{address + count - 1}"
        answer = await self._ask(unit, action, lambda line: line.read(unit, function, address, count), count)
        code = exception_code(answer)
        if code == 2:
            raise IllegalAddress(device, action, "the device has no such register (exception 2)")
        if code is not None:
            raise Refused(device, action, code)
        return list(answer.registers)

    async def identification(self, unit: int) -> dict[str, str]:
        """What the unit says of itself by function 43/14, by name of the object; empty when it does not know it."""
        try:
            answer = await self._ask(
                unit, "read device identification", lambda line: line.identify(unit), 60, patient=False
            )
        except LineGone:
            raise
        except (DeviceAnswerWrong, DeviceUnreachable):
            return {}
        known: dict[int, Any] = getattr(answer, "information", {}) if exception_code(answer) is None else {}
        return {OBJECTS[number]: _text(value) for number, value in known.items() if number in OBJECTS and _text(value)}

    async def _ask(
        self, unit: int, action: str, send: Callable[[Client], Awaitable[Answer]], count: int, *, patient: bool = True
    ) -> Answer:
        line = await self._ready()
        limit_s, begun = self._limit_s(count, known=patient and unit in self._alive), self._real_s()
        self.asked += 1
        try:
            async with asyncio.timeout(limit_s):
                answer = await send(line)
        except TimeoutError:
            await self._no_answer(unit)
            raise DeviceUnreachable(f"unit {unit}", action, f"no answer within {limit_s:.2f} s") from None
        except (WireError, OSError) as error:
            if self._lost.is_set():
                await self._no_answer(unit)
                raise DeviceUnreachable(f"unit {unit}", action, "the connection was closed") from error
            await self._quiet()
            raise DeviceAnswerWrong(f"unit {unit}", action, f"no Modbus answer: {error}") from error
        finally:
            line.hush()
        self.answered, self._hangups = self.answered + 1, 0
        if exception_code(answer) in ABSENT:
            raise DeviceUnreachable(f"unit {unit}", action, "the gateway says nobody answers there")
        self._spent.append(self._real_s() - begun)
        self._alive.add(unit)
        return answer

    async def _ready(self) -> Client:
        """The open line with nothing on its way."""
        if self._line is None or self._lost.is_set():
            await self._open_again()
        assert self._line is not None
        if self._line.strayed:
            await self._quiet()
            self._line.hush()
        return self._line

    async def _open_again(self) -> None:
        """A device that hung up is called again; one with a single connection may need a moment to see it is free."""
        self.close()
        try:
            await self.open()
        except DeviceUnreachable:
            await self._pause(REST_S)
            try:
                await self.open()
            except DeviceUnreachable as error:
                raise LineGone(error.device, error.action, error.reason, error.remedy) from error

    async def _no_answer(self, unit: int) -> None:
        if not self._lost.is_set():
            # Without transaction ids a late answer is taken for the next question's, if it is to the same unit.
            if self._rtu and unit in self._alive:
                await self._quiet()
            return
        self._hangups += 1
        if self._hangups >= HANGUPS and not self.answered:
            raise LineGone(
                self.name, "ask", "it closes the connection at every question",
                "Either this port does not speak Modbus, or another client holds the only connection it allows",
            )  # fmt: skip

    def _limit_s(self, count: int, *, known: bool) -> float:
        """How long to wait, s: silence is the usual answer of a unit not yet heard."""
        if isinstance(self._settings, ModbusRtuSettings):
            wire_s = (FRAME_CHARACTERS + 2 * count) * BITS_PER_CHARACTER / self._settings.baudrate
            return wire_s * 1.2 + SERIAL_TURN_S * (PATIENCE if known else 1)
        first_s = self._settings.timeout_s
        if known:
            return first_s * PATIENCE
        floor_s = TCP_FLOOR_S * (2 if self._rtu else 1)
        return min(first_s, max(floor_s, 3 * max(self._spent))) if self._spent else first_s

    async def _quiet(self) -> None:
        if self._rtu:
            await self._pause(2 * SERIAL_TURN_S if self.serial else self._settings.timeout_s)

    async def _pause(self, real_s: float) -> None:
        await self._clock.sleep(0, real_floor=real_s)

    def _on_change(self, up: bool) -> None:
        if not up:
            self._lost.set()

    def _real_s(self) -> float:
        return self._clock.monotonic() / self._clock.speed


class LineGone(DeviceUnreachable):
    """The whole line cannot be asked any more, not only one unit."""


class Refused(DeviceAnswerWrong):
    """The unit refused with a Modbus exception other than 2; `code` is its number."""

    def __init__(self, device: str, action: str, code: int) -> None:
        super().__init__(device, action, f"the device answered exception {code} ({EXCEPTIONS.get(code, 'unknown')})")
        self.code = code


async def why_closed(settings: BusSettings) -> tuple[str, str]:
    """Why a connection cannot be opened and what to do, in words, by trying once without the protocol."""
    if isinstance(settings, ModbusRtuSettings):
        return _why_no_line(settings.path)
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
    except ConnectionRefusedError:
        return f"nobody answers there: the host refuses port {settings.port}", "Check port and that Modbus is enabled"
    except TimeoutError:
        return "nobody answers there: no reply to the call", "Check address, power, network and firewall"
    except OSError as error:
        return f"nobody answers there: {error.strerror or error}", "Check address and network"
    writer.close()
    return "the connection was closed at once", "Another client may hold the only connection it allows; try again"


def _why_no_line(path: str) -> tuple[str, str]:
    if not Path(path).exists():
        return "there is no such serial device", "Look into /dev/serial/by-id, and check the plug"
    if not os.access(path, os.R_OK | os.W_OK):
        return "no permission to open it", "Add the user to the group that owns it (often dialout)"
    return "it cannot be opened", "Check that no other program holds it"


def _text(value: Any) -> str:
    raw = value[0] if isinstance(value, list) and value else value
    return raw.decode("utf-8", "replace").strip("\0 ") if isinstance(raw, bytes) else ""
