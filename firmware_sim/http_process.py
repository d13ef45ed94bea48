"""An HTTP server inside a simulated device's process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import uvicorn

from firmware_sim.process import ready


@contextlib.asynccontextmanager
async def serving(
    name: str,
    app: Any,
    port: int,
    now: Callable[[], datetime] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve an ASGI app on loopback (`port` 0: any free one) and say READY; it ends with the block.

    `now` is the simulated world's time: it stands in the Date header of each answer, as a utility's clock would.
    With `tls` it serves https with that context.
    """
    # With its protocol named, or asyncio leaves Nagle on and each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)
    config = uvicorn.Config(
        app if now is None else _Dated(app, now),
        log_level="warning",
        access_log=False,
        lifespan="off",
        date_header=now is None,
    )
    config.load()
    config.ssl = tls
    server = _Server(config)
    ready(name, listener.getsockname()[1])
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield task
    finally:
        server.should_exit = server.force_exit = True
        await task


class _Dated:
    """Puts the simulated world's time into each answer."""

    def __init__(self, app: Any, now: Callable[[], datetime]) -> None:
        self._app, self._now = app, now

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._now(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", []), (b"date", date)]}
            await send(message)

        await self._app(scope, receive, dated)


class _Server(uvicorn.Server):
    """Signals belong to the process, not to the server inside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield
