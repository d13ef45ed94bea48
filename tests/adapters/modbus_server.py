"""A small Modbus server of our own that can be late, wrong, refusing or dead, and devices on it, for the tests."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from adapters.modbus.bus import Bus
from adapters.modbus.device import ModbusDevice
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
from gateway.model.authority import Authority
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role
from gateway.ports import Clock
from gateway.runtime.system_clock import SystemClock
from tests.adapters.shipped import PROFILES, shipped

TIMEOUT_S = 0.3
DELAYS = {"very_late": 3.6, "late": 1.4, "slow": 0.8, "unhurried": 0.3}
"""In time-outs: a late reply comes after its own time-out and, unless we keep quiet, before the next slow one."""


def crc16(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


class RawServer:
    """Answers read, FC6 and FC16 requests from `registers`; register n holds n where nothing else is said."""

    def __init__(self, *, rtu: bool = False, one_client: bool = False) -> None:
        self.rtu = rtu
        self.one_client = one_client
        self.registers: dict[int, int] = {}
        self.holes: set[int] = set()
        self.exceptions: dict[int, int] = {}
        """Registers answered with another exception than the 2 of holes."""
        self.requests: list[tuple[int, int, int, int]] = []
        self.times: list[float] = []
        """When each request came, and before them each connection: s of the event loop."""
        self.connections = 0
        self.refused = 0
        self.writes: list[tuple[int, list[int]]] = []
        self.functions: list[int] = []
        """Functions of the writes."""
        self.mood: list[str] = []
        """What to do with the next requests, then behave: silent, die, a delay, or a lie of LIES."""
        self.always = ""
        """What to do when no mood is left."""
        self.timeout_s = TIMEOUT_S
        self.dead_units: set[int] = set()
        self.ignore_writes = False
        self.silent_at: set[int] = set()
        """First registers of reads it does not answer."""
        self.hold_closed = False
        """Close new connections at once."""
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.hold_closed or (self.one_client and any(not other.is_closing() for other in self._writers)):
            self.refused += 1
            writer.close()
            return
        self.connections += 1
        self.times.append(asyncio.get_running_loop().time())
        self._writers.add(writer)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the end of the test is the end of the device
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not self.rtu:
            head = await reader.readexactly(7)
            pdu = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
            return self._answer(head[6], pdu, head, writer)
        body = await reader.readexactly(8)
        if body[1] == 16:
            body += await reader.readexactly(body[6] + 1)
        return self._answer(body[0], body[1:-2], b"", writer)

    def _answer(self, unit: int, pdu: bytes, head: bytes, writer: asyncio.StreamWriter) -> bool:
        function, address, count = struct.unpack(">BHH", pdu[:5].ljust(5, b"\0"))
        self.requests.append((unit, function, address, count))
        self.times.append(asyncio.get_running_loop().time())
        mood = self.mood.pop(0) if self.mood else self.always
        if mood == "silent" or unit in self.dead_units or address in self.silent_at:
            return True
        if mood == "die":
            return False
        frames = (
            LIES[mood](self, head[:4], unit, pdu) if mood in LIES else [self.frame(head[:4], unit, self.reply(pdu))]
        )
        for frame in frames:
            if mood in DELAYS:
                asyncio.get_running_loop().call_later(self.timeout_s * DELAYS[mood], writer.write, frame)
            else:
                writer.write(frame)
        return True

    def frame(self, head: bytes, unit: int, pdu: bytes) -> bytes:
        """A whole frame as this server frames; `head` is transaction and protocol."""
        body = bytes([unit]) + pdu
        return body + crc16(body) if self.rtu else head + struct.pack(">H", len(body)) + body

    def reply(self, pdu: bytes) -> bytes:
        """The honest answer to a request's PDU."""
        function, address, count = struct.unpack(">BHH", pdu[:5].ljust(5, b"\0"))
        return self._reply(function, address, count, pdu)

    def _reply(self, function: int, address: int, count: int, pdu: bytes) -> bytes:
        if function not in (3, 4, 6, 16):
            return bytes([function | 0x80, 1])
        span = range(address, address + (1 if function == 6 else count))
        if self.holes.intersection(span):
            return bytes([function | 0x80, 2])
        for code in (self.exceptions[n] for n in span if n in self.exceptions):
            return bytes([function | 0x80, code])
        if function in (6, 16):
            return self._write(function, span, pdu)
        return bytes([function, 2 * count]) + b"".join(struct.pack(">H", self.registers.get(n, n)) for n in span)

    def _write(self, function: int, span: range, pdu: bytes) -> bytes:
        values = list(struct.unpack(f">{len(span)}H", pdu[3:5] if function == 6 else pdu[6:]))
        self.writes.append((span[0], values))
        self.functions.append(function)
        if not self.ignore_writes:
            self.registers.update(zip(span, values, strict=True))
        return pdu[:5]

    def put_float(self, address: int, value: float) -> None:
        self.registers[address], self.registers[address + 1] = struct.unpack(">HH", struct.pack(">f", value))


