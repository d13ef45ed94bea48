"""Answers that do not fit: each is refused with its reason in words, and none ever becomes a value."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.framing import Verdict, crc16, judge_rtu, judge_tcp
from gateway.model.errors import DeviceAnswerWrong, DeviceError, DeviceUnreachable
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


@pytest.mark.slow
async def test_after_an_answer_to_nobody_an_rtu_line_is_left_to_fall_silent() -> None:
    """A converter that answers twice would else give each question the answer to the one before."""
    async with RawServer(rtu=True).serve() as server, a_bus(server, timeout_s=0.1) as bus:
        await bus.read_block(1, "input", 100, 2, "dev")
        (writer,) = server._writers
        writer.write(RTU_ANSWER)
        await asyncio.sleep(0.02)
        begun = asyncio.get_running_loop().time()
        assert await bus.read_block(1, "input", 200, 2, "dev") == [200, 201]
        assert asyncio.get_running_loop().time() - begun >= 0.2


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
