"""Answers that do not fit: each is refused with its reason in words, and none ever becomes a value."""

from __future__ import annotations

import asyncio
import os
import struct
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.bus import Bus
from adapters.modbus.framing import Verdict, crc16, judge_rtu, judge_tcp
from adapters.modbus.in_step import Question, Step
from adapters.modbus.settings import ModbusRtuSettings
from gateway.model.errors import DeviceAnswerWrong, DeviceError, DeviceUnreachable
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer, a_bus

QUESTION = bytes.fromhex("000700000006 01 04 0064 0002")
ANSWER = bytes.fromhex("000700000007 01 04 04 00640065")


def rtu(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + crc16(body)


RTU_QUESTION, RTU_ANSWER = rtu("01 04 0064 0002"), rtu("01 04 04 00640065")


def test_the_checksum_is_that_of_the_serial_line_standard() -> None:
    """Modbus over Serial Line 1.02, appendix B: 02 07 has the checksum 41 12."""
    assert crc16(bytes([2, 7])) == bytes([0x41, 0x12])


def test_a_whole_fitting_answer_is_ours() -> None:
    assert judge_tcp(QUESTION, ANSWER) == Verdict(ANSWER)
    assert judge_rtu(RTU_QUESTION, RTU_ANSWER) == Verdict(RTU_ANSWER)


@pytest.mark.slow
@given(st.integers(0, len(ANSWER) - 1), st.integers(0, len(RTU_ANSWER) - 1))
def test_part_of_an_answer_is_waited_for(tcp: int, serial: int) -> None:
    assert judge_tcp(QUESTION, ANSWER[:tcp]) == judge_rtu(RTU_QUESTION, RTU_ANSWER[:serial]) == Verdict()


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_bytes_break_the_judge_and_a_frame_it_gives_is_the_answer(head: bytes, tail: bytes) -> None:
    found = judge_tcp(QUESTION, head + ANSWER + tail)
    assert not found.frame or (found.frame[:8], len(found.frame)) == (ANSWER[:8], len(ANSWER))
    found = judge_rtu(RTU_QUESTION, head + RTU_ANSWER + tail)
    assert not found.frame or found.frame == head + RTU_ANSWER + tail == RTU_ANSWER or crc16(found.frame) == b"\0\0"


@given(st.integers(0, len(RTU_ANSWER) * 8 - 1))
def test_no_single_wrong_bit_is_believed_on_a_serial_line(bit: int) -> None:
    spoiled = bytearray(RTU_ANSWER)
    spoiled[bit // 8] ^= 1 << bit % 8
    assert not judge_rtu(RTU_QUESTION, bytes(spoiled)).frame


def test_a_late_answer_with_its_number_is_passed_over() -> None:
    old = bytes.fromhex("000600000007 01 04 04 BAD0BAD0")
    assert judge_tcp(QUESTION, old) == Verdict()
    assert judge_tcp(QUESTION, old + ANSWER) == judge_tcp(QUESTION, ANSWER + old) == Verdict(ANSWER)


@pytest.mark.parametrize(
    ("question", "answer", "wrong"),
    [
        ("01 06 2000 1234", "01 06 2000 1234", ""),
        ("01 06 2000 1234", "01 06 2000 1235", "confirmed something else"),
        ("01 10 2000 0001 02 1234", "01 10 2000 0001", ""),
        ("01 10 2000 0001 02 1234", "01 10 2001 0001", "confirmed something else"),
        ("01 10 2000 0001 02 1234", "01 90 02", ""),
        ("01 2B 0E 01 00", "01 2B 0E 01 01 00 00 00", ""),
    ],
)
def test_a_write_must_be_confirmed_as_it_was_asked(question: str, answer: str, wrong: str) -> None:
    found = judge_rtu(rtu(question), rtu(answer))
    assert (found.frame == rtu(answer), wrong in found.wrong) == (not wrong, True)


WORDS = {
    "count": ("4 registers instead of 2", "4 registers instead of 2"),
    "short": ("1 registers instead of 2", "1 registers instead of 2"),
    "function": ("function 3 instead of 4", "function 3 instead of 4"),
    "unit": ("unit 2 answered instead of 1", "unit 2 answered instead of 1"),
    "transaction": ("broke off|did not answer", None),
    "truncated": ("broke off after 10 bytes", "broke off after 6 bytes"),
    "two_in_one": ("two answers", "9 bytes too many"),
    "old_before": ("two answers", "9 bytes too many"),
    "old_before_apart": ("two answers", "two answers|9 bytes too many"),
    "garbage": ("no Modbus TCP frame", "unit 90 answered instead of 1"),
    "checksum": (None, "checksum is wrong"),
    "byte_count": ("announces 4 bytes and brings 2", "broke off after 7 bytes"),
    "length": ("broke off", None),
    "exception": ("exception 4 \\(device failure\\)", "exception 4 \\(device failure\\)"),
    "long_exception": ("exception of 4 bytes", "checksum is wrong"),
}
CASES = [(lie, index == 1, wrong) for lie, pair in WORDS.items() for index, wrong in enumerate(pair) if wrong]


@pytest.mark.parametrize(("lie", "serial", "words"), CASES, ids=[f"{c[0]}-{'rtu' if c[1] else 'tcp'}" for c in CASES])
async def test_an_answer_that_does_not_fit_is_never_a_value(lie: str, serial: bool, words: str) -> None:
    async with RawServer(rtu=serial).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        server.mood = [lie]
        with pytest.raises((DeviceAnswerWrong, DeviceUnreachable), match=words):
            await bus.read_block(1, "input", 100, 2, "dev")


@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "rtu"])
@pytest.mark.parametrize("mood", ["silent", "die"])
async def test_no_answer_at_all_is_no_value_either(serial: bool, mood: str) -> None:
    async with RawServer(rtu=serial).serve() as server, a_bus(server) as bus:
        server.mood = [mood]
        with pytest.raises(DeviceUnreachable):
            await bus.read_block(1, "input", 100, 2, "dev")


