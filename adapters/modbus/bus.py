"""One Modbus bus: one connection, one request at a time, the main meter first, every answer checked against its question."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from adapters.modbus.breaker import Breaker
from adapters.modbus.client import FUNCTIONS, Answer, Client, WireError, exception_code
from adapters.modbus.framing import READS, WRITE_MANY
from adapters.modbus.in_step import Question, Step
from adapters.modbus.line import Line
from adapters.modbus.settings import BusSettings
from adapters.modbus.timing import NO_NEEDS, Needs, timing_of
from adapters.modbus.turns import Turns
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceError, DeviceUnreachable
from gateway.ports import Clock

log = logging.getLogger(__name__)

EXCEPTIONS = {
    1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure", 5: "acknowledge",
    6: "busy", 10: "gateway path unavailable", 11: "gateway target did not answer",
}  # fmt: skip
ABSENT = frozenset({10, 11})
MAX_RECONNECT_S = 30.0
MAIN_RECONNECT_S = 2.0
"""Without the main meter cars stand at their safe current: its line is dialled this often at least."""
TIMEOUTS_UNTIL_RECONNECT = 5
"""After so many time-outs in a row, with no answer from any unit, the TCP connection itself is doubted."""
NAMES = {code: name for name, code in FUNCTIONS.items()}
PROOFS = 4
"""So many questions at most to prove a unit in step before one of its own is asked."""


class IllegalAddress(DeviceAnswerWrong):
    """The device has no such register (Modbus exception 2): ask for less."""


class Contact(NamedTuple):
    """What happened to a unit so far: when it differs from before, another device may answer there now."""

    connects: int
    silences: int
    """It was silent for so long that it may have restarted."""
    failures: int
    """Time-outs."""


class Asked(NamedTuple):
    """A question, who asks it, and of whom; `values` are written."""

    unit: int
    question: Question
    device: str
    action: str
    values: Sequence[int] = ()


class Bus:
    """A Modbus bus as a Connection; every request waits its turn, and fails fast while the line is down."""

    def __init__(self, name: str, settings: BusSettings, clock: Clock) -> None:
        self.name = name
        self.connects = 0
        """How often the connection was opened after it was lost: devices look again at who is there when it rises."""
        self._settings = settings
        self._clock = clock
        self._line = Line(name, settings, clock)
        self._lost = self._line.lost
        self._turns = Turns()
        self._breakers: dict[int, Breaker] = {}
        self._steps: dict[int, Step] = {}
        self._last: Asked | None = None
        self._needs: dict[int, Needs] = {}
        self._patience: dict[int, float] = {}
        self._writable: dict[tuple[int, str], frozenset[tuple[int, int, int]]] = {}
        self._max_reconnect_s = MAX_RECONNECT_S
        self._gap_until = 0.0
        self._timeouts = 0
        self._reachable: bool | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open."""
        return self._line.connected

    def add_unit(self, unit: int, *, main: bool = False, needs: Needs = NO_NEEDS) -> None:
        """Announce a unit; the main meter's goes first and is asked again after 2 s at the latest, others after 30 s.

        What its profile needs of the line holds where the site file says nothing; the most demanding unit sets the
        gap and the delay after connecting, each unit its own time-out.
        """
        if main or unit not in self._breakers:
            self._breakers[unit] = Breaker(main=main)
        if main:
            self._max_reconnect_s = MAIN_RECONNECT_S
        if needs != NO_NEEDS:
            self._needs[unit] = self._needs[unit].with_(needs) if unit in self._needs else needs
            self._line.timing = timing_of(self._settings, self._needs.values())
            self._patience[unit] = timing_of(self._settings, (self._needs[unit],)).timeout_s

    def allow_writes(self, unit: int, device: str, spans: Iterable[tuple[int, int, int]]) -> None:
        """What `device` may have written: (function, first, last register); nothing else ever leaves the house."""
        self._writable[unit, device] = frozenset(spans)

    def timeout_s(self, unit: int) -> float:
        """How long an answer of the unit is waited for, s of the world."""
        return self._patience.get(unit, self._settings.timeout_s)

    def contact(self, unit: int) -> Contact:
        """What happened to the unit so far."""
        breaker = self._breaker(unit)
        return Contact(self.connects, breaker.silences, breaker.failures)

    @asynccontextmanager
    async def sweep(self, unit: int) -> AsyncIterator[None]:
        """The main meter's questions of one sweep follow each other: no dead unit's time-out falls between them."""
        if not self._breaker(unit).main:
            yield
            return
        async with self._turns.turn(0):
            yield

    async def run(self) -> None:
        """Keep the line open until cancelled: reconnect with jitter, after 30 s (main meter: 2 s) at the latest."""
        delay_s = 0.5
        try:
            while True:
                if await self.open():
                    delay_s = 0.5
                    await self._lost.wait()
                self.close()
                await self._line.pause(delay_s * random.uniform(0.7, 1.0))
                delay_s = min(self._max_reconnect_s, delay_s * 2)
        finally:
            self.close()

    async def open(self) -> bool:
        """Open the line once; False when the peer is absent."""
        opened = await self._line.open()
        self._note(opened)
        if not opened:
            return False
        self._timeouts = 0
        self.connects += 1
        return not self._lost.is_set()

    def close(self) -> None:
        """Close the line; requests fail until it is opened again."""
        self._line.close()

    async def read_block(self, unit: int, function: str, address: int, count: int, device: str) -> list[int]:
        """`count` registers from 0-based `address`; function "input" (FC4) or "holding" (FC3).

        Raises DeviceUnreachable, IllegalAddress (exception 2) or DeviceAnswerWrong; never returns another's answer.
        """
        action = f"read {function} registers {address}-{address + count - 1}"
        answer = await self._ask(Asked(unit, Question(FUNCTIONS[function], address, count), device, action))
        code = exception_code(answer)
        if code == 2:
            raise IllegalAddress(device, action, "the device has no such register (exception 2)")
        if code is not None:
            raise DeviceAnswerWrong(device, action, f"the device answered exception {_words(code)}")
        return list(answer.registers)

    async def write_registers(
        self, unit: int, address: int, values: Sequence[int], device: str, *, function: int = WRITE_MANY
    ) -> None:
        """Write neighbouring registers in one FC16, or one by FC6, and have it confirmed.

        Raises DeviceUnreachable, DeviceAnswerWrong, or CommandRefused: by the device, or because nobody declared that
        `device` may have these written.
        """
        last = address + len(values) - 1
        action = f"write registers {address}-{last}"
        allowed = self._writable.get((unit, device), frozenset())
        if not any(code == function and low <= address and last <= high for code, low, high in allowed):
            raise CommandRefused(device, action, "its profile declares no such write")
        question = Question(function, address, len(values))
        code = exception_code(await self._ask(Asked(unit, question, device, action, values)))
        if code is not None:
            raise CommandRefused(device, action, f"the device refused it: {_words(code)}")

    async def _ask(self, asked: Asked) -> Answer:
        breaker = self._breaker(asked.unit)
        if not self._turns.mine and not breaker.is_open(self._real_s()):
            await self._line.pause(self._step(asked.unit).quiet_until - self._real_s())
        async with self._turns.turn(0 if breaker.main else 1):
            self._may_ask(asked, breaker)
            client = await self._ready(asked)
            await self._prove(client, asked, breaker)
            answer = await self._exchange(client, asked, breaker)
        breaker.answered()
        return answer

    def _may_ask(self, asked: Asked, breaker: Breaker) -> None:
        if not self.connected:
            raise self._unreachable(asked, f"{self.name} is not connected", self._line.timing.remedy)
        now_s = self._real_s()
        if breaker.is_open(now_s):
            raise self._unreachable(asked, f"unit {asked.unit} did not answer; it is asked again in a moment")
        if now_s < self._step(asked.unit).quiet_until:
            raise self._unreachable(
                asked, f"unit {asked.unit} may still send an old answer; it is asked again in a moment"
            )

    async def _ready(self, asked: Asked) -> Client:
        client = await self._line.client()
        if client is not None and client.strayed and self._last is not None:
            self._unanswered(self._last)  # an answer to no question: the answers lag behind the questions
            client = await self._line.client()
        if client is None:
            raise self._unreachable(asked, f"{self.name} is not connected", self._line.timing.remedy)
        await self._line.pause(self._gap_until - self._real_s())
        client.hush()
        return client

    async def _prove(self, client: Client, asked: Asked, breaker: Breaker) -> None:
        """Serial: after a missed answer believe a unit only when it has answered what no late answer can answer."""
        step = self._step(asked.unit)
        for _ in range(PROOFS):
            if not step.in_doubt(self._real_s()):
                return
            question = step.proof(asked.question)
            if question is None:
                break
            answer = await self._exchange(client, asked._replace(question=question, values=()), breaker)
            if exception_code(answer) is None:
                step.proven()
                return
            step.refuses(question)
        raise self._unreachable(asked, f"unit {asked.unit} may still send an old answer; it is asked again in a moment")

    async def _exchange(self, client: Client, asked: Asked, breaker: Breaker) -> Answer:
        timeout_s = self.timeout_s(asked.unit)
        self._last = asked
        try:
            async with asyncio.timeout(timeout_s):
                answer = await _send(client, asked)
            await self._line.settle(client)
        except TimeoutError:
            if client.lost:  # the line's fault, not the unit's
                raise self._unreachable(asked, f"{self.name} lost its connection") from None
            self._timed_out(asked, breaker)
            raise self._silent(client, asked, timeout_s) from None
        except asyncio.CancelledError:
            self._unanswered(asked)  # the answer is still on its way and belongs to nobody
            raise
        except (WireError, OSError) as error:
            if client.lost:
                raise self._unreachable(asked, f"{self.name} lost its connection") from error
            self._unanswered(asked)
            raise _unfit(asked, error.args[0]) from error
        finally:
            client.hush()
        self._answered(asked, answer)
        if exception_code(answer) in ABSENT:
            breaker.failed(self._real_s())
            raise self._unreachable(asked, f"unit {asked.unit}: {_words(exception_code(answer) or 0)}")
        return answer

    def _silent(self, client: Client, asked: Asked, timeout_s: float) -> DeviceError:
        if client.received:
            return _unfit(asked, f"the answer broke off after {client.received} bytes")
        reason = f"unit {asked.unit} on {self.name} did not answer within {timeout_s:g} s"
        return self._unreachable(asked, reason, "Check power, wiring, unit id and baud rate")

    def _answered(self, asked: Asked, answer: Answer) -> None:
        self._timeouts = 0
        self._gap_until = self._real_s() + self._line.timing.gap_ms / 1000
        if exception_code(answer) is None:
            self._step(asked.unit).gave(asked.question)

    def _timed_out(self, asked: Asked, breaker: Breaker) -> None:
        breaker.failed(self._real_s())
        self._unanswered(asked)
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_UNTIL_RECONNECT and not self._line.serial:
            self._lost.set()

    def _unanswered(self, asked: Asked) -> None:
        # An RTU answer carries no transaction id: one that comes late would be taken for the next question's.
        if self._line.serial:
            self._step(asked.unit).owes(asked.question, self._real_s(), self.timeout_s(asked.unit))
        elif self._line.rtu:
            self._line.drop()

    def _breaker(self, unit: int) -> Breaker:
        return self._breakers.setdefault(unit, Breaker(main=False))

    def _step(self, unit: int) -> Step:
        """A unit's own, unless somebody asks unit 0, which any unit may answer."""
        return self._steps.setdefault(0 if 0 in self._breakers else unit, Step())

    def _note(self, reachable: bool) -> None:
        if reachable != self._reachable:
            log.log(logging.INFO if reachable else logging.WARNING,
                    "%s: %s", self.name, "connected" if reachable else "cannot connect, will keep trying")  # fmt: skip
        self._reachable = reachable

    def _unreachable(self, asked: Asked, reason: str, remedy: str = "") -> DeviceUnreachable:
        return DeviceUnreachable(asked.device, asked.action, reason, remedy)

    def _real_s(self) -> float:
        return self._clock.monotonic() / self._clock.speed


async def _send(client: Client, asked: Asked) -> Answer:
    question = asked.question
    if question.function in READS:
        return await client.read(asked.unit, NAMES[question.function], question.address, question.count)
    return await client.write(asked.unit, question.function, question.address, asked.values)


def _unfit(asked: Asked, why: object) -> DeviceAnswerWrong:
    return DeviceAnswerWrong(asked.device, asked.action, f"the answer does not fit the question: {why}")


def _words(code: int) -> str:
    return f"{code} ({EXCEPTIONS.get(code, 'unknown')})"
