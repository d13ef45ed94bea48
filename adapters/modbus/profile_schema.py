"""What a profile file may say: the door through which config/devices/modbus comes in, and its JSON Schema."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from adapters.profiles.shape import Range, Scale, SourceWire, Wire, Words
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind

RegisterType = Literal["float32", "float64", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
Order = Literal["big", "little"]
Group = Literal["fast", "slow"]
Address = Annotated[int, Field(ge=0, le=65535)]
Span = tuple[Address, Address]


class LimitsWire(Wire):
    """What one request may ask of the device, and what the device asks of its line."""

    max_read_registers: int = Field(default=50, ge=1, le=125, description="Most registers one request may ask for.")
    max_gap: int = Field(default=8, ge=0, le=125, description="Unused registers that may be read along; 0 for none.")
    even_only: bool = Field(default=False, description="The device refuses odd start addresses and odd counts.")
    holes: list[Span] = Field(
        default=[], description="[first, last] registers that must not be read, not even along with others."
    )
    read_together: list[Span] = Field(
        default=[], description="[first, last] registers that are read in one request or not at all (pair-atomic)."
    )
    min_gap_ms: int | None = Field(default=None, ge=0, le=5000, description="Silence it needs between requests, ms.")
    connect_delay_ms: int | None = Field(
        default=None, ge=0, le=10000, description="Wait it needs after connecting before the first request, ms."
    )
    timeout_s: float | None = Field(default=None, ge=0.05, le=30, description="How long it may take to answer, s.")
    single_client: bool = Field(default=False, description="It serves one connection at a time.")


class SerialWire(Wire):
    """How its serial port leaves the factory: used where the site file says nothing else."""

    baudrate: int = Field(ge=300, le=921600, description="Bits per second.")
    parity: Literal["N", "E", "O"] = Field(default="N", description="N none, E even, O odd.")
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits.")


class ValueWire(Wire):
    """What every reading says of itself."""

    quantity: Quantity = Field(description="What it measures; the unit is in the name.")
    sign: Literal[1, -1] = Field(default=1, description="-1 when the device counts production or discharge positive.")
    optional: bool = Field(default=False, description="Part of a sum that some devices have not got: counts nothing.")
    range: Range | None = Field(
        default=None, description="Lowest and highest value to be believed, in the quantity's unit and our sign."
    )
    group: Group = Field(default="fast", description="fast: every period; slow: every slow_period_s.")


class RegisterWire(ValueWire):
    """A number at a fixed address."""

    function: Literal["input", "holding"] = Field(description="input is FC4, holding is FC3.")
    address: Address = Field(description="0-based, as on the wire (often the manual's number minus 1).")
    type: RegisterType = Field(description="How the number is stored.")
    word_order: Order | None = Field(default=None, description="Where it differs from the profile's.")
    byte_order: Order | None = Field(default=None, description="Where it differs from the profile's.")
    scale: Scale = Field(default=1.0, description="Factor to the quantity's unit, e.g. 1000 for kWh.")
    offset: float = Field(default=0.0, description="Added after scaling, in the quantity's unit: raw * scale + offset.")
    nan: list[int] | None = Field(default=None, description="Raw values that mean missing, in place of the profile's.")
    map: dict[int, float] = Field(
        default={}, description="What raw numbers of a state mean, e.g. {1: 1, 240: 0}; any other means missing."
    )
    sum: bool = Field(default=False, description="Added up with the quantity's other registers that say so.")


class PlaceWire(Wire):
    """Another place of the same reading."""

    models: list[int] = Field(min_length=1, description="SunSpec models that have the point; the first found is read.")
    point: str = Field(description="Name of the point in config/devices/modbus/sunspec_models.yaml.")
    module: int | None = Field(default=None, ge=1, description="Which of the model's modules, counted from 1.")
    sign: Literal[1, -1] | None = Field(default=None, description="Where it differs from the reading's.")


class ReadingWire(ValueWire):
    """A number at a point of a SunSpec model."""

    models: list[int] = Field(min_length=1, description="SunSpec models that have the point; the first found is read.")
    point: str = Field(description="Name of the point in config/devices/modbus/sunspec_models.yaml.")
    module: int | None = Field(default=None, ge=1, description="Which of the model's modules, counted from 1.")
    otherwise: list[PlaceWire] = Field(
        default=[], description="Where to look, in this order, when the device has none of the models."
    )


class FieldWire(Wire):
    """One number of a write: of the setpoint, a constant, or a copy of what another register holds."""

    type: RegisterType = Field(description="How the number is stored.")
    of: Literal["value", "low"] | None = Field(
        default=None, description="The setpoint's value, or the lower end of a battery band, in our unit and sign."
    )
    value: float | None = Field(default=None, description="A constant, as it stands in the register.")
    copy_of: Address | None = Field(default=None, description="Holding register whose content is written.")
    sign: Literal[1, -1] = Field(default=1, description="-1 when the device counts the other way round.")
    scale: float = Field(default=1.0, gt=0, description="The register's number times scale plus offset is the wish.")
    offset: float = Field(default=0.0, description="See scale.")
    range: Range | None = Field(
        default=None, description="What may be asked, in the wish's unit, after sign; anything else is refused."
    )
    tolerance: float = Field(
        default=0, ge=0, description="How far the number read back may differ, as in the register."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> FieldWire:
        if [self.of, self.value, self.copy_of].count(None) != 2:
            raise ValueError("a field needs exactly one of: of, value, copy_of")
        if self.of and self.range is None:
            raise ValueError("a field that takes a wish needs its range")
        return self


class FrameWire(Wire):
    """One write request."""

    function: Literal[6, 16] = Field(description="6 writes one register, 16 neighbouring ones at once.")
    address: Address = Field(description="First register, 0-based as on the wire.")
    fields: list[FieldWire] = Field(min_length=1, description="What is written, from the address on without gaps.")
    read_back: Address | Literal["none"] | None = Field(
        default=None, description="Where the numbers are read back (holding); the same address when not said."
    )


class WriteWire(Wire):
    """How one kind of setpoint is written; nothing that is not declared is ever written."""

    setpoint: SetpointKind = Field(description="The kind of setpoint.")
    unlock: list[FrameWire] = Field(default=[], description="Written first, in this order: enable, mode, password.")
    frames: list[FrameWire] = Field(min_length=1, description="The writes that carry the wish, in this order.")
    release: list[FrameWire] = Field(
        min_length=1, description="The safe value: written when the gateway gives the device back or ends."
    )
    watchdog_s: float | None = Field(
        default=None, ge=2, description="The device falls back by itself so long after the last write; none: never, s."
    )


class ProfileWire(Wire):
    """A profile file."""

    kind: Literal["registers", "sunspec"] = Field(
        default="registers", description="registers: at fixed addresses; sunspec: points found by walking the models."
    )
    maker: Words = Field(description="Who makes it.")
    model: Words = Field(description="What it is.")
    source: SourceWire = Field(description="The document the table was taken from.")
    verified: Words = Field(
        description="Against what it was checked, in words; begins with unverified when nothing was."
    )
    word_order: Order = Field(default="big", description="big: most significant word first.")
    byte_order: Order = Field(default="big", description="big: most significant byte of a word first, as Modbus says.")
    nan: dict[RegisterType, list[int]] = Field(
        default={}, description="Raw values (unsigned) that mean missing, by type; NaN of a float always does."
    )
    limits: LimitsWire = Field(default=LimitsWire(), description="What one request may ask, and what the line must do.")
    serial: SerialWire | None = Field(default=None, description="How its serial port leaves the factory.")
    slow_period_s: float = Field(default=10.0, gt=0, description="How often the slow group is read, s.")
    registers: list[RegisterWire] = Field(default=[], description="For kind registers: where the numbers are.")
    readings: list[ReadingWire] = Field(default=[], description="For kind sunspec: which points.")
    controls: list[Literal["battery_band_w", "pv_limit_percent"]] = Field(
        default=[], description="SunSpec commands it takes (models 124 and 123)."
    )
    writes: list[WriteWire] = Field(default=[], description="For kind registers: the setpoints it takes.")

    @model_validator(mode="after")
    def _has_its_table(self) -> ProfileWire:
        if self.kind == "registers" and (self.readings or self.controls or not self.registers):
            raise ValueError("a profile of kind registers needs registers, and neither readings nor controls")
        if self.kind == "sunspec" and (self.registers or self.writes or not self.readings):
            raise ValueError("a profile of kind sunspec needs readings, and neither registers nor writes")
        return self


TABLES: tuple[type[Wire], ...] = (
    ProfileWire, SourceWire, RegisterWire, ReadingWire, PlaceWire, LimitsWire, SerialWire, WriteWire, FrameWire, FieldWire,
)  # fmt: skip
"""All tables of the file, for suggestions."""


def schema_text() -> str:
    """The JSON Schema of a profile file, as kept in config/devices/modbus/profile.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ProfileWire.model_json_schema()}
    schema |= {"title": "Hearth Modbus device profile", "description": "One kind of Modbus device."}
    return json.dumps(schema, indent=1) + "\n"
