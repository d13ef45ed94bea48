"""Units for probing: devices that answer from a table, typed by hand from the makers' lists, on the witness's server."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from adapters.modbus.planner import Register
from adapters.modbus.profile import Profile
from firmware_sim.clock import SimClock
from firmware_sim.inverter import SunSpecInverter
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ModbusRefusal, ModbusServer, Registers
from firmware_sim.physics.home import Home
from firmware_sim.physics.replay import Replay, load_data
from gateway.model.quantity import Quantity


class Table:
    """A unit with words at addresses of one function; what is not there it refuses with exception 2."""

    def __init__(self, function: int, words: Mapping[int, int], *, most: int = 125) -> None:
        self.function, self.words, self.most = function, dict(words), most
        self.writes = 0
        self.reads = 0

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        self.reads += 1
        if function != self.function:
            raise ModbusRefusal(ILLEGAL_FUNCTION)
        if count > self.most or any(at not in self.words for at in range(start, start + count)):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        return [self.words[at] for at in range(start, start + count)]

    def write(self, function: int, start: int, values: Sequence[int]) -> None:
        self.writes += 1
        raise ModbusRefusal(ILLEGAL_FUNCTION)


@asynccontextmanager
async def serving(units: Mapping[int, Registers], *, rtu: bool = False) -> AsyncIterator[int]:
    server = ModbusServer(units, faults())
    try:
        yield await server.listen(0, rtu=rtu)
    finally:
        await server.close()


def floats(values: Mapping[int, float], fill: range) -> dict[int, int]:
    """Big-endian float32 at even addresses; the rest of `fill` reads 0."""
    words = dict.fromkeys(fill, 0)
    for at, value in values.items():
        words[at], words[at + 1] = struct.unpack(">2H", struct.pack(">f", value))
    return words


def low_first(values: Mapping[int, int], fill: range) -> dict[int, int]:
    """int32 with the low word first; the rest of `fill` reads 0."""
    words = dict.fromkeys(fill, 0)
    for at, value in values.items():
        words[at], words[at + 1] = value & 0xFFFF, (value >> 16) & 0xFFFF
    return words


def sdm630() -> Table:
    """Eastron SDM630: 230, 231, 229 V; 4, 2, 1 A; 900, 440, 220 W."""
    return Table(4, floats({0: 230.1, 2: 231.2, 4: 229.4, 6: 4.0, 8: 2.0, 10: 1.0, 12: 900.0, 14: 440.0, 16: 220.0,
                            52: 1560.0, 70: 50.01, 72: 1234.5, 74: 12.25}, range(380)))  # fmt: skip


def sdm120() -> Table:
    """Eastron SDM120: one phase; what an SDM630 has for other phases reads 0."""
    return Table(4, floats({0: 230.1, 6: 4.0, 12: 900.0, 18: 920.0, 30: 0.98, 70: 50.01, 72: 1234.5, 74: 0.0},
                           range(90)))  # fmt: skip


def em340() -> Table:
    """Carlo Gavazzi EM340: tenths of a volt, milliamperes, tenths of a watt, low word first."""
    return Table(4, low_first({0: 2301, 2: 2312, 4: 2294, 12: 4000, 14: 2000, 16: 1000, 18: 9000, 20: 4400, 22: 2200,
                               40: 15600, 52: 12345, 78: 122}, range(82)) | {51: 500}, most=50)  # fmt: skip


def faults() -> Faults:
    """No faults at all."""
    return Faults(SimClock(datetime(2026, 6, 10, tzinfo=UTC), 0.0, 1.0))


def inverter() -> SunSpecInverter:
    """The witness's hybrid inverter at noon."""
    noon = datetime(2026, 6, 10, 11, tzinfo=UTC)
    home = Home(noon, 1, Replay(1, load_data()))
    home.advance(noon + timedelta(minutes=1))
    made = SunSpecInverter(faults(), SimClock(noon, noon.timestamp(), 1.0))
    made.show(home.state())
    return made


TRUE = {
    Quantity.POWER: 1560.0, Quantity.POWER_L1: 900.0, Quantity.POWER_L2: 440.0, Quantity.POWER_L3: 220.0,
    Quantity.CURRENT_L1: 4.0, Quantity.CURRENT_L2: 2.0, Quantity.CURRENT_L3: 1.0, Quantity.VOLTAGE_L1: 230.1,
    Quantity.VOLTAGE_L2: 231.2, Quantity.VOLTAGE_L3: 229.4, Quantity.FREQUENCY: 50.0, Quantity.SOC: 55.0,
}  # fmt: skip
COUNTER_WH, OTHER, PAD = 1_234_567.0, 21.0, 16
CODES = {
    "float32": ">f", "float64": ">d", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q",
    "uint64": ">Q",
}  # fmt: skip


def of_profile(profile: Profile) -> TwoTables:
    """A device as the profile has it, with zeros around: no witness to the table, only to telling tables apart."""
    tables: dict[int, dict[int, int]] = {3: {}, 4: {}}
    parts = Counter(register.quantity for register in profile.registers)
    for register in profile.registers:
        words = tables[3 if register.function == "holding" else 4]
        words |= dict(enumerate(_words(register, parts[register.quantity]), register.address))
    for words in tables.values():
        for at in list(words):
            for near in range(max(0, at - 1), at + PAD):
                words.setdefault(near, 0)
    return TwoTables(tables)


def _words(register: Register, parts: int) -> list[int]:
    value = TRUE.get(register.quantity, COUNTER_WH if register.quantity.is_counter else OTHER) / parts
    if register.high is not None and value > register.high:
        value = -value
    raw = (value - register.offset) / register.scale
    code = CODES[register.type]
    packed = struct.pack(code, raw if code in (">f", ">d") else max(0, round(raw)) if code[1].isupper() else round(raw))
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    return words if register.word_order == "big" else words[::-1]


class TwoTables(Table):
    """A unit with words for functions 3 and 4; a function without any it does not know."""

    def __init__(self, tables: Mapping[int, Mapping[int, int]]) -> None:
        super().__init__(0, {})
        self.tables = tables

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        self.reads += 1
        words = self.tables.get(function)
        if not words:
            raise ModbusRefusal(ILLEGAL_FUNCTION)
        if any(at not in words for at in range(start, start + count)):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        return [words[at] for at in range(start, start + count)]
