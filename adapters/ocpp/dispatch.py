"""OCPP-J message exchange over one connection: tolerant in, strict out, and nothing a peer says ends it.

    text in -> receive() -+- CALL, SEND ---> queue -> work() -> handler -> answer out (none to a SEND)
                          +- RESULT/ERROR -> the one outstanding call, or dropped and counted
    call() -> text out, then waits for its own answer only

The reader never waits for a handler, so a handler may call out; a late answer is never taken for another one's.
What cannot be read at all is answered as the version says: not in 1.6, with message id "-1" in 2.x.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from adapters.ocpp.frames import FrameLog
from adapters.ocpp.rpc import (
    CALL,
    CODE_OF_RULE,
    DEFAULT_TIMEOUT_S,
    ERROR,
    ID_LENGTH,
    RESULT,
    RESULT_ERROR,
    SEND,
    TIMEOUTS_S,
    UNREADABLE_ID,
    spelled,
)
from adapters.ocpp.schemas import Schemas, SchemaViolation
from adapters.ocpp.wire import clean
from gateway.ports import Clock

log = logging.getLogger(__name__)

Payload = dict[str, Any]

QUEUED_CALLS = 1000
QUEUED_CHARACTERS = 2_000_000
REPEATABLE = ("StartTransaction", "StopTransaction", "TransactionEvent")
"""Sent again with the same id until answered; all else may be handled twice without harm."""


class CallFailed(Exception):
    """A call to the charger did not bring a usable answer."""


class LinkLost(CallFailed):
    """The connection ended before the answer."""


class NoAnswer(CallFailed):
    """No answer within the action's timeout."""


class AnswerWrong(CallFailed):
    """An answer of the wrong shape."""


class CallRefused(CallFailed):
    """The charger answered with an error; `code` is OCPP's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code


class Refusal(Exception):
    """Raised by a handler to answer a call with an error of this OCPP code."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message of the charger that waits to be handled; `again` is the text it came in, when it may come again."""

    kind: int
    id: Any
    action: str
    payload: Payload
    size: int
    again: str = ""


