"""What is sound by itself in a site file but not together: devices, phases, currents, listening ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from gateway.findings import line_of
from gateway.model.errors import Finding
from gateway.model.preferences import Preferences
from gateway.model.site import ChargerSpec, Role, WaterHeaterSpec
from gateway.sections import SiteSection

if TYPE_CHECKING:
    from gateway.config import DeviceEntry

HYGIENE_C = Preferences().hygiene_c
"""So hot a tank is made by default, degC."""
ANYWHERE = ("0.0.0.0", "::")
"""Hosts that mean every address of this machine."""


def cross_checks(
    section: SiteSection, entries: Sequence[DeviceEntry], path: Path, document: Mapping[str, Any]
) -> list[Finding]:
    """Nothing is left out for any of these, so they are warnings."""
    devices = document.get("devices") or {}
    found = _main_meter(entries, devices, path)
    for index, entry in enumerate(entries):
        place = f"{path}:{entry.line}: devices.{entry.device.id}"
        found += [Finding(place, what, remedy, severity="warning") for what, remedy in _twin(entry, entries[:index])]
        found += [Finding(place, what, remedy, severity="warning") for what, remedy in _electrical(entry, section)]
        found += _oddities(entry, devices.get(entry.device.id), path)
    return found


def _main_meter(entries: Sequence[DeviceEntry], devices: Any, path: Path) -> list[Finding]:
    if any(entry.device.role is Role.MAIN_METER for entry in entries):
        return []
    meant = [id_ for id_, entry in devices.items() if isinstance(entry, dict) and entry.get("role") == "main_meter"]
    what = f"'{meant[0]}' is left out" if meant else "no device has the role main_meter"
    what += ", so cars charge at their safe current only and the battery rests"
    remedy = "Mend it." if meant else "Add the meter at the grid connection."
    return [Finding(f"{path}: devices", what, remedy, severity="warning")]


def _twin(entry: DeviceEntry, before: Sequence[DeviceEntry]) -> Iterator[tuple[str, str]]:
    twin = next((e for e in before if (e.connection, e.settings) == (entry.connection, entry.settings)), None)
    if twin is not None:
        yield f"is the same device as '{twin.device.id}'", "Correct its unit, topic or profile, or remove it."


def _electrical(entry: DeviceEntry, section: SiteSection) -> Iterator[tuple[str, str]]:
    spec = entry.device.spec
    phases = spec.phases if isinstance(spec, ChargerSpec) else (getattr(spec, "phase", 1),)
    if max(phases) > section.phases:
        what = f"hangs on phase {max(phases)} of a site with {section.phases}"
        yield what, "Correct its phases, or site.phases."
    if isinstance(spec, WaterHeaterSpec) and spec.max_temperature_c < HYGIENE_C:
        what = f"the tank's thermostat stops at {spec.max_temperature_c:g} °C: it cannot be heated to "
        what += f"{HYGIENE_C:g} °C against legionella, as is usual once a week"
        yield what, "Set the thermostat higher and correct max_temperature_c; else hygiene is left to the tank itself."
    if isinstance(spec, ChargerSpec) and spec.safe_current_a > section.main_fuse_a:
        what = f"its safe current of {spec.safe_current_a:g} A is above the main fuse of {section.main_fuse_a:g} A"
        yield what, "Lower safe_current_a: it must be safe when nothing is known."


def _oddities(entry: DeviceEntry, lines: Any, path: Path) -> list[Finding]:
    """What the settings of the device itself find odd, each as (key, what, remedy)."""
    told: Sequence[tuple[str, str, str]] = getattr(entry.settings, "oddities", ())
    where = f"devices.{entry.device.id}"
    return [
        Finding(f"{path}:{line_of(lines, key)}: {where}.{key}", what, remedy, severity="warning")
        for key, what, remedy in told
    ]


@dataclass(frozen=True, slots=True)
class _Listener:
    """A port that something listens on; `where` is its key in the site file."""

    where: str
    host: str
    port: int
    line: int

    def clashes(self, other: _Listener) -> bool:
        """Whether only one of both can have its port."""
        same = self.host == other.host or self.host in ANYWHERE or other.host in ANYWHERE
        return self.port != 0 and self.port == other.port and same


def port_checks(
    connections: Mapping[str, BaseModel], web: BaseModel, path: Path, document: Mapping[str, Any]
) -> list[Finding]:
    """Every listening port that another one of the file has already; who comes second gets none."""
    listeners = list(_listeners("web", web, document.get("web")))
    lines = document.get("connections") or {}
    for name, settings in connections.items():
        listeners += _listeners(f"connections.{name}", settings, lines.get(name), fallback=line_of(lines, name))
    found = []
    for index, each in enumerate(listeners):
        other = next((before for before in listeners[:index] if before.clashes(each)), None)
        if other is not None:
            what = f"port {each.port} is that of {other.where} too, and only one of them can listen there"
            found.append(Finding(f"{path}:{each.line}: {each.where}", what, "Choose another port."))
    return found


def _listeners(where: str, settings: BaseModel, lines: Any, fallback: int = 1) -> Iterator[_Listener]:
    """The ports of one section: settings that listen name their keys in `listening_ports`."""
    host = "127.0.0.1" if getattr(settings, "host", "") == "localhost" else str(getattr(settings, "host", ""))
    for key in getattr(settings, "listening_ports", ()):
        port = getattr(settings, key)
        if port is not None:
            line = line_of(lines, key) if isinstance(lines, dict) and key in lines else fallback
            yield _Listener(f"{where}.{key}", host, int(port), line)