async def test_an_old_answer_with_its_own_number_does_no_harm() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.mood = ["old_numbered"]
        assert await bus.read_block(1, "input", 100, 2, "dev") == [100, 101]


@pytest.mark.slow
@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "rtu"])
async def test_after_every_lie_the_truth_is_read_again(serial: bool) -> None:
    """Nothing of a wrong answer is left over for the next question."""
    async with RawServer(rtu=serial).serve() as server, a_bus(server) as bus:
        for lie in [lie for lie, pair in WORDS.items() if pair[serial]]:
            server.mood = [lie]
            with pytest.raises(DeviceError):
                await bus.read_block(1, "input", 100, 2, "dev")
            bus.add_unit(1, main=True)  # a fresh breaker: ask again at once
            assert await bus.read_block(1, "input", 200, 2, "dev") == [200, 201], lie


@pytest.mark.slow
@pytest.mark.parametrize("serial", [False, True], ids=["tcp", "rtu"])
async def test_a_late_reply_is_never_taken_as_the_next_answer(serial: bool) -> None:
    wrong = good = 0
    async with RawServer(rtu=serial).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        server.timeout_s = 0.1
        for _ in range(4):
            server.mood = ["late", "slow"]
            with pytest.raises(DeviceUnreachable):
                await bus.read_block(1, "input", 100, 2, "dev")
            bus.add_unit(1, main=True)
            try:
                answer = await bus.read_block(1, "input", 200, 2, "dev")
            except DeviceError:
                continue
            wrong += answer != [200, 201]
            good += answer == [200, 201]
    assert wrong == 0
    assert good >= 1


async def test_after_an_answer_to_nobody_rtu_over_tcp_goes_on_over_a_new_connection() -> None:
    """A converter that answers twice would else give each question the answer to the one before."""
    async with RawServer(rtu=True).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        await bus.read_block(1, "input", 100, 2, "dev")
        (writer,) = server._writers
        writer.write(RTU_ANSWER)
        await asyncio.sleep(0.02)
        assert await bus.read_block(1, "input", 200, 2, "dev") == [200, 201]
        assert (server.connections, bus.connects) == (2, 1), "a new connection, but nobody has to be met anew"


