"""Where chargers upload their logs: HTTP PUT or POST to an address with a token that holds once.

    expect() -> http://<hub>:<port>/upload/<token>/ -> the charger puts a file there -> <folder>/<charger>/<time>-<name>

HTTP only: a charger that can upload by FTP alone is not served. Nothing is read out here, whoever asks.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from gateway.ports import Clock

log = logging.getLogger(__name__)

PREFIX = "/upload/"
TOKEN_BYTES = 18
TOKEN_S = 3600.0
"""Real seconds a token waits for its file."""
TOKENS = 50
HEAD_BYTES = 16_384
CHUNK_BYTES = 65_536
FILE_BYTES = 32 * 2**20
KEPT_FILES = 10
"""Of one charger."""
HEAD_S, STEP_S, WHOLE_S = 10.0, 30.0, 900.0
"""Real seconds for the request's head, for each piece of the body, and for the whole."""
CONNECTIONS = 8
RETRY_S = 5.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class BadUpload(Exception):
    """A request that cannot be taken; `status` is HTTP's."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says of itself."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def length(self) -> int | None:
        """Bytes of the body; None when it comes in chunks."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return None
        text = self.headers.get("content-length", "")
        if not text.isdigit():
            raise BadUpload("411 Length Required")
        return int(text)


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose file may come with a token, and until when (real s)."""

    charger: str
    until: float


class Receiver:
    """Takes the files announced by `expect`; `run` serves until cancelled."""

    def __init__(self, host: str, port: int, folder: Path, clock: Clock) -> None:
        self.name = "uploads"
        self.port = port
        """The port in use: the configured one, or the system's choice once it serves."""
        self.serving = asyncio.Event()
        self._host = host
        self._folder = folder
        self._clock = clock
        self._expected: dict[str, Expected] = {}
        self._open = 0

    # ---- for the installer

    def expect(self, charger: str, peer: str = "") -> str:
        """The URL to give to a charger at address `peer`; it holds for an hour, or until a file came whole."""
        now = self._now()
        alive = [(token, expected) for token, expected in self._expected.items() if expected.until > now]
        self._expected = dict(alive[-TOKENS:])
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._expected[token] = Expected(charger, now + TOKEN_S)
        return f"http://{_authority(_own_address(peer), self.port)}{PREFIX}{token}/"

    def uploads(self, charger: str) -> tuple[str, ...]:
        """Names of the files of one charger, newest first."""
        folder = self._folder / _safe(charger)
        try:
            return tuple(sorted((path.name for path in folder.iterdir() if path.suffix != ".part"), reverse=True))
        except OSError:
            return ()

    def _now(self) -> float:
        return self._clock.monotonic() / self._clock.speed

    # ---- the server

    async def run(self) -> None:
        """Serve until cancelled; a taken port is named once and tried again every few seconds."""
        failing = False
        while True:
            try:
                server = await asyncio.start_server(self._serve, self._host, self.port, limit=HEAD_BYTES)
            except OSError as error:
                if not failing:
                    why = "the port is taken" if error.errno == errno.EADDRINUSE else str(error)
                    log.error("uploads: cannot listen on %s:%d: %s", self._host, self.port, why)
                failing = True
                await self._clock.sleep(0, real_floor=RETRY_S)
                continue
            await self._until_cancelled(server)

    async def _until_cancelled(self, server: asyncio.Server) -> None:
        self.port = server.sockets[0].getsockname()[1]
        self.serving.set()
        try:
            async with server:
                await server.serve_forever()
        finally:
            self.serving.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            status = "503 Service Unavailable"
            if self._open <= CONNECTIONS:
                status = await self._status(reader, writer)
            writer.write(_response(status))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("uploads: a connection failed: %s", error)
        finally:
            self._open -= 1
            writer.close()

    async def _status(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        try:
            async with asyncio.timeout(WHOLE_S):
                head = await _head(reader)
                token, name = self._place(head)
                if "100-continue" in head.headers.get("expect", "").lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await self._take(token, name, head, reader)
        except BadUpload as refused:
            return refused.status
        return "201 Created"

    def _place(self, head: Head) -> tuple[str, str]:
        """The token and the file's name; raises BadUpload."""
        if head.method not in ("PUT", "POST"):
            raise BadUpload("405 Method Not Allowed")
        token, _, name = head.target.partition("?")[0].removeprefix(PREFIX).partition("/")
        expected = self._expected.get(token) if head.target.startswith(PREFIX) else None
        if expected is None or expected.until <= self._now():
            raise BadUpload("404 Not Found")
        if (head.length or 0) > FILE_BYTES:
            raise BadUpload("413 Content Too Large")
        disposition = re.search(r'filename="?([^";]+)', head.headers.get("content-disposition", ""))
        return token, unquote(name) or (disposition[1] if disposition else "")

    async def _take(self, token: str, name: str, head: Head, reader: asyncio.StreamReader) -> None:
        charger = self._expected[token].charger
        folder = self._folder / _safe(charger)
        whole = folder / f"{self._clock.now():%Y%m%d-%H%M%S}-{_safe(name) or 'log'}"
        part = whole.with_name(f"{secrets.token_hex(4)}.part")
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            with await asyncio.to_thread(part.open, "xb") as file:
                await _copy(_body(head, reader), file)
            await asyncio.to_thread(_settle, part, whole, head.headers.get("content-type", ""))
        except OSError as error:
            log.error("uploads: a log of %s cannot be kept: %s", charger, error)
            raise BadUpload("507 Insufficient Storage") from None
        finally:
            part.unlink(missing_ok=True)
        self._expected.pop(token, None)
        log.info("uploads: a log of %s came: %s", charger, whole.name)


async def _head(reader: asyncio.StreamReader) -> Head:
    try:
        async with asyncio.timeout(HEAD_S):
            text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise BadUpload("431 Request Header Fields Too Large") from None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadUpload("400 Bad Request")
    pairs = (line.partition(":") for line in lines)
    return Head(words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs})


