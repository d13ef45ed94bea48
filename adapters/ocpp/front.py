"""One port for plain and TLS connections: the first byte tells them apart, before anything of it is read.

TCP accepted -> first byte 0x16 -> TLS handshake -+-> HTTP upgrade -> WebSocket
                   |  anything else --------------+
                   +- nothing in time, or the handshake fails: the end
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import SecurityError
from websockets.server import ServerProtocol

from adapters.ocpp.tls import ServerTls, why_failed
from gateway.model.charging import TraceLine

log = logging.getLogger(__name__)

HANDSHAKE_BYTE = 0x16
"""The first byte of a TLS record with a handshake (RFC 8446, section 5.1); no HTTP request begins with it."""
FIRST_BYTE_S, TLS_S, REQUEST_S = 10.0, 10.0, 10.0
"""Real seconds for each step: a peer that dawdles is hung up on."""
OPENING = 256
"""So many connections may be on their way in at once, and so many of one address."""
OPENING_PER_ADDRESS = 128
FRAME_BYTES = 2**20
CLOSE_S = 2.0


class Front:
    """What the listening port does before there is a request: counts who is coming in, and speaks TLS."""

    def __init__(
        self,
        tls: ServerTls | None,
        may_enter: Callable[[str], str],
        nameless: Callable[[str, Sequence[TraceLine]], None],
        now: Callable[[], datetime],
    ) -> None:
        self.tls = tls
        """Makes the TLS context for the next connection; None: plain only."""
        self.may_enter = may_enter
        """Called with an address; why it may not come in, or ""."""
        self.nameless = nameless
        """Called with an address and the steps of a connection that ended before it named a charge point."""
        self.now = now
        self._opening: dict[FrontConnection, str] = {}

    async def listen(self, host: str, port: int, **how: Any) -> Server:
        """Listen with websockets' own server, whose connections pass this front first; raises OSError."""
        # The library asks for a class; what it does is call it with these arguments.
        create = cast(type[ServerConnection], self._connection)
        return await serve(
            host=host,
            port=port,
            create_connection=create,
            compression=None,
            max_size=FRAME_BYTES,
            open_timeout=REQUEST_S,
            close_timeout=CLOSE_S,
            server_header=None,
            **how,
        )

    def _connection(self, protocol: ServerProtocol, server: Server, **how: Any) -> ServerConnection:
        return FrontConnection(self, protocol, server, **how)

    def begin(self, connection: FrontConnection, address: str) -> str:
        """A connection comes in: why it is refused, or ""."""
        if len(self._opening) >= OPENING or list(self._opening.values()).count(address) >= OPENING_PER_ADDRESS:
            return "too many connections are on their way in"
        why = self.may_enter(address)
        if not why:
            self._opening[connection] = address
        return why

    def came_in(self, connection: FrontConnection) -> None:
        """It is through, or gone."""
        self._opening.pop(connection, None)

    def close(self) -> None:
        """Hang up on whoever is still on the way in."""
        for connection in list(self._opening):
            connection.hang_up()


