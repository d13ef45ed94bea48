"""Writes declared by a profile: what may be written, how a wish becomes registers: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.modbus.decode import SIZES, decode, encode
from gateway.model.setpoint import Setpoint, SetpointKind

WriteSpan = tuple[int, int, int]
"""(function, first, last register)."""


@dataclass(frozen=True, slots=True)
class WriteField:
    """One number of a write: of the wish (`of`), a constant (`value`), or a copy of another register's content."""

    type: str
    of: str | None = None
    value: float | None = None
    copy_of: int | None = None
    sign: int = 1
    scale: float = 1.0
    offset: float = 0.0
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    word_order: str = "big"
    byte_order: str = "big"

    @property
    def size(self) -> int:
        """Its length in registers."""
        return SIZES[self.type]

    def words(self, wish: Mapping[str, float]) -> list[int]:
        """The registers for a wish (by name: value, low); raises ValueError outside the declared range."""
        if self.of is None:
            return encode(self.value or 0.0, self.type, word_order=self.word_order, byte_order=self.byte_order)
        wanted = wish[self.of] * self.sign
        if self.low is None or self.high is None or not self.low <= wanted <= self.high:
            raise ValueError(f"{wanted:g} is outside {self.low:g}..{self.high:g}")
        number = (wanted - self.offset) / self.scale
        return encode(number, self.type, word_order=self.word_order, byte_order=self.byte_order)

    def number(self, words: Sequence[int]) -> float | None:
        """The number in registers, as it stands there."""
        return decode(words, self.type, word_order=self.word_order, byte_order=self.byte_order).value


@dataclass(frozen=True, slots=True)
class WriteFrame:
    """One write request: `fields` side by side from `address`, seen to be held at `read_back` (None: not readable)."""

    function: int
    address: int
    fields: tuple[WriteField, ...]
    read_back: int | None

    @property
    def count(self) -> int:
        """How many registers it writes."""
        return sum(field.size for field in self.fields)

    @property
    def span(self) -> WriteSpan:
        """What it needs to be allowed."""
        return self.function, self.address, self.address + self.count - 1

    def faults(self, sent: Sequence[int], held: Sequence[int]) -> list[str]:
        """Where what is held is not what was sent, in words."""
        found, at = [], 0
        for field in self.fields:
            wanted, is_ = (field.number(words[at : at + field.size]) for words in (sent, held))
            if wanted is None or is_ is None or abs(is_ - wanted) > field.tolerance:
                found.append(f"register {self.address + at} reads back {_shown(is_)} instead of {_shown(wanted)}")
            at += field.size
        return found


@dataclass(frozen=True, slots=True)
class Write:
    """How one kind of setpoint is written, and the safe value at the end; `watchdog_s` of the device, None: it has none."""

    kind: SetpointKind
    unlock: tuple[WriteFrame, ...]
    frames: tuple[WriteFrame, ...]
    release: tuple[WriteFrame, ...]
    watchdog_s: float | None = None

    @property
    def spans(self) -> frozenset[WriteSpan]:
        """All it may ever write."""
        return frozenset(frame.span for frame in (*self.unlock, *self.frames, *self.release))


class Control(Protocol):
    """One kind of setpoint of one device, on the wire."""

    @property
    def spans(self) -> frozenset[WriteSpan]:
        """All it may ever write."""
        ...

    def lasts_s(self, life_s: float) -> float | None:
        """How long after a write the device keeps it, s; None: until it is told otherwise."""
        ...

    async def apply(self, setpoint: Setpoint, life_s: float) -> None:
        """Write it for `life_s` s and see that it is held; raises DeviceError."""
        ...

    async def release(self) -> None:
        """Write the safe value; raises DeviceError."""
        ...


def _shown(number: float | None) -> str:
    return "nothing" if number is None else f"{number:g}"
