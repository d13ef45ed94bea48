"""The Modbus firmware on real sockets: an SDM630 and a SunSpec inverter, read by strangers' clients, and its faults."""

import asyncio
import contextlib
import os
import shutil
import struct
import termios
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sunspec2.modbus.client as sunspec

from firmware_sim.clock import SimClock
from firmware_sim.house import House
from firmware_sim.hub import HubClient
from firmware_sim.inverter import SunSpecInverter
from firmware_sim.meter import Sdm630
from firmware_sim.modbus_device import serve_device
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import ModbusServer, answer, crc16, read_rtu
from firmware_sim.physics.home import Home
from firmware_sim.physics.replay import Replay, load_data

EPOCH = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)


class FrozenClock(SimClock):
    """Home time under the test's thumb."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.real_epoch, UTC)


def clock_at(moment: datetime, seconds: float = 0.0) -> FrozenClock:
    return FrozenClock(moment, moment.timestamp() + seconds, 1.0)


@pytest.fixture(scope="module")
def state() -> dict:
    home = Home(EPOCH, 1, Replay(1, load_data()))
    home.set({"battery_low_w": 1000, "battery_high_w": 1000})
    home.advance(datetime(2026, 6, 10, 11, 1, tzinfo=UTC))
    return home.state()


@pytest.fixture
def faults() -> Faults:
    return Faults(clock_at(EPOCH))


@pytest.fixture
def meter(state, faults) -> Sdm630:
    meter = Sdm630(faults)
    meter.show(state)
    return meter


@pytest.fixture
def inverter(state, faults) -> SunSpecInverter:
    inverter = SunSpecInverter(faults, clock_at(EPOCH))
    inverter.show(state)
    return inverter


@contextlib.asynccontextmanager
async def serving(device, faults, *, rtu=False) -> AsyncIterator[int]:
    server = ModbusServer({1: device}, faults)
    port = await server.listen(0, rtu=rtu)
    try:
        yield port
    finally:
        await server.close()


async def ask(port: int, request: bytes, unit: int = 1) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(struct.pack(">HHHB", 77, 0, len(request) + 1, unit) + request)
        transaction, protocol, length, answered = struct.unpack(">HHHB", await reader.readexactly(7))
        assert (transaction, protocol, answered) == (77, 0, unit)
        return await reader.readexactly(length - 1)
    finally:
        writer.close()


def read_request(function: int, start: int, count: int) -> bytes:
    return struct.pack(">BHH", function, start, count)


def floats(reply: bytes) -> tuple[float, ...]:
    return struct.unpack(f">{reply[1] // 4}f", reply[2:])


def test_the_check_of_a_known_rtu_frame():
    assert crc16(bytes.fromhex("010400340002")) == bytes.fromhex("3005")
    assert crc16(b"123456789") == bytes.fromhex("374b")


async def test_the_meter_tells_voltages_powers_and_energies_where_the_manual_says(meter, faults, state):
    async with serving(meter, faults) as port:
        assert floats(await ask(port, read_request(4, 0x0000, 6))) == pytest.approx(state["voltage_v"], rel=1e-6)
        assert floats(await ask(port, read_request(4, 0x0006, 6))) == pytest.approx(state["current_a"], rel=1e-6)
        assert floats(await ask(port, read_request(4, 0x000C, 6))) == pytest.approx(state["grid_w"], rel=1e-6)
        assert floats(await ask(port, read_request(4, 0x0034, 2))) == pytest.approx((sum(state["grid_w"]),), rel=1e-5)
        frequency, into, out = floats(await ask(port, read_request(4, 0x0046, 6)))
        assert frequency == pytest.approx(50, abs=0.1)
        assert (into * 1000, out * 1000) == pytest.approx((state["grid_import_wh"], state["grid_export_wh"]), abs=1)


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (read_request(4, 0, 80), None),
        (read_request(4, 0, 82), 3),
        (read_request(4, 0, 0), 3),
        (read_request(4, 0, 3), 3),
        (read_request(4, 0x0001, 2), 2),
        (read_request(4, 0x0400, 2), 2),
        (read_request(4, 0x0178, 8), 2),
        (read_request(3, 0x000A, 2), None),
        (struct.pack(">BHH", 6, 0x0002, 1), 1),
        (struct.pack(">BHHBHH", 16, 0x0002, 2, 4, 0x41F0, 0), None),
        (struct.pack(">BHHBHH", 16, 0x0900, 2, 4, 0x41F0, 0), 2),
        (bytes((43, 14, 1, 0)), 1),
        (b"\x04\x00", 3),
    ],
)
async def test_the_meter_refuses_what_the_device_refuses(meter, request_bytes, code):
    reply = answer(meter, request_bytes)
    assert (reply[1] if reply[0] & 0x80 else None) == code


async def test_another_unit_is_not_there(meter, faults):
    async with serving(meter, faults) as port:
        assert await ask(port, read_request(4, 0, 2), unit=9) == bytes((0x84, 11))


async def test_rtu_noise_before_a_request_is_skipped():
    reader = asyncio.StreamReader()
    frame = bytes((1,)) + read_request(4, 0x0034, 2)
    reader.feed_data(b"\x00\xff\x55" + frame + crc16(frame) + frame + crc16(frame))
    assert await read_rtu(reader) == (1, frame[1:])


async def test_the_meter_answers_rtu_over_tcp(meter, faults, state):
    async with serving(meter, faults, rtu=True) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        frame = bytes((1,)) + read_request(4, 0x0034, 2)
        writer.write(frame + crc16(frame))
        reply = await reader.readexactly(9)
        writer.close()
    assert crc16(reply[:-2]) == reply[-2:]
    assert floats(reply[1:-2]) == pytest.approx((sum(state["grid_w"]),), rel=1e-5)


async def test_the_meter_answers_on_a_pty_pair(meter, faults, tmp_path, state):
    link = tmp_path / "tty"
    task = asyncio.create_task(ModbusServer({1: meter}, faults).serve_pty(link))
    while not link.is_symlink():
        await asyncio.sleep(0.001)
    frame = bytes((1,)) + read_request(4, 0x0034, 2)
    reply = await asyncio.to_thread(talk_serial, link, frame + crc16(frame), 9)
    assert floats(reply[1:-2]) == pytest.approx((sum(state["grid_w"]),), rel=1e-5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not link.is_symlink()


def talk_serial(path: Path, frame: bytes, size: int) -> bytes:
    line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        assert not termios.tcgetattr(line)[3] & termios.ECHO
        os.write(line, frame)
        reply = b""
        while len(reply) < size:
            reply += os.read(line, size - len(reply))
        return reply
    finally:
        os.close(line)


@pytest.mark.slow
async def test_pysunspec2_reads_the_inverter_and_finds_all_models(inverter, faults, state):
    async with serving(inverter, faults) as port:
        models = await asyncio.to_thread(scan, port)
    assert [number for number in models if isinstance(number, int)] == [1, 103, 120, 123, 160, 124]
    ac, mppt, storage = models[103][0], models[160][0], models[124][0]
    assert ac.W.cvalue == pytest.approx(-sum(state["inverter_w"]), abs=1)
    assert ac.WH.cvalue == round(state["inverter_export_wh"])
    assert mppt.module[0].DCW.cvalue + mppt.module[1].DCW.cvalue == pytest.approx(-state["pv_w"], abs=1)
    assert mppt.module[2].DCW.cvalue == pytest.approx(state["battery_w"], abs=1)
    assert mppt.module[3].DCW.cvalue == 0
    assert [module.IDStr.value for module in mppt.module] == ["MPPT 1", "MPPT 2", "StCha 3", "StDisCha 4"]
    assert storage.ChaState.cvalue == pytest.approx(state["soc_percent"], abs=0.01)
    assert storage.WChaMax.cvalue == 5000
    assert models[120][0].WRtg.cvalue == 8000
    assert models[1][0].Mn.value == "Hearth Simulation"


def scan(port: int) -> dict:
    device = sunspec.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    device.scan()
    device.disconnect()
    return dict(device.models)


@pytest.mark.slow
async def test_pysunspec2_commands_the_battery(inverter, faults):
    async with serving(inverter, faults) as port:
        await asyncio.to_thread(command_charging, port)
    assert inverter.controls.orders()["battery_low_w"] == 2500
    assert inverter.controls.orders()["battery_high_w"] == 2500


def command_charging(port: int) -> None:
    device = sunspec.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    device.scan()
    storage = device.models[124][0]
    storage.InWRte.cvalue, storage.OutWRte.cvalue, storage.StorCtl_Mod.value = 50, -50, 3
    storage.write()
    storage.read()
    assert storage.OutWRte.cvalue == -50
    device.disconnect()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
async def test_mbpoll_reads_meter_and_inverter(meter, inverter, faults, state):
    async with serving(meter, faults) as port:
        told = await mbpoll(port, "-t", "3:float", "-B", "-r", "52")
        assert float(told) == pytest.approx(sum(state["grid_w"]), rel=1e-4)
    async with serving(inverter, faults) as port:
        assert await mbpoll(port, "-t", "4:hex", "-r", "40000") == "0x5375"


async def mbpoll(port: int, *options: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("mbpoll", "-m", "tcp", "-p", str(port), "-a", "1", "-0", "-1", "-q", *options, "127.0.0.1"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode().split("]:")[1].split()[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
async def test_mbpoll_reads_the_meter_on_a_serial_line(meter, faults, tmp_path, state):
    link = tmp_path / "tty"
    task = asyncio.create_task(ModbusServer({1: meter}, faults).serve_pty(link))
    while not link.is_symlink():
        await asyncio.sleep(0.001)
    process = await asyncio.create_subprocess_exec(
        *("mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", "-a", "1", "-0", "-1", "-q", "-t", "3:float", "-B"),
        *("-r", "52", str(link)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert float(out.decode().split("]:")[1].split()[0]) == pytest.approx(sum(state["grid_w"]), rel=1e-4)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def storage_address(inverter: SunSpecInverter, name: str) -> int:
    return next(address for address, point in inverter._places.items() if point.name == name)


def write(inverter: SunSpecInverter, name: str, *values: int) -> bytes:
    packed = struct.pack(f">{len(values)}H", *(value & 0xFFFF for value in values))
    head = struct.pack(">BHHB", 16, storage_address(inverter, name), len(values), len(packed))
    return answer(inverter, head + packed)


@pytest.mark.parametrize(
    ("mode", "out", "into", "band"),
    [
        (0, 0, 0, (-5000, 5000)),
        (1, 0, 2000, (-5000, 1000)),
        (2, 2000, 0, (-1000, 5000)),
        (3, 0, 0, (0, 0)),
        (3, -4000, 4000, (2000, 2000)),
        (3, 4000, -4000, (-2000, -2000)),
    ],
)
def test_the_storage_rates_open_the_window_the_gen24_manual_words(inverter, mode, out, into, band):
    write(inverter, "OutWRte", out, into)
    write(inverter, "StorCtl_Mod", mode)
    orders = inverter.controls.orders()
    assert (orders["battery_low_w"], orders["battery_high_w"]) == pytest.approx(band)


def test_a_command_ends_by_itself_after_its_revert_time(inverter):
    write(inverter, "OutWRte", 0, 0, 0, 60)
    write(inverter, "StorCtl_Mod", 3)
    now = EPOCH.timestamp()
    inverter.controls.expire(now + 59)
    assert inverter.controls.orders()["battery_high_w"] == 0
    inverter.controls.expire(now + 60)
    assert inverter.controls.orders()["battery_high_w"] == 5000
    assert answer(inverter, read_request(3, storage_address(inverter, "StorCtl_Mod"), 1)) == b"\x03\x02\x00\x00"


def test_a_pv_limit_holds_for_its_revert_time_and_a_disconnected_inverter_does_nothing(inverter):
    write(inverter, "WMaxLimPct", 4000, 0, 30, 0, 1)
    assert inverter.controls.orders()["pv_limit_percent"] == 40
    inverter.controls.expire(EPOCH.timestamp() + 30)
    assert inverter.controls.orders()["pv_limit_percent"] == 100
    write(inverter, "Conn", 0)
    assert inverter.controls.orders()["pv_limit_percent"] == 0


@pytest.mark.parametrize(
    ("name", "value", "code"), [("StorCtl_Mod", 4, 3), ("InWRte", 10_001, 3), ("OutWRte", -10_001, 3)]
)
def test_a_value_out_of_range_is_refused_and_changes_nothing(inverter, name, value, code):
    before = inverter.controls.orders()
    assert write(inverter, name, value) == bytes((0x90, code))
    assert inverter.controls.orders() == before


def test_read_only_points_and_places_outside_the_chain_are_refused(inverter):
    assert answer(inverter, struct.pack(">BHH", 6, 40_002, 5)) == bytes((0x86, 2))
    assert answer(inverter, read_request(3, 39_999, 2)) == bytes((0x83, 2))
    assert answer(inverter, read_request(3, 40_000 + len(inverter._image) - 1, 2)) == bytes((0x83, 2))
    assert answer(inverter, read_request(4, 40_000, 2)) == bytes((0x84, 1))


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ({"kind": "refuse", "code": 6}, lambda reply: reply == bytes((0x84, 6))),
        ({"kind": "count"}, lambda reply: reply[1] == 2 and len(reply) == 4),
        ({"kind": "close"}, lambda reply: reply == b""),
    ],
)
async def test_a_fault_changes_the_reply(meter, faults, fault, check: Callable[[bytes], bool]):
    faults.begin({**fault, "for_s": 10})
    async with serving(meter, faults) as port:
        try:
            reply = await ask(port, read_request(4, 0, 2))
        except asyncio.IncompleteReadError:
            reply = b""
    assert check(reply)


async def test_a_stalled_meter_does_not_answer_and_a_lying_one_multiplies(meter, faults, state):
    faults.begin({"kind": "stall", "for_s": 10})
    async with serving(meter, faults) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.08):
                await ask(port, read_request(4, 0, 2))
    faults.begin({"kind": "lie", "factor": 3, "for_s": 10})
    meter.show(state)
    assert floats(answer(meter, read_request(4, 0x34, 2))) == pytest.approx((3 * sum(state["grid_w"]),), rel=1e-5)


@pytest.mark.slow
async def test_house_and_inverter_live_together_obey_suffer_and_recover():
    clock = SimClock(EPOCH, datetime.now(UTC).timestamp(), 20.0)
    house = House(Home(clock.now(), 1, Replay(1, load_data())), clock)
    hub_port, port = await house.hub.start(0), free_port()
    faults, hub, boss = Faults(clock), HubClient("inverter", hub_port), HubClient("test", hub_port)
    device = SunSpecInverter(faults, clock)
    server = ModbusServer({1: device}, faults)
    tasks = [
        asyncio.create_task(stepping(house)),
        asyncio.create_task(boss.run()),
        asyncio.create_task(
            serve_device(hub, server, faults, clock, device.show, port=port, beside=lambda: device.obey(hub))
        ),
    ]
    try:
        async with asyncio.timeout(5):
            await until(lambda: bool(device._places) and boss.latest is not None)
            write(device, "OutWRte", -2000, 2000, 0, 0)
            write(device, "StorCtl_Mod", 3)
            await until(lambda: abs(boss.latest["battery_w"] - 1000) < 50)
            await boss.send({"fault": {"device": "inverter", "kind": "die", "for_s": 6}})
            await until(lambda: not server._servers)
            with pytest.raises(OSError):
                await ask(port, read_request(3, 40_000, 2))
            await until(lambda: bool(server._servers))
            assert await ask(port, read_request(3, 40_000, 2)) == b"\x03\x04SunS"
            tasks[2].cancel()
            await until(lambda: house.home.inverter.orders.low_w == -5000)
            assert (await boss.report())["pv_dc_wh"] > 0
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close()
        await house.hub.close()


async def stepping(house: House) -> None:
    while True:
        house.step()
        await asyncio.sleep(0.02)


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
