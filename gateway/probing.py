"""What `hearth probe modbus` does: scan, tell, suggest lines for the site file, and watch one device live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.modbus.bus import Bus
from adapters.modbus.device import ModbusDevice
from adapters.modbus.probe import ProbeResult, Tell, probe_line
from adapters.modbus.probe_serial import BAUDS, PARITIES, probe_serial
from adapters.modbus.profile import load_profile
from adapters.modbus.settings import BusSettings, ModbusDeviceSettings, ModbusRtuSettings, ModbusTcpSettings
from gateway.assembly import CONFIG
from gateway.core.metering.wiring import Triple, WiringFinding, WiringSample, WiringWatch
from gateway.model.errors import DeviceError
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.site import Device, Role
from gateway.ports import Clock

PROFILES = CONFIG / "devices" / "modbus"
CONNECT_S = 4.0


@dataclass(frozen=True, slots=True)
class Found:
    """One device that answered, and the line it is on."""

    settings: BusSettings
    result: ProbeResult


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: a host, or a serial line with the speeds and parities to try."""

    host: str = ""
    serial: str = ""
    port: int = 502
    framing: str = "tcp"
    timeout_s: float = 0.5
    bauds: Sequence[int] = BAUDS
    parities: Sequence[str] = PARITIES

    def __str__(self) -> str:
        return self.serial or f"{self.host}:{self.port}"

    def settings(self) -> BusSettings:
        """The line as the site file would have it, a serial one at the first speed to try."""
        if self.serial:
            serial = {"path": self.serial, "baudrate": self.bauds[0], "parity": self.parities[0]}
            return ModbusRtuSettings.model_validate({"kind": "modbus_rtu", **serial})
        return _tcp(self.host, self.port, self.framing)


def place_of(host: str, serial: str, port: int, framing: str, timeout_s: float, bauds: str, parities: str) -> Place:
    """The place a person named on the command line; raises ValueError saying what cannot be."""
    if bool(host) == bool(serial):
        raise ValueError("name either a host or --serial, e.g. --serial /dev/ttyUSB0")
    if framing not in ("tcp", "rtu"):
        raise ValueError(f"'{framing}' is no framing; write tcp or rtu")
    speeds = [int(part) if part.strip().isdigit() else 0 for part in bauds.split(",")]
    if not all(300 <= speed <= 921600 for speed in speeds):
        raise ValueError(f"'{bauds}' is not a list of speeds; write 9600,19200")
    letters = parities.upper().replace(" ", "").split(",")
    if not set(letters) <= set(PARITIES):
        raise ValueError(f"'{parities}' is not a list of parities; write N,E,O")
    return Place(host, serial, port, framing, timeout_s, speeds, letters)


async def scan(place: Place, units: Iterable[int], clock: Clock, tell: Tell) -> AsyncIterator[Found]:
    """What answers at a place, as it is found; raises DeviceUnreachable when the place itself does not."""
    if place.serial:
        line = probe_serial(
            place.serial, units, clock, bauds=place.bauds, parities=place.parities, profiles=PROFILES, tell=tell
        )
        async for settings, result in line:
            yield Found(settings, result)
        return
    kept = _tcp(place.host, place.port, place.framing)
    asked = _tcp(place.host, place.port, place.framing, timeout_s=place.timeout_s)
    async for result in probe_line(asked, units, clock, profiles=PROFILES, tell=tell):
        yield Found(kept, result)


def _tcp(host: str, port: int, framing: str, **more: Any) -> ModbusTcpSettings:
    said = {
        "host": host,
        **({} if port == 502 else {"port": port}),
        **({} if framing == "tcp" else {"framing": framing}),
    }
    return ModbusTcpSettings.model_validate({"kind": "modbus_tcp", **said, **more})


def in_words(result: ProbeResult) -> list[str]:
    """What was found at one unit: who it is, how sure, and why."""
    head = f"unit {result.unit}: {result.description or 'does not say who it is'}"
    if result.same_as is not None or not result.candidates:
        return [head if result.same_as is not None else f"{head}; no shipped profile fits"]
    lines = [head]
    for candidate in result.candidates[:3]:
        alike = f" (or {', '.join(candidate.alike)}: nobody can tell them apart)" if candidate.alike else ""
        lines.append(f"  {candidate.confidence} % {candidate.profile}, {candidate.name}{alike}")
        lines.append(f"       {candidate.reason}")
    return lines


