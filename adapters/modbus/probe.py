"""Finds out who answers on a Modbus address: for the installer's `hearth probe modbus`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.modbus.bus import Bus
from adapters.modbus.decode import decode
from adapters.modbus.settings import ModbusTcpSettings
from adapters.modbus.sunspec import walk
from gateway.model.errors import DeviceAnswerWrong, DeviceUnreachable
from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found at one unit; `profile` is the one to put in the site file, empty when nothing known fits."""

    unit: int
    description: str
    profile: str = ""


async def probe_modbus(
    host: str, port: int, units: Iterable[int], clock: Clock, *, timeout_s: float = 0.5
) -> list[ProbeResult]:
    """Ask each unit who it is (SunSpec common model, else plausible SDM registers); only those that answered.

    Raises DeviceUnreachable when nobody listens at host and port.
    """
    settings = ModbusTcpSettings(kind="modbus_tcp", host=host, port=port, timeout_s=timeout_s)
    bus = Bus(f"{host}:{port}", settings, clock)
    if not await bus.open():
        raise DeviceUnreachable(f"{host}:{port}", "connect", "nobody answers there", "Check address, port and power")
    try:
        found = [await _probe_unit(bus, unit) for unit in units]
    finally:
        bus.close()
    return [result for result in found if result is not None]


async def _probe_unit(bus: Bus, unit: int) -> ProbeResult | None:
    device = f"unit {unit}"
    try:
        return await _sunspec(bus, unit, device)
    except DeviceUnreachable:
        return None
    except DeviceAnswerWrong:
        pass
    try:
        return await _sdm(bus, unit, device)
    except DeviceUnreachable:
        return None
    except DeviceAnswerWrong:
        return ProbeResult(unit, "a Modbus device of an unknown kind")


async def _sunspec(bus: Bus, unit: int, device: str) -> ProbeResult:
    chain = await walk(bus, unit, device)
    models = chain.models.keys()
    profile = ""
    if models & {201, 202, 203, 204}:
        profile = "sunspec_meter"
    elif 124 in models:
        profile = "sunspec_hybrid"
    elif models & {101, 102, 103}:
        profile = "sunspec_inverter"
    who = chain.identity
    return ProbeResult(unit, f"{who.maker} {who.model} {who.version}, serial {who.serial}".strip(), profile)


async def _sdm(bus: Bus, unit: int, device: str) -> ProbeResult:
    """Volts at 0 and hertz at 70 make an Eastron; volts at 2 and 4 too make it a three-phase one."""
    volts = await bus.read_block(unit, "input", 0, 6, device)
    hertz = decode(await bus.read_block(unit, "input", 70, 2, device), "float32").value
    phases = [decode(volts[at : at + 2], "float32").value for at in (0, 2, 4)]
    live = [volt is not None and 80 <= volt <= 300 for volt in phases]
    if hertz is None or not 45 <= hertz <= 65 or not live[0]:
        raise DeviceAnswerWrong(device, "recognise", "its registers hold no plausible volts and hertz")
    if all(live):
        return ProbeResult(unit, "a three-phase meter like the Eastron SDM630", "eastron_sdm630")
    return ProbeResult(unit, "a single-phase meter like the Eastron SDM120 or SDM230", "eastron_sdm120")