Lie = Callable[[RawServer, bytes, int, bytes], list[bytes]]
OLD = bytes([4, 4, 0xBA, 0xD0, 0xBA, 0xD0])
"""An answer to somebody's earlier question for two input registers."""


def _words(pdu: bytes, count: int) -> bytes:
    return bytes([pdu[0], 2 * count]) + bytes.fromhex("BAD0") * count


def _spoiled(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 0x55])


LIES: dict[str, Lie] = {
    "count": lambda s, head, unit, pdu: [s.frame(head, unit, _words(pdu, 4))],
    "short": lambda s, head, unit, pdu: [s.frame(head, unit, _words(pdu, 1))],
    "function": lambda s, head, unit, pdu: [s.frame(head, unit, bytes([7 - pdu[0]]) + s.reply(pdu)[1:])],
    "unit": lambda s, head, unit, pdu: [s.frame(head, unit + 1, s.reply(pdu))],
    "transaction": lambda s, head, unit, pdu: [s.frame(bytes([head[0] ^ 9, *head[1:]]), unit, s.reply(pdu))],
    "truncated": lambda s, head, unit, pdu: [s.frame(head, unit, s.reply(pdu))[:-3]],
    "two_in_one": lambda s, head, unit, pdu: [s.frame(head, unit, s.reply(pdu)) + s.frame(head, unit, OLD)],
    "old_before": lambda s, head, unit, pdu: [s.frame(head, unit, OLD) + s.frame(head, unit, s.reply(pdu))],
    "old_before_apart": lambda s, head, unit, pdu: [s.frame(head, unit, OLD), s.frame(head, unit, s.reply(pdu))],
    "old_numbered": lambda s, head, unit, pdu: [
        s.frame(b"\0\0\0\0", unit, OLD) + s.frame(head, unit, s.reply(pdu))
    ],
    "garbage": lambda s, head, unit, pdu: [b"\x5a\xa5\xff" + s.frame(head, unit, s.reply(pdu))],
    "checksum": lambda s, head, unit, pdu: [_spoiled(s.frame(head, unit, s.reply(pdu)))],
    "byte_count": lambda s, head, unit, pdu: [s.frame(head, unit, s.reply(pdu)[:-2])],
    "length": lambda s, head, unit, pdu: [head + b"\0\x09" + bytes([unit]) + s.reply(pdu)],
    "exception": lambda s, head, unit, pdu: [s.frame(head, unit, bytes([pdu[0] | 0x80, 4]))],
    "long_exception": lambda s, head, unit, pdu: [s.frame(head, unit, bytes([pdu[0] | 0x80, 4, 0, 0]))],
    "echo": lambda s, head, unit, pdu: [s.frame(head, unit, s.reply(pdu)[:-1] + b"\x63")],
}  # fmt: skip
"""Wrong answers to a request for two registers, as the frames that are sent."""


@asynccontextmanager
async def a_bus(
    server: RawServer, *, clock: Clock | None = None, timeout_s: float | None = TIMEOUT_S
) -> AsyncIterator[Bus]:
    stated = {} if timeout_s is None else {"timeout_s": timeout_s}
    framing = "rtu" if server.rtu else "tcp"
    settings = ModbusTcpSettings.model_validate(
        {"kind": "modbus_tcp", "host": "127.0.0.1", "port": server.port, "framing": framing, **stated}
    )
    bus = Bus("bus", settings, clock or SystemClock())
    async with running(bus):
        yield bus


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[None]:
    task = asyncio.create_task(bus.run())
    try:
        await reconnected(bus, 1)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reconnected(bus: Bus, connects: int) -> None:
    async with asyncio.timeout(5):
        while bus.connects < connects or not bus.connected:
            await asyncio.sleep(0.005)


