"""The one file that knows pymodbus: its names change in nearly every minor release."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from adapters.modbus.framing import WRITE_ONE, Judge, judge_rtu, judge_tcp
from adapters.modbus.settings import BusSettings, ModbusRtuSettings
from adapters.modbus.timing import Timing, timing_of

WireError = ModbusException
FUNCTIONS = {"holding": 3, "input": 4}
SHORTEST_FRAME = 4
"""Fewer bytes than this are noise on the line: they can be nobody's answer."""

Answer = ModbusPDU


class Client:
    """A connection without retries and reconnects of its own (the bus has both); it gives whole, fitting answers only.

    Its own time-out is longer than the bus's, so that every error it raises is about a wrong frame.
    """

    def __init__(self, name: str, settings: BusSettings, timing: Timing, on_change: Callable[[bool], None]) -> None:
        timeout_s = 2 * timing.longest_timeout_s
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # it logs every lost frame as an error
        self.received = 0
        """Bytes that came since the last question."""
        self.lost = False
        """The peer closed it."""
        self._tell = on_change
        self._judge: Judge = judge_tcp
        self._question = b""
        self._stray = 0
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient
        if isinstance(settings, ModbusRtuSettings):
            self._judge = judge_rtu
            self._client = AsyncModbusSerialClient(
                settings.path, baudrate=timing.baudrate, parity=timing.parity, stopbits=timing.stopbits, name=name,
                timeout=timeout_s, retries=0, reconnect_delay=0, trace_connect=self._changed, trace_packet=self._packet,
            )  # fmt: skip
            return
        framer = FramerType.SOCKET
        if settings.framing == "rtu":
            framer, self._judge = FramerType.RTU, judge_rtu
        self._client = AsyncModbusTcpClient(
            settings.host, port=settings.port, framer=framer, name=name, timeout=timeout_s, retries=0,
            reconnect_delay=0, trace_connect=self._changed, trace_packet=self._packet,
        )  # fmt: skip

    @property
    def strayed(self) -> bool:
        """Whether something long enough for a frame came to nobody's question since `hush`."""
        return self._stray >= SHORTEST_FRAME

    async def connect(self) -> bool:
        """Open it; False, or OSError, when the peer is absent."""
        return await self._client.connect()

    def close(self) -> None:
        """Close it."""
        self._client.close()

    async def read(self, unit: int, function: str, address: int, count: int) -> Answer:
        """Send one read request (function "input" = FC4, "holding" = FC3)."""
        ask = self._client.read_input_registers if function == "input" else self._client.read_holding_registers
        return await ask(address, count=count, device_id=unit)

    async def write(self, unit: int, function: int, address: int, values: Sequence[int]) -> Answer:
        """Send one write: FC6 for one register, FC16 for neighbouring ones at once."""
        if function == WRITE_ONE:
            return await self._client.write_register(address, values[0], device_id=unit)
        return await self._client.write_registers(address, list(values), device_id=unit)

    async def identify(self, unit: int) -> Answer:
        """Ask the unit for its basic device identification (function 43/14)."""
        return await self._client.read_device_information(read_code=1, object_id=0, device_id=unit)

    def hush(self) -> None:
        """No question is open any more: whatever comes now comes to nobody's."""
        self._question = b""
        self._stray = 0

    def _changed(self, up: bool) -> None:
        self.lost = self.lost or not up
        self._tell(up)

    def _packet(self, sending: bool, data: bytes) -> bytes:
        """What pymodbus sends, and what it may see of what came: our answer, whole, or nothing."""
        if sending:
            self._question, self.received, self._stray = data, 0, 0
            return data
        if not self._question:
            self._stray = max(self._stray, len(data))
            return b""
        self.received = len(data)
        verdict = self._judge(self._question, data)
        if verdict.frame or verdict.wrong:
            self._question = b""
        if verdict.wrong and not self._client.ctx.response_future.done():
            self._client.ctx.response_future.set_exception(WireError(verdict.wrong))
        return verdict.frame


def exception_code(answer: ModbusPDU) -> int | None:
    """The Modbus exception code of an answer, or None when it is a proper answer."""
    if isinstance(answer, ExceptionResponse):
        return answer.exception_code
    return None


def make_client(name: str, settings: BusSettings, on_change: Callable[[bool], None]) -> Client:
    """A client of a line whose devices need nothing in particular."""
    return Client(name, settings, timing_of(settings, ()), on_change)
