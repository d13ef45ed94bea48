"""Is this the answer to that question? Pure: bytes in, verdict out, for Modbus TCP and for RTU frames.

Modbus TCP:  transaction 2 | protocol 2 (zero) | length 2 | unit 1 | function 1 | data
RTU:                                                       unit 1 | function 1 | data | checksum 2 (low byte first)

Nothing is searched for and nothing is guessed: an answer is the whole answer and nothing but the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

READS = frozenset({3, 4})
WRITE_ONE, WRITE_MANY = 6, 16
ERROR_BIT = 0x80
MBAP = 7
"""Length of the header of a Modbus TCP frame, unit included (Modbus Messaging on TCP/IP 1.0b, 3.1.3)."""
MAX_LENGTH = 254
"""The largest value of the header's length field: unit and a PDU of 253 bytes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The frame that answers; or what is wrong, in words; neither: more bytes must come."""

    frame: bytes = b""
    wrong: str = ""


WAIT = Verdict()
Judge = Callable[[bytes, bytes], Verdict]


def judge_tcp(question: bytes, data: bytes) -> Verdict:
    """The verdict on `data` after the Modbus TCP frame `question`; answers to earlier questions are passed over."""
    answer = WAIT
    while len(data) >= MBAP:
        length = int.from_bytes(data[4:6])
        if data[2:4] != b"\0\0" or not 2 <= length <= MAX_LENGTH:
            return Verdict(wrong="what came is no Modbus TCP frame")
        if len(data) < 6 + length:
            break
        frame, data = data[: 6 + length], data[6 + length :]
        if frame[:2] != question[:2]:
            continue
        if answer.frame:
            return Verdict(wrong="two answers came to one question")
        if wrong := _unit_fault(question[6], frame[6]) or fault(question[7:], frame[7:]):
            return Verdict(wrong=wrong)
        answer = Verdict(frame)
    return Verdict(wrong=f"{len(data)} bytes too many came with it") if answer.frame and data else answer


def judge_rtu(question: bytes, data: bytes) -> Verdict:
    """The verdict on `data` after the RTU frame `question`: its first byte must be the answer's, its last the last."""
    if len(data) < 3:
        return WAIT
    if wrong := _unit_fault(question[0], data[0]):
        return Verdict(wrong=wrong)
    size = _answer_size(question[1:-2], data[1:])
    if size is None:
        return _judge_unknown_length(question, data)
    if wrong := "" if size else fault(question[1:-2], data[1:]):
        return Verdict(wrong=wrong)
    whole = 1 + size + 2
    if len(data) < whole:
        return WAIT
    if crc16(data[: whole - 2]) != data[whole - 2 : whole]:
        return Verdict(wrong="its checksum is wrong")
    if wrong := fault(question[1:-2], data[1 : whole - 2]):
        return Verdict(wrong=wrong)
    return Verdict(data) if len(data) == whole else Verdict(wrong=f"{len(data) - whole} bytes too many came with it")


def fault(question: bytes, answer: bytes) -> str:
    """What is wrong with a PDU as the answer to another, in words; empty when it answers it."""
    function = question[0]
    if answer[0] == function | ERROR_BIT:
        return "" if len(answer) == 2 else f"an exception of {len(answer)} bytes"
    if answer[0] != function:
        return f"function {answer[0]} instead of {function}"
    if function in READS:
        return _read_fault(2 * int.from_bytes(question[3:5]), answer)
    echo = question if function == WRITE_ONE else question[:5]
    if function in (WRITE_ONE, WRITE_MANY) and answer != echo:
        return f"it confirmed something else: {answer.hex(' ')} instead of {echo.hex(' ')}"
    return ""


def crc16(data: bytes) -> bytes:
    """The checksum of an RTU frame, as sent (Modbus over Serial Line 1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _read_fault(wanted: int, answer: bytes) -> str:
    told = answer[1] if len(answer) > 1 else 0
    if told != wanted:
        return f"{told / 2:g} registers instead of {wanted // 2}"
    if len(answer) > 2 and len(answer) != 2 + wanted:
        return f"it announces {wanted} bytes and brings {len(answer) - 2}"
    return "" if len(answer) > 2 else "it ends before its data"


def _answer_size(question: bytes, head: bytes) -> int | None:
    """How long the PDU that begins with `head` must be; 0 when it cannot be the answer, None when nobody can know."""
    function = question[0]
    if head[0] == function | ERROR_BIT:
        return 2
    if head[0] != function:
        return 0
    if function in READS:
        wanted = 2 * int.from_bytes(question[3:5])
        return 2 + wanted if head[1] == wanted else 0
    return 5 if function in (WRITE_ONE, WRITE_MANY) else None


def _judge_unknown_length(question: bytes, data: bytes) -> Verdict:
    return Verdict(data) if crc16(data[:-2]) == data[-2:] and not fault(question[1:-2], data[1:-2]) else WAIT


def _unit_fault(asked: int, answered: int) -> str:
    return "" if asked in (0, answered) else f"unit {answered} answered instead of {asked}"


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC_OF_BYTE = tuple(_crc_of_byte(byte) for byte in range(256))
