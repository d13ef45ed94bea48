"""Probing on real sockets: the witness's devices and hand-typed tables must be named, with honest doubts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest

from adapters.modbus.decode import Decoded
from adapters.modbus.planner import Register
from adapters.modbus.probe import PROFILES, ProbeResult, Progress, Scan, in_order, probe_line, probe_modbus
from adapters.modbus.probe_line import ProbeLine
from adapters.modbus.probe_match import BUDGET, load_profiles
from adapters.modbus.probe_score import judge
from adapters.modbus.probe_serial import probe_serial
from adapters.modbus.settings import ModbusTcpSettings
from firmware_sim.modbus_server import ModbusRefusal, ModbusServer, answer
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_units import Table, em340, faults, floats, inverter, of_profile, sdm120, sdm630, serving
from tests.adapters.shipped import NAMES, shipped

QUICK_S = 0.15


async def probed(port: int, units: Iterable[int] = (1,)) -> list[ProbeResult]:
    return await probe_modbus("127.0.0.1", port, units, SystemClock(), timeout_s=QUICK_S)


def named(result: ProbeResult) -> set[str]:
    """The best profile and those nobody can tell from it."""
    best = result.candidates[0]
    return {best.profile, *best.alike}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (sdm630, {"eastron_sdm630", "eastron_sdm72"}),
        (sdm120, {"eastron_sdm120", "eastron_sdm230"}),
        (em340, {"carlo_gavazzi_em340", "carlo_gavazzi_em24_e1"}),
    ],
)
async def test_a_meter_is_named_by_its_registers(make: type[Table], expected: set[str]) -> None:
    table = make()
    async with serving({1: table}) as port:
        (found,) = await probed(port)
    assert named(found) == expected
    assert found.candidates[0].confidence >= 85
    assert "registers plausible: 230" in found.candidates[0].reason
    assert found.candidates[0].confidence - found.candidates[1].confidence >= 10
    assert table.writes == 0
    assert table.reads <= BUDGET and found.asked <= BUDGET


@pytest.mark.slow
async def test_a_sunspec_device_is_named_by_what_it_says_and_by_its_models() -> None:
    async with serving({1: inverter()}) as port:
        (found,) = await probed(port)
    assert "Hearth Simulation Hybrid 8.0" in found.description and "serial HS-2016-0001" in found.description
    assert found.profile == "sunspec_hybrid"
    assert found.candidates[0].values[Quantity.SOC] == pytest.approx(60, abs=1)


@pytest.mark.slow
async def test_a_device_of_an_unknown_kind_is_found_without_a_guess() -> None:
    noise = Table(3, {at: (at * 7919) % 65536 for at in range(2000)})
    wall = Table(9, {})
    async with serving({1: noise, 2: wall}) as port:
        one, two = await probed(port, [1, 2])
    assert all(candidate.confidence < 50 for candidate in one.candidates)
    assert two.description == "refuses everything asked" and two.profile == ""


def with_voltages(name: str) -> bool:
    """By its text: to read every profile in full would cost each run of any test."""
    text = (PROFILES / f"{name}.yaml").read_text()
    return f"quantity: {Quantity.VOLTAGE_L1.value}," in text and "kind: sunspec" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", list(filter(with_voltages, NAMES)))
async def test_each_shipped_table_with_voltages_is_told_from_all_others(name: str) -> None:
    device, every = of_profile(shipped(name)), [shipped(each) for each in NAMES]
    async with serving({1: device}) as port:
        line = ProbeLine(ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=port), SystemClock())
        await line.open()
        (found,) = [result async for result in Scan(line, every).run([1])]
        line.close()
    assert name in named(found)
    assert device.reads <= BUDGET


class Mute(Table):
    """Answers its first question, and then no more."""

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        if self.reads:
            raise ModbusRefusal(11)  # as a gateway says when its target is silent
        return super().read(function, start, count)


@pytest.mark.slow
async def test_a_unit_that_falls_silent_does_not_stop_the_rest() -> None:
    async with serving({1: Mute(4, floats({0: 230.0}, range(10))), 2: sdm120()}) as port:
        found = await probed(port, [1, 2])
    assert [result.unit for result in found] == [1, 2]
    assert found[0].profile == "" and found[1].profile == "eastron_sdm120"


class SelfNaming:
    """A raw Modbus TCP server: unit 1 is a table that names itself by function 43/14; other units are silent."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self.table = table
        objects = b"".join(bytes((n, len(name))) + name.encode() for n, name in enumerate(names))
        self.who = bytes((0x2B, 0x0E, 1, 1, 0, 0, len(names))) + objects

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(7)
                request = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                if head[6] != 1:
                    continue
                reply = self.who if request[0] == 0x2B else answer(self.table, request)
                writer.write(head[:4] + (len(reply) + 1).to_bytes(2) + head[6:] + reply)
        writer.close()


@contextlib.asynccontextmanager
async def self_naming(table: Table, *names: str) -> AsyncIterator[int]:
    server = await asyncio.start_server(SelfNaming(table, names).talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.slow
async def test_a_device_that_names_itself_settles_what_the_registers_cannot() -> None:
    async with self_naming(sdm630(), "Eastron", "SDM72D-M-2", "V1.2") as port:
        (found,) = await probed(port)
    assert found.description == "Eastron SDM72D-M-2 V1.2"
    assert found.profile == "eastron_sdm72"
    assert "the device names itself so" in found.candidates[0].reason


@pytest.mark.slow
async def test_silent_units_on_tcp_cost_one_adaptive_time_out() -> None:
    clock, silent = SystemClock(), 12
    async with self_naming(sdm630(), "Eastron", "SDM630") as port:
        begun = clock.monotonic()
        found = await probe_modbus("127.0.0.1", port, range(1, silent + 2), clock, timeout_s=1.0)
        spent = clock.monotonic() - begun
    assert [(r.unit, r.profile) for r in found] == [(1, "eastron_sdm630")]
    assert spent < silent * 0.25 + 1.5  # not 12 s: a time-out follows the answers seen


class CountingServer(ModbusServer):
    """The witness's server, counting the connections made and those open at once."""

    def __init__(self, units: dict[int, Table]) -> None:
        super().__init__(units, faults())
        self.made = self.most = 0

    async def _talk_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        self.most = max(self.most, len(self._writers))
        await super()._talk_tcp(reader, writer)


@pytest.mark.slow
async def test_a_host_is_asked_over_one_connection() -> None:
    server = CountingServer({1: sdm630(), 7: sdm120()})
    port = await server.listen(0)
    found = await probed(port, range(1, 30))
    await server.close()
    assert [result.unit for result in found] == [1, 7]
    assert (server.made, server.most) == (1, 1)


@pytest.mark.slow
async def test_silent_units_cost_one_short_time_out_each_over_rtu_framing() -> None:
    settings = ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=1, timeout_s=1.0, framing="rtu")
    clock = SystemClock()
    async with serving({1: sdm120()}, rtu=True) as port:
        begun = clock.monotonic()
        units = range(1, 6)
        found = [r async for r in probe_line(settings.model_copy(update={"port": port}), units, clock)]
        spent = clock.monotonic() - begun
    assert [(r.unit, r.profile) for r in found] == [(1, "eastron_sdm120")]
    # four silent units at 0.3 s, the one that answers ignores function 43 at worst once
    assert spent < 4 * 0.35 + 4.5


@pytest.mark.slow
async def test_a_device_that_answers_to_any_unit_id_is_told_once() -> None:
    one = sdm630()
    async with serving(dict.fromkeys(range(1, 6), one)) as port:
        found = await probed(port, range(1, 6))
    assert [result.same_as for result in found] == [None, 1, 1, 1, 1]


@pytest.mark.slow
async def test_two_meters_of_one_kind_are_two() -> None:
    other = sdm630()
    other.words |= floats({0: 230.4, 2: 231.1, 4: 229.9}, range(0))
    async with serving({1: sdm630(), 2: other}) as port:
        found = await probed(port, [1, 2])
    assert [result.same_as for result in found] == [None, None]


