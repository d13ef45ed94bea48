"""One Modbus bus: one connection, one lock, one request at a time, every answer checked against its question."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence

from adapters.modbus.client import Answer, Client, WireError, exception_code
from adapters.modbus.framing import WRITE_MANY
from adapters.modbus.settings import BusSettings, ModbusRtuSettings
from adapters.modbus.timing import NO_NEEDS, Needs, timing_of
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
SETTLE_S = 0.004
"""RTU: so long after an answer the line must stay silent; what follows at once shows that it was not our answer."""
SILENT_BITS = 38.5
"""The silence between two frames: 3.5 characters of 11 bits (Modbus over Serial Line 1.02, 2.5.1.1)."""
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
        self._needs: dict[int, Needs] = {}
        self._patience: dict[int, float] = {}
        self._timing = timing_of(settings, ())
        self._writable: dict[tuple[int, str], frozenset[tuple[int, int, int]]] = {}
        self._max_reconnect_s = MAX_RECONNECT_S
        self._quiet_until = 0.0
        self._timeouts = 0
        self._reachable: bool | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open."""
        return self._client is not None

    def add_unit(self, unit: int, *, main: bool = False, needs: Needs = NO_NEEDS) -> None:
        """Announce a unit; the main meter's is asked again after 2 s at the latest, others after up to 30 s.

        What its profile needs of the line holds where the site file says nothing; the most demanding unit sets the
        gap and the delay after connecting, each unit its own time-out.
        """
        if main or unit not in self._breakers:
            self._breakers[unit] = Breaker(main=main)
        if main:
            self._max_reconnect_s = MAIN_RECONNECT_S
        if needs != NO_NEEDS:
            self._needs[unit] = self._needs[unit].with_(needs) if unit in self._needs else needs
            self._timing = timing_of(self._settings, self._needs.values())
            self._patience[unit] = timing_of(self._settings, (self._needs[unit],)).timeout_s

    def allow_writes(self, unit: int, device: str, spans: Iterable[tuple[int, int, int]]) -> None:
        """What `device` may have written: (function, first, last register); nothing else ever leaves the house."""
        self._writable[unit, device] = frozenset(spans)

    def timeout_s(self, unit: int) -> float:
        """How long an answer of the unit is waited for, s of the world."""
        return self._patience.get(unit, self._settings.timeout_s)

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
        timing = self._timing
        client = Client(self.name, self._settings, timing, self._on_change)
        try:
            async with asyncio.timeout(max(3.0, timing.timeout_s)):
                opened = await client.connect()
        except (TimeoutError, OSError, WireError):
            opened = False
        self._note(opened)
        if not opened:
            client.close()
            return False
        await self._pause(timing.connect_delay_ms / 1000)
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
        answer = await self._ask(unit, device, action, lambda client: client.read(unit, function, address, count))
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
        answer = await self._ask(unit, device, action, lambda client: client.write(unit, function, address, values))
        code = exception_code(answer)
        if code is not None:
            raise CommandRefused(device, action, f"the device refused it: {_words(code)}")

    async def _ask(self, unit: int, device: str, action: str, send: Callable[[Client], Awaitable[Answer]]) -> Answer:
        breaker = self._breakers.setdefault(unit, Breaker(main=False))
        async with self._lock:
            client = self._client
            if client is None:
                raise DeviceUnreachable(device, action, f"{self.name} is not connected", self._timing.remedy)
            if breaker.is_open(self._real_s()):
                raise DeviceUnreachable(device, action, f"unit {unit} did not answer; it is asked again in a moment")
            await self._keep_quiet(client)
            answer = await self._exchange(client, unit, device, action, breaker, send)
        breaker.answered()
        return answer

    async def _exchange(
        self, client: Client, unit: int, device: str, action: str, breaker: Breaker,
        send: Callable[[Client], Awaitable[Answer]],
    ) -> Answer:  # fmt: skip
        timeout_s = self.timeout_s(unit)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await send(client)
            await self._settle(client)
        except TimeoutError:
            if self._lost.is_set():  # the line's fault, not the unit's
                raise DeviceUnreachable(device, action, f"{self.name} lost its connection") from None
            self._timed_out(breaker, timeout_s)
            raise self._silent(client, unit, device, action, timeout_s) from None
        except asyncio.CancelledError:
            self._silence(timeout_s)  # the answer is still on its way and belongs to nobody
            raise
        except (WireError, OSError) as error:
            self._silence(timeout_s)
            if self._lost.is_set():
                raise DeviceUnreachable(device, action, f"{self.name} lost its connection") from error
            raise DeviceAnswerWrong(device, action, f"the answer does not fit the question: {error.args[0]}") from error
        finally:
            client.hush()
        self._timeouts = 0
        self._quiet_until = self._real_s() + self._timing.gap_ms / 1000
        if exception_code(answer) in ABSENT:
            breaker.failed(self._real_s())
            raise DeviceUnreachable(device, action, f"unit {unit}: {_words(exception_code(answer) or 0)}")
        return answer

    def _silent(self, client: Client, unit: int, device: str, action: str, timeout_s: float) -> DeviceError:
        if client.received:
            reason = f"the answer broke off after {client.received} bytes"
            return DeviceAnswerWrong(device, action, f"the answer does not fit the question: {reason}")
        reason = f"unit {unit} on {self.name} did not answer within {timeout_s:g} s"
        return DeviceUnreachable(device, action, reason, "Check power, wiring, unit id and baud rate")

    async def _settle(self, client: Client) -> None:
        """An RTU answer without a number of its own is ours only if nothing follows it: two are one too many."""
        if not self._rtu:
            return
        serial = isinstance(self._settings, ModbusRtuSettings)
        await self._pause(max(SETTLE_S, SILENT_BITS / self._timing.baudrate) if serial else SETTLE_S)
        if client.strayed:
            raise WireError("two answers came to one question")

    def _timed_out(self, breaker: Breaker, timeout_s: float) -> None:
        breaker.failed(self._real_s())
        self._silence(timeout_s)
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_UNTIL_RECONNECT and not isinstance(self._settings, ModbusRtuSettings):
            self._lost.set()

    def _silence(self, timeout_s: float) -> None:
        # An RTU answer carries no transaction id: one that comes late would be taken for the next question's.
        if self._rtu:
            self._quiet_until = self._real_s() + 2 * timeout_s

    async def _keep_quiet(self, client: Client) -> None:
        if client.strayed:  # an answer to no question: the answers lag behind the questions
            self._silence(self._timing.timeout_s)
        wait_s = self._quiet_until - self._real_s()
        if wait_s > 0:
            await self._pause(wait_s)
        client.hush()

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
