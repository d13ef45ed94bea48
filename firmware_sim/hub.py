"""The wires inside the simulated home: JSON lines over TCP between the house and its devices.

device -> house   {"hello": "meter"}  {"set": {...}}
house  -> device  {"state": {...}} at each physics step, {"fault": {...}} for that device
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

RETRY_S = 0.2
LINE_LIMIT = 1 << 20

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class HubClient:
    """A device's end of the wire; `run()` keeps it connected until cancelled.

    >>> hub = HubClient("meter", 9000)
    >>> task = asyncio.create_task(hub.run())
    >>> async for state in hub.states(): ...
    """

    def __init__(self, name: str, port: int, host: str = "127.0.0.1") -> None:
        self.name = name
        self.latest: Message | None = None
        self.faults: asyncio.Queue[Message] = asyncio.Queue()
        self.reports: asyncio.Queue[Message] = asyncio.Queue()
        self._address = (host, port)
        self._writer: asyncio.StreamWriter | None = None
        self._wishes: Message = {}
        self._news = asyncio.Event()
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Connect, listen and reconnect until cancelled; the last values set are sent again on each connection."""
        while True:
            with contextlib.suppress(OSError, ValueError):
                await self._session()
            await asyncio.sleep(RETRY_S)

    async def states(self) -> AsyncIterator[Message]:
        """The states as they come; a slow reader gets the newest and misses those between."""
        while True:
            await self._news.wait()
            if self.latest is not None:
                yield self.latest

    async def set(self, **values: Any) -> None:
        """Set values of the house; kept and sent on the next connection when there is none now."""
        self._wishes.update(values)
        await self._write({"set": values})

    async def send(self, message: Message) -> None:
        """Send one line of any kind (fault, car, house); waits for the connection."""
        await self._connected.wait()
        await self._write(message)

    async def report(self) -> Message:
        """Ask the house for its energies and peaks since the start."""
        await self.send({"report": True})
        return await self.reports.get()

    async def _session(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address, limit=LINE_LIMIT)
        self._writer = writer
        try:
            writer.write(encode({"hello": self.name}))
            if self._wishes:
                writer.write(encode({"set": self._wishes}))
            await writer.drain()
            self._connected.set()
            while line := await reader.readline():
                self._receive(json.loads(line))
        finally:
            self._connected.clear()
            self._writer = None
            writer.close()

    def _receive(self, message: Message) -> None:
        if "state" in message:
            self.latest = message["state"]
            news, self._news = self._news, asyncio.Event()
            news.set()
        elif "fault" in message:
            self.faults.put_nowait(message["fault"])
        elif "report" in message:
            self.reports.put_nowait(message["report"])

    async def _write(self, message: Message) -> None:
        writer = self._writer
        if writer is None:
            return
        with contextlib.suppress(OSError):
            writer.write(encode(message))
            await writer.drain()


class HubServer:
    """The house's end: broadcasts states, forwards faults, hands everything else to the house.

    `on_message(device, message)` gets every other line and may return an answer for the sender;
    `on_leave(device)` is called when the last connection of a device closed.
    """

    def __init__(self, on_message: Callable[[str, Message], Message | None], on_leave: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_leave = on_leave
        self._clients: dict[asyncio.StreamWriter, str] = {}
        self._last_state: bytes | None = None
        self._server: asyncio.Server | None = None

    async def start(self, port: int, host: str = "127.0.0.1") -> int:
        """Listen and return the port (ephemeral when 0 was asked)."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LINE_LIMIT)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._clients):
            writer.close()

    def broadcast(self, state: Message) -> None:
        """Send one state to all; a client that does not read misses states instead of filling memory."""
        self._last_state = encode({"state": state})
        for writer in self._clients:
            if writer.transport.get_write_buffer_size() < LINE_LIMIT:
                writer.write(self._last_state)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients[writer] = ""
        if self._last_state is not None:
            writer.write(self._last_state)
        try:
            while line := await reader.readline():
                self._handle(writer, json.loads(line))
        except (OSError, ValueError, TypeError, AttributeError):
            pass  # a torn or garbled line ends this connection only; the device comes back
        finally:
            self._leave(writer)

    def _handle(self, writer: asyncio.StreamWriter, message: Message) -> None:
        if "hello" in message:
            self._clients[writer] = str(message["hello"])
        elif "fault" in message:
            self._forward(message)
        else:
            answer = self._on_message(self._clients[writer], message)
            if answer is not None:
                writer.write(encode(answer))

    def _forward(self, message: Message) -> None:
        line = encode(message)
        for writer, device in self._clients.items():
            if device == message["fault"].get("device"):
                writer.write(line)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        device = self._clients.pop(writer, "")
        writer.close()
        if device and device not in self._clients.values():
            self._on_leave(device)