class FrontConnection(ServerConnection):
    """A WebSocket connection that starts only when it is known whether TLS is spoken on it."""

    def __init__(self, front: Front, protocol: ServerProtocol, server: Server, **how: Any) -> None:
        super().__init__(protocol, server, **how)
        self.address = "?"
        self.steps: list[TraceLine] = []
        """What happened on the way in; whoever learns the identity takes them."""
        self.named = False
        self.answered = False
        """Whether a request was read and answered, be it with a refusal."""
        self.why_unasked = ""
        """Why it was not asked for a certificate, in words; "" when it was, or nobody is."""
        self._front = front
        self._raw: asyncio.Transport | None = None
        self._way_in: asyncio.Task[None] | None = None
        self._started = False
        self._early = bytearray()

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The peer's verified certificate as `getpeercert` tells it; None on a plain line, {} when it showed none."""
        secured = self.transport.get_extra_info("ssl_object")
        return (secured.getpeercert() or {}) if secured is not None else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection stands: nothing is read of it before its first byte was looked at."""
        self._raw = cast(asyncio.Transport, transport)
        self.address = str((transport.get_extra_info("peername") or ("?",))[0])
        why = self._front.begin(self, self.address)
        if why:
            self.note(f"hung up on: {why}")
            self.hang_up()
            return
        self._raw.pause_reading()
        self._way_in = self.loop.create_task(self._come_in(self._raw), name=f"way in of {self.address}")

    async def _come_in(self, raw: asyncio.Transport) -> None:
        try:
            transport = await self._secured(raw)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.note(f"TLS handshake failed: {why_failed(error)}")
            self.hang_up()
            return
        if transport is None or transport.is_closing():
            self.hang_up()
            return
        self._start(transport)

    async def _secured(self, raw: asyncio.Transport) -> asyncio.Transport | None:
        """The transport to speak WebSocket on; None when there will be nothing to speak about."""
        try:
            first = await _first_byte(raw)
        except TimeoutError:
            self.note("connected and said nothing")
            return None
        if first is None:
            return None  # whoever only looks whether the port is open is no charger
        if first != HANDSHAKE_BYTE:
            self.note("TCP connected, plain")
            return raw
        if self._front.tls is None:
            self.note("hung up on: it spoke TLS, but this hub has no certificate")
            return None
        context = self._front.tls.context(self.address)
        self.why_unasked = self._front.tls.spared(self.address)
        try:
            secured = await self.loop.start_tls(
                raw, self, context, server_side=True, ssl_handshake_timeout=TLS_S, ssl_shutdown_timeout=CLOSE_S
            )
        except ssl.SSLCertVerificationError as error:
            self._front.tls.spare(self.address, f"the one it showed is not accepted: {error.verify_message}")
            raise
        if secured is not None:
            version = secured.get_extra_info("ssl_object").version()
            self.note(f"TCP connected, {version} agreed")
        return secured

    def _start(self, transport: asyncio.Transport) -> None:
        self._front.came_in(self)
        super().connection_made(transport)
        self._started = True
        if self._early:
            super().data_received(bytes(self._early))
            self._early.clear()
        if transport is self._raw:
            transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """The first bytes after a TLS handshake may come before we start."""
        if self._started:
            super().data_received(data)
        else:
            self._early += data

    def eof_received(self) -> None:
        """The peer stops sending; before the start that is its end."""
        if self._started:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; of a connection that never started nothing is left but the task of its way in."""
        self._front.came_in(self)
        if self._started:
            super().connection_lost(exc)
            if not self.named and not self.answered and self.steps:
                self.note(why_unread(self.protocol.handshake_exc))
        self._tell_nameless()

    def note(self, text: str) -> None:
        """One more step on the way in."""
        self.steps.append(TraceLine(self._front.now(), "step", text))

    def hang_up(self) -> None:
        """End it before it started."""
        self._front.came_in(self)
        self._tell_nameless()
        if self._raw is not None:
            self._raw.abort()

    def _tell_nameless(self) -> None:
        if not self.named and self.steps:
            self._front.nameless(self.address, self.steps)
            self.steps = []


def why_unread(error: BaseException | None) -> str:
    """Why websockets could not read a request, in words for the installer."""
    cause, words = error.__cause__ if error is not None else None, "it sent no HTTP request that can be read"
    if isinstance(cause, UnicodeDecodeError):
        return f"{words}: its path is not URL-encoded, or not UTF-8; letters beyond ASCII are written as %"
    # What the library quotes behind the colon may be a header with a password in it.
    told = str(cause or (error if isinstance(error, SecurityError) else "")).partition(":")[0]
    return f"{words}: {told}"[:200] if told and not isinstance(cause, EOFError) else words


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _first_byte(raw: asyncio.Transport) -> int | None:
    """Look at the first byte without taking it; None when the peer hung up, TimeoutError when none comes in time.

    A copy of the socket is asked, because the loop gives the transport's own to nobody else.
    """
    loop = asyncio.get_running_loop()
    looked_at = raw.get_extra_info("socket").dup()
    arrived: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(looked_at, _set, arrived)
        async with asyncio.timeout(FIRST_BYTE_S):
            await arrived
        first = looked_at.recv(1, socket.MSG_PEEK)
        return first[0] if first else None
    except ConnectionError:
        return None
    finally:
        loop.remove_reader(looked_at)
        looked_at.close()
