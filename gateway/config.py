"""The only reader of the site file: one commented YAML, strict keys, every mistake named with place and remedy.

A mistake in one connection or device leaves that one out and keeps the rest; a mistake in the site itself, or a file
that is not YAML, raises SiteFileError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel

from gateway.circuits import circuit_checks, read_circuits
from gateway.findings import line_of, place_of, unknown_name, unusable, validate
from gateway.model.errors import Finding, SiteFileError
from gateway.model.site import Circuit, Device, Role, Sharing, Site, Spec, Tier
from gateway.sections import DEVICE_ID, PSEUDO_DEVICES, RESERVED_FOR, SPECS, SiteSection
from gateway.site_checks import cross_checks, port_checks


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of connection: the settings of the connection and of each device on it (None: it carries no devices)."""

    connection: type[BaseModel]
    device: type[BaseModel] | None


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One sound device of the site file with the name of its connection and its settings there."""

    device: Device
    connection: str
    settings: BaseModel
    line: int


@dataclass(frozen=True, slots=True)
class SiteFile:
    """The sound part of a site file; `findings` name what was left out."""

    path: Path
    site: Site
    tariff: str
    """The one that holds last."""
    strategies: str
    connections: Mapping[str, BaseModel]
    devices: tuple[DeviceEntry, ...]
    web: BaseModel
    findings: tuple[Finding, ...] = field(default=())
    earlier_tariffs: tuple[str, ...] = ()
    """Those that held before it, in order."""
    shapes_file: str = ""
    """The dictionary of load shapes, beside the site file or by its whole path; the shipped one when empty."""

    def tariff_paths(self, config: Path) -> list[Path]:
        """The files of the tariffs below the folder of configuration data, in the order in which they hold."""
        return [config / "tariffs" / f"{name}.yaml" for name in (*self.earlier_tariffs, self.tariff)]

    @property
    def named_shapes(self) -> Path | None:
        """The file of the dictionary of load shapes that the site file names; None for the shipped one."""
        return self.path.parent / self.shapes_file if self.shapes_file else None


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a device may hang on: the sound connections and circuits, and all the file names, sound or not."""

    connections: Mapping[str, tuple[Kind, BaseModel]]
    circuits: tuple[str, ...]
    named_connections: Mapping[str, Any]
    named_circuits: Mapping[str, Any]


_TOP = ("site", "connections", "circuits", "devices", "web")
_COMMON = ("name", "role", "connection", "circuit", "tier", *SPECS)


def load_site(path: Path, kinds: Mapping[str, Kind], web: type[BaseModel]) -> SiteFile:
    """Read a site file; raises SiteFileError when the site itself cannot be used."""
    document = _parse(path)
    findings: list[Finding] = []
    for key in document:
        if key not in _TOP:
            findings.append(unknown_name(place_of(path, document, key), str(key), _TOP))
    site_map = document.get("site")
    if not isinstance(site_map, dict):
        missing = Finding(str(path), "the section 'site' is missing", "Add it: see config/site/example.yaml.")
        raise SiteFileError([*findings, missing])
    section, problems = validate(SiteSection, site_map, path, "site")
    zone = _zone(section.timezone, path, site_map, problems) if isinstance(section, SiteSection) else None
    connections = _connections(document.get("connections") or {}, kinds, path, findings)
    circuits = read_circuits(document.get("circuits") or {}, path, findings)
    declared = _Declared(connections, tuple(circuits), _map(document, "connections"), _map(document, "circuits"))
    entries = _devices(document.get("devices") or {}, declared, kinds, path, findings)
    if not isinstance(section, SiteSection) or zone is None:
        raise SiteFileError(problems + findings)
    findings += cross_checks(section, entries, path, document)
    devices = {entry.device.id: (entry.device, entry.line) for entry in entries}
    findings += circuit_checks(circuits, devices, _map(document, "devices"), section.main_fuse_a, path)
    web_settings, problems = validate(web, document.get("web") or {}, path, "web")
    findings += problems
    named = {name: settings for name, (_, settings) in connections.items()}
    findings += port_checks(named, web_settings or web(), path, document)
    site = _site(section, zone, tuple(entry.device for entry in entries), tuple(c for c, _ in circuits.values()))
    tariffs = [section.tariff] if isinstance(section.tariff, str) else section.tariff
    return SiteFile(
        path=path,
        site=site,
        tariff=tariffs[-1],
        earlier_tariffs=tuple(tariffs[:-1]),
        strategies=section.dr_strategies,
        shapes_file=section.shapes_file,
        connections=named,
        devices=tuple(entries),
        web=web_settings or web(),
        findings=tuple(findings),
    )


