"""The web server inside the gateway's process: no signal handlers, no access log, ends when cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Iterator

import uvicorn

from gateway.model.errors import HearthError
from gateway.ports import Clock
from gateway.web.app import create_app
from gateway.web.dr_view import DrHome
from gateway.web.settings import WebSettings

log = logging.getLogger(__name__)
LARGEST_CONNECTIONS = 200


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the gateway decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(home: DrHome, settings: WebSettings, clock: Clock) -> None:
    """Serve until cancelled; raises HearthError when the port cannot be had."""
    await serve_on(listen(settings), home, settings)


def listen(settings: WebSettings) -> socket.socket:
    """The listening socket; raises HearthError with what to do when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(128)
    except OSError as error:
        found.close()
        where = f"{settings.host}:{settings.port}"
        remedy = "Stop what uses it, or set another web.port in the site file (demo: --port)."
        raise HearthError(f"The pages cannot be served on {where}: {error.strerror}. {remedy}") from error
    found.setblocking(False)
    return found


async def serve_on(sock: socket.socket, home: DrHome, settings: WebSettings) -> None:
    """Serve on a listening socket until cancelled."""
    app = create_app(home, settings=settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # Behind a proxy the peer is the proxy; whose word it brings is not ours to believe.
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=LARGEST_CONNECTIONS,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    login = app.state.login
    host, port = sock.getsockname()[:2]
    if not settings.demo_login and not await login.is_set_up():
        # For the person at the console only; the log keeps no secrets.
        sys.stdout.write(f"Set-up code: {login.setup_code}  (open http://{host}:{port}/login and set a password)\n")
        sys.stdout.flush()
    log.info("pages and API on http://%s:%s", host, port)
    await _until_cancelled(server, sock)


async def _until_cancelled(server: Server, sock: socket.socket) -> None:
    running = asyncio.create_task(server.serve(sockets=[sock]), name="uvicorn")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise
    finally:
        sock.close()