def a_profile(name: str, folder: Path) -> Profile:
    return shipped(name) if folder == PROFILES else load_profile(name, folder)


def a_device(
    bus: Bus, profile: str, *, main: bool = True, folder: Path = PROFILES, clock: Clock | None = None,
    **settings: object,
) -> ModbusDevice:  # fmt: skip
    stated = ModbusDeviceSettings.model_validate({"profile": profile, **settings})
    device = Device("dev", "Device", Role.MAIN_METER)
    return ModbusDevice(device, stated, a_profile(profile, folder), bus, clock or SystemClock(), main=main)


async def values_of(device: ModbusDevice) -> dict[Quantity, float | None]:
    return {reading.quantity: reading.value for reading in await device.read()}


def band(low: float, high: float, *, seconds: float = 60, authority: Authority = Authority.BINDING_LIMIT) -> Setpoint:
    until = SystemClock().now() + timedelta(seconds=seconds)
    return Setpoint("dev", SetpointKind.BATTERY_BAND, high, until, authority, "test", low=low)


# Frames written by hand: 230.5 V = 43 66 80 00, 10.25 A = 41 24 00 00, -1500 W = C4 BB 80 00, 50 Hz = 42 48 00 00,
# 1234.5 kWh = 44 9A 50 00, 0.25 kWh = 3E 80 00 00.
GOLDEN = {0: 0x4366, 1: 0x8000, 6: 0x4124, 7: 0x0000, 12: 0xC4BB, 13: 0x8000, 52: 0xC4BB, 53: 0x8000,
          70: 0x4248, 71: 0x0000, 72: 0x449A, 73: 0x5000, 74: 0x3E80, 75: 0x0000}  # fmt: skip


def sdm630(server: RawServer) -> None:
    server.registers = {**dict.fromkeys(range(76), 0), **GOLDEN}


def words(text: str, count: int) -> list[int]:
    return list(struct.unpack(f">{count}H", text.encode().ljust(2 * count, b"\0")))


def common(serial: str = "S1") -> list[int]:
    """SunSpec's common model 1."""
    identity = [*words("Fronius", 16), *words("GEN24", 16), *[0] * 8, *words("1.2", 8), *words(serial, 16)]
    return [1, 66, *identity, 1, 0]


def sunspec(server: RawServer, *models: list[int], serial: str = "S1", base: int = 40000) -> None:
    """A SunSpec device: common model, `models`, end."""
    chain = [0x5375, 0x6E53, *common(serial), *[word for model in models for word in model], 0xFFFF, 0]
    server.registers = {base + at: value for at, value in enumerate(chain)}


def model_103() -> list[int]:
    m103 = [103, 50] + [0] * 50
    m103[14], m103[15] = 3210, 0
    m103[24:27] = [0x0001, 0x0000, 1]
    return m103


def hybrid(server: RawServer, *, serial: str = "S1", base: int = 40000) -> None:
    """A hybrid inverter typed from the model tables: 1, 103, 123, 124, 160, end."""
    m123 = [123, 24] + [0] * 24
    m123[23] = 0xFFFE
    m124 = [124, 24] + [0] * 24
    m124[2], m124[8], m124[18], m124[22], m124[25] = 5000, 5550, 0, 0xFFFE, 0xFFFE
    m160 = [160, 88] + [0] * 88
    m160[4], m160[5], m160[8] = 0xFFFF, 0, 4
    for module, (power, energy) in enumerate([(20000, 900), (0xFFFF, 0), (0, 700), (15000, 600)]):
        at = 10 + 20 * module
        m160[at + 11 : at + 14] = [power, 0, energy]
    sunspec(server, model_103(), m123, m124, m160, serial=serial, base=base)


AT_103 = 40000 + 2 + 68
AT_123 = AT_103 + 52
AT_124 = AT_123 + 26
