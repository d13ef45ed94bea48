"""A WebSocket connection as a line of text messages, in our own errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from adapters.ocpp.dispatch import LinkLost


class SocketLine:
    """The line of one connection; its messages end with it, for whatever reason."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages of the peer; ends with the connection and never raises."""
        try:
            async for message in self._connection:
                yield message
        except ConnectionClosed:
            return

    async def send(self, text: str) -> None:
        """Put one text message on the wire; raises LinkLost."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise LinkLost(str(closed)) from None

    async def close(self, code: int, reason: str) -> None:
        """End the connection in order; returns at once when it has ended."""
        await self._connection.close(code, reason)


class WaitingLine:
    """The messages of a connection until it ends or `enough` is set; none is lost for who reads on."""

    def __init__(self, connection: ServerConnection, enough: asyncio.Event) -> None:
        self._connection = connection
        self._enough = enough

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        enough = asyncio.ensure_future(self._enough.wait())
        try:
            while True:
                message = asyncio.ensure_future(self._connection.recv())
                try:
                    await asyncio.wait((message, enough), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    message.cancel()  # websockets loses no message by it
                if not message.done():
                    await asyncio.gather(message, return_exceptions=True)
                    return
                yield message.result()
        except ConnectionClosed:
            return
        finally:
            enough.cancel()