@pytest.mark.slow
async def test_progress_says_what_is_asked_and_the_usual_units_come_first() -> None:
    told: list[Progress] = []
    async with serving({}) as port:
        settings = ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=port, timeout_s=QUICK_S)
        found = [r async for r in probe_line(settings, range(1, 130), SystemClock(), tell=told.append)]
    assert found == []
    assert [step.unit for step in told][:9] == [1, 2, 3, 4, 5, 10, 100, 126, 6]
    assert (told[-1].done, told[-1].total) == (128, 129)
    assert in_order([7, 7, 1]) == [1, 7]


async def test_a_port_nobody_listens_at_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceUnreachable, match="nobody answers there: the host refuses"):
        await probed(port)


async def test_an_unknown_host_name_says_so() -> None:
    with pytest.raises(DeviceUnreachable, match="nobody answers there"):
        await probe_modbus("no-such-host.invalid", 502, [1], SystemClock())


@pytest.mark.slow
@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b""], ids=["ssh", "hang-up"])
async def test_a_port_that_is_not_modbus_says_so_or_finds_nothing(banner: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        await reader.read(64)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(DeviceUnreachable, match="does not speak Modbus"):
            await probed(port, range(1, 10))
    finally:
        server.close()


@pytest.mark.slow
async def test_a_serial_line_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnreachable, match="no such serial device"):
        async for _ in probe_serial(str(tmp_path / "ttyUSB9"), [1], SystemClock()):
            pass


@pytest.mark.slow
async def test_a_serial_line_is_searched_for_speed_and_unit(tmp_path: Path) -> None:
    line = tmp_path / "ttyMeter"
    server = ModbusServer({2: sdm120()}, faults())
    task = asyncio.create_task(server.serve_pty(line))
    while not line.exists():
        await asyncio.sleep(0.01)
    try:
        told: list[Progress] = []
        found = [each async for each in probe_serial(str(line), [1, 2], SystemClock(), tell=told.append)]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    ((settings, result),) = found
    assert (result.unit, result.profile) == (2, "eastron_sdm120")
    assert (settings.baudrate, settings.parity) == (9600, "N")
    assert "at 9600 8N1" in told[0].what


def score(values: dict[Quantity, float], **more: float) -> int:
    registers = [Register(quantity, "input", 2 * at, "float32") for at, quantity in enumerate(values)]
    found = judge(registers, lambda register: Decoded(values[register.quantity]))
    return found.confidence(more.get("most", found.support or 1.0))


GRID = {Quantity.VOLTAGE_L1: 231.0, Quantity.CURRENT_L1: 4.0, Quantity.POWER: 900.0, Quantity.FREQUENCY: 50.0}


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        (Quantity.VOLTAGE_L1, 2310.0),
        (Quantity.FREQUENCY, 500.0),
        (Quantity.FREQUENCY, 1e-38),
        (Quantity.VOLTAGE_L1, -5.0),
    ],
)
def test_what_physics_does_not_allow_lowers_the_confidence(wrong: Quantity, value: float) -> None:
    assert score(GRID) >= 80
    assert score(GRID | {wrong: value}) <= score(GRID) - 20


def test_phases_that_do_not_add_up_speak_against_a_profile() -> None:
    phases = {Quantity.POWER_L1: 500.0, Quantity.POWER_L2: 300.0, Quantity.POWER_L3: 200.0}
    right, wrong = GRID | phases | {Quantity.POWER: 1000.0}, GRID | phases | {Quantity.POWER: 4000.0}
    assert score(wrong) <= score(right) - 10


def test_zeros_alone_prove_nothing() -> None:
    assert score(dict.fromkeys(GRID, 0.0)) == 0


@pytest.mark.slow
def test_every_shipped_profile_can_be_a_candidate() -> None:
    assert len(load_profiles(PROFILES)) >= 30