@pytest.mark.slow
@pytest.mark.parametrize("delay", ["very_late", "late"])
async def test_rtu_over_tcp_believes_no_answer_however_late_and_loses_no_time(delay: str) -> None:
    """Wrong before: what came later than three time-outs was taken for the answer to the question then open."""
    async with RawServer(rtu=True).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        server.mood = [delay]
        with pytest.raises(DeviceUnreachable):
            await bus.read_block(1, "input", 100, 2, "dev")
        assert await bus.read_block(2, "input", 300, 2, "other") == [300, 301], "at once"
        bus.add_unit(1, main=True)
        for _ in range(8):
            server.mood = ["unhurried"]
            assert await bus.read_block(1, "input", 200, 2, "dev") == [200, 201]
        assert server.connections == 2


@pytest.mark.slow
async def test_a_gateway_that_refuses_the_new_connection_is_dialled_after_the_usual_back_off() -> None:
    async with RawServer(rtu=True, one_client=True).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        server.hold_closed = True
        server.mood = ["silent"]
        with pytest.raises(DeviceUnreachable):
            await bus.read_block(1, "input", 100, 2, "dev")
        with pytest.raises(DeviceUnreachable, match=r"lost its connection|not connected|did not answer"):
            await bus.read_block(2, "input", 100, 2, "dev")
        server.hold_closed = False
        async with asyncio.timeout(3):
            while True:
                try:
                    assert await bus.read_block(3, "input", 100, 2, "dev") == [100, 101]
                    break
                except DeviceUnreachable:
                    await asyncio.sleep(0.05)
        assert bus.connects == 2


# ---- serial: a unit that owes an answer is believed when it has proven to be in step


@pytest.mark.parametrize(
    ("owed", "wanted"),
    [([18], 2), ([2], 18), ([2, 18], 6), ([2, 18, 6], 4)],
    ids=["a block it knows", "another it knows", "the third", "near the question when it knows none"],
)
def test_a_proof_is_a_read_of_a_length_that_no_owed_answer_has(owed: list[int], wanted: int) -> None:
    step = Step()
    for count in (2, 18, 6):
        step.gave(Question(4, 70, count))
    for count in owed:
        step.owes(Question(4, 0, count), 0.0, 1.0)
    proof = step.proof(Question(4, 0, 2))
    assert proof is not None and proof.count == wanted
    step.refuses(proof)
    another = step.proof(Question(4, 0, 2))
    assert another is None or another.count not in {wanted, *owed}


def test_what_is_owed_is_held_to_be_lost_after_ten_time_outs() -> None:
    step = Step()
    step.owes(Question(4, 0, 2), 100.0, 0.5)
    assert (step.quiet_until, step.in_doubt(104.9), step.in_doubt(105.0)) == (101.0, True, False)


