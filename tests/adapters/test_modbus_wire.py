"""The bus and the devices against a small Modbus server of our own that can be late, wrong, refusing or dead."""

from __future__ import annotations

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.modbus.bus import Breaker, Bus, IllegalAddress
from adapters.modbus.device import ModbusDevice
from adapters.modbus.probe import probe_modbus
from adapters.modbus.profile import load_profile
from adapters.modbus.settings import ModbusDeviceSettings, ModbusRtuSettings, ModbusTcpSettings
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceError, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "modbus"
TIMEOUT_S = 0.05
DELAYS = {"late": 1.4, "slow": 0.8}
"""In time-outs: a late reply comes after its own time-out and, unless we keep quiet, before the next slow one."""


def crc16(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


class RawServer:
    """Answers read and FC16 requests from `registers`; register n holds n where nothing else is said."""

    def __init__(self, *, rtu: bool = False) -> None:
        self.rtu = rtu
        self.registers: dict[int, int] = {}
        self.holes: set[int] = set()
        self.exceptions: dict[int, int] = {}
        """Registers answered with another exception than the 2 of holes."""
        self.requests: list[tuple[int, int, int, int]] = []
        self.writes: list[tuple[int, list[int]]] = []
        self.mood: list[str] = []
        """What to do with the next requests: late, count, function, unit, silent, die; then behave."""
        self.dead_units: set[int] = set()
        self.ignore_writes = False
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
        self._writers.add(writer)
        try:
            while True:
                if self.rtu:
                    head, body = b"", await reader.readexactly(8)
                    if body[1] == 16:
                        body += await reader.readexactly(body[6] + 1)
                    unit, pdu = body[0], body[1:-2]
                else:
                    head = await reader.readexactly(7)
                    unit, pdu = head[6], await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                if not await self._answer(unit, pdu, head, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the end of the test is the end of the device
        writer.close()

    async def _answer(self, unit: int, pdu: bytes, head: bytes, writer: asyncio.StreamWriter) -> bool:
        function, address, count = struct.unpack(">BHH", pdu[:5])
        self.requests.append((unit, function, address, count))
        mood = self.mood.pop(0) if self.mood else ""
        if mood == "silent" or unit in self.dead_units:
            return True
        if mood == "die":
            return False
        reply = self._reply(function, address, count, pdu)
        if mood == "count":
            reply = bytes([function, 2 * (count + 2)]) + bytes(2 * (count + 2))
        if mood == "function":
            reply = bytes([3 if function == 4 else 4]) + reply[1:]
        if mood == "unit":
            unit += 1
        frame = bytes([unit]) + reply
        frame = frame + crc16(frame) if self.rtu else head[:4] + struct.pack(">H", len(frame)) + frame
        if mood in DELAYS:
            asyncio.get_running_loop().call_later(TIMEOUT_S * DELAYS[mood], writer.write, frame)
        else:
            writer.write(frame)
        return True

    def _reply(self, function: int, address: int, count: int, pdu: bytes) -> bytes:
        span = range(address, address + count)
        if self.holes.intersection(span):
            return bytes([function | 0x80, 2])
        for code in (self.exceptions[n] for n in span if n in self.exceptions):
            return bytes([function | 0x80, code])
        if function == 16:
            values = list(struct.unpack(f">{count}H", pdu[6:]))
            self.writes.append((address, values))
            if not self.ignore_writes:
                self.registers.update(zip(span, values, strict=True))
            return struct.pack(">BHH", 16, address, count)
        return bytes([function, 2 * count]) + b"".join(struct.pack(">H", self.registers.get(n, n)) for n in span)

    def put_float(self, address: int, value: float) -> None:
        self.registers[address], self.registers[address + 1] = struct.unpack(">HH", struct.pack(">f", value))


@asynccontextmanager
async def a_bus(server: RawServer) -> AsyncIterator[Bus]:
    settings = ModbusTcpSettings(
        kind="modbus_tcp", host="127.0.0.1", port=server.port, timeout_s=TIMEOUT_S,
        framing="rtu" if server.rtu else "tcp",
    )  # fmt: skip
    bus = Bus("bus", settings, SystemClock())
    task = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(2):
            while not bus.connected:
                await asyncio.sleep(0.005)
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def a_device(bus: Bus, profile: str, *, main: bool = True, invert: bool = False) -> ModbusDevice:
    settings = ModbusDeviceSettings(profile=profile, invert=invert)
    device = Device("dev", "Device", Role.MAIN_METER)
    return ModbusDevice(device, settings, load_profile(profile, PROFILES), bus, SystemClock(), main=main)


async def values_of(device: ModbusDevice) -> dict[Quantity, float | None]:
    return {reading.quantity: reading.value for reading in await device.read()}


def band(low: float, high: float, *, seconds: float = 60, authority: Authority = Authority.BINDING_LIMIT) -> Setpoint:
    until = SystemClock().now() + timedelta(seconds=seconds)
    return Setpoint("dev", SetpointKind.BATTERY_BAND, high, until, authority, "test", low=low)


@pytest.mark.parametrize("mood", ["count", "function", "unit", "silent", "die"])
@pytest.mark.parametrize("rtu", [False, True], ids=["tcp", "rtu"])
async def test_an_answer_that_does_not_fit_is_never_a_value(rtu: bool, mood: str) -> None:
    async with RawServer(rtu=rtu).serve() as server, a_bus(server) as bus:
        server.mood = [mood]
        with pytest.raises(DeviceError):
            await bus.read_block(1, "input", 100, 2, "dev")


@pytest.mark.slow
@pytest.mark.parametrize("rtu", [False, True], ids=["tcp", "rtu"])
async def test_a_late_reply_is_never_taken_as_the_next_answer(rtu: bool) -> None:
    wrong = good = 0
    async with RawServer(rtu=rtu).serve() as server, a_bus(server) as bus:
        for _ in range(4):
            server.mood = ["late", "slow"]
            with pytest.raises(DeviceUnreachable):
                await bus.read_block(1, "input", 100, 2, "dev")
            bus.add_unit(1, main=True)  # a fresh breaker: ask again at once
            try:
                answer = await bus.read_block(1, "input", 200, 2, "dev")
            except DeviceError:
                continue
            wrong += answer != [200, 201]
            good += answer == [200, 201]
    assert (wrong, good) == (0, 4)


@pytest.mark.slow
async def test_a_dead_unit_costs_one_timeout_and_the_others_go_on() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.dead_units = {7}
        for _ in range(5):
            with pytest.raises(DeviceUnreachable):
                await bus.read_block(7, "input", 0, 2, "dead")
            assert await bus.read_block(1, "input", 50, 2, "alive") == [50, 51]
        assert len([r for r in server.requests if r[0] == 7]) == 1


def test_back_off_doubles_to_30_s_but_a_main_meter_waits_at_most_2_s() -> None:
    def delays(breaker: Breaker) -> list[float]:
        found = []
        for _ in range(6):
            breaker.failed(0.0)
            found.append(next(s for s in (0.5, 1, 2, 4, 8, 16, 30, 60) if not breaker.is_open(s)))
        return found

    assert delays(Breaker(main=False)) == [2, 4, 8, 16, 30, 30]
    assert delays(Breaker(main=True)) == [0.5, 1, 2, 2, 2, 2]


async def test_exception_2_is_told_apart() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.holes = {101}
        with pytest.raises(IllegalAddress):
            await bus.read_block(1, "holding", 100, 2, "dev")


@pytest.mark.slow
async def test_a_lost_connection_is_opened_again_by_itself() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await bus.read_block(1, "input", 0, 2, "dev")
        async with asyncio.timeout(3):
            while bus.connects < 2:
                await asyncio.sleep(0.01)
        assert await bus.read_block(2, "input", 5, 1, "dev") == [5]


class HastyClock(SystemClock):
    """Sleeps no time, and remembers how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.floors: list[float] = []

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        self.floors.append(real_floor)
        await asyncio.sleep(0)


@pytest.mark.parametrize(("main", "longest"), [(True, 2.0), (False, 30.0)])
async def test_the_main_meters_line_is_dialled_every_two_seconds_at_least(main: bool, longest: float) -> None:
    """Wrong before: after a minute's silence a meter that was back stayed unheard for up to 30 s more."""
    clock = HastyClock()
    bus = Bus("bus", ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=1, timeout_s=0.05), clock)
    bus.add_unit(1, main=main)
    dialling = asyncio.create_task(bus.run())
    async with asyncio.timeout(5):
        while len(clock.floors) < 10:
            await asyncio.sleep(0)
    dialling.cancel()
    await asyncio.gather(dialling, return_exceptions=True)
    assert 0.7 * longest <= max(clock.floors) <= longest


async def test_an_absent_peer_stops_nobody() -> None:
    bus = Bus("bus", ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=1, timeout_s=0.05), SystemClock())
    assert not await bus.open()
    with pytest.raises(DeviceUnreachable, match="not connected"):
        await bus.read_block(1, "input", 0, 1, "dev")


