"""One Modbus bus: one connection, one lock, one request at a time, every answer checked against its question."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from adapters.modbus.client import (
    FUNCTIONS,
    WRITE_REGISTERS,
    Answer,
    Client,
    WireError,
    ask_registers,
    exception_code,
    make_client,
    send_registers,
)
from adapters.modbus.settings import BusSettings, ModbusRtuSettings
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceUnreachable
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


class IllegalAddress(DeviceAnswerWrong):
    """The device has no such register (Modbus exception 2): ask for less."""


class Breaker:
    """Keeps a dead unit from costing more than one time-out per back-off; times in s of the world."""

    def __init__(self, *, main: bool) -> None:
        self._first_s, self._max_s = (0.5, 2.0) if main else (2.0, 30.0)
        self._delay_s = 0.0
        self._until = 0.0

    def is_open(self, now_s: float) -> bool:
        """Whether the unit must not be asked yet."""
        return now_s < self._until

    def failed(self, now_s: float) -> None:
        """One more time-out: wait twice as long as the last time."""
        self._delay_s = min(self._max_s, max(self._first_s, self._delay_s * 2))
        self._until = now_s + self._delay_s

    def answered(self) -> None:
        """The unit is alive."""
        self._delay_s = self._until = 0.0


class Bus:
    """A Modbus bus as a Connection; every request waits its turn, and fails fast while the line is down."""

    def __init__(self, name: str, settings: BusSettings, clock: Clock) -> None:
        self.name = name
        self.connects = 0
        """How often the connection was opened: devices look again at who is there when it rises."""
        self._settings = settings
        self._clock = clock
        self._rtu = isinstance(settings, ModbusRtuSettings) or settings.framing == "rtu"
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._breakers: dict[int, Breaker] = {}
        self._max_reconnect_s = MAX_RECONNECT_S
        self._quiet_until = 0.0
        self._timeouts = 0
        self._reachable: bool | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open."""
        return self._client is not None

    def add_unit(self, unit: int, *, main: bool = False) -> None:
        """Announce a unit; the main meter's is asked again after 2 s at the latest, others after up to 30 s."""
        if main or unit not in self._breakers:
            self._breakers[unit] = Breaker(main=main)
        if main:
            self._max_reconnect_s = MAIN_RECONNECT_S

    async def run(self) -> None:
        """Keep the line open until cancelled: reconnect with jitter, after 30 s (main meter: 2 s) at the latest."""
        delay_s = 0.5
        try:
            while True:
                if await self.open():
                    delay_s = 0.5
                    await self._lost.wait()
                self.close()
                await self._pause(delay_s * random.uniform(0.7, 1.0))
                delay_s = min(self._max_reconnect_s, delay_s * 2)
        finally:
            self.close()

    async def open(self) -> bool:
        """Open the line once; False when the peer is absent."""
        self._lost = asyncio.Event()
        client = make_client(self.name, self._settings, self._on_change)
        try:
            async with asyncio.timeout(max(3.0, self._settings.timeout_s)):
                opened = await client.connect()
        except (TimeoutError, OSError, WireError):
            opened = False
        self._note(opened)
        if not opened:
            client.close()
            return False
        await self._pause(getattr(self._settings, "connect_delay_ms", 0) / 1000)
        self._client, self._timeouts = client, 0
        self.connects += 1
        return not self._lost.is_set()

    def close(self) -> None:
        """Close the line; requests fail until it is opened again."""
        client, self._client = self._client, None
        if client:
            client.close()

    async def read_block(self, unit: int, function: str, address: int, count: int, device: str) -> list[int]:
        """`count` registers from 0-based `address`; function "input" (FC4) or "holding" (FC3).

        Raises DeviceUnreachable, IllegalAddress (exception 2) or DeviceAnswerWrong; never returns another's answer.
        """
        action = f"read {function} registers {address}-{address + count - 1}"
        answer = await self._ask(unit, device, action, lambda c: ask_registers(c, unit, function, address, count))
        self._check_read(answer, FUNCTIONS[function], count, device, action)
        return list(answer.registers)

    async def write_registers(self, unit: int, address: int, values: Sequence[int], device: str) -> None:
        """Write neighbouring registers in one FC16; raises DeviceUnreachable, CommandRefused or DeviceAnswerWrong."""
        action = f"write registers {address}-{address + len(values) - 1}"
        answer = await self._ask(unit, device, action, lambda c: send_registers(c, unit, address, values))
        code = exception_code(answer)
        if code is not None:
            raise CommandRefused(device, action, f"the device refused it: {_words(code)}")
        echo = (answer.function_code, answer.address, answer.count)
        if echo != (WRITE_REGISTERS, address, len(values)):
            raise DeviceAnswerWrong(device, action, f"it confirmed something else: {echo}")

    async def _ask(self, unit: int, device: str, action: str, send: Callable[[Client], Awaitable[Answer]]) -> Answer:
        breaker = self._breakers.setdefault(unit, Breaker(main=False))
        async with self._lock:
            client = self._client
            if client is None:
                raise DeviceUnreachable(device, action, f"{self.name} is not connected")
            if breaker.is_open(self._real_s()):
                raise DeviceUnreachable(device, action, f"unit {unit} did not answer; it is asked again in a moment")
            await self._keep_quiet()
            answer = await self._exchange(client, unit, device, action, breaker, send)
        breaker.answered()
        return answer

    async def _exchange(
        self, client: Client, unit: int, device: str, action: str, breaker: Breaker,
        send: Callable[[Client], Awaitable[Answer]],
    ) -> Answer:  # fmt: skip
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await send(client)
        except TimeoutError:
            if self._lost.is_set():  # the line's fault, not the unit's
                raise DeviceUnreachable(device, action, f"{self.name} lost its connection") from None
            self._timed_out(breaker)
            reason = f"unit {unit} on {self.name} did not answer within {self._settings.timeout_s:g} s"
            raise DeviceUnreachable(device, action, reason, "Check power, wiring, unit id and baud rate") from None
        except asyncio.CancelledError:
            self._silence()  # the answer is still on its way and belongs to nobody
            raise
        except (WireError, OSError) as error:
            self._silence()
            if self._lost.is_set():
                raise DeviceUnreachable(device, action, f"{self.name} lost its connection") from error
            raise DeviceAnswerWrong(device, action, f"the answer does not fit the question: {error}") from error
        self._timeouts = 0
        self._quiet_until = self._real_s() + self._settings.gap_ms / 1000
        if exception_code(answer) in ABSENT:
            breaker.failed(self._real_s())
            raise DeviceUnreachable(device, action, f"unit {unit}: {_words(exception_code(answer) or 0)}")
        return answer

    def _check_read(self, answer: Answer, function: int, count: int, device: str, action: str) -> None:
        code = exception_code(answer)
        if code == 2:
            raise IllegalAddress(device, action, "the device has no such register (exception 2)")
        if code is not None:
            raise DeviceAnswerWrong(device, action, f"the device answered exception {_words(code)}")
        if answer.function_code != function or len(answer.registers) != count:
            self._silence()
            got = f"function {answer.function_code} with {len(answer.registers)} registers"
            raise DeviceAnswerWrong(device, action, f"asked for function {function} with {count} registers, got {got}")

    def _timed_out(self, breaker: Breaker) -> None:
        breaker.failed(self._real_s())
        self._silence()
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_UNTIL_RECONNECT and not isinstance(self._settings, ModbusRtuSettings):
            self._lost.set()

    def _silence(self) -> None:
        # An RTU answer carries no transaction id: one that comes late would be taken for the next question's.
        if self._rtu:
            self._quiet_until = self._real_s() + 2 * self._settings.timeout_s

    async def _keep_quiet(self) -> None:
        wait_s = self._quiet_until - self._real_s()
        if wait_s > 0:
            await self._pause(wait_s)

    def _on_change(self, up: bool) -> None:
        if not up:
            self._lost.set()

    def _note(self, reachable: bool) -> None:
        if reachable != self._reachable:
            log.log(logging.INFO if reachable else logging.WARNING,
                    "%s: %s", self.name, "connected" if reachable else "cannot connect, will keep trying")  # fmt: skip
        self._reachable = reachable

    def _real_s(self) -> float:
        return self._clock.monotonic() / self._clock.speed

    async def _pause(self, real_s: float) -> None:
        if real_s > 0:
            await self._clock.sleep(0, real_floor=real_s)


def _words(code: int) -> str:
    return f"{code} ({EXCEPTIONS.get(code, 'unknown')})"
