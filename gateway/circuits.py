"""The circuits of the site file: read, and checked against each other and the devices that hang on them.

A circuit that cannot be placed is left out, and with it what hangs on it: on no circuit at all a charger would be
raised past a fuse nobody guards. What is only odd is a warning.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from gateway.findings import line_of, place_of, unusable, validate
from gateway.model.errors import Finding
from gateway.model.site import ChargerSpec, Circuit, Device, Role
from gateway.sections import DEVICE_ID, CircuitSection

Placed = tuple[Circuit, int]
"""A circuit and the line of the file it stands on."""


def read_circuits(section: Any, path: Path, findings: list[Finding]) -> dict[str, Placed]:
    """The sound circuits by id, in the file's order."""
    if not isinstance(section, dict):
        findings.append(Finding(f"{path}: circuits", "is not a map of ids", "See config/site/example.yaml."))
        return {}
    found: dict[str, Placed] = {}
    for key, entry in section.items():
        where = f"circuits.{key}"
        place = f"{place_of(path, section, key)}: {where}"
        if not DEVICE_ID.fullmatch(str(key)):
            findings.append(Finding(place, "cannot be a circuit's id", "Use letters, digits, _ and -."))
            continue
        made, problems = validate(CircuitSection, entry or {}, path, where)
        findings += problems
        if made is not None:
            found[str(key)] = (made.circuit(str(key)), line_of(section, key))
    return _placed(found, section, path, findings)


def _placed(found: dict[str, Placed], named: Container[str], path: Path, findings: list[Finding]) -> dict[str, Placed]:
    """Those that hang, over their parents, on the main fuse; the others are named and left out."""
    while True:
        lost = [name for name, (circuit, _) in found.items() if circuit.parent and circuit.parent not in found]
        if not lost:
            break
        for name in lost:
            circuit, line = found.pop(name)
            others = tuple(other for other in found if other != name)
            where = f"{path}:{line}: circuits.{name}.parent"
            findings.append(unusable(where, circuit.parent, others, named, what="circuit"))
    loops = [name for name in found if _loops(name, found)]
    for name in loops:
        circuit, line = found.pop(name)
        what = f"hangs on itself by way of '{circuit.parent}'"
        findings.append(Finding(f"{path}:{line}: circuits.{name}.parent", what, "Name the circuit above it, or none."))
    return found


def _loops(name: str, found: Mapping[str, Placed]) -> bool:
    seen: list[str] = []
    while name and name not in seen:
        seen.append(name)
        name = found[name][0].parent
    return bool(name)


def circuit_checks(
    circuits: Mapping[str, Placed],
    devices: Mapping[str, tuple[Device, int]],
    named: Mapping[str, Any],
    main_fuse_a: float,
    path: Path,
) -> list[Finding]:
    """What is sound by itself but not together: a meter that is none is an error, all else a warning.

    `named` is the file's section of devices, with those that have a mistake of their own.
    """
    found: list[Finding] = []
    for name, (circuit, line) in circuits.items():
        where = f"{path}:{line}: circuits.{name}"
        found += _meter(circuit, devices, named, where)
        odd = [*_no_use(circuit, circuits, named), *_above_parent(circuit, circuits, main_fuse_a)]
        found += [Finding(where, what, remedy, severity="warning") for what, remedy in odd]
    for device, line in devices.values():
        where, fuse = f"{path}:{line}: devices.{device.id}", _fuse(device, circuits)
        if isinstance(device.spec, ChargerSpec) and fuse is not None and device.spec.safe_current_a > fuse:
            what = f"its safe current of {device.spec.safe_current_a:g} A is above the {fuse:g} A fuse of its circuit"
            found.append(Finding(where, what, "Lower safe_current_a, or correct fuse_a.", severity="warning"))
        if device.role is Role.MAIN_METER and device.circuit:
            what = "the main meter hangs on a circuit, but it measures all of them"
            found.append(Finding(where, what, "Remove its circuit.", severity="warning"))
    return found


def _meter(
    circuit: Circuit, devices: Mapping[str, tuple[Device, int]], named: Mapping[str, Any], where: str
) -> list[Finding]:
    if not circuit.meter:
        return []
    if circuit.meter not in devices:
        meters = tuple(name for name, (device, _) in devices.items() if device.role is Role.SUB_METER)
        lost = unusable(f"{where}.meter", circuit.meter, meters, named, what="device")
        remedy = f"{lost.remedy} Until then its cars get their safe current only."
        return [Finding(lost.where, lost.what, remedy)]
    role = devices[circuit.meter][0].role
    if role is Role.SUB_METER:
        return []
    return [Finding(f"{where}.meter", f"'{circuit.meter}' is a {role.value}", "Name a sub_meter that measures it all.")]


def _no_use(circuit: Circuit, circuits: Mapping[str, Placed], named: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if circuit.fuse_a is None and circuit.limit_w is None:
        found.append(("has neither fuse_a nor limit_w, so it limits nothing", "Give it one of them, or remove it."))
    used = {other.parent for other, _ in circuits.values()}
    used |= {str(entry.get("circuit") or "") for entry in named.values() if isinstance(entry, dict)}
    if circuit.id not in used:
        found.append(("no device hangs on it", f"Write 'circuit: {circuit.id}' at its devices, or remove it."))
    return found


def _above_parent(circuit: Circuit, circuits: Mapping[str, Placed], main_fuse_a: float) -> list[tuple[str, str]]:
    parent = circuits[circuit.parent][0] if circuit.parent else Circuit("", "the main fuse", (main_fuse_a,) * 3)
    found = []
    if circuit.fuse_a and parent.fuse_a and any(a > b for a, b in zip(circuit.fuse_a, parent.fuse_a, strict=True)):
        found.append((f"its fuse is above that of {parent.name}", "Correct fuse_a, or parent; the smaller one binds."))
    if circuit.limit_w is not None and parent.limit_w is not None and circuit.limit_w > parent.limit_w:
        found.append(
            (f"its limit is above that of {parent.name}", "Correct limit_w, or parent; the smaller one binds.")
        )
    return found


def _fuse(device: Device, circuits: Mapping[str, Placed]) -> float | None:
    placed = circuits.get(device.circuit)
    if placed is None or placed[0].fuse_a is None or not isinstance(device.spec, ChargerSpec):
        return None
    return min(placed[0].fuse_a[phase - 1] for phase in device.spec.phases)