@pytest.mark.slow
async def test_a_meter_on_a_serial_line_is_read_through_a_pty() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    server = RawServer(rtu=True)
    sdm630(server)

    def answer() -> None:
        request = os.read(ours, 8)
        count = int.from_bytes(request[4:6])
        frame = request[:1] + server._reply(request[1], int.from_bytes(request[2:4]), count, request[1:-2])
        os.write(ours, frame + crc16(frame))

    asyncio.get_running_loop().add_reader(ours, answer)
    settings = ModbusRtuSettings(kind="modbus_rtu", path=os.ttyname(theirs), timeout_s=0.5)
    bus = Bus("line", settings, SystemClock())
    try:
        assert await bus.open()
        assert (await values_of(a_device(bus, "eastron_sdm630")))[Quantity.POWER] == -1500
    finally:
        bus.close()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        os.close(theirs)


# Frames written by hand: 230.5 V = 43 66 80 00, 10.25 A = 41 24 00 00, -1500 W = C4 BB 80 00, 50 Hz = 42 48 00 00,
# 1234.5 kWh = 44 9A 50 00, 0.25 kWh = 3E 80 00 00.
GOLDEN = {0: 0x4366, 1: 0x8000, 6: 0x4124, 7: 0x0000, 12: 0xC4BB, 13: 0x8000, 52: 0xC4BB, 53: 0x8000,
          70: 0x4248, 71: 0x0000, 72: 0x449A, 73: 0x5000, 74: 0x3E80, 75: 0x0000}  # fmt: skip