class Dispatch:
    """The message exchange of one connection; `send` puts a text on the wire and raises LinkLost.

    `version` is "1.6", "2.0.1" or "2.1"; not said, it is that of the schemas.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        handle: Callable[[str, Payload], Awaitable[Payload]],
        answered: Callable[[str], None],
        schemas: Schemas,
        frames: FrameLog,
        clock: Clock,
        version: str = "",
    ) -> None:
        self._send_text = send
        self._handle = handle
        self._answered = answered
        self._schemas = schemas
        self._frames = frames
        self._clock = clock
        self._version = version or schemas.version
        self._calls: deque[Waiting] = deque()
        self._queued_characters = 0
        self._refusals: deque[tuple[int, Any, str, str]] = deque(maxlen=QUEUED_CALLS)
        self._work_waits = asyncio.Event()
        self._turn = asyncio.Lock()
        self._outstanding: tuple[str, asyncio.Future[Any]] | None = None
        self._prefix = secrets.token_hex(4)
        self._count = 0
        self._closed = False
        self._failed: set[str] = set()

    # ---- calls to the charger

    async def call(self, action: str, payload: Payload) -> Payload:
        """Ask the charger, one call at a time; its checked answer, or CallFailed."""
        self._schemas.check(action, payload)
        async with self._turn:
            if self._closed:
                raise LinkLost("the connection is closed")
            return await self._exchange(action, payload)

    async def _exchange(self, action: str, payload: Payload) -> Payload:
        self._count += 1
        message_id = f"{self._prefix}-{self._count}"
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._outstanding = (message_id, answer)
        try:
            async with asyncio.timeout(TIMEOUTS_S.get(action, DEFAULT_TIMEOUT_S)):
                await self._send([CALL, message_id, action, payload])
                result = await answer
        except TimeoutError:
            raise NoAnswer(f"no answer to {action}") from None
        finally:
            self._outstanding = None
            _let_go(answer)
        return self._checked(f"{action}Response", result, message_id)

    def _checked(self, name: str, payload: Any, message_id: str) -> Payload:
        try:
            return self._tolerated(name, payload)
        except (SchemaViolation, RecursionError) as error:
            if self._version == "2.1":  # it is told which answer we could not read (part 4, section 4.2.4)
                self._refuse(message_id, "FormatViolation", clean(str(error), 255), kind=RESULT_ERROR)
            raise AnswerWrong(f"{name}: {error}") from None

    def close(self) -> None:
        """The connection ended: whoever waits for an answer learns it at once."""
        self._closed = True
        if self._outstanding and not self._outstanding[1].done():
            self._outstanding[1].set_exception(LinkLost("the connection ended"))

    # ---- messages from the charger

    def receive(self, message: str | bytes) -> None:
        """Take one message off the wire; never raises and never waits."""
        if not isinstance(message, str):
            self._count_violation("binary message")
            return
        self._frames.keep(self._clock.now(), "in", message)
        try:
            frame = json.loads(message, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            self._unreadable("broken JSON")
            return
        if not isinstance(frame, list) or len(frame) < 2 or not isinstance(frame[1], str | int):
            self._unreadable("not an OCPP message")
            return
        self._take(frame, message)

    def _take(self, frame: list[Any], message: str) -> None:
        kind = frame[0] if isinstance(frame[0], int) and not isinstance(frame[0], bool) else None
        if kind == CALL or (kind == SEND and self._version == "2.1"):
            self._take_call(kind, frame, message)
        elif kind in (RESULT, ERROR):
            self._take_answer(frame)
        elif kind == RESULT_ERROR and self._version == "2.1":
            self._count_violation("our answer was not understood")
        elif self._version == "1.6":
            self._count_violation("unknown message type")  # to be ignored, OCPP-J 1.6 section 4.1.3
        else:
            self._refuse(frame[1], "MessageTypeNotSupported", "message types are 2, 3 and 4")

    def _unreadable(self, what: str) -> None:
        """1.6 has no answer to what has no id (OCPP-J 1.6 section 4.2.3)."""
        if self._version == "1.6":
            self._count_violation(what)
        else:
            self._refuse(UNREADABLE_ID, "RpcFrameworkError", what)

    def _take_call(self, kind: int, frame: list[Any], message: str) -> None:
        message_id, action, payload = frame[1], *[*frame[2:4], None, None][:2]
        if isinstance(message_id, int) or len(message_id) > ID_LENGTH:
            self._count_violation("message id")
        if payload is None and len(frame) > 3:
            payload = {}
            self._count_violation("null payload")
        if not isinstance(action, str) or not isinstance(payload, dict):
            self._refuse(message_id, "FormatViolation", "expected [2, id, action, {payload}]")
        elif len(self._calls) >= QUEUED_CALLS or self._queued_characters + len(message) > QUEUED_CHARACTERS:
            self._refuse(message_id, "GenericError", "too many calls without waiting for the answers")
        else:
            again = message if action in REPEATABLE else ""
            self._calls.append(Waiting(kind, message_id, action, payload, len(message), again))
            self._queued_characters += len(message)
            self._work_waits.set()

    def _refuse(self, message_id: Any, code: str, text: str, *, kind: int = ERROR) -> None:
        self._count_violation(code)
        self._refusals.append((kind, message_id, code, text))
        self._work_waits.set()

    def _take_answer(self, frame: list[Any]) -> None:
        if not self._outstanding or frame[1] != self._outstanding[0] or self._outstanding[1].done():
            self._count_violation("late or unsolicited answer")
            return
        answer = self._outstanding[1]
        if frame[0] == ERROR:
            code, text = (clean(part) for part in [*frame[2:4], "", ""][:2])
            answer.set_exception(CallRefused(code or "GenericError", text))
        elif len(frame) > 2:
            answer.set_result(frame[2])
        else:
            answer.set_exception(AnswerWrong("an answer without payload"))

    # ---- answers to the charger

    async def work(self) -> None:
        """Answer the charger's calls one after the other, in order, until the connection is lost or cancelled."""
        while True:
            await self._work_waits.wait()
            self._work_waits.clear()
            while self._refusals or self._calls:
                if self._refusals:
                    await self._send_error(*self._refusals.popleft())
                else:
                    waiting = self._calls.popleft()
                    await self._answer(waiting)
                    self._queued_characters -= waiting.size

    async def _answer(self, waiting: Waiting) -> None:
        try:
            answer = self._frames.answer_given(waiting.again) or await self._result(waiting)
        except LinkLost:
            raise
        except Exception as error:  # whatever a message provokes in us must not end the charger's session
            await self._apologise(waiting, error)
            return
        self._frames.remember(waiting.again, answer)
        if waiting.kind == CALL:
            await self._send([RESULT, waiting.id, answer])
            self._answered(waiting.action)

    async def _apologise(self, waiting: Waiting, error: Exception) -> None:
        if isinstance(error, Refusal):
            code, text = error.code, str(error)[:255]
        else:
            self._tell_failure(waiting.action[:40], error)
            code, text = "InternalError", "the message could not be handled"
        self._count_violation(spelled(code, self._version))
        if waiting.kind == CALL:
            await self._send_error(ERROR, waiting.id, code, text)

    def _tell_failure(self, action: str, error: Exception) -> None:
        """In full the first time; a charger may repeat what fails for ever."""
        first = action not in self._failed
        self._failed.add(action)
        log.log(logging.ERROR if first else logging.DEBUG, "a %s could not be handled", action, exc_info=error)

    async def _result(self, waiting: Waiting) -> Payload:
        action = waiting.action
        try:
            schemas, known = self._known(waiting)
        except SchemaViolation as violation:
            code = CODE_OF_RULE.get(violation.rule, "PropertyConstraintViolation")
            raise Refusal(code, str(violation)) from None
        except RecursionError:
            raise Refusal("FormatViolation", "nested too deeply") from None
        answer = await self._handle(action, known)
        if waiting.kind == CALL:
            schemas.check(f"{action}Response", answer)
        return answer

    def _known(self, waiting: Waiting) -> tuple[Schemas, Payload]:
        """The payload as the standard means it, and of which version; raises Refusal, SchemaViolation.

        There is 2.x firmware that writes as in 1.6: its messages are handed on in that shape.
        """
        action, own, older = waiting.action, self._schemas, self._schemas.older
        if own.knows(action) and own.answers(action) == (waiting.kind == CALL):
            try:
                return own, self._tolerated(action, waiting.payload)
            except SchemaViolation:
                if not (older and older.fits(action, waiting.payload)):
                    raise
        elif own.knows(action) or not (older and waiting.kind == CALL and older.knows(action)):
            raise Refusal("NotImplemented", "unknown action")
        else:
            self._count_violation("1.6 message")
            return older, self._tolerated(action, waiting.payload, older)
        self._count_violation("1.6 message")
        return older, waiting.payload

    def _tolerated(self, name: str, payload: Any, schemas: Schemas | None = None) -> Payload:
        schemas = schemas or self._schemas
        try:
            schemas.check(name, payload)
        except SchemaViolation:
            self._count_violation("schema tolerated")
            return schemas.mended(name, payload, self._count_violation)
        result: Payload = payload
        return result

    async def _send_error(self, kind: int, message_id: Any, code: str, text: str) -> None:
        await self._send([kind, message_id, spelled(code, self._version), text, {}])

    async def _send(self, frame: list[Any]) -> None:
        text = json.dumps(frame, separators=(",", ":"))
        self._frames.keep(self._clock.now(), "out", text)
        await self._send_text(text)

    def _count_violation(self, kind: str) -> None:
        self._frames.violations[kind] += 1


def _let_go(answer: asyncio.Future[Any]) -> None:
    """Nobody waits for it (any more): a connection lost while the call was still being sent is told once, by the send."""
    if not answer.cancel() and not answer.cancelled():
        answer.exception()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
