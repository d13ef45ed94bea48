"""Device profiles: a device is a table in config/devices/modbus, never code."""

from __future__ import annotations

import difflib
import json
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
    manual: str = Field(description="Title of the maker's document, or of the published table.")
    version: str = Field(description="Its version.")
    page: str = Field(description="Page, section or table.")


class _Limits(_Wire):
    max_read_registers: int = Field(default=50, ge=1, le=125, description="Most registers one request may ask for.")
    max_gap: int = Field(default=8, ge=0, le=125, description="Unused registers that may be read along; 0 for none.")
    even_only: bool = Field(default=False, description="The device refuses odd start addresses and odd counts.")


class _Value(_Wire):
    quantity: Quantity = Field(description="What it measures; the unit is in the name.")
    sign: Literal[1, -1] = Field(default=1, description="-1 when the device counts production or discharge positive.")
    optional: bool = Field(default=False, description="Part of a sum that some devices have not got: counts nothing.")
    range: tuple[float, float] | None = Field(
        default=None, description="Lowest and highest value to be believed, in the quantity's unit and our sign."
    )
    group: Group = Field(default="fast", description="fast: every period; slow: every slow_period_s.")


class _Register(_Value):
    function: Literal["input", "holding"] = Field(description="input is FC4, holding is FC3.")
    address: int = Field(ge=0, le=65535, description="0-based, as on the wire (often the manual's number minus 1).")
    type: RegisterType = Field(description="How the number is stored.")
    word_order: WordOrder | None = Field(default=None, description="Where it differs from the profile's.")
    scale: float = Field(default=1.0, description="Factor to the quantity's unit, e.g. 1000 for kWh.")
    nan: list[int] | None = Field(default=None, description="Raw values that mean missing, in place of the profile's.")
    sum: bool = Field(default=False, description="Added up with the quantity's other registers that say so.")


class _Reading(_Value):
    models: list[int] = Field(description="SunSpec models that have the point; the first the device has is read.")
    point: str = Field(description="Name of the point in config/devices/modbus/sunspec_models.yaml.")
    module: int | None = Field(default=None, ge=1, description="Which of the model's modules, counted from 1.")


class _Profile(_Wire):
    kind: Literal["registers", "sunspec"] = Field(
        default="registers", description="registers: at fixed addresses; sunspec: points found by walking the models."
    )
    maker: str = Field(description="Who makes it.")
    model: str = Field(description="What it is.")
    source: _Source = Field(description="The document the table was taken from.")
    verified: str = Field(description="Against what it was checked, in words; begins with unverified when nothing was.")
    word_order: WordOrder = Field(default="big", description="big: most significant word first.")
    nan: dict[RegisterType, list[int]] = Field(
        default={}, description="Raw values (unsigned) that mean missing, by type; NaN of a float always does."
    )
    limits: _Limits = Field(default=_Limits(), description="What one request may ask.")
    slow_period_s: float = Field(default=10.0, gt=0, description="How often the slow group is read, s.")
    registers: list[_Register] = Field(default=[], description="For kind registers: where the numbers are.")
    readings: list[_Reading] = Field(default=[], description="For kind sunspec: which points.")
    controls: list[Literal["battery_band_w", "pv_limit_percent"]] = Field(
        default=[], description="SunSpec commands it takes (models 124 and 123)."
    )

    @model_validator(mode="after")
    def _has_its_table(self) -> _Profile:
        if self.kind == "registers" and (self.readings or self.controls or not self.registers):
            raise ValueError("a profile of kind registers needs registers, and neither readings nor controls")
        if self.kind == "sunspec" and (self.registers or not self.readings):
            raise ValueError("a profile of kind sunspec needs readings, and no registers")
        return self


def schema_text() -> str:
    """The JSON Schema of a profile file, as kept in config/devices/modbus/profile.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_Profile.model_json_schema()}
    schema |= {"title": "Hearth Modbus device profile", "description": "One kind of Modbus device."}
    return json.dumps(schema, indent=1) + "\n"


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
    findings = (
        _duplicates(wire, path) + _split_sums(wire, path) + (_unknown_points(wire, models, path) if models else [])
    )
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
        if (first := seen.setdefault(register.quantity, index)) == index:
            continue
        where = f"{path.name}: registers[{index}]"
        if not (register.sum and wire.registers[first].sum):
            what = f"{register.quantity} stands already at registers[{first}]"
            findings.append(Finding(f"{where}.quantity", what, "Remove one of the two, or say sum: true in both."))
    return findings


def _split_sums(wire: _Profile, path: Path) -> list[Finding]:
    """Parts of a sum in two groups: every reading between the slow ones would lack some of them."""
    table = "registers" if wire.kind == "registers" else "readings"
    groups: dict[Quantity, str] = {}
    findings = []
    for index, value in enumerate([*wire.registers, *wire.readings]):
        if groups.setdefault(value.quantity, value.group) != value.group:
            what = f"the other parts of {value.quantity} are {groups[value.quantity]}"
            findings.append(Finding(f"{path.name}: {table}[{index}].group", what, "Put all parts into one group."))
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
        registers=tuple(_to_register(register, wire) for register in wire.registers),
        readings=tuple(_to_reading(reading) for reading in wire.readings),
        models=models, controls=tuple(SetpointKind(control) for control in wire.controls),
    )  # fmt: skip


def _to_register(register: _Register, wire: _Profile) -> Register:
    low, high = register.range or (None, None)
    nan = wire.nan.get(register.type, []) if register.nan is None else register.nan
    return Register(
        quantity=register.quantity, function=register.function, address=register.address, type=register.type,
        scale=register.scale * register.sign, word_order=register.word_order or wire.word_order, nan=tuple(nan),
        low=low, high=high, slow=register.group == "slow", optional=register.optional,
    )  # fmt: skip


def _to_reading(reading: _Reading) -> SunspecReading:
    low, high = reading.range or (None, None)
    return SunspecReading(
        quantity=reading.quantity, models=tuple(reading.models), point=reading.point, module=reading.module,
        sign=reading.sign, optional=reading.optional, low=low, high=high, slow=reading.group == "slow",
    )  # fmt: skip
