"""An HTTP server inside a simulated device's process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from firmware_sim.process import ready


@contextlib.asynccontextmanager
async def serving(name: str, app: Any, port: int) -> AsyncIterator[asyncio.Task[None]]:
    """Serve an ASGI app on loopback (`port` 0: any free one) and say READY; it ends with the block."""
    listener = socket.create_server(("127.0.0.1", port))
    server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    ready(name, listener.getsockname()[1])
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield task
    finally:
        server.should_exit = server.force_exit = True
        await task


class _Server(uvicorn.Server):
    """Signals belong to the process, not to the server inside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield
