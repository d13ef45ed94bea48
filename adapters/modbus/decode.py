"""Registers to values: pure, no socket, no clock."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from gateway.model.reading import Rule

SIZES = {
    "int16": 1, "uint16": 1, "acc16": 1, "int32": 2, "uint32": 2, "acc32": 2, "float32": 2,
    "int64": 4, "uint64": 4, "acc64": 4, "float64": 4,
}  # fmt: skip
"""Length of each type in registers of 16 bits; acc* are SunSpec accumulators, unsigned, 0 = not supported."""

_CODES = {
    "int16": ">h", "uint16": ">H", "acc16": ">H", "int32": ">i", "uint32": ">I", "acc32": ">I", "float32": ">f",
    "int64": ">q", "uint64": ">Q", "acc64": ">Q", "float64": ">d",
}  # fmt: skip

_NUMBERS = {kind: struct.Struct(code) for kind, code in _CODES.items()}
_WORDS = {
    (order, size): struct.Struct(f"{mark}{size}H")
    for order, mark in (("big", ">"), ("little", "<"))
    for size in range(5)
}
SMALLEST = 2.0**-126
"""Below it floats of 32 bits have no exponent left: what stands there is an integer, or a float with words swapped."""
SCALE_UNIMPLEMENTED = -0x8000


class Decoded(NamedTuple):
    """A value, or None with the reason in words."""

    value: float | None
    reason: str = ""
    rule: Rule | None = None
    """Set when there is a number and it cannot be."""


def raw_bytes(registers: Sequence[int], word_order: str, byte_order: str = "big") -> bytes:
    """The number's bytes, most significant first; the orders say how words, and bytes in a word, came: big or little."""
    words = registers if word_order == "big" else registers[::-1]
    form = _WORDS.get((byte_order, len(words))) or struct.Struct(f"{'>' if byte_order == 'big' else '<'}{len(words)}H")
    return form.pack(*words)


def decode(
    registers: Sequence[int], kind: str, *, word_order: str = "big", byte_order: str = "big", nan: Sequence[int] = ()
) -> Decoded:
    """The number in `registers`; markers in `nan` (raw, unsigned) and float NaN or infinity mean missing."""
    if len(registers) != SIZES[kind]:
        return Decoded(None, f"{len(registers)} registers instead of {SIZES[kind]}")
    raw = raw_bytes(registers, word_order, byte_order)
    if nan and int.from_bytes(raw) in nan:
        return Decoded(None, f"the device says not available (0x{raw.hex().upper()})")
    value = float(_NUMBERS[kind].unpack(raw)[0])
    if not math.isfinite(value):
        return Decoded(None, "the device says not a number")
    if 0 < abs(value) < SMALLEST:
        words = f"{value:.2g} is no number a meter can mean; is the word order right?"
        return Decoded(None, words, Rule.WORD_ORDER)
    return Decoded(value)


def encode(number: float, kind: str, *, word_order: str = "big", byte_order: str = "big") -> list[int]:
    """The registers that hold `number`, integers rounded; raises ValueError when the type cannot hold it."""
    whole = number if kind.startswith("float") else round(number)
    try:
        raw = _NUMBERS[kind].pack(whole)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{number:g} does not fit into {kind}") from error
    words = list(struct.unpack(f"{'>' if byte_order == 'big' else '<'}{len(raw) // 2}H", raw))
    return words if word_order == "big" else words[::-1]


def scale_factor(register: int) -> Decoded:
    """10 to the power of a SunSpec scale factor (sunssf: -10..10, 0x8000 = unimplemented)."""
    exponent = register - 0x10000 if register >= 0x8000 else register
    if exponent == SCALE_UNIMPLEMENTED:
        return Decoded(None, "the device has no scale factor for it")
    if not -10 <= exponent <= 10:
        return Decoded(None, f"scale factor {exponent} is outside -10..10")
    return Decoded(10.0**exponent)


def text(registers: Sequence[int]) -> str:
    """A SunSpec string: two characters a register, padded with zero bytes."""
    return raw_bytes(registers, "big").split(b"\0")[0].decode("utf-8", "replace").strip()


def encode_int16(value: float) -> int:
    """A signed number as one register, rounded and held inside int16 without the "unimplemented" marker."""
    return max(-0x7FFF, min(0x7FFF, round(value))) & 0xFFFF
