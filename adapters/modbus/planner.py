"""Which registers to ask for together: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.modbus.decode import SIZES
from gateway.model.quantity import Quantity


@dataclass(frozen=True, slots=True)
class Register:
    """One number in a device's registers; several with the same quantity are added up.

    `scale` turns the raw number into the quantity's unit and our sign. `scale_address` is a SunSpec scale factor that
    must come in the same block as the number. An `optional` one counts as nothing when the device has not got it.
    """

    quantity: Quantity
    function: str
    address: int
    type: str
    scale: float = 1.0
    word_order: str = "big"
    nan: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    slow: bool = False
    scale_address: int | None = None
    optional: bool = False

    @property
    def start(self) -> int:
        """First address that must be read with it."""
        return self.address if self.scale_address is None else min(self.address, self.scale_address)

    @property
    def end(self) -> int:
        """First address after what must be read with it."""
        end = self.address + SIZES[self.type]
        return end if self.scale_address is None else max(end, self.scale_address + 1)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one read request may ask of a device."""

    max_read_registers: int = 50
    max_gap: int = 8
    """Unused registers that may be read along between two used ones."""
    even_only: bool = False
    """The device refuses odd start addresses and odd counts."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read request: `count` registers from `address`, and what is in them."""

    function: str
    address: int
    count: int
    registers: tuple[Register, ...]


def plan_blocks(registers: Iterable[Register], limits: ReadLimits) -> list[Block]:
    """The fewest neighbouring requests within `limits` that never split a number from itself or its scale factor."""
    blocks: list[Block] = []
    for register in sorted(registers, key=lambda r: (r.function, r.start, r.end)):
        last = blocks[-1] if blocks else None
        merged = _block([*last.registers, register], limits) if last else None
        if last and merged and _fits(last, register, merged, limits):
            blocks[-1] = merged
        else:
            blocks.append(_block([register], limits))
    return blocks


def split(block: Block, limits: ReadLimits) -> list[Block]:
    """Two smaller blocks in place of one the device refused, cut at its largest gap; [] when it cannot be cut."""
    registers = sorted(block.registers, key=lambda r: (r.start, r.end))
    if len(registers) < 2:
        return []
    gaps = [(b.start - max(r.end for r in registers[: i + 1]), i + 1) for i, b in enumerate(registers[1:])]
    widest = max(gap for gap, _ in gaps)
    cuts = [cut for gap, cut in gaps if gap == widest]
    cut = cuts[len(cuts) // 2]
    return [_block(registers[:cut], limits), _block(registers[cut:], limits)]


def _block(registers: Sequence[Register], limits: ReadLimits) -> Block:
    start, end = min(r.start for r in registers), max(r.end for r in registers)
    if limits.even_only:
        start, end = start - start % 2, end + end % 2
    return Block(registers[0].function, start, end - start, tuple(registers))


def _fits(last: Block, register: Register, merged: Block, limits: ReadLimits) -> bool:
    return (
        last.function == register.function
        and register.start - (last.address + last.count) <= limits.max_gap
        and merged.count <= limits.max_read_registers
    )
