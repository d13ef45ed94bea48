"""A Modbus server of our own: TCP (MBAP) and RTU framing, functions 3, 4, 6 and 16, and faults on demand.

Written from "MODBUS Application Protocol Specification V1.1b3" and "MODBUS over Serial Line V1.02".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import tty
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_frames import Frame, crc16

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY = 3, 4, 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_SUCH_TARGET = 1, 2, 3, 11


class ModbusRefusal(Exception):
    """An exception reply with its code (V1.1b3, clause 7)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Registers(Protocol):
    """What a unit shows on the wire; both raise ModbusRefusal."""

    def read(self, function: int, start: int, count: int) -> Sequence[int]: ...

    def write(self, function: int, start: int, values: Sequence[int]) -> None: ...


def answer(registers: Registers, request: bytes) -> bytes:
    """The reply to one request, both without address and check."""
    function = request[0] if request else 0
    try:
        return _serve(registers, function, request)
    except ModbusRefusal as refusal:
        return bytes((function | 0x80, refusal.code))
    except struct.error:
        return bytes((function | 0x80, ILLEGAL_VALUE))


def _serve(registers: Registers, function: int, request: bytes) -> bytes:
    if function in (READ_HOLDING, READ_INPUT):
        start, count = struct.unpack(">HH", request[1:])
        if not 1 <= count <= 125:
            raise ModbusRefusal(ILLEGAL_VALUE)
        values = registers.read(function, start, count)
        return struct.pack(f">BB{len(values)}H", function, 2 * len(values), *values)
    if function == WRITE_ONE:
        start, value = struct.unpack(">HH", request[1:])
        registers.write(function, start, [value])
        return request
    if function == WRITE_MANY:
        start, count, size = struct.unpack(">HHB", request[1:6])
        if not 1 <= count <= 123 or size != 2 * count:
            raise ModbusRefusal(ILLEGAL_VALUE)
        registers.write(function, start, struct.unpack(f">{count}H", request[6:]))
        return request[:5]
    raise ModbusRefusal(ILLEGAL_FUNCTION)


class ModbusServer:
    """Serves units over TCP, RTU over TCP and RTU over a pty; each request passes the faults."""

    def __init__(self, units: Mapping[int, Registers], faults: Faults) -> None:
        self._units = units
        self._faults = faults
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: list[tuple[str, int, bool]] = []

    async def listen(self, port: int, *, host: str = "127.0.0.1", rtu: bool = False) -> int:
        """Listen on TCP (MBAP, or RTU frames when `rtu`) and return the port."""
        talk = self._talk_rtu if rtu else self._talk_tcp

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The loop ends with the process: a cancelled connection is no news.
            with contextlib.suppress(asyncio.CancelledError):
                await self._serve(talk, reader, writer)

        server = await asyncio.start_server(serve, host, port)
        bound = int(server.sockets[0].getsockname()[1])
        self._servers.append(server)
        self._listening.append((host, bound, rtu))
        return bound

    async def serve_pty(self, link: Path) -> None:
        """Serve RTU on a pseudo terminal whose other end is found at `link`, until cancelled."""
        ours, theirs = os.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(theirs))
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        # two descriptors: asyncio owns and closes one for each direction
        back = os.fdopen(os.dup(ours), "wb", 0)
        front = os.fdopen(ours, "rb", 0)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), front)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, back)
        try:
            await self._talk_rtu(reader, asyncio.StreamWriter(transport, protocol, None, loop))
        finally:
            link.unlink(missing_ok=True)
            transport.abort()
            os.close(theirs)

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.cut()

    def cut(self) -> None:
        """Cut all connections that are open."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def die(self, pause: Callable[[], Awaitable[None]]) -> None:
        """Be gone for the length of `pause`, then listen on the same ports again."""
        listening, self._listening = self._listening, []
        await self.close()
        await pause()
        for host, port, rtu in listening:
            await self.listen(port, host=host, rtu=rtu)

    async def _serve(
        self,
        talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._writers.add(writer)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            transaction, protocol, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            if protocol != 0 or not 2 <= length <= 254:
                return
            request = await reader.readexactly(length - 1)
            registers = self._units.get(unit)
            asked = self._faults.asked(request)
            reply = answer(registers, asked) if registers else bytes((request[0] | 0x80, NO_SUCH_TARGET))
            if not await self._send(Frame(unit, reply, transaction), writer):
                return

    async def _talk_rtu(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            unit, request = await read_rtu(reader)
            registers = self._units.get(unit)
            if registers is None:
                continue  # another unit's request: silence
            if not await self._send(Frame(unit, answer(registers, self._faults.asked(request))), writer):
                return

    async def _send(self, frame: Frame, writer: asyncio.StreamWriter) -> bool:
        """Send an answer as the faults leave it; False when the connection is to be closed instead."""
        pieces = await self._faults.through(frame)
        for piece in pieces:
            if piece.after_s:
                await asyncio.sleep(piece.after_s)
            writer.write(piece.data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        return bool(pieces)


async def read_rtu(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next request with a right check as (unit, request); noise before it is skipped byte by byte."""
    buffer = b""
    while True:
        buffer += await reader.readexactly(max(1, _rtu_length(buffer) - len(buffer)))
        while len(buffer) >= (size := _rtu_length(buffer)):
            if crc16(buffer[: size - 2]) == buffer[size - 2 : size]:
                return buffer[0], buffer[1 : size - 2]
            buffer = buffer[1:]


def _rtu_length(buffer: bytes) -> int:
    """Length of the request at the start of `buffer`, check included, as far as can be told."""
    if len(buffer) > 1 and buffer[1] == WRITE_MANY:
        return 9 + buffer[6] if len(buffer) > 6 else 9
    return 8
