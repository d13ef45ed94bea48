"""The WebSocket line of a charge point: OCPP-J 1.6 framing, redialling, and a queue that outlives the line."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

CALL, RESULT, ERROR = 2, 3, 4
ANSWER_TIMEOUT_S = 30.0
QUEUE_LIMIT = 20_000
ATTEMPTS = 3
"""TransactionMessageAttempts: how often an unanswered transaction message is sent (OCPP 1.6 section 4.1)."""

Payload = dict[str, Any]


class LineDown(Exception):
    """There is no connection, or it ended before the answer."""


class Refused(Exception):
    """A CALLERROR, in either direction; `code` is one of OCPP-J section 4.2.3."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


@dataclass
class Queued:
    """A transaction-related message: its payload is built when it is sent, its answer handed to `done`."""

    action: str
    build: Callable[[], Payload]
    done: Callable[[Payload], None] = lambda answer: None
    attempts: int = 0


@dataclass
class Address:
    """Where the central system listens, and who we say we are."""

    url: str
    user: str
    password: str | None = None

    def headers(self) -> dict[str, str]:
        """Basic authentication as in OCPP-J security profile 1, or nothing."""
        if self.password is None:
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}


class Line:
    """One connection at a time, one outstanding CALL at a time, redialled for ever."""

    def __init__(
        self, address: Address, answer: Callable[[str, Payload], Payload], opened: Callable[[], Awaitable[None]]
    ) -> None:
        self._address, self._answer, self._opened = address, answer, opened
        self._ws: ClientConnection | None = None
        self._turn = asyncio.Lock()
        self._pending: dict[str, asyncio.Future[Payload]] = {}
        self._queue: deque[Queued] = deque(maxlen=QUEUE_LIMIT)
        self._queued = asyncio.Event()
        self._stay_down_until = 0.0
        self._down_since: float | None = None
        self._awake = asyncio.Event()
        self._awake.set()
        self.ping_interval_s: float | None = None

    @property
    def up(self) -> bool:
        """True while a connection is open."""
        return self._ws is not None

    @property
    def down_s(self) -> float:
        """For how many real seconds there has been no connection, 0 while there is one."""
        return 0.0 if self._down_since is None else _loop_time() - self._down_since

    @property
    def waiting(self) -> int:
        """How many transaction-related messages have not been answered yet."""
        return len(self._queue)

    def enqueue(self, message: Queued) -> None:
        """Send in order, now or when the line is back (OCPP 1.6 section 3.7)."""
        self._queue.append(message)
        self._queued.set()

    async def run(self) -> None:
        """Dial, serve, dial again after 0.5 to 2 s of real time; returns only by cancellation."""
        self._down_since = _loop_time()
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException, asyncio.TimeoutError, TimeoutError):
                await self._serve_once()
            down_s = self._stay_down_until - _loop_time()
            await asyncio.sleep(max(down_s, random.uniform(0.5, 2.0)))

    async def call(self, action: str, payload: Payload) -> Payload:
        """Send one CALL and wait for its answer; raises LineDown, Refused or TimeoutError."""
        async with self._turn:
            await self._awake.wait()
            if self._ws is None:
                raise LineDown(action)
            message_id = str(uuid.uuid4())
            future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._pending[message_id] = future
            try:
                await self._send([CALL, message_id, action, payload])
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    return await future
            finally:
                del self._pending[message_id]

    def drop(self, for_s: float) -> None:
        """Cut the line without a goodbye and stay away for `for_s` real seconds."""
        self._stay_down_until = _loop_time() + for_s
        if self._ws is not None:
            self._ws.transport.abort()

    def hang(self, hanging: bool) -> None:
        """Stop reading and sending with the line left open, as a stalled firmware does; False wakes it up."""
        if hanging:
            self._awake.clear()
        else:
            self._awake.set()
        if self._ws is not None and not self._ws.transport.is_closing():
            if hanging:
                self._ws.transport.pause_reading()
            else:
                self._ws.transport.resume_reading()

    async def _serve_once(self) -> None:
        async with connect(
            self._address.url,
            subprotocols=[websockets.Subprotocol("ocpp1.6")],
            additional_headers=self._address.headers(),
            ping_interval=self.ping_interval_s,
            open_timeout=5,
            close_timeout=1,
            proxy=None,
        ) as ws:
            self._ws, self._down_since = ws, None
            workers = [asyncio.create_task(self._open_and_drain()), asyncio.create_task(self._read(ws))]
            try:
                await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._ws, self._down_since = None, _loop_time()
                self._fail_pending()
                await _cancelled(workers)

    async def _open_and_drain(self) -> None:
        try:
            await self._opened()
            while True:
                self._queued.clear()
                while self._queue:
                    await self._send_head()
                await self._queued.wait()
        except LineDown:
            return

    async def _send_head(self) -> None:
        head = self._queue[0]
        head.attempts += 1
        answer: Payload | None = None
        try:
            answer = await self.call(head.action, head.build())
        except TimeoutError:
            if head.attempts < ATTEMPTS:
                return
        except Refused:
            pass  # what is refused once would be refused for ever, and block all that follows
        if self._queue and self._queue[0] is head:
            self._queue.popleft()
        if answer is not None:
            head.done(answer)

    async def _read(self, ws: ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in ws:
                await self._awake.wait()
                await self._take(text)

    async def _take(self, text: str | bytes) -> None:
        try:
            frame = json.loads(text)
            kind, message_id = frame[0], frame[1]
        except (ValueError, LookupError, TypeError):
            return  # OCPP-J section 4: a frame without a readable id cannot be answered
        if kind == CALL and len(frame) >= 4:
            await self._send(self._reply(message_id, frame[2], frame[3]))
        elif message_id in self._pending and not self._pending[message_id].done():
            if kind == RESULT:
                self._pending[message_id].set_result(frame[2])
            elif kind == ERROR:
                self._pending[message_id].set_exception(Refused(str(frame[2]), str(frame[3:4])))

    def _reply(self, message_id: str, action: str, payload: Payload) -> list[Any]:
        try:
            return [RESULT, message_id, self._answer(action, payload)]
        except Refused as refused:
            return [ERROR, message_id, refused.code, refused.text, {}]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return [ERROR, message_id, "FormationViolation", repr(error), {}]

    async def _send(self, frame: list[Any]) -> None:
        if self._ws is None:
            raise LineDown(str(frame[0]))
        try:
            await self._ws.send(json.dumps(frame, separators=(",", ":")))
        except websockets.ConnectionClosed as closed:
            raise LineDown(str(closed)) from closed

    def _fail_pending(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(LineDown("the line ended"))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, (LineDown, websockets.ConnectionClosed)):
            raise outcome


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
