"""Device profiles: a device is a table in config/devices/modbus, never code."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from adapters.modbus.planner import ReadLimits, Register
from adapters.modbus.sunspec import ModelTable, SunspecReading, load_models
from gateway.model.errors import Finding, SiteFileError
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind

SUNSPEC_MODELS = "sunspec_models"
"""The one file of the folder that is no profile: the SunSpec point tables."""

RegisterType = Literal["float32", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
WordOrder = Literal["big", "little"]
Group = Literal["fast", "slow"]


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


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Source(_Wire):
    manual: str
    version: str
    page: str


class _Limits(_Wire):
    max_read_registers: int = Field(default=50, ge=1, le=125)
    max_gap: int = Field(default=8, ge=0, le=125)
    even_only: bool = False


class _Register(_Wire):
    quantity: Quantity
    function: Literal["input", "holding"]
    address: int = Field(ge=0, le=65535)
    type: RegisterType
    word_order: WordOrder | None = None
    scale: float = 1.0
    sign: Literal[1, -1] = 1
    nan: list[int] = []
    range: tuple[float, float] | None = None
    group: Group = "fast"


class _Reading(_Wire):
    quantity: Quantity
    models: list[int]
    point: str
    module: int | None = Field(default=None, ge=1)
    sign: Literal[1, -1] = 1
    optional: bool = False
    range: tuple[float, float] | None = None
    group: Group = "fast"


class _Profile(_Wire):
    kind: Literal["registers", "sunspec"] = "registers"
    maker: str
    model: str
    source: _Source
    verified: str
    word_order: WordOrder = "big"
    limits: _Limits = _Limits()
    slow_period_s: float = Field(default=10.0, gt=0)
    registers: list[_Register] = []
    readings: list[_Reading] = []
    controls: list[Literal["battery_band_w", "pv_limit_percent"]] = []

    @model_validator(mode="after")
    def _has_its_table(self) -> _Profile:
        if self.kind == "registers" and (self.readings or self.controls or not self.registers):
            raise ValueError("a profile of kind registers needs registers, and neither readings nor controls")
        if self.kind == "sunspec" and (self.registers or not self.readings):
            raise ValueError("a profile of kind sunspec needs readings, and no registers")
        return self


def profile_names(folder: Path) -> list[str]:
    """The profiles in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.stem != SUNSPEC_MODELS)


def load_profile(name: str, folder: Path) -> Profile:
    """Read one profile; raises SiteFileError whose findings name place and remedy."""
    known = profile_names(folder)
    if name not in known:
        what = "there is no such Modbus device profile"
        raise SiteFileError([Finding(f"profile {name}", what, _suggest(name, known))])
    path = folder / f"{name}.yaml"
    wire = _validate(_read_yaml(path), path)
    models = load_models(folder / f"{SUNSPEC_MODELS}.yaml") if wire.kind == "sunspec" else None
    findings = _duplicates(wire, path) + (_unknown_points(wire, models, path) if models else [])
    if findings:
        raise SiteFileError(findings)
    return _to_profile(name, wire, models)


def _read_yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path)
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SiteFileError([Finding(f"{path.name}{line}", str(error.problem), "Mend the YAML there.")]) from error
    except OSError as error:
        raise SiteFileError([Finding(path.name, str(error), "Check the file and its rights.")]) from error


def _validate(data: Any, path: Path) -> _Profile:
    try:
        return _Profile.model_validate(data)
    except ValidationError as error:
        raise SiteFileError([_finding(dict(problem), path) for problem in error.errors()]) from error


def _finding(problem: dict[str, Any], path: Path) -> Finding:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    where = f"{path.name}: {place}" if place else path.name
    if problem["type"] == "extra_forbidden":
        fields = [*_Profile.model_fields, *_Register.model_fields, *_Reading.model_fields, *_Limits.model_fields]
        return Finding(where, "unknown key", _suggest(str(problem["loc"][-1]), sorted(set(fields))))
    if problem["type"] == "missing":
        return Finding(where, "it is missing", "Add it.")
    what = f"{problem['input']!r} does not do: {problem['msg']}"
    if problem["type"] in ("enum", "literal_error"):
        choices = list(Quantity) if problem["type"] == "enum" else _choices(problem)
        return Finding(where, what, _suggest(str(problem["input"]), [str(choice) for choice in choices]))
    if isinstance(problem["input"], dict):
        what = str(problem["msg"])
    return Finding(where, what, "Mend the value.")


def _choices(problem: dict[str, Any]) -> list[str]:
    return str(problem["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")


def _suggest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."


def _duplicates(wire: _Profile, path: Path) -> list[Finding]:
    seen: dict[Quantity, int] = {}
    findings = []
    for index, register in enumerate(wire.registers):
        if (first := seen.setdefault(register.quantity, index)) != index:
            what = f"{register.quantity} stands already at registers[{first}]"
            findings.append(Finding(f"{path.name}: registers[{index}].quantity", what, "Remove one of the two."))
    return findings


def _unknown_points(wire: _Profile, models: ModelTable, path: Path) -> list[Finding]:
    findings = []
    for index, reading in enumerate(wire.readings):
        for model in reading.models:
            points = list(models.points_of(model, in_module=reading.module is not None))
            if reading.point not in points:
                what = f"model {model} has no point {reading.point}"
                findings.append(Finding(f"{path.name}: readings[{index}].point", what, _suggest(reading.point, points)))
    return findings


def _to_profile(name: str, wire: _Profile, models: ModelTable | None) -> Profile:
    source = f"{wire.source.manual}, {wire.source.version}, {wire.source.page}"
    return Profile(
        name=name, maker=wire.maker, model=wire.model, source=source, verified=wire.verified,
        limits=ReadLimits(**wire.limits.model_dump()), slow_period_s=wire.slow_period_s,
        registers=tuple(_to_register(register, wire.word_order) for register in wire.registers),
        readings=tuple(_to_reading(reading) for reading in wire.readings),
        models=models, controls=tuple(SetpointKind(control) for control in wire.controls),
    )  # fmt: skip


def _to_register(register: _Register, word_order: WordOrder) -> Register:
    low, high = register.range or (None, None)
    return Register(
        quantity=register.quantity, function=register.function, address=register.address, type=register.type,
        scale=register.scale * register.sign, word_order=register.word_order or word_order, nan=tuple(register.nan),
        low=low, high=high, slow=register.group == "slow",
    )  # fmt: skip


def _to_reading(reading: _Reading) -> SunspecReading:
    low, high = reading.range or (None, None)
    return SunspecReading(
        quantity=reading.quantity, models=tuple(reading.models), point=reading.point, module=reading.module,
        sign=reading.sign, optional=reading.optional, low=low, high=high, slow=reading.group == "slow",
    )  # fmt: skip
