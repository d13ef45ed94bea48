"""MeterValues of OCPP 1.6 (section 6.31, 7.43) decoded: pure, tolerant of units, blanks and missing phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.ocpp.wire import to_number, to_time
from gateway.model.quantity import CURRENTS, VOLTAGES, Quantity

REGISTER = "Energy.Active.Import.Register"
"""The measurand meant when none is named (section 7.43)."""

_PHASES = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
_OUTER = ("Inlet", "Cable", "Body", "EV")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one charger measured at one time; `time` None when it named none that can be read."""

    time: datetime | None
    values: Mapping[Quantity, float] = field(default_factory=dict)


def decode(meter_values: Sequence[Mapping[str, Any]], phases: tuple[int, ...]) -> list[Sample]:
    """Samples in the message's order; the charger's L1 is the first of the grid `phases` it is wired to."""
    return [
        Sample(to_time(value.get("timestamp")), _quantities(value.get("sampledValue") or [], phases))
        for value in meter_values
    ]


def _quantities(sampled: Sequence[Mapping[str, Any]], phases: tuple[int, ...]) -> dict[Quantity, float]:
    table = _by_measurand(sampled)
    values: dict[Quantity, float] = {}
    for quantity, measurand in _TOTALS:
        if (total := _total(table.get(measurand, {}))) is not None:
            values[quantity] = total
    if (exported := _total(table.get("Power.Active.Export", {}))) is not None:
        values[Quantity.POWER] = values.get(Quantity.POWER, 0.0) - exported
    if offered := table.get("Current.Offered"):
        values[Quantity.CURRENT_OFFERED] = offered[None] if None in offered else max(offered.values())
    if (soc := table.get("SoC", {}).get(None)) is not None:
        values[Quantity.SOC] = soc
    values.update(_per_phase(table.get("Current.Import", {}), CURRENTS, phases))
    values.update(_per_phase(table.get("Voltage", {}), VOLTAGES, phases))
    return values


_TOTALS = (
    (Quantity.POWER, "Power.Active.Import"),
    (Quantity.ENERGY_IMPORT, REGISTER),
    (Quantity.ENERGY_EXPORT, "Energy.Active.Export.Register"),
)


def _by_measurand(sampled: Sequence[Mapping[str, Any]]) -> dict[str, dict[int | None, float]]:
    """Measurand -> {phase index or None for the whole: value in base units}; the outlet wins over other places."""
    table: dict[str, dict[int | None, float]] = {}
    for item in sorted(sampled, key=lambda item: item.get("location") not in _OUTER):
        number, phase = to_number(item.get("value")), item.get("phase")
        if number is None or item.get("format") == "SignedData" or (phase is not None and phase not in _PHASES):
            continue
        unit = str(item.get("unit", ""))
        scale = 1000.0 if unit.lower() in ("kwh", "kw") else 1.0
        measurand = item.get("measurand") or REGISTER
        table.setdefault(measurand, {})[_PHASES[phase] if phase else None] = number * scale
    return table


def _total(values: Mapping[int | None, float]) -> float | None:
    if None in values:
        return values[None]
    return sum(values.values()) if values else None


def _per_phase(
    values: Mapping[int | None, float], quantities: Sequence[Quantity], phases: tuple[int, ...]
) -> dict[Quantity, float]:
    """Without a phase the value holds for each phase the charger is wired to (section 7.43: "overall value")."""
    if set(values) == {None}:
        return {quantities[phase - 1]: abs(values[None]) for phase in phases}
    return {
        quantities[phases[index] - 1]: abs(value)
        for index, value in values.items()
        if index is not None and index < len(phases)
    }
