"""Which registers to ask for together: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from adapters.modbus.decode import SIZES
from gateway.model.errors import DeviceAnswerWrong
from gateway.model.quantity import Quantity


class ModelMoved(DeviceAnswerWrong):
    """A SunSpec model is no longer where it was: nothing of this sweep is to be believed, and nothing to be written."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Two registers that must read `model` and `length` for what stands behind them to be what it was (SunSpec)."""

    address: int
    model: int
    length: int

    def check(self, words: Sequence[int], device: str) -> None:
        """Raises ModelMoved when these two registers are not as they were."""
        if list(words) != [self.model, self.length]:
            reason = f"model {self.model} is no longer at {self.address}: its models are looked up again"
            raise ModelMoved(device, f"check SunSpec model {self.model}", reason)


@dataclass(frozen=True, slots=True)
class Register:
    """One number in a device's registers; several with the same quantity are added up.

    `scale` and `offset` turn the raw number into the quantity's unit and our sign: raw * scale + offset.
    `scale_address` is a SunSpec scale factor that
    must come in the same block as the number, and so must its `guard`. An `optional` one counts as nothing when the
    device has never had it.
    """

    quantity: Quantity
    function: str
    address: int
    type: str
    scale: float = 1.0
    offset: float = 0.0
    word_order: str = "big"
    byte_order: str = "big"
    nan: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    slow: bool = False
    scale_address: int | None = None
    states: tuple[tuple[int, float], ...] = ()
    """What raw numbers of a state mean; any other is missing."""
    optional: bool = False
    guard: Guard | None = None

    @property
    def start(self) -> int:
        """First address that must be read with it."""
        first = self.address if self.scale_address is None else min(self.address, self.scale_address)
        return first if self.guard is None else min(first, self.guard.address)

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
    holes: tuple[tuple[int, int], ...] = ()
    """(first, last) registers that must not be read, not even along with others."""
    read_together: tuple[tuple[int, int], ...] = ()
    """(first, last) registers that are read in one request or not at all."""


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
    for unit in _units(registers, limits):
        last = blocks[-1] if blocks else None
        merged = block_of([*last.registers, *unit.registers], limits) if last else None
        if last and merged and _fits(last, unit, merged, limits):
            blocks[-1] = merged
        else:
            blocks.append(unit)
    return blocks


def split(block: Block, limits: ReadLimits) -> list[Block]:
    """Two smaller blocks in place of one the device refused, cut at its largest gap; [] when it cannot be cut."""
    units = _units(block.registers, limits)
    if len(units) < 2:
        return []
    ends = list(accumulate((unit.address + unit.count for unit in units), max))
    gaps = [(unit.address - end, at + 1) for at, (unit, end) in enumerate(zip(units[1:], ends, strict=False))]
    widest = max(gap for gap, _ in gaps)
    cuts = [cut for gap, cut in gaps if gap == widest]
    cut = cuts[len(cuts) // 2]
    return [block_of([r for unit in part for r in unit.registers], limits) for part in (units[:cut], units[cut:])]


def block_of(registers: Sequence[Register], limits: ReadLimits) -> Block:
    """The one request that reads all these registers, and what must be read with them."""
    spans = [_span(register, limits) for register in registers]
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    if limits.even_only:
        start, end = start - start % 2, end + end % 2
    return Block(registers[0].function, start, end - start, tuple(registers))


def hole_in(block: Block, limits: ReadLimits) -> tuple[int, int] | None:
    """The first of the device's holes that the block would read; None when it touches none."""
    last = block.address + block.count - 1
    return next((hole for hole in limits.holes if hole[0] <= last and block.address <= hole[1]), None)


def _units(registers: Iterable[Register], limits: ReadLimits) -> list[Block]:
    """The smallest requests possible, in order: one register each, or those that are read together."""
    groups: dict[tuple[str, object], list[Register]] = {}
    for at, register in enumerate(sorted(registers, key=lambda r: (r.function, r.start, r.end))):
        groups.setdefault((register.function, _together(register, limits) or at), []).append(register)
    return sorted(
        (block_of(group, limits) for group in groups.values()), key=lambda b: (b.function, b.address, b.count)
    )


def _together(register: Register, limits: ReadLimits) -> tuple[int, int] | None:
    spans = limits.read_together
    return next((span for span in spans if span[0] < register.end and register.start <= span[1]), None)


def _span(register: Register, limits: ReadLimits) -> tuple[int, int]:
    first, last = _together(register, limits) or (register.start, register.end - 1)
    return min(first, register.start), max(last + 1, register.end)


def _fits(last: Block, unit: Block, merged: Block, limits: ReadLimits) -> bool:
    return (
        last.function == unit.function
        and unit.address - (last.address + last.count) <= limits.max_gap
        and merged.count <= limits.max_read_registers
        and hole_in(merged, limits) is None
    )