def sdm630(server: RawServer) -> None:
    server.registers = {**dict.fromkeys(range(76), 0), **GOLDEN}


async def test_the_golden_sdm630_frame_is_read_in_three_requests() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        values = await values_of(a_device(bus, "eastron_sdm630"))
        assert server.requests == [(1, 4, 0, 18), (1, 4, 52, 2), (1, 4, 70, 6)]
        assert values[Quantity.VOLTAGE_L1] == 230.5
        assert values[Quantity.CURRENT_L1] == 10.25
        assert values[Quantity.POWER_L1] == values[Quantity.POWER] == -1500
        assert values[Quantity.FREQUENCY] == 50
        assert values[Quantity.ENERGY_IMPORT] == 1_234_500
        assert values[Quantity.ENERGY_EXPORT] == 250


async def test_the_second_sweep_leaves_the_slow_registers_out() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        device = a_device(bus, "eastron_sdm630")
        await device.read()
        assert Quantity.ENERGY_IMPORT not in await values_of(device)
        assert len(server.requests) == 5


async def test_an_inverted_meter_turns_powers_and_swaps_counters() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        values = await values_of(a_device(bus, "eastron_sdm630", invert=True))
        assert values[Quantity.POWER] == 1500
        assert (values[Quantity.ENERGY_IMPORT], values[Quantity.ENERGY_EXPORT]) == (250, 1_234_500)
        assert values[Quantity.CURRENT_L1] == 10.25


async def test_nonsense_from_the_meter_is_missing_with_its_reason_never_zero() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.registers.update({0: 0x7FC0, 1: 0, 52: 0x7F7F, 53: 0xFFFF})  # not a number; 3.4e38 W
        readings = {r.quantity: r for r in await a_device(bus, "eastron_sdm630").read()}
        for quantity in (Quantity.VOLTAGE_L1, Quantity.POWER):
            assert readings[quantity].value is None
            assert readings[quantity].quality is Quality.MISSING
            assert readings[quantity].reason


