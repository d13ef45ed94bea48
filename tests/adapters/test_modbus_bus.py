"""The bus: dead units, lost and absent peers, gaps and delays, and gateways that serve one client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections import Counter

import pytest

from adapters.modbus.breaker import Breaker
from adapters.modbus.bus import Bus, IllegalAddress
from adapters.modbus.device import ModbusDevice
from adapters.modbus.line_check import line_findings
from adapters.modbus.settings import BusSettings, ModbusRtuSettings, ModbusTcpSettings
from adapters.modbus.timing import ONE_CLIENT, Needs, timing_of
from adapters.modbus.turns import Turns
from gateway.model.errors import DeviceError, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer, a_bus, a_device, crc16, reconnected, running, sdm630, values_of


def tcp(**stated: object) -> ModbusTcpSettings:
    return ModbusTcpSettings.model_validate({"kind": "modbus_tcp", "host": "127.0.0.1", **stated})


def rtu(**stated: object) -> ModbusRtuSettings:
    return ModbusRtuSettings.model_validate({"kind": "modbus_rtu", "path": "/dev/ttyUSB0", **stated})


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


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_units_that_are_not_there_keep_the_main_meter_waiting_for_one_time_out_at_most(framing: str) -> None:
    """Wrong before: four absent units starved the main meter; on RTU over TCP it was read every 8 s."""
    async with RawServer(rtu=framing == "rtu").serve() as server, a_bus(server, timeout_s=0.2) as bus:
        sdm630(server)
        server.dead_units = {2, 3, 4, 5}
        meter = a_device(bus, "eastron_sdm630")
        absent = [a_device(bus, "eastron_sdm120", unit=unit, main=False) for unit in (2, 3, 4, 5)]
        ages: list[float] = []

        async def ask_for_the_absent(device: ModbusDevice) -> None:
            while True:
                with contextlib.suppress(DeviceError):
                    await device.read()
                await asyncio.sleep(0.05)

        others = [asyncio.create_task(ask_for_the_absent(device)) for device in absent]
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        last = begun = loop.time()
        while loop.time() - begun < 1.5:
            assert (await values_of(meter))[Quantity.POWER] == -1500
            ages.append(loop.time() - last)
            last = loop.time()
            await asyncio.sleep(0.05)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        asked = Counter(unit for unit, *_ in server.requests)
        assert max(ages) < 0.2 + 0.05 + 0.1, ages
        assert {asked[unit] for unit in (2, 3, 4, 5)} == {1}, "one time-out each in their back-off"


async def test_a_sweep_of_the_main_meter_is_not_interrupted_and_it_goes_first() -> None:
    turns, order = Turns(), []

    async def hold(name: str, rank: int, times: int = 1) -> None:
        async with turns.turn(rank):
            for _ in range(times):
                async with turns.turn(rank):
                    order.append(name)
                    await asyncio.sleep(0)

    await asyncio.gather(hold("first", 1), hold("sub", 1), hold("other", 1), hold("main", 0, times=3))
    assert order == ["first", "main", "main", "main", "sub", "other"]


async def test_who_gives_up_waiting_for_its_turn_keeps_nobody_from_it() -> None:
    turns = Turns()

    async def hold() -> str:
        async with turns.turn(1):
            return "had it"

    async with turns.turn(1):
        gone, stays = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
    assert await stays == "had it"
    async with asyncio.timeout(1), turns.turn(0):
        assert turns.mine


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
        await reconnected(bus, 2)
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
    bus = Bus("bus", tcp(port=1, timeout_s=0.05), clock)
    bus.add_unit(1, main=main)
    dialling = asyncio.create_task(bus.run())
    async with asyncio.timeout(5):
        while len(clock.floors) < 10:
            await asyncio.sleep(0)
    dialling.cancel()
    await asyncio.gather(dialling, return_exceptions=True)
    assert 0.7 * longest <= max(clock.floors) <= longest


async def test_an_absent_peer_stops_nobody() -> None:
    bus = Bus("bus", tcp(port=1, timeout_s=0.05), SystemClock())
    assert not await bus.open()
    with pytest.raises(DeviceUnreachable, match="not connected"):
        await bus.read_block(1, "input", 0, 1, "dev")


# ---- what devices need of their line


@pytest.mark.parametrize(
    ("settings", "needs", "wanted"),
    [
        (tcp(), [], (1.0, 0, 0)),
        (tcp(), [Needs(min_gap_ms=20), Needs(min_gap_ms=50, connect_delay_ms=1000)], (1.0, 50, 1000)),
        (tcp(), [Needs(timeout_s=5.0)], (5.0, 0, 0)),
        (tcp(gap_ms=10, connect_delay_ms=5, timeout_s=2), [Needs(50, 1000, 5.0)], (2.0, 10, 5)),
        (rtu(), [Needs(min_gap_ms=50)], (1.0, 50, 0)),
    ],
    ids=["nothing", "the most demanding", "a slow device", "the site file's word wins", "serial"],
)
def test_a_line_does_what_its_devices_need_unless_the_site_file_says_otherwise(
    settings: BusSettings, needs: list[Needs], wanted: tuple[float, int, int]
) -> None:
    timing = timing_of(settings, needs)
    assert (timing.timeout_s, timing.gap_ms, timing.connect_delay_ms) == wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [(rtu(), (2400, "E", 2)), (rtu(baudrate=19200), (19200, "E", 2)), (rtu(parity="N", stopbits=1), (2400, "N", 1))],
    ids=["as shipped", "own speed", "own frame"],
)
def test_a_serial_line_runs_as_its_device_leaves_the_factory(
    settings: ModbusRtuSettings, wanted: tuple[int, str, int]
) -> None:
    timing = timing_of(settings, [Needs(baudrate=2400, parity="E", stopbits=2)])
    assert (timing.baudrate, timing.parity, timing.stopbits) == wanted


def test_a_slow_unit_is_waited_for_longer_than_its_neighbours() -> None:
    bus = Bus("bus", tcp(timeout_s=0.5), SystemClock())
    assert bus.timeout_s(1) == 0.5
    bus = Bus("bus", tcp(), SystemClock())
    bus.add_unit(1, needs=Needs(timeout_s=5))
    bus.add_unit(2, needs=Needs(timeout_s=0.2))
    bus.add_unit(2, needs=Needs(min_gap_ms=20))
    assert (bus.timeout_s(1), bus.timeout_s(2), bus.timeout_s(3)) == (5, 0.2, 1)


@pytest.mark.slow
async def test_the_gap_and_the_delay_after_connecting_are_kept() -> None:
    async with RawServer().serve() as server:
        bus = Bus("bus", tcp(port=server.port), SystemClock())
        bus.add_unit(1, needs=Needs(min_gap_ms=60, connect_delay_ms=150))
        async with running(bus):
            for _ in range(3):
                await bus.read_block(1, "input", 0, 1, "dev")
        connected, first, second, third = server.times
    assert first - connected >= 0.15
    assert second - first >= 0.06 and third - second >= 0.06


@pytest.mark.slow
async def test_devices_behind_a_one_client_gateway_share_its_connection() -> None:
    async with RawServer(one_client=True).serve() as server, a_bus(server) as bus:
        sdm630(server)
        devices = [a_device(bus, "eastron_sdm630", unit=unit) for unit in (1, 2, 3)]
        for values in await asyncio.gather(*(values_of(device) for device in devices)):
            assert values[Quantity.VOLTAGE_L1] == 230.5
        assert (server.connections, server.refused) == (1, 0)
        assert {unit for unit, *_ in server.requests} == {1, 2, 3}
        other = Bus("other", tcp(port=server.port, timeout_s=0.05), SystemClock())
        if await other.open():
            with pytest.raises(DeviceError):
                await other.read_block(1, "input", 0, 1, "dev")
        other.close()
        assert server.refused == 1
        assert await bus.read_block(1, "input", 52, 1, "dev") == [0xC4BB], "the first client is not disturbed"


@pytest.mark.slow
async def test_a_one_client_gateway_that_was_closed_cleanly_takes_us_again() -> None:
    async with RawServer(one_client=True).serve() as server:
        for _ in range(2):
            async with a_bus(server) as bus:
                assert await bus.read_block(1, "input", 5, 1, "dev") == [5]
            async with asyncio.timeout(1):
                while any(not writer.is_closing() for writer in server._writers):
                    await asyncio.sleep(0.005)
        assert (server.connections, server.refused) == (2, 0)


async def test_a_line_of_a_one_client_device_names_the_remedy() -> None:
    bus = Bus("bus", tcp(port=1, timeout_s=0.05), SystemClock())
    bus.add_unit(1, needs=Needs(single_client=True))
    with pytest.raises(DeviceUnreachable) as caught:
        await bus.read_block(1, "input", 0, 1, "dev")
    assert caught.value.remedy == ONE_CLIENT


def test_two_connections_to_a_one_client_device_are_a_mistake() -> None:
    lines = {"a": tcp(host="h"), "b": tcp(host="h"), "c": tcp(host="h", port=1502)}
    (finding,) = line_findings(lines, {"b": [Needs(single_client=True)]})
    assert finding.where == "connections.b" and "Put its devices on a" in finding.remedy
    assert not line_findings(lines, {"b": [Needs()]})


def test_devices_of_two_speeds_on_one_line_are_a_mistake_unless_the_site_file_settles_it() -> None:
    needs = {"line": [Needs(baudrate=2400), Needs(baudrate=9600), Needs()]}
    (finding,) = line_findings({"line": rtu()}, needs)
    assert finding.where == "connections.line.baudrate" and "2400 and 9600" in finding.what
    assert not line_findings({"line": rtu(baudrate=9600)}, needs)


# ---- serial


@pytest.mark.slow
async def test_a_meter_on_a_serial_line_is_read_through_a_pty() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    server = RawServer(rtu=True)
    sdm630(server)

    def answer() -> None:
        request = os.read(ours, 8)
        frame = request[:1] + server.reply(request[1:-2])
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