class SerialUnits:
    """Units on a pty that answer in the order they are asked; `mood` gives the delays (s) of the next answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int, int]] = []
        self.mood: list[float | None] = []
        self.refuses: set[int] = set()
        """Counts answered with exception 2."""
        self._ours, theirs = os.openpty()
        tty.setraw(self._ours)
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        self._theirs = theirs
        self._free_at = 0.0

    def __enter__(self) -> SerialUnits:
        asyncio.get_running_loop().add_reader(self._ours, self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)

    def _answer(self) -> None:
        unit, function, address, count = struct.unpack(">BBHH", os.read(self._ours, 8)[:6])
        self.asked.append((unit, function, address, count))
        delay = self.mood.pop(0) if self.mood else 0.0
        if delay is None:
            return
        pdu = bytes([function, 2 * count]) + struct.pack(f">{count}H", *range(address, address + count))
        if count in self.refuses:
            pdu = bytes([function | 0x80, 2])
        body = bytes([unit]) + pdu
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time() + delay)
        loop.call_at(self._free_at, os.write, self._ours, body + crc16(body))


@contextmanager
def a_serial_bus(timeout_s: float = 0.1) -> Iterator[tuple[SerialUnits, Bus]]:
    with SerialUnits() as units:
        settings = ModbusRtuSettings(kind="modbus_rtu", path=units.path, timeout_s=timeout_s, baudrate=115200)
        bus = Bus("line", settings, SystemClock())
        bus.add_unit(1, main=True)
        try:
            yield units, bus
        finally:
            bus.close()


@pytest.mark.slow
@pytest.mark.parametrize("late_s", [0.15, 0.35, 0.45, 0.75])
async def test_no_late_answer_on_a_serial_line_becomes_a_value(late_s: float) -> None:
    """Wrong before: an answer later than three time-outs was taken for the next question's of the same length."""
    with a_serial_bus() as (units, bus):
        assert await bus.open()
        assert await bus.read_block(1, "input", 100, 2, "dev") == [100, 101]
        units.mood = [late_s]
        got: list[list[int]] = []
        begun, n = asyncio.get_running_loop().time(), 0
        while len(got) < 5 and asyncio.get_running_loop().time() - begun < 5:
            n += 1
            try:
                got.append(await bus.read_block(1, "input", 200 + 10 * n, 2, "dev"))
                assert got[-1] == [200 + 10 * n, 201 + 10 * n]
            except DeviceError:
                await asyncio.sleep(0.02)
        assert len(got) == 5, "it is read again"


@pytest.mark.slow
async def test_after_a_time_out_a_serial_unit_proves_itself_and_its_neighbours_are_not_kept_waiting() -> None:
    with a_serial_bus() as (units, bus):
        assert await bus.open()
        units.mood = [None]
        with pytest.raises(DeviceUnreachable):
            await bus.read_block(2, "input", 10, 2, "silent")
        begun = asyncio.get_running_loop().time()
        assert await bus.read_block(1, "input", 100, 2, "dev") == [100, 101]
        assert asyncio.get_running_loop().time() - begun < 0.1, "the quiet time is the silent unit's own"
        bus.add_unit(2, main=True)
        assert await bus.read_block(2, "input", 10, 2, "silent") == [10, 11]
        assert [count for unit, *_, count in units.asked if unit == 2] == [2, 4, 2], "a proof of another length first"


@pytest.mark.slow
async def test_a_serial_unit_that_refuses_every_proof_is_believed_when_nothing_can_be_owed_any_more() -> None:
    with a_serial_bus(timeout_s=0.05) as (units, bus):
        assert await bus.open()
        units.refuses = set(range(1, 126)) - {2}
        units.mood = [None]
        with pytest.raises(DeviceUnreachable):
            await bus.read_block(1, "input", 10, 2, "dev")
        bus.add_unit(1, main=True)
        with pytest.raises(DeviceUnreachable, match="may still send an old answer"):
            await bus.read_block(1, "input", 10, 2, "dev")
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            while True:
                try:
                    assert await bus.read_block(1, "input", 10, 2, "dev") == [10, 11]
                    break
                except DeviceUnreachable:
                    await asyncio.sleep(0.05)


async def test_an_unconfirmed_write_is_an_error() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        bus.allow_writes(1, "dev", [(16, 10, 12)])
        server.mood = ["echo"]
        with pytest.raises(DeviceAnswerWrong, match="confirmed something else"):
            await bus.write_registers(1, 10, [1, 2], "dev")


def test_the_length_of_a_frame_is_that_of_the_standard() -> None:
    longest = struct.pack(">HHH", 7, 0, 254) + bytes([1, 4, 250]) + bytes(251)
    assert judge_tcp(QUESTION, longest).wrong == "125 registers instead of 2"
    assert judge_tcp(QUESTION, struct.pack(">HHH", 7, 0, 255) + bytes(255)).wrong == "what came is no Modbus TCP frame"
