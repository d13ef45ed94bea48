"""OCPP-J 1.6 message exchange over one connection: tolerant in, strict out, and nothing a peer says ends it.

    text in -> receive() -+- CALL -------> queue -> work() -> handler -> answer out
                          +- RESULT/ERROR -> the one outstanding call, or dropped and counted
    call() -> text out, then waits for its own answer only

The reader never waits for a handler, so a handler may call out; a late answer is never taken for another one's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.ocpp.frames import FrameLog
from adapters.ocpp.schemas import Schemas, SchemaViolation
from adapters.ocpp.wire import clean
from gateway.ports import Clock

log = logging.getLogger(__name__)

Payload = dict[str, Any]

CALL, RESULT, ERROR = 2, 3, 4
DEFAULT_TIMEOUT_S = 10.0
TIMEOUTS_S = {"SetChargingProfile": 5.0, "GetConfiguration": 20.0, "ChangeConfiguration": 15.0}
QUEUED_CALLS = 1000
QUEUED_CHARACTERS = 2_000_000
ID_LENGTH = 36
"""OCPP-J 1.6 section 4.1.4."""

_ERROR_OF_RULE = {"required": "OccurenceConstraintViolation", "type": "TypeConstraintViolation"}
"""The standard's own spelling, OCPP-J 1.6 table 7."""


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


class Dispatch:
    """The message exchange of one connection; `send` puts a text on the wire and raises LinkLost."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        handle: Callable[[str, Payload], Awaitable[Payload]],
        answered: Callable[[str], None],
        schemas: Schemas,
        frames: FrameLog,
        clock: Clock,
    ) -> None:
        self._send_text = send
        self._handle = handle
        self._answered = answered
        self._schemas = schemas
        self._frames = frames
        self._clock = clock
        self._calls: deque[tuple[Any, str, Payload, int]] = deque()
        self._queued_characters = 0
        self._refusals: deque[tuple[Any, str, str]] = deque(maxlen=QUEUED_CALLS)
        self._work_waits = asyncio.Event()
        self._turn = asyncio.Lock()
        self._outstanding: tuple[str, asyncio.Future[Any]] | None = None
        self._prefix = secrets.token_hex(4)
        self._count = 0
        self._closed = False

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
                return self._checked(f"{action}Response", await answer)
        except TimeoutError:
            raise NoAnswer(f"no answer to {action}") from None
        finally:
            self._outstanding = None

    def _checked(self, name: str, payload: Any) -> Payload:
        try:
            return self._tolerated(name, payload)
        except (SchemaViolation, RecursionError) as error:
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
            self._count_violation("broken JSON")
            return
        if not isinstance(frame, list) or len(frame) < 2 or not isinstance(frame[1], str | int):
            self._count_violation("not an OCPP message")
            return
        if frame[0] == CALL:
            self._take_call(frame, len(message))
        elif frame[0] in (RESULT, ERROR):
            self._take_answer(frame)
        else:
            self._count_violation("unknown message type")

    def _take_call(self, frame: list[Any], size: int) -> None:
        message_id, action, payload = frame[1], *[*frame[2:4], None, None][:2]
        if isinstance(message_id, int) or len(message_id) > ID_LENGTH:
            self._count_violation("message id")
        if payload is None and len(frame) > 3:
            payload = {}
            self._count_violation("null payload")
        if not isinstance(action, str) or not isinstance(payload, dict):
            self._refuse(message_id, "FormationViolation", "expected [2, id, action, {payload}]")
        elif len(self._calls) >= QUEUED_CALLS or self._queued_characters + size > QUEUED_CHARACTERS:
            self._refuse(message_id, "GenericError", "too many calls without waiting for the answers")
        else:
            self._calls.append((message_id, action, payload, size))
            self._queued_characters += size
            self._work_waits.set()

    def _refuse(self, message_id: Any, code: str, text: str) -> None:
        self._count_violation(code)
        self._refusals.append((message_id, code, text))
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
                    message_id, code, text = self._refusals.popleft()
                    await self._send([ERROR, message_id, code, text, {}])
                else:
                    message_id, action, payload, size = self._calls.popleft()
                    await self._answer(message_id, action, payload)
                    self._queued_characters -= size

    async def _answer(self, message_id: Any, action: str, payload: Payload) -> None:
        try:
            answer = await self._result(action, payload)
        except Refusal as refusal:
            self._count_violation(refusal.code)
            await self._send([ERROR, message_id, refusal.code, str(refusal)[:255], {}])
        except LinkLost:
            raise
        except Exception:  # whatever a message provokes in us must not end the charger's session
            log.exception("a %s could not be handled", action[:40])
            self._count_violation("InternalError")
            await self._send([ERROR, message_id, "InternalError", "the message could not be handled", {}])
        else:
            await self._send([RESULT, message_id, answer])
            self._answered(action)

    async def _result(self, action: str, payload: Payload) -> Payload:
        if not self._schemas.knows(action) or action.endswith("Response"):
            raise Refusal("NotImplemented", "unknown action")
        try:
            known = self._tolerated(action, payload)
        except SchemaViolation as violation:
            code = _ERROR_OF_RULE.get(violation.rule, "PropertyConstraintViolation")
            raise Refusal(code, str(violation)) from None
        except RecursionError:
            raise Refusal("FormationViolation", "nested too deeply") from None
        answer = await self._handle(action, known)
        self._schemas.check(f"{action}Response", answer)
        return answer

    def _tolerated(self, name: str, payload: Any) -> Payload:
        try:
            self._schemas.check(name, payload)
        except SchemaViolation:
            self._count_violation("schema tolerated")
            payload = _without_nulls(payload)
            self._schemas.check(name, payload, lenient=True)
        result: Payload = payload
        return result

    async def _send(self, frame: list[Any]) -> None:
        text = json.dumps(frame, separators=(",", ":"))
        self._frames.keep(self._clock.now(), "out", text)
        await self._send_text(text)

    def _count_violation(self, kind: str) -> None:
        self._frames.violations[kind] += 1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _without_nulls(value: Any) -> Any:
    """Null is how many chargers say "absent"."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
