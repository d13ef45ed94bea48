"""The WebSocket line of a charge point: OCPP-J framing, redialling, and a queue that outlives the line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from firmware_sim.ocppj.security import Security

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6
ANSWER_TIMEOUT_S = 30.0
QUEUE_LIMIT = 20_000
ATTEMPTS = 3
"""TransactionMessageAttempts: how often an unanswered transaction message is sent (OCPP 1.6 section 4.1)."""
ID_LENGTH = 36

Payload = dict[str, Any]


class LineDown(Exception):
    """There is no connection, or it ended before the answer."""


class Silent(Exception):
    """This call gets no answer at all: a habit of some firmware."""


class Refused(Exception):
    """A CALLERROR, in either direction; `code` is one of OCPP-J section 4.2.3."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


UNREACHABLE = (LineDown, Refused, TimeoutError)


@dataclass
class Queued:
    """A transaction-related message: its payload is built when it is sent, its answer handed to `done`."""

    action: str
    build: Callable[[], Payload]
    done: Callable[[Payload], None] = lambda answer: None
    attempts: int = 0


@dataclass
class Address:
    """Where the central system listens, and how we dial."""

    url: str
    user: str
    password: str | None = None
    subprotocol: str = "ocpp1.6"
    security: Security = field(default_factory=lambda: Security(""))

    def __post_init__(self) -> None:
        if not self.security.user:
            self.security = Security(self.user, self.password)


class Ears:
    """What the station does with what it hears; `judge` raises Refused for an answer that breaks the standard."""

    def answer(self, action: str, payload: Payload) -> Payload:
        raise NotImplementedError

    def judge(self, action: str, payload: Payload) -> None:
        raise NotImplementedError

    async def opened(self) -> None:
        raise NotImplementedError


class Line:
    """One connection at a time, one outstanding CALL at a time, redialled for ever."""

    def __init__(self, address: Address, ears: Ears) -> None:
        self.address, self._ears = address, ears
        self._ws: ClientConnection | None = None
        self._turn = asyncio.Lock()
        self._pending: dict[str, asyncio.Future[Payload]] = {}
        self._late: deque[str] = deque(maxlen=50)
        self._queue: deque[Queued] = deque(maxlen=QUEUE_LIMIT)
        self._queued = asyncio.Event()
        self._stay_down_until = 0.0
        self._down_since: float | None = None
        self._awake = asyncio.Event()
        self._awake.set()
        self.ping_interval_s: float | None = None
        self.redial_s: Callable[[], float] = lambda: random.uniform(0.5, 2.0)
        self.wire_errors: list[str] = []
        """What the central system sent and the standard forbids, in words."""
        self.refusals: list[tuple[str, str, str]] = []
        """(action, code, text) of each CALLERROR we were given."""
        self.dials = 0
        self.last_failure = ""

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
        """Dial, serve, dial again; returns only by cancellation."""
        self._down_since = _loop_time()
        while True:
            try:
                await self._serve_once()
            except (OSError, websockets.WebSocketException, TimeoutError) as failure:
                self.last_failure = f"{type(failure).__name__}: {failure}"
            down_s = self._stay_down_until - _loop_time()
            await asyncio.sleep(max(down_s, self.redial_s()))

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
                    answer = await future
            except Refused as refused:
                self.refusals.append((action, refused.code, refused.text))
                raise
            finally:
                del self._pending[message_id]
                self._late.append(message_id)
        self._ears.judge(action, answer)
        return answer

    def drop(self, for_s: float) -> None:
        """Cut the line without a goodbye and stay away for `for_s` real seconds."""
        self._stay_down_until = _loop_time() + for_s
        if self._ws is not None:
            self._ws.transport.abort()

    async def redial(self) -> None:
        """Close politely and dial again, as after a change of the connection's own settings."""
        if self._ws is not None:
            await self._ws.close(1000, "new credentials")

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
        self.dials += 1
        url = self.address.url
        async with connect(
            url,
            ssl=self.address.security.tls() if url.startswith("wss:") else None,
            subprotocols=[websockets.Subprotocol(self.address.subprotocol)],
            additional_headers=self.address.security.headers(),
            ping_interval=self.ping_interval_s,
            open_timeout=5,
            close_timeout=1,
            proxy=None,
        ) as ws:
            if ws.subprotocol != self.address.subprotocol:
                self._broken(f"the handshake chose no subprotocol, {self.address.subprotocol} was offered")
                return  # OCPP-J section 3.1.2: without an agreed version there is nothing to say
            await self._serve(ws)

    async def _serve(self, ws: ClientConnection) -> None:
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
            await self._ears.opened()
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
            return self._broken(f"no OCPP-J frame: {str(text)[:80]}")  # section 4: nothing to answer to
        if not isinstance(message_id, str) or len(message_id) > ID_LENGTH or not _whole(kind, frame):
            return self._broken(f"a malformed frame: {str(text)[:80]}")
        if kind == CALL:
            await self._reply(message_id, frame[2], frame[3])
        elif kind == RESULT_ERROR:
            self._broken(f"CALLRESULTERROR: {frame[2:4]}")
        elif kind != SEND:
            self._settle(kind, message_id, frame)
        return None

    async def _reply(self, message_id: str, action: str, payload: Payload) -> None:
        try:
            await self._send([RESULT, message_id, self._ears.answer(action, payload)])
        except Silent:
            return
        except Refused as refused:
            await self._send([ERROR, message_id, refused.code, refused.text[:255], {}])

    def _settle(self, kind: int, message_id: str, frame: list[Any]) -> None:
        future = self._pending.get(message_id)
        if future is None or future.done():
            if message_id not in self._late:
                self._broken(f"an answer to nothing: {message_id}")
        elif kind == RESULT:
            future.set_result(frame[2])
        else:
            future.set_exception(Refused(str(frame[2]), str(frame[3])))

    def _broken(self, what: str) -> None:
        self.wire_errors.append(what)

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


LENGTHS = {CALL: 4, RESULT: 3, ERROR: 5, RESULT_ERROR: 5, SEND: 4}


def _whole(kind: Any, frame: Any) -> bool:
    """The frame has the parts its type wants (OCPP-J section 4.2)."""
    if not isinstance(frame, list) or not isinstance(kind, int) or LENGTHS.get(kind) != len(frame):
        return False
    payload = frame[2] if kind == RESULT else frame[-1]
    return isinstance(payload, dict) and (kind == RESULT or isinstance(frame[2], str))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, (LineDown, websockets.ConnectionClosed)):
            raise outcome


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