async def test_a_refused_block_is_split_and_only_the_hole_is_missing() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.holes = {16}
        device = a_device(bus, "eastron_sdm630")
        readings = {r.quantity: r for r in await device.read()}
        assert readings[Quantity.POWER_L3].quality is Quality.MISSING
        assert readings[Quantity.VOLTAGE_L1].value == 230.5
        learned = len(server.requests)
        await device.read()
        assert all(16 not in range(a, a + c) for _, _, a, c in server.requests[learned:])


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "left out" in record.message]


@pytest.mark.parametrize("code", [2, 3])
async def test_a_refused_block_is_missing_with_its_reason_and_the_others_are_read(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong before: one block answered with exception 3 lost every reading of the device."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: code}
        device = a_device(bus, "eastron_sdm630")
        for _ in range(3):
            readings = {r.quantity: r for r in await device.read()}
            assert readings[Quantity.VOLTAGE_L1].value == 230.5
            assert readings[Quantity.POWER].quality is Quality.MISSING
            assert readings[Quantity.POWER].reason == f"the device refuses register 52 (exception {code})"
        assert len(refusals(caplog)) == 1
        assert len([r for r in server.requests if r[2] == 52]) == 1, "it is left out indeed"


async def test_what_was_learned_is_kept_when_a_later_block_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: the refused register was asked for, and warned about, in every sweep again."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.holes = {0, 1}
        server.exceptions = {52: 4}
        device = a_device(bus, "eastron_sdm630")
        for _ in range(3):
            with pytest.raises(DeviceAnswerWrong, match="exception 4"):
                await device.read()
        assert len([r for r in server.requests if r[2:] == (0, 2)]) == 1
        assert len(refusals(caplog)) == 1
        server.exceptions = {}
        values = await values_of(device)
        assert (values[Quantity.VOLTAGE_L1], values[Quantity.CURRENT_L1]) == (None, 10.25)


async def test_a_wrong_profile_warns_once_for_each_register(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: a B23's profile against an SDM630 logged two warnings every second for ever."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.holes = set(range(20000, 23000))
        server.exceptions = dict.fromkeys(range(23000, 30000), 3)
        device = a_device(bus, "abb_b23")
        readings = await device.read()
        assert readings and all(r.quality is Quality.MISSING and r.reason for r in readings)
        asked, warned = len(server.requests), refusals(caplog)
        assert len(warned) == len(set(warned)) == len(load_profile("abb_b23", PROFILES).registers)
        for _ in range(3):
            await device.read()
        assert (len(server.requests), refusals(caplog)) == (asked, warned)


@pytest.mark.slow
async def test_after_a_reconnect_a_refused_register_is_asked_for_and_warned_about_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: 3}
        device = a_device(bus, "eastron_sdm630")
        await device.read()
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await device.read()
        async with asyncio.timeout(3):
            while bus.connects < 2:
                await asyncio.sleep(0.01)
        assert (await values_of(device))[Quantity.POWER] is None
        assert len(refusals(caplog)) == 2


def words(text: str, count: int) -> list[int]:
    return list(struct.unpack(f">{count}H", text.encode().ljust(2 * count, b"\0")))


def hybrid(server: RawServer, *, serial: str = "S1", base: int = 40000) -> None:
    """A hybrid inverter typed from the model tables: 1, 103, 123, 124, 160, end."""
    common = [1, 66, *words("Fronius", 16), *words("GEN24", 16), *[0] * 8, *words("1.2", 8), *words(serial, 16), 1, 0]
    m103 = [103, 50] + [0] * 50
    m103[14], m103[15] = 3210, 0
    m103[24:27] = [0x0001, 0x0000, 1]
    m123 = [123, 24] + [0] * 24
    m123[23] = 0xFFFE
    m124 = [124, 24] + [0] * 24
    m124[2], m124[8], m124[18], m124[22], m124[25] = 5000, 5550, 0, 0xFFFE, 0xFFFE
    m160 = [160, 88] + [0] * 88
    m160[4], m160[5], m160[8] = 0xFFFF, 0, 4
    for module, (power, energy) in enumerate([(20000, 900), (0xFFFF, 0), (0, 700), (15000, 600)]):
        at = 10 + 20 * module
        m160[at + 11 : at + 14] = [power, 0, energy]
    chain = [0x5375, 0x6E53, *common, *m103, *m123, *m124, *m160, 0xFFFF, 0]
    server.registers = {base + i: value for i, value in enumerate(chain)}


AT_123 = 40000 + 2 + 68 + 52
AT_124 = AT_123 + 26


async def test_a_hybrid_inverter_reads_with_our_signs() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        values = await values_of(a_device(bus, "sunspec_hybrid"))
        assert values == {
            Quantity.POWER: -3210, Quantity.ENERGY_EXPORT: 655_360, Quantity.PV_POWER: -2000,
            Quantity.BATTERY_POWER: -1500, Quantity.PV_ENERGY: 900, Quantity.BATTERY_CHARGED: 700,
            Quantity.BATTERY_DISCHARGED: 600, Quantity.SOC: 55.5,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "out_percent", "in_percent", "from_grid"),
    [(-5000, 5000, 100, 100, 0), (0, 0, 0, 0, 0), (0, 5000, 0, 100, 0), (2500, 2500, -50, 50, 1),
     (-1000, -1000, 20, -20, 0)],
    ids=["follow", "hold", "surplus", "charge", "discharge"],
)  # fmt: skip
async def test_a_battery_band_is_one_atomic_write_with_a_revert_time(
    low: float, high: float, out_percent: int, in_percent: int, from_grid: int
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        await a_device(bus, "sunspec_hybrid").apply(band(low, high, seconds=60))
        (address, rates), mode = server.writes
        signed = [value - 0x10000 if value >= 0x8000 else value for value in rates]
        assert address == AT_124 + 12
        assert signed == [out_percent * 100, in_percent * 100, 0, 60, 0, from_grid]
        assert mode == (AT_124 + 5, [3])


async def test_an_unchanged_setpoint_is_not_written_again_until_its_watchdog_needs_it() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 0, seconds=60))
        await device.apply(band(0, 0, seconds=60))
        assert len(server.writes) == 2
        await device.apply(band(0, 0, seconds=20))
        assert len(server.writes) == 4, "an earlier end must reach the device"


