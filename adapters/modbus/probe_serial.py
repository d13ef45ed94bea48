"""Probing a serial line whose speed and parity nobody remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from adapters.modbus.probe import PROFILES, ProbeResult, Progress, Scan, Tell, in_order
from adapters.modbus.probe_line import ProbeLine
from adapters.modbus.probe_match import load_profiles
from adapters.modbus.settings import ModbusRtuSettings
from gateway.ports import Clock

BAUDS = (9600, 19200, 2400, 38400, 115200)
PARITIES = ("N", "E", "O")
FIRST_UNITS = 5
"""So many of the usual unit ids are tried at every speed before all ids are."""


async def probe_serial(
    path: str, units: Iterable[int], clock: Clock, *, bauds: Sequence[int] = BAUDS,
    parities: Sequence[str] = PARITIES, profiles: Path = PROFILES, tell: Tell = lambda progress: None,
) -> AsyncIterator[tuple[ModbusRtuSettings, ProbeResult]]:  # fmt: skip
    """What answers on a serial line, with the line's settings; the first speed that answers is the line's.

    The usual unit ids are tried at all speeds first, then the others. Raises DeviceUnreachable when the line cannot
    be opened.
    """
    known = load_profiles(profiles)
    wanted = in_order(units)
    for part in (wanted[:FIRST_UNITS], wanted[FIRST_UNITS:]):
        for settings in _settings(path, bauds, parities) if part else ():
            line = ProbeLine(settings, clock)
            await line.open()
            try:
                scan = Scan(line, known, _told_with(settings, tell))
                async for result in scan.run(part):
                    yield settings, result
                if not scan.found:
                    continue
                async for result in scan.run(unit for unit in wanted if unit not in part):
                    yield settings, result
                return
            finally:
                line.close()


def _settings(path: str, bauds: Sequence[int], parities: Sequence[str]) -> list[ModbusRtuSettings]:
    return [
        ModbusRtuSettings.model_validate({"kind": "modbus_rtu", "path": path, "baudrate": baud, "parity": parity})
        for parity in parities
        for baud in bauds
    ]


def _told_with(settings: ModbusRtuSettings, tell: Tell) -> Tell:
    def told(progress: Progress) -> None:
        what = f"{progress.what} at {settings.baudrate} 8{settings.parity}{settings.stopbits}"
        tell(Progress(progress.unit, what, progress.done, progress.total))

    return told
