"""The one file that knows pymodbus: its names change in nearly every minor release."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from adapters.modbus.settings import BusSettings, ModbusRtuSettings

WireError = ModbusException
FUNCTIONS = {"holding": 3, "input": 4}
WRITE_REGISTERS = 16

Client = AsyncModbusTcpClient | AsyncModbusSerialClient
Answer = ModbusPDU


def make_client(name: str, settings: BusSettings, on_change: Callable[[bool], None]) -> Client:
    """A pymodbus client without retries and reconnects of its own: the bus has both.

    Its own time-out is longer than the bus's, so that every error it raises is about a wrong frame.
    """
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # it logs every lost frame as an error
    timeout = settings.timeout_s * 2
    if isinstance(settings, ModbusRtuSettings):
        return AsyncModbusSerialClient(
            settings.path, baudrate=settings.baudrate, parity=settings.parity, stopbits=settings.stopbits,
            name=name, timeout=timeout, retries=0, reconnect_delay=0, trace_connect=on_change,
        )  # fmt: skip
    framer = FramerType.RTU if settings.framing == "rtu" else FramerType.SOCKET
    return AsyncModbusTcpClient(
        settings.host, port=settings.port, framer=framer, name=name, timeout=timeout, retries=0, reconnect_delay=0,
        trace_connect=on_change,
    )  # fmt: skip


async def ask_registers(client: Client, unit: int, function: str, address: int, count: int) -> ModbusPDU:
    """Send one read request (function "input" = FC4, "holding" = FC3)."""
    if function == "input":
        return await client.read_input_registers(address, count=count, device_id=unit)
    return await client.read_holding_registers(address, count=count, device_id=unit)


async def send_registers(client: Client, unit: int, address: int, values: Sequence[int]) -> ModbusPDU:
    """Send one FC16 write."""
    return await client.write_registers(address, list(values), device_id=unit)


def exception_code(answer: ModbusPDU) -> int | None:
    """The Modbus exception code of an answer, or None when it is a proper answer."""
    if isinstance(answer, ExceptionResponse):
        return answer.exception_code
    return None