def _site(section: SiteSection, zone: ZoneInfo, devices: tuple[Device, ...], circuits: tuple[Circuit, ...]) -> Site:
    values = section.model_dump(exclude={"timezone", "tariff", "dr_strategies", "shapes_file", "sharing"})
    return Site(**values, timezone=zone, devices=devices, circuits=circuits, sharing=Sharing(section.sharing))


def _map(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A section of names as it stands in the file; empty where it is none."""
    section = document.get(key)
    return section if isinstance(section, dict) else {}


def _parse(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import RoundTripConstructor
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.reader import ReaderError

    yaml = YAML(typ="rt")
    # ruamel keeps constructors on the class: a class of our own, so that no other reader finds this one.
    yaml.Constructor = type("SiteConstructor", (RoundTripConstructor,), {})
    yaml.constructor.add_constructor(
        "!secret", lambda _, node: _secret(path, node.start_mark.line + 1, str(node.value))
    )
    try:
        document = yaml.load(path)
    except OSError as error:
        raise SiteFileError(
            [Finding(str(path), f"cannot be read ({error.strerror})", "Check the path given with --site.")]
        ) from error
    except UnicodeError as error:
        raise SiteFileError([Finding(str(path), "is not UTF-8 text", "Save it as UTF-8.")]) from error
    except ReaderError as error:
        # Bytes that are no text give it no character: `encoding` then names what was tried.
        what = "is not UTF-8 text" if error.encoding != "unicode" else "holds a character that YAML does not allow"
        raise SiteFileError([Finding(str(path), what, "Save it as UTF-8, without control characters.")]) from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        what = getattr(error, "problem", None) or "is not YAML"
        remedy = "Mend the line; indentation is by spaces and every key ends with a colon."
        raise SiteFileError([Finding(where, str(what), remedy)]) from error
    if not isinstance(document, dict):
        raise SiteFileError([Finding(str(path), "holds no sections", "Start from config/site/example.yaml.")])
    return document


def _secret(path: Path, line: int, name: str) -> str:
    """A secret by name: from the service manager's credentials, else from secrets.yaml (mode 0600) beside the file."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and (Path(folder) / name).is_file():
        return (Path(folder) / name).read_text().strip()
    store = path.with_name("secrets.yaml")
    if not store.is_file():
        what, remedy = f"!secret {name}: there is no {store}", f"Write '{name}: ...' into it, mode 0600."
        raise SiteFileError([Finding(f"{path}:{line}", what, remedy)])
    if stat.S_IMODE(store.stat().st_mode) & 0o077:
        raise SiteFileError([Finding(str(store), "others may read it", f"chmod 600 {store}")])
    secrets = _secrets(store)
    if name not in secrets:
        raise SiteFileError([Finding(str(store), f"holds no secret '{name}'", f"Add a line '{name}: ...'.")])
    return str(secrets[name])


def _secrets(store: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        secrets = YAML(typ="safe").load(store) or {}
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        # The reader's own words would quote the line, and with it a secret.
        why = error.strerror if isinstance(error, OSError) else "is not YAML"
        raise SiteFileError([Finding(str(store), f"cannot be read ({why})", "Each line reads 'name: ...'.")]) from None
    if not isinstance(secrets, dict):
        raise SiteFileError([Finding(str(store), "holds no names", "Each line reads 'name: ...'.")])
    return secrets


def _connections(
    section: Any, kinds: Mapping[str, Kind], path: Path, findings: list[Finding]
) -> dict[str, tuple[Kind, BaseModel]]:
    result: dict[str, tuple[Kind, BaseModel]] = {}
    if not isinstance(section, dict):
        findings.append(Finding(f"{path}: connections", "is not a map of names", "See config/site/example.yaml."))
        return result
    for name, entry in section.items():
        where = f"connections.{name}"
        kind_name = str(entry.get("kind")) if isinstance(entry, dict) else ""
        if kind_name not in kinds:
            place = f"{place_of(path, section, name)}: {where}.kind"
            findings.append(unknown_name(place, kind_name, tuple(kinds), what="kind of connection"))
            continue
        settings, problems = validate(kinds[kind_name].connection, entry, path, where)
        findings += problems
        if settings is not None:
            result[str(name)] = (kinds[kind_name], settings)
    return result


def _devices(
    section: Any,
    declared: _Declared,
    kinds: Mapping[str, Kind],
    path: Path,
    findings: list[Finding],
) -> list[DeviceEntry]:
    result: list[DeviceEntry] = []
    if not isinstance(section, dict):
        findings.append(Finding(f"{path}: devices", "is not a map of ids", "See config/site/example.yaml."))
        return result
    for device_id, entry in section.items():
        where = f"devices.{device_id}"
        place = f"{place_of(path, section, device_id)}: {where}"
        if not isinstance(entry, dict):
            findings.append(Finding(place, "is empty", "Give it its keys."))
            continue
        if not DEVICE_ID.fullmatch(str(device_id)) or device_id in PSEUDO_DEVICES:
            remedy = f"Use letters, digits, _ and -, and none of {', '.join(PSEUDO_DEVICES)}."
            findings.append(Finding(place, "cannot be a device's id", remedy))
            continue
        on = str(entry.get("circuit") or "")
        if on and on not in declared.circuits:
            # Left out, for on no circuit at all it would be charged past a fuse we know nothing of.
            findings.append(
                unusable(f"{place}.circuit", on, declared.circuits, declared.named_circuits, what="circuit")
            )
            continue
        made = _device(str(device_id), entry, declared, path, where, line_of(section, device_id), findings)
        first = next((e.device for e in result if e.device.role is Role.MAIN_METER), None)
        if made is not None and made.device.role is Role.MAIN_METER and first is not None:
            findings.append(Finding(f"{place}.role", f"'{first.id}' is the main meter already", "Make it a sub_meter."))
        elif made is not None:
            result.append(made)
    return result


def _device(
    device_id: str,
    entry: dict[str, Any],
    declared: _Declared,
    path: Path,
    where: str,
    line: int,
    findings: list[Finding],
) -> DeviceEntry | None:
    place = f"{path}:{line}: {where}"
    role = entry.get("role")
    if role not in [r.value for r in Role]:
        findings.append(unknown_name(f"{place}.role", str(role), tuple(r.value for r in Role), what="role"))
        return None
    connection, connections = str(entry.get("connection")), declared.connections
    if connection not in connections:
        known, named = tuple(connections), declared.named_connections
        findings.append(unusable(f"{place}.connection", connection, known, named, what="connection"))
        return None
    if RESERVED_FOR.get(device_id, Role(role)) is not Role(role):
        what = f"cannot be the id of a {role}: it means the home's {RESERVED_FOR[device_id].value}"
        findings.append(Finding(place, what, "Give it another id."))
        return None
    kind, _ = connections[connection]
    if kind.device is None:
        findings.append(Finding(f"{place}.connection", f"'{connection}' carries no devices", "Name another one."))
        return None
    spec, problems = _spec(entry, Role(role), path, where)
    rest = {key: value for key, value in entry.items() if key not in _COMMON}
    settings, more = validate(kind.device, rest, path, where, lines=entry, also=_COMMON)
    findings += problems + more
    tier, tiers = entry.get("tier"), tuple(tier.value for tier in Tier)
    if tier is not None and tier not in tiers:
        findings.append(unknown_name(f"{place}.tier", str(tier), tiers, what="tier"))
        return None
    if settings is None or problems:
        return None
    circuit = str(entry.get("circuit") or "")
    name = str(entry.get("name") or device_id)
    device = Device(device_id, name, Role(role), spec, circuit, Tier(tier) if tier is not None else None)
    return DeviceEntry(device, connection, settings, line)


def _spec(entry: dict[str, Any], role: Role, path: Path, where: str) -> tuple[Spec, list[Finding]]:
    for key, (section, roles) in SPECS.items():
        if key not in entry and role not in roles:
            continue
        if role not in roles:
            place = f"{place_of(path, entry, key)}: {where}.{key}"
            return None, [Finding(place, f"does not fit the role {role.value}", "Remove it or change the role.")]
        values = entry.get(key) or {}
        made, problems = validate(section, values, path, f"{where}.{key}", lines=values if values else entry)
        return (made.spec() if made is not None else None), problems
    return None, []


def _zone(name: str, path: Path, values: Any, problems: list[Finding]) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = f"{place_of(path, values, 'timezone')}: site.timezone"
        problems.append(Finding(place, f"unknown time zone '{name}'", "Use an IANA name such as Europe/Brussels."))
        return None
