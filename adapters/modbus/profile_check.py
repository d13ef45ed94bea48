"""What can be wrong with a profile beyond the form of its fields: pure, each finding with its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from adapters.modbus.decode import SIZES
from adapters.modbus.framing import WRITE_ONE
from adapters.modbus.planner import ReadLimits, Register, block_of, hole_in
from adapters.modbus.profile_schema import PlaceWire, ProfileWire, ReadingWire, RegisterType
from adapters.modbus.sunspec import ModelTable
from adapters.modbus.writes import Write, WriteFrame
from adapters.profiles.words import suggest
from gateway.model.errors import Finding
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind

MAX_WRITE = 123
"""Registers one FC16 may carry (Modbus Application Protocol V1.1b3, 6.12)."""


def findings_of(
    wire: ProfileWire, registers: Sequence[Register], writes: Sequence[Write], limits: ReadLimits,
    models: ModelTable | None,
) -> list[Finding]:  # fmt: skip
    """All mistakes of a profile whose fields are each in form; `where` is the place in the file."""
    found = [*_spans(limits), *_duplicates(wire), *_split_sums(wire), *_unreadable(registers, limits)]
    found += [*_overlaps(wire, registers), *_markers(wire)]
    found += _bad_writes(writes)
    return found if models is None else [*found, *_unknown_points(wire, models)]


def _spans(limits: ReadLimits) -> Iterable[Finding]:
    for name, spans in (("holes", limits.holes), ("read_together", limits.read_together)):
        for at, (first, last) in enumerate(spans):
            if first > last:
                yield Finding(f"limits.{name}[{at}]", f"{first} is behind {last}", "Write [first, last].")


def _duplicates(wire: ProfileWire) -> Iterable[Finding]:
    seen: dict[Quantity, int] = {}
    for index, register in enumerate(wire.registers):
        if (first := seen.setdefault(register.quantity, index)) == index:
            continue
        if not (register.sum and wire.registers[first].sum):
            what = f"{register.quantity} stands already at registers[{first}]"
            yield Finding(f"registers[{index}].quantity", what, "Remove one of the two, or say sum: true in both.")


def _split_sums(wire: ProfileWire) -> Iterable[Finding]:
    """Parts of a sum in two groups: every reading between the slow ones would lack some of them."""
    table = "registers" if wire.kind == "registers" else "readings"
    groups: dict[Quantity, str] = {}
    for index, value in enumerate([*wire.registers, *wire.readings]):
        if groups.setdefault(value.quantity, value.group) != value.group:
            what = f"the other parts of {value.quantity} are {groups[value.quantity]}"
            yield Finding(f"{table}[{index}].group", what, "Put all parts into one group.")


def _overlaps(wire: ProfileWire, registers: Sequence[Register]) -> Iterable[Finding]:
    """Numbers that share words; the very same number may serve two quantities when one of them is a sum."""
    for (one, first), (other, second) in combinations(enumerate(registers), 2):
        if first.function != second.function or first.end <= second.start or second.end <= first.start:
            continue
        where, what = f"registers[{other}].address", f"it shares words with registers[{one}] ({first.quantity.value})"
        if (first.start, first.type) != (second.start, second.type):
            yield Finding(where, what, "Check address and type of both.")
        elif first.quantity is second.quantity:
            if wire.registers[one].sum and wire.registers[other].sum:
                yield Finding(where, f"registers[{one}] adds the same number", "Remove one of the two.")
        elif not (wire.registers[one].sum or wire.registers[other].sum):
            yield Finding(where, what, "Check both addresses; only a part of a sum may be read twice.")


def _markers(wire: ProfileWire) -> Iterable[Finding]:
    """Raw values that their type cannot hold would never be seen."""
    for kind, values in wire.nan.items():
        yield from _outside(f"nan.{kind}", kind, values)
    for index, register in enumerate(wire.registers):
        yield from _outside(f"registers[{index}].nan", register.type, register.nan or [])


def _outside(where: str, kind: RegisterType, values: Sequence[int]) -> Iterable[Finding]:
    digits = SIZES[kind] * 4
    for at, value in enumerate(values):
        if not 0 <= value < 16**digits:
            what = f"{value} is no raw value of {kind}"
            yield Finding(
                f"{where}[{at}]", what, f"Write the bits without a sign: 0x{'0' * digits} to 0x{'F' * digits}."
            )


def _unreadable(registers: Sequence[Register], limits: ReadLimits) -> Iterable[Finding]:
    for index, register in enumerate(registers):
        block = block_of([register], limits)
        where = f"registers[{index}].address"
        if block.address + block.count > 0x10000:
            yield Finding(where, "the number reaches beyond register 65535", "Check address and type.")
        elif hole := hole_in(block, limits):
            what = f"reading it reads the hole {hole[0]}-{hole[1]} too"
            yield Finding(where, what, "Check the address, limits.holes and limits.even_only.")
        elif block.count > limits.max_read_registers:
            what = f"it needs {block.count} registers in one request, the device gives {limits.max_read_registers}"
            yield Finding(where, what, "Raise limits.max_read_registers, or shorten limits.read_together.")


def _unknown_points(wire: ProfileWire, models: ModelTable) -> Iterable[Finding]:
    for index, reading in enumerate(wire.readings):
        places: list[ReadingWire | PlaceWire] = [reading, *reading.otherwise]
        for at, place in enumerate(places):
            where = f"readings[{index}]" + (f".otherwise[{at - 1}]" if at else "")
            for number, model in enumerate(place.models):
                if model not in models.models:
                    known = ", ".join(str(known) for known in sorted(models.models))
                    what = f"there is no table of SunSpec model {model}"
                    yield Finding(f"{where}.models[{number}]", what, f"Known are: {known}.")
                    continue
                points = list(models.points_of(model, in_module=place.module is not None))
                if place.point not in points:
                    what = f"model {model} has no point {place.point}"
                    yield Finding(f"{where}.point", what, suggest(place.point, points))


def _bad_writes(writes: Sequence[Write]) -> Iterable[Finding]:
    kinds: dict[SetpointKind, int] = {}
    for index, write in enumerate(writes):
        if (first := kinds.setdefault(write.kind, index)) != index:
            what = f"{write.kind.value} stands already at writes[{first}]"
            yield Finding(f"writes[{index}].setpoint", what, "Remove one of the two.")
        for part, frames in (("unlock", write.unlock), ("frames", write.frames), ("release", write.release)):
            for at, frame in enumerate(frames):
                yield from _bad_frame(f"writes[{index}].{part}[{at}]", frame, write.kind, carries=part == "frames")
        if not any(field.of for frame in write.frames for field in frame.fields):
            yield Finding(f"writes[{index}].frames", "no field carries the wish", "Say of: value in one.")


def _bad_frame(where: str, frame: WriteFrame, kind: SetpointKind, *, carries: bool) -> Iterable[Finding]:
    if frame.count > (1 if frame.function == WRITE_ONE else MAX_WRITE):
        what = f"function {frame.function} cannot write {frame.count} registers"
        yield Finding(f"{where}.function", what, "Say function: 16, or write them in two frames.")
    if frame.address + frame.count > 0x10000:
        yield Finding(f"{where}.address", "the frame reaches beyond register 65535", "Check address and types.")
    for at, field in enumerate(frame.fields):
        place = f"{where}.fields[{at}]"
        if field.of and not carries:
            yield Finding(f"{place}.of", "there is no wish here", "Say value or copy_of.")
        if field.of == "low" and kind is not SetpointKind.BATTERY_BAND:
            yield Finding(f"{place}.of", f"{kind.value} has no lower end", "Say of: value.")
        if field.value is not None and (wrong := _does_not_fit(frame, at)):
            yield Finding(f"{place}.value", wrong, "Check value and type.")


def _does_not_fit(frame: WriteFrame, at: int) -> str:
    try:
        frame.fields[at].words({})
    except ValueError as error:
        return str(error)
    return ""
