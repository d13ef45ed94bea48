"""P1 telegrams: two published ones, the variants of the countries, and a real line that stutters, lies and dies."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.p1.connection import P1Line
from adapters.p1.device import P1Meter
from adapters.p1.settings import P1DeviceSettings, P1SerialSettings, P1Settings, P1TcpSettings
from adapters.p1.telegram import MAX_TELEGRAM, Assembler, BadTelegram, Telegram, crc16, parse
from gateway.model.errors import DeviceAnswerWrong, DeviceUnreachable
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

DATA = Path(__file__).parents[1] / "data" / "p1"
GAS = (DATA / "p1_telegram_esmr50_1phase_gas.txt").read_bytes()
MASKED = (DATA / "p1_telegram_esmr50_serials_masked.txt").read_bytes()
PLAIN = {
    "0-0:1.0.0": "231029020000S", "0-0:96.14.0": "0001", "1-0:1.7.0": "01.500*kW", "1-0:2.7.0": "00.000*kW",
    "1-0:1.8.1": "000100.001*kWh", "1-0:1.8.2": "000200.002*kWh", "1-0:2.8.1": "000000.500*kWh",
    "1-0:2.8.2": "000001.000*kWh",
}  # fmt: skip


def a_telegram(**changes: str | None) -> bytes:
    """A telegram with a right checksum; a change to None takes a line out (write 1-0:1.7.0 as o1_0_1_7_0)."""
    lines = dict(PLAIN)
    for name, value in changes.items():
        medium, channel, *rest = name[1:].split("_")
        code = f"{medium}-{channel}:{'.'.join(rest)}"
        lines.pop(code, None) if value is None else lines.update({code: value})
    body = "".join(f"{code}({value})\r\n" for code, value in lines.items())
    return signed(f"/FLU5\\253770234_A\r\n\r\n{body}!".encode())


def signed(content: bytes) -> bytes:
    return content + f"{crc16(content):04X}\r\n".encode()


# ---- telegrams


def test_the_checksum_is_crc_16_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


@pytest.mark.parametrize(
    ("raw", "time", "values"),
    [
        (GAS, datetime(2023, 6, 15, 19, 8, 17, tzinfo=UTC),
         {Q.POWER: 240, Q.POWER_L1: 368, Q.VOLTAGE_L1: 238.2, Q.CURRENT_L1: 2, Q.ENERGY_IMPORT: 12_397_641,
          Q.ENERGY_EXPORT: 1_903_393}),
        (MASKED, datetime(2019, 8, 27, 13, 55, 11, tzinfo=UTC),
         {Q.POWER: 498, Q.POWER_L1: 454, Q.VOLTAGE_L1: 235.4, Q.CURRENT_L1: 2, Q.ENERGY_IMPORT: 94_760,
          Q.ENERGY_EXPORT: 0}),
    ],
    ids=["gas", "masked"],
)  # fmt: skip
def test_a_published_telegram_is_read(raw: bytes, time: datetime, values: dict[Q, float]) -> None:
    telegram = parse(raw)
    assert telegram.meter == "ISK5\\2M550E-1012"
    assert telegram.time == time
    assert telegram.values() == pytest.approx(values)


@pytest.mark.slow
@given(st.integers(0, len(GAS) - 3), st.integers(1, 255))
def test_no_single_wrong_byte_is_believed(at: int, flip: int) -> None:
    broken = bytearray(GAS)
    broken[at] ^= flip
    with suppress(BadTelegram):
        assert parse(bytes(broken)).values() == parse(GAS).values(), "only the checksum's letters may change their case"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (a_telegram()[:-6] + b"\r\n", "no checksum"),
        (a_telegram()[:-3] + b"\r\n", "checksum"),
        (a_telegram()[1:], "from / to !"),
        (a_telegram() + a_telegram(), "from / to !"),
    ],
    ids=["DSMR 3 has none", "cut", "headless", "glued"],
)
def test_what_cannot_be_checked_is_refused_in_words(raw: bytes, why: str) -> None:
    with pytest.raises(BadTelegram, match=why):
        parse(raw)


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("231029020000S", datetime(2023, 10, 29, 0, 0, tzinfo=UTC)),
        ("231029020000W", datetime(2023, 10, 29, 1, 0, tzinfo=UTC)),
        ("240101000000W", datetime(2023, 12, 31, 23, 0, tzinfo=UTC)),
        ("231029020000", None), ("231029020000X", None), ("231399020000W", None), ("", None),
    ],
)  # fmt: skip
def test_the_season_tells_the_repeated_hour_apart(stamp: str, time: datetime | None) -> None:
    assert parse(a_telegram(o0_0_1_0_0=stamp)).time == time


@pytest.mark.parametrize(
    ("tariff", "version", "low"),
    [("0001", None, True), ("0002", None, False), ("0001", "50217", False), ("0002", "50217", True), ("", None, None)],
    ids=["Dutch low", "Dutch normal", "Belgian normal", "Belgian low", "not said"],
)
def test_tariff_1_is_low_in_the_netherlands_and_normal_in_belgium(tariff: str, version: str | None, low: bool) -> None:
    telegram = parse(a_telegram(o0_0_96_14_0=tariff, o0_0_96_1_4=version))
    assert telegram.low_tariff is low
    assert telegram.values()[Q.ENERGY_IMPORT] == pytest.approx(300_003), (
        "the counter is the sum whatever they are called"
    )


def test_feeding_in_is_negative_on_the_whole_and_on_each_phase() -> None:
    telegram = parse(a_telegram(
        o1_0_1_7_0="00.000*kW", o1_0_2_7_0="03.210*kW", o1_0_21_7_0="00.100*kW", o1_0_22_7_0="00.000*kW",
        o1_0_41_7_0="00.000*kW", o1_0_42_7_0="01.655*kW", o1_0_61_7_0="00.000*kW", o1_0_62_7_0="01.655*kW",
        o1_0_71_7_0="007.24*A", o1_0_72_7_0="231.5*V",
    ))  # fmt: skip
    values = telegram.values()
    assert [values[q] for q in (Q.POWER, Q.POWER_L1, Q.POWER_L2, Q.POWER_L3)] == [-3210, 100, -1655, -1655]
    assert (values[Q.CURRENT_L3], values[Q.VOLTAGE_L3]) == (7.24, 231.5)


def test_a_meter_without_tariffs_tells_its_own_total() -> None:
    values = parse(a_telegram(o1_0_1_8_1=None, o1_0_1_8_2=None, o1_0_1_8_0="00006678.394*kWh")).values()
    assert values[Q.ENERGY_IMPORT] == 6_678_394


@pytest.mark.parametrize(
    ("changes", "quantity", "code"),
    [
        ({"o1_0_1_8_2": None}, Q.ENERGY_IMPORT, "1-0:1.8.2"),
        ({"o1_0_2_7_0": None}, Q.POWER, "1-0:2.7.0"),
        ({"o1_0_1_7_0": "nan*kW"}, Q.POWER, "1-0:1.7.0"),
        ({"o1_0_1_7_0": "01.500"}, Q.POWER, "1-0:1.7.0"),
        ({"o1_0_1_7_0": "01.500*kVA"}, Q.POWER, "1-0:1.7.0"),
        ({"o1_0_21_7_0": "01.500*kW"}, Q.POWER_L1, "1-0:22.7.0"),
    ],
    ids=["a tariff", "a direction", "no number", "no unit", "another unit", "half a phase"],
)
def test_what_is_lacking_is_missing_with_its_reason_never_half_a_sum(
    changes: dict[str, str | None], quantity: Q, code: str
) -> None:
    assert parse(a_telegram(**changes)).values()[quantity] == f"the telegram has no {code}"


@given(st.integers(1, 400))
def test_telegrams_are_found_however_the_stream_is_cut(size: int) -> None:
    stream = b"noise\x00\xff!\r\n" + GAS[300:] + GAS + b"\r\n" + GAS[:200] + MASKED
    assembler, found = Assembler(), []
    for at in range(0, len(stream), size):
        found += assembler.feed(stream[at : at + size])
    assert [raw for raw in found if raw in (GAS, MASKED)] == [GAS, MASKED]


def test_endless_noise_is_forgotten() -> None:
    assembler = Assembler()
    for _ in range(100):
        assert assembler.feed(b"/" + b"x" * 5000) == []
    assert len(assembler._buffer) <= MAX_TELEGRAM
    assert assembler.feed(b"\r\n" + GAS) == [GAS]


# ---- a real line


class Port:
    """A reader on the network: whoever connects gets what the test says."""

    def __init__(self) -> None:
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._came = asyncio.Event()

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[Port]:
        server = await asyncio.start_server(self._client, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()

    async def _client(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self._came.set()

    async def say(self, data: bytes) -> None:
        await self._came.wait()
        self.writers[-1].write(data)

    def hang_up(self) -> None:
        self._came.clear()
        for writer in self.writers:
            writer.close()


class HastyClock(SystemClock):
    """Waits for a meter as long as the test says, and for a reconnect not at all."""

    def __init__(self, patience_s: float = 5.0) -> None:
        super().__init__()
        self.patience_s = patience_s
        self.pauses: list[float] = []

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        if not seconds:
            self.pauses.append(real_floor)
        await asyncio.sleep(self.patience_s if seconds else 0.005)


@asynccontextmanager
async def a_meter(settings: P1Settings, clock: HastyClock | None = None) -> AsyncIterator[tuple[P1Meter, P1Line]]:
    clock = clock or HastyClock()
    line = P1Line("p1", settings, clock)
    meter = P1Meter(Device("grid", "Grid", Role.MAIN_METER), P1DeviceSettings(), line, clock)
    task = asyncio.create_task(line.run())
    try:
        yield meter, line
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def tcp(port: Port | int) -> P1TcpSettings:
    return P1TcpSettings(kind="p1_tcp", host="127.0.0.1", port=port if isinstance(port, int) else port.port)


def values_of(readings: list[Reading]) -> dict[Q, float | None]:
    return {reading.quantity: reading.value for reading in readings}


async def test_a_telegram_over_tcp_becomes_readings_stamped_when_it_came() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, line):
        before = SystemClock().now()
        await port.say(GAS[:100])
        await port.say(GAS[100:])
        readings = await meter.read()
        assert line.connected
    assert values_of(readings)[Q.POWER] == pytest.approx(240)
    assert {reading.quality for reading in readings} == {Quality.VALID}
    assert all(before <= reading.time <= SystemClock().now() for reading in readings)


async def test_a_wrong_checksum_is_counted_and_the_next_telegram_is_read() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, line):
        await port.say(GAS.replace(b"00.368*kW", b"99.368*kW") + MASKED)
        assert values_of(await meter.read())[Q.POWER] == 498
        assert line.bad_telegrams == 1


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            GAS.replace(b"00.368*kW", b"99.368*kW"),
            "telegrams come, but their checksum is wrong (3 in a row): its checksum",
        ),
        (a_telegram()[:-6] + b"\r\n", "telegrams come, but they have no checksum (3 in a row): it has no checksum"),
    ],
    ids=["wrong", "absent"],
)
async def test_telegrams_that_are_not_believed_are_the_reason_told_until_one_is(bad: bytes, words: str) -> None:
    clock = HastyClock(0.05)
    async with Port().serve() as port, a_meter(tcp(port), clock) as (meter, line):
        assert meter.troubles == ""
        await port.say(bad * 3)
        await until(lambda: line.bad_telegrams == 3)
        with pytest.raises(DeviceAnswerWrong) as caught:
            await meter.read()
        assert caught.value.reason.startswith(words)
        assert "DSMR 4" in caught.value.remedy
        assert meter.troubles.startswith(words)
        clock.patience_s = 5.0
        await port.say(MASKED)
        assert values_of(await meter.read())[Q.POWER] == 498
        assert meter.troubles == ""


async def test_a_line_that_only_ever_lies_is_logged_as_such_once(caplog: pytest.LogCaptureFixture) -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, line):
        await port.say(MASKED)
        await meter.read()
        await port.say(GAS.replace(b"00.368*kW", b"99.368*kW") * 12)
        await until(lambda: line.bad_telegrams == 12)
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len([line for line in told if "no usable telegrams" in line and "their checksum is wrong" in line]) == 1


async def test_after_a_burst_only_the_latest_telegram_counts() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, _):
        await port.say(MASKED + GAS)
        assert values_of(await meter.read())[Q.POWER] == pytest.approx(240)


async def test_a_reader_that_repeats_the_last_telegram_is_silent() -> None:
    async with Port().serve() as port, a_meter(tcp(port), HastyClock(0.05)) as (meter, _):
        await port.say(GAS)
        await meter.read()
        await port.say(GAS + GAS)
        with pytest.raises(DeviceUnreachable, match="no new telegram"):
            await meter.read()


async def test_a_line_that_is_hung_up_is_opened_again_by_itself() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, line):
        await port.say(GAS + b"/ISK5 cut in the mid")
        await meter.read()
        port.hang_up()
        await port.say(MASKED)
        assert values_of(await meter.read())[Q.POWER] == 498
        assert line.connects == 2


async def test_an_absent_reader_stops_nobody_and_is_dialled_every_two_seconds() -> None:
    clock = HastyClock(0.05)
    async with a_meter(tcp(1), clock) as (meter, _):
        with pytest.raises(DeviceUnreachable, match="p1 is not connected"):
            await meter.read()
    assert clock.pauses and max(clock.pauses) <= 2.0


async def test_a_missing_value_says_why() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, _):
        await port.say(a_telegram(o1_0_2_7_0=None))
        readings = {reading.quantity: reading for reading in await meter.read()}
    assert readings[Q.POWER].quality is Quality.MISSING
    assert readings[Q.POWER].value is None
    assert "1-0:2.7.0" in readings[Q.POWER].reason
    assert meter.troubles == "power_w: the telegram has no 1-0:2.7.0"


async def test_a_meter_that_never_says_its_power_says_that_and_keeps_its_counters() -> None:
    async with Port().serve() as port, a_meter(tcp(port)) as (meter, _):
        await port.say(a_telegram(o1_0_1_7_0=None, o1_0_2_7_0=None))
        readings = {reading.quantity: reading for reading in await meter.read()}
    assert (readings[Q.POWER].value, readings[Q.POWER].quality) == (None, Quality.MISSING)
    assert readings[Q.POWER].reason == "the telegram has neither 1-0:1.7.0 nor 1-0:2.7.0"
    assert readings[Q.ENERGY_IMPORT].value == pytest.approx(300_003)
    assert "power_w" in meter.troubles


async def test_a_cable_is_read_through_a_pty() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    settings = P1SerialSettings(kind="p1_serial", path=os.ttyname(theirs))
    try:
        async with a_meter(settings) as (meter, line):
            await until(lambda: line.connected)
            os.write(ours, GAS)
            assert values_of(await meter.read())[Q.POWER] == pytest.approx(240)
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_file_that_is_no_serial_line_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "no_line"
    path.write_bytes(GAS)
    async with a_meter(P1SerialSettings(kind="p1_serial", path=str(path)), HastyClock(0.05)) as (meter, line):
        with pytest.raises(DeviceUnreachable):
            await meter.read()
        assert not line.connected


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_telegram_is_told_from_another_by_its_content() -> None:
    assert parse(GAS) == parse(GAS)
    assert parse(GAS) != parse(MASKED)
    assert isinstance(parse(GAS), Telegram)