async def _body(head: Head, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The body in pieces, at most FILE_BYTES; raises BadUpload."""
    taken, left = 0, head.length
    while True:
        async with asyncio.timeout(STEP_S):
            piece = await (_chunk(reader) if left is None else reader.read(min(left, CHUNK_BYTES)))
        taken += len(piece)
        if taken > FILE_BYTES:
            raise BadUpload("413 Content Too Large")
        if piece:
            yield piece
        if left is not None:
            left -= len(piece)
        if left == 0 or (left is None and not piece):
            return
        if not piece:
            raise BadUpload("400 Bad Request")


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """One chunk (RFC 9112 section 7.1); b"" is the last; raises BadUpload."""
    try:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
    except (ValueError, asyncio.LimitOverrunError):
        raise BadUpload("400 Bad Request") from None
    if not 0 <= size <= FILE_BYTES:
        raise BadUpload("413 Content Too Large")
    return (await reader.readexactly(size + 2))[:-2]


async def _copy(pieces: AsyncIterator[bytes], file: BinaryIO) -> None:
    async for piece in pieces:
        await asyncio.to_thread(file.write, piece)


def _settle(part: Path, whole: Path, content_type: str) -> None:
    """The file that came takes its place, and the oldest ones go."""
    boundary = re.search(r'multipart/form-data.*boundary="?([^";]+)', content_type, re.IGNORECASE)
    if boundary:
        part.write_bytes(_first_part(part.read_bytes(), boundary[1].encode()))
    part.replace(whole)
    kept = sorted((path for path in whole.parent.iterdir() if path.suffix != ".part"), key=lambda path: path.name)
    for path in kept[:-KEPT_FILES]:
        path.unlink(missing_ok=True)


def _first_part(body: bytes, boundary: bytes) -> bytes:
    """The content of the first part of a form (RFC 7578); the body itself when it is none."""
    _, mark, rest = body.partition(b"--" + boundary + b"\r\n")
    _, end_of_head, content = rest.partition(b"\r\n\r\n")
    return content.partition(b"\r\n--" + boundary)[0] if mark and end_of_head else body


def _response(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def _safe(name: str) -> str:
    """A name that is one file in its folder, whatever it was; "" when nothing of it is left."""
    return _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip("._")[:80]


def _own_address(peer: str) -> str:
    """The address of ours that this peer can reach; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((peer or "127.0.0.1", 9))
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def _authority(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