async def test_a_command_that_does_not_read_back_is_refused() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        server.ignore_writes = True
        with pytest.raises(CommandRefused, match="reads back"):
            await a_device(bus, "sunspec_hybrid").apply(band(0, 0))


async def test_release_hands_the_battery_back() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.apply(band(0, 0))
        await device.release()
        assert server.registers[AT_124 + 5] == 0


async def test_the_pv_limit_is_one_write() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        until = SystemClock().now() + timedelta(seconds=30)
        limit = Setpoint("dev", SetpointKind.PV_LIMIT, 60, until, Authority.BINDING_LIMIT, "test")
        await a_device(bus, "sunspec_hybrid").apply(limit)
        assert server.writes == [(AT_123 + 5, [6000, 0, 30, 0, 1])]


async def test_a_meter_takes_no_setpoint() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        with pytest.raises(CommandRefused, match="takes no"):
            await a_device(bus, "eastron_sdm630").apply(band(0, 0))


@pytest.mark.slow
async def test_another_inverter_after_a_reconnect_is_walked_anew() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.read()
        hybrid(server, serial="S2", base=50000)
        server.registers |= {40000: 0, 40001: 0}
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await device.read()
        async with asyncio.timeout(3):
            while bus.connects < 2:
                await asyncio.sleep(0.01)
        assert (await values_of(device))[Quantity.POWER] == -3210


async def test_a_device_without_sunspec_says_so_with_the_remedy() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        with pytest.raises(DeviceAnswerWrong, match="Enable SunSpec"):
            await a_device(bus, "sunspec_hybrid").read()


@pytest.mark.slow
async def test_probe_names_a_sunspec_device_and_an_eastron_and_skips_silence() -> None:
    async with RawServer().serve() as server:
        hybrid(server)
        server.dead_units = {2}
        found = await probe_modbus("127.0.0.1", server.port, [1, 2], SystemClock(), timeout_s=TIMEOUT_S)
        assert [(r.unit, r.profile) for r in found] == [(1, "sunspec_hybrid")]
        assert "Fronius GEN24 1.2, serial S1" in found[0].description
        server.registers = {}
        for address in (0, 2, 4):
            server.put_float(address, 231.0)
        server.put_float(70, 49.9)
        found = await probe_modbus("127.0.0.1", server.port, [1], SystemClock(), timeout_s=TIMEOUT_S)
        assert found[0].profile == "eastron_sdm630"
