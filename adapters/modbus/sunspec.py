"""SunSpec: the chain of models in a device, and points by name in them.

base "SunS" | id len ...points... | id len ...points... | 0xFFFF 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from adapters.modbus.bus import IllegalAddress
from adapters.modbus.decode import text
from adapters.modbus.planner import Guard, Register
from gateway.model.errors import DeviceAnswerWrong
from gateway.model.quantity import Quantity

BASES = (40000, 0, 50000)
MARKER = [0x5375, 0x6E53]
"""The letters SunS."""
END = 0xFFFF
MAX_MODELS = 60
COMMON = 1
LONGEST_READ = 125
COMMON_LENGTHS = (65, 66)
"""With and without the last, padding register."""
NAN = {
    "int16": (0x8000,), "uint16": (0xFFFF,), "acc16": (0,), "int32": (0x8000_0000,), "uint32": (0xFFFF_FFFF,),
    "acc32": (0,), "float32": (0x7FC0_0000,), "int64": (0x8000_0000_0000_0000,), "uint64": (0xFFFF_FFFF_FFFF_FFFF,),
    "acc64": (0,),
}  # fmt: skip
"""Markers of "not implemented" (SunSpec Device Information Model Specification, data types)."""


class Point(BaseModel):
    """One point: offset from the model's ID register (from the module's first one in a module), and its scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: int
    type: str
    sf: int | None = None
    """Offset of its scale factor from the model's ID register."""


class Model(BaseModel):
    """The points of one model that somebody uses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    points: dict[str, Point] = {}
    module_at: int = 0
    module_length: int = 0
    module_points: dict[str, Point] = {}


class ModelTable(BaseModel):
    """Point tables by model number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    models: dict[int, Model]

    def points_of(self, model: int, *, in_module: bool = False) -> Mapping[str, Point]:
        """The known points of a model, or of each of its modules; empty for an unknown model."""
        known = self.models.get(model)
        if known is None:
            return {}
        return known.module_points if in_module else known.points


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the first of `models` the device has; `module` counts from 1, `sign` turns it to ours."""

    models: tuple[int, ...]
    point: str
    module: int | None = None
    sign: int = 1


@dataclass(frozen=True, slots=True)
class SunspecReading:
    """A quantity, at the first of `places` the device has."""

    quantity: Quantity
    places: tuple[Place, ...]
    optional: bool = False
    low: float | None = None
    high: float | None = None
    slow: bool = False

    @property
    def models(self) -> tuple[int, ...]:
        """All models that have it, the preferred ones first."""
        return tuple(model for place in self.places for model in place.models)


class Reader(Protocol):
    """What walking needs of a bus."""

    async def read_block(self, unit: int, function: str, address: int, count: int, device: str) -> list[int]:
        """`count` registers from `address`; raises DeviceError."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is (common model 1)."""

    maker: str
    model: str
    version: str
    serial: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of one device: number -> (address of the ID register, length without ID and length).

    Of a model that comes several times the first one counts.
    """

    base: int
    identity: Identity
    models: Mapping[int, tuple[int, int]]

    def guard(self, model: int) -> Guard:
        """What stands at the model's ID and length registers as long as it is where it was."""
        address, length = self.models[model]
        return Guard(address, model, length)


def load_models(path: Path) -> ModelTable:
    """Read the point tables that come with Hearth."""
    return ModelTable.model_validate(YAML(typ="safe").load(path))


async def read_identity(bus: Reader, unit: int, base: int, device: str) -> Identity:
    """The common model behind `base`; raises DeviceError."""
    common = await bus.read_block(unit, "holding", base + 2, 66, device)
    if common[0] != 1:
        raise DeviceAnswerWrong(device, "read SunSpec common model", f"found model {common[0]} instead of 1")
    if common[1] not in COMMON_LENGTHS:
        raise DeviceAnswerWrong(device, "read SunSpec common model", f"it is {common[1]} long instead of 65 or 66")
    return Identity(text(common[2:18]), text(common[18:34]), text(common[42:50]), text(common[50:66]))


async def find_base(bus: Reader, unit: int, device: str) -> int:
    """The address where "SunS" stands; raises DeviceAnswerWrong when it is nowhere."""
    for base in BASES:
        try:
            if await bus.read_block(unit, "holding", base, 2, device) == MARKER:
                return base
        except DeviceAnswerWrong:
            continue
    raise DeviceAnswerWrong(
        device, "look for SunSpec", "no SunSpec marker at 40000, 0 or 50000", "Enable SunSpec Modbus on the device"
    )


async def walk(bus: Reader, unit: int, device: str) -> Chain:
    """Walk the chain of models once; a device without an end marker refuses what is behind its last model.

    Raises DeviceError.
    """
    base = await find_base(bus, unit, device)
    identity = await read_identity(bus, unit, base, device)
    models: dict[int, tuple[int, int]] = {}
    address = base + 2
    for _ in range(MAX_MODELS):
        try:
            number, length = await bus.read_block(unit, "holding", address, 2, device)
        except IllegalAddress:
            if models.keys() <= {COMMON}:
                raise
            return Chain(base, identity, models)
        if number == END:
            return Chain(base, identity, models)
        if number == 0 or length == 0:
            raise DeviceAnswerWrong(device, "walk the SunSpec models", f"model {number} at {address} is {length} long")
        models.setdefault(number, (address, length))
        address += 2 + length
        if address >= 0xFFFF:
            break
    raise DeviceAnswerWrong(device, "walk the SunSpec models", "the chain has no end")


def resolve(reading: SunspecReading, chain: Chain, table: ModelTable) -> Register | None:
    """Where the reading stands in this device; None when the device has none of its models or too few modules."""
    found = (_register(reading, place, chain, table) for place in reading.places)
    return next((register for register in found if register is not None), None)


def _register(reading: SunspecReading, place: Place, chain: Chain, table: ModelTable) -> Register | None:
    number = next((model for model in place.models if model in chain.models), None)
    if number is None:
        return None
    start, length = chain.models[number]
    model = table.models[number]
    point = table.points_of(number, in_module=place.module is not None)[place.point]
    offset = point.at
    if place.module is not None:
        offset += model.module_at + (place.module - 1) * model.module_length
    register = Register(
        quantity=reading.quantity, function="holding", address=start + offset, type=point.type, scale=place.sign,
        nan=NAN[point.type], low=reading.low, high=reading.high, slow=reading.slow, optional=reading.optional,
        scale_address=None if point.sf is None else start + point.sf,
    )  # fmt: skip
    if register.end > start + 2 + length:
        return None
    reachable = register.end - start <= LONGEST_READ  # a far module has no place for it in one request
    return replace(register, guard=chain.guard(number)) if reachable else register
