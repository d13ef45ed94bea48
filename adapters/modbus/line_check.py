"""What can be wrong with the lines of a site, seen from the devices on them: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.modbus.settings import BusSettings, ModbusRtuSettings, ModbusTcpSettings
from adapters.modbus.timing import Needs
from gateway.model.errors import Finding

SERIAL = ("baudrate", "parity", "stopbits")


def line_findings(lines: Mapping[str, BusSettings], needs: Mapping[str, Sequence[Needs]]) -> list[Finding]:
    """Mistakes of connections by name, given what the devices on each need of it."""
    return [*_shared_hosts(lines, needs), *_mixed_speeds(lines, needs)]


def _shared_hosts(lines: Mapping[str, BusSettings], needs: Mapping[str, Sequence[Needs]]) -> Iterable[Finding]:
    first_at: dict[tuple[str, int], str] = {}
    alone = {_peer(lines[name]) for name, wanted in needs.items() if any(need.single_client for need in wanted)}
    for name, settings in lines.items():
        peer = _peer(settings)
        if peer is None or (first := first_at.setdefault(peer, name)) == name or peer not in alone:
            continue
        what = f"{first} is a connection to {peer[0]}:{peer[1]} already, and a device there serves only one"
        yield Finding(f"connections.{name}", what, f"Put its devices on {first}.")


def _mixed_speeds(lines: Mapping[str, BusSettings], needs: Mapping[str, Sequence[Needs]]) -> Iterable[Finding]:
    for name, settings in lines.items():
        if not isinstance(settings, ModbusRtuSettings):
            continue
        for option in SERIAL:
            known = {getattr(need, option) for need in needs.get(name, ())} - {None}
            if len(known) > 1 and option not in settings.model_fields_set:
                what = f"its devices leave the factory with {' and '.join(map(str, sorted(known)))}"
                yield Finding(f"connections.{name}.{option}", what, "Set them all alike, and say here how.")


def _peer(settings: BusSettings) -> tuple[str, int] | None:
    return (settings.host, settings.port) if isinstance(settings, ModbusTcpSettings) else None
