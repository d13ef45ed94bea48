"""Device profiles: a device is a table in config/devices/modbus, never code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.modbus.planner import ReadLimits, Register
from adapters.modbus.profile_check import findings_of
from adapters.modbus.profile_schema import (
    TABLES,
    FieldWire,
    FrameWire,
    ProfileWire,
    ReadingWire,
    RegisterWire,
    WriteWire,
)
from adapters.modbus.sunspec import ModelTable, Place, SunspecReading, load_models
from adapters.modbus.timing import NO_NEEDS, Needs
from adapters.modbus.writes import Write, WriteField, WriteFrame
from adapters.profiles.file import read_table
from adapters.profiles.words import finding_of, suggest
from gateway.model.errors import Finding, SiteFileError
from gateway.model.setpoint import SetpointKind

SUNSPEC_MODELS = "sunspec_models"
"""The one file of the folder that is no profile: the SunSpec point tables."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of device: where its numbers are, how they are read, what it can be told."""

    name: str
    maker: str
    model: str
    source: str
    """Manual, version and page the table was checked against."""
    verified: str
    limits: ReadLimits
    slow_period_s: float
    registers: tuple[Register, ...] = ()
    readings: tuple[SunspecReading, ...] = ()
    """SunSpec devices: points by name, found by walking the device's chain of models."""
    models: ModelTable | None = None
    controls: tuple[SetpointKind, ...] = ()
    writes: tuple[Write, ...] = ()
    needs: Needs = NO_NEEDS


def profile_names(folder: Path) -> list[str]:
    """The profiles in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.stem != SUNSPEC_MODELS)


def load_profile(name: str, folder: Path) -> Profile:
    """Read one profile; raises SiteFileError whose findings name place and remedy."""
    known = profile_names(folder)
    if name not in known:
        what = "there is no such Modbus device profile"
        raise SiteFileError([Finding(f"profile {name}", what, suggest(name, known))])
    path = folder / f"{name}.yaml"
    wire = _validate(read_table(path), path)
    models = load_models(folder / f"{SUNSPEC_MODELS}.yaml") if wire.kind == "sunspec" else None
    profile = _to_profile(name, wire)
    if findings := findings_of(wire, profile.registers, profile.writes, profile.limits, models):
        raise SiteFileError([Finding(f"{path.name}: {f.where}", f.what, f.remedy) for f in findings])
    return replace(profile, models=models)


def _validate(data: dict[str, Any], path: Path) -> ProfileWire:
    try:
        return ProfileWire.model_validate(data)
    except ValidationError as error:
        findings = [finding_of(dict(problem), path.name, TABLES) for problem in error.errors()]
        raise SiteFileError(findings) from error


def _to_profile(name: str, wire: ProfileWire) -> Profile:
    source = f"{wire.source.manual}, {wire.source.version}, {wire.source.page}"
    return Profile(
        name=name, maker=wire.maker, model=wire.model, source=source, verified=wire.verified,
        limits=_to_limits(wire), slow_period_s=wire.slow_period_s, needs=_to_needs(wire),
        registers=tuple(_to_register(register, wire) for register in wire.registers),
        readings=tuple(_to_reading(reading) for reading in wire.readings),
        controls=tuple(SetpointKind(control) for control in wire.controls),
        writes=tuple(_to_write(write, wire) for write in wire.writes),
    )  # fmt: skip


def _to_limits(wire: ProfileWire) -> ReadLimits:
    limits = wire.limits
    return ReadLimits(
        limits.max_read_registers, limits.max_gap, limits.even_only, tuple(limits.holes), tuple(limits.read_together)
    )


def _to_needs(wire: ProfileWire) -> Needs:
    limits, serial = wire.limits, wire.serial
    return Needs(
        min_gap_ms=limits.min_gap_ms, connect_delay_ms=limits.connect_delay_ms, timeout_s=limits.timeout_s,
        single_client=limits.single_client, baudrate=serial.baudrate if serial else None,
        parity=serial.parity if serial else None, stopbits=serial.stopbits if serial else None,
    )  # fmt: skip


def _to_register(register: RegisterWire, wire: ProfileWire) -> Register:
    low, high = register.range or (None, None)
    nan = wire.nan.get(register.type, []) if register.nan is None else register.nan
    return Register(
        quantity=register.quantity, function=register.function, address=register.address, type=register.type,
        scale=register.scale * register.sign, offset=register.offset * register.sign,
        word_order=register.word_order or wire.word_order, byte_order=register.byte_order or wire.byte_order,
        nan=tuple(nan), low=low, high=high, slow=register.group == "slow", optional=register.optional,
        states=tuple(register.map.items()),
    )  # fmt: skip


def _to_reading(reading: ReadingWire) -> SunspecReading:
    low, high = reading.range or (None, None)
    first = Place(tuple(reading.models), reading.point, reading.module, reading.sign)
    others = [Place(tuple(o.models), o.point, o.module, o.sign or reading.sign) for o in reading.otherwise]
    return SunspecReading(
        quantity=reading.quantity, places=(first, *others), optional=reading.optional, low=low, high=high,
        slow=reading.group == "slow",
    )  # fmt: skip


def _to_write(write: WriteWire, wire: ProfileWire) -> Write:
    unlock, frames, release = (
        tuple(_to_frame(frame, wire) for frame in frames) for frames in (write.unlock, write.frames, write.release)
    )
    return Write(write.setpoint, unlock, frames, release, write.watchdog_s)


def _to_frame(frame: FrameWire, wire: ProfileWire) -> WriteFrame:
    read_back = None if isinstance(frame.read_back, str) else frame.read_back
    if frame.read_back is None:
        read_back = frame.address
    return WriteFrame(frame.function, frame.address, tuple(_to_field(field, wire) for field in frame.fields), read_back)


def _to_field(field: FieldWire, wire: ProfileWire) -> WriteField:
    low, high = field.range or (None, None)
    return WriteField(
        type=field.type, of=field.of, value=field.value, copy_of=field.copy_of, sign=field.sign, scale=field.scale,
        offset=field.offset, low=low, high=high, tolerance=field.tolerance, word_order=wire.word_order,
        byte_order=wire.byte_order,
    )  # fmt: skip