def as_json(found: Sequence[Found]) -> str:
    """The same for programs."""
    rows = [
        {
            "unit": each.result.unit,
            "description": each.result.description,
            "same_as": each.result.same_as,
            "connection": each.settings.model_dump(exclude_unset=True),
            "candidates": [
                {"profile": c.profile, "name": c.name, "confidence_percent": c.confidence, "reason": c.reason,
                 "alike": list(c.alike), "values": {q.value: value for q, value in c.values.items()}}
                for c in each.result.candidates
            ],
        }
        for each in found
    ]  # fmt: skip
    return json.dumps(rows, indent=2)


def snippet(found: Sequence[Found]) -> list[str]:
    """Lines for the site file: the connection and the devices that have a profile; [] when none has."""
    known = [each for each in found if each.result.profile]
    if not known:
        return []
    line = known[0].settings.model_dump(exclude_unset=True)
    lines = [
        "connections:",
        f"  modbus_line: {{{', '.join(f'{key}: {value}' for key, value in line.items())}}}",
        "devices:",
    ]
    roles: list[str] = []
    for each in known:
        best = each.result.candidates[0]
        roles.append(_role(best.values, Role.MAIN_METER.value in roles))
        lines += [
            f"  {_device_id(each.result.unit)}:", f"    name: {best.name}",
            f"    role: {roles[-1]}  # check: {', '.join(role.value for role in ROLES)}",
            "    connection: modbus_line", f"    profile: {best.profile}", f"    unit: {each.result.unit}",
        ]  # fmt: skip
    return lines


ROLES = (Role.MAIN_METER, Role.SUB_METER, Role.PV, Role.BATTERY, Role.HYBRID_INVERTER)


def _role(values: Iterable[Quantity], has_main: bool) -> str:
    known = set(values)
    if Quantity.BATTERY_POWER in known and Quantity.PV_POWER in known:
        return Role.HYBRID_INVERTER.value
    if Quantity.ENERGY_EXPORT in known and Quantity.ENERGY_IMPORT not in known:
        return Role.PV.value
    return Role.SUB_METER.value if has_main else Role.MAIN_METER.value


def _device_id(unit: int) -> str:
    return f"device_{unit}"


@dataclass(frozen=True, slots=True)
class Picture:
    """One sweep of a watched device: its readings, what is wrong with its wiring, or why there are none."""

    readings: Sequence[Reading]
    findings: Sequence[WiringFinding] = ()
    error: str = ""


async def watch(
    settings: BusSettings, unit: int, profile: str, clock: Clock, *, period_s: float = 1.0
) -> AsyncIterator[Picture]:
    """Read one device every `period_s` until closed; raises SiteFileError for an unknown profile."""
    table = load_profile(profile, PROFILES)
    device = Device(_device_id(unit), f"{table.maker} {table.model}", Role.SUB_METER)
    bus = Bus("line", settings, clock)
    meter = ModbusDevice(
        device, ModbusDeviceSettings(profile=profile, unit=unit, period_s=period_s), table, bus, clock, main=True
    )
    wiring = WiringWatch(device.id, device.name)
    owner = asyncio.create_task(bus.run())
    begun = clock.monotonic()
    latest: dict[Quantity, Reading] = {}
    try:
        while True:
            try:
                fresh = await meter.read()
                latest.update({reading.quantity: reading for reading in fresh})
                wiring.add(sample_of(fresh))
                yield Picture(list(latest.values()), wiring.findings())
            except DeviceError as error:
                if bus.connected or clock.monotonic() - begun > CONNECT_S:
                    yield Picture(list(latest.values()), wiring.findings(), str(error))
            await clock.sleep(period_s if bus.connected else 0.1, real_floor=0.05)
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)


def sample_of(readings: Iterable[Reading]) -> WiringSample:
    """One sweep as the wiring check wants it; nobody knows what generates."""
    values = {r.quantity: r.value for r in readings if r.quality is Quality.VALID}

    def triple(quantities: Sequence[Quantity]) -> Triple:
        one, two, three = (values.get(quantity) for quantity in quantities)
        return (one, two, three)

    return WiringSample(triple(VOLTAGES), triple(CURRENTS), triple(POWERS), values.get(Quantity.POWER))
