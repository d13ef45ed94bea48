"""Meter samples of all OCPP versions: what one charger measured at one time, and how its items become quantities.

Signs are ours: import and charging positive, export negative. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.ocpp.wire import clean, to_time
from gateway.model.quantity import CURRENTS, VOLTAGES, Quantity

REGISTER = "Energy.Active.Import.Register"
"""The measurand meant when none is named (OCPP 1.6 section 7.43, 2.0.1 part 2 section 2.48)."""

PHASES = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
NOMINAL_V = 230.0
OUTER = ("Inlet", "Cable", "Body", "EV", "Upstream")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one charger measured at one time; `time` None when it named none that can be read."""

    time: datetime | None
    values: Mapping[Quantity, float] = field(default_factory=dict)
    contexts: frozenset[str] = frozenset()
    """Why it was taken, in the charger's words: "Sample.Periodic", "Transaction.Begin" and others."""
    power_of: int = 0
    """Of how many phases its power was told, one by one; 0: of the whole, or none was told."""


@dataclass(frozen=True, slots=True)
class Item:
    """One sampled value in base units (W, Wh, A, V, percent); `phase` is what the charger wrote, or None."""

    measurand: str
    value: float
    phase: str | None = None
    location: str | None = None


Sampled = Sequence[Mapping[str, Any]]
BEGIN = "Transaction.Begin"
"""What is told so is of the begin, whenever it is told and however it is stamped: many tell it once more with the end."""


def to_samples(
    meter_values: Sequence[Mapping[str, Any]], phases: tuple[int, ...], items: Callable[[Sampled], Iterable[Item]]
) -> list[Sample]:
    """Samples in the message's order, `items` reading the version's sampled values; L1 is the first of `phases`.

    What is of the transaction's begin is a sample of its own, before what was told beside it.
    """
    samples = []
    for value in meter_values:
        time, sampled = to_time(value.get("timestamp")), value.get("sampledValue") or []
        begin = [item for item in sampled if clean(item.get("context")) == BEGIN]
        rest = [item for item in sampled if clean(item.get("context")) != BEGIN]
        for part in (begin, rest) if begin and rest else (sampled,):
            contexts = frozenset(clean(item.get("context")) for item in part) - {""}
            table = _by_measurand(items(part))
            by_phase = table.get("Power.Active.Import", {})
            power_of = 0 if None in by_phase else len(by_phase)
            samples.append(Sample(time, _quantities(table, phases), contexts, power_of))
    return samples


def to_quantities(items: Iterable[Item], phases: tuple[int, ...]) -> dict[Quantity, float]:
    """The quantities of one sample; the charger's L1 is the first of the grid `phases` it is wired to."""
    return _quantities(_by_measurand(items), phases)


def _quantities(table: Mapping[str, Mapping[int | None, float]], phases: tuple[int, ...]) -> dict[Quantity, float]:
    values: dict[Quantity, float] = {}
    for quantity, measurand in _TOTALS:
        if (total := _total(table.get(measurand, {}))) is not None:
            values[quantity] = total
    if (exported := _total(table.get("Power.Active.Export", {}))) is not None:
        values[Quantity.POWER] = values.get(Quantity.POWER, 0.0) - abs(exported)
    if offered := table.get("Current.Offered"):
        values[Quantity.CURRENT_OFFERED] = offered[None] if None in offered else max(offered.values())
    elif (power := _total(table.get("Power.Offered", {}))) is not None and phases:
        values[Quantity.CURRENT_OFFERED] = power / (len(phases) * NOMINAL_V)
    if (soc := table.get("SoC", {}).get(None)) is not None:
        values[Quantity.SOC] = soc
    values.update(_per_phase(table.get("Current.Export", {}), CURRENTS, phases))
    values.update(_per_phase(table.get("Current.Import", {}), CURRENTS, phases, keep=values))
    values.update(_per_phase(table.get("Voltage", {}), VOLTAGES, phases))
    return values


_TOTALS = (
    (Quantity.POWER, "Power.Active.Import"),
    (Quantity.ENERGY_IMPORT, REGISTER),
    (Quantity.ENERGY_EXPORT, "Energy.Active.Export.Register"),
)


def _by_measurand(items: Iterable[Item]) -> dict[str, dict[int | None, float]]:
    """Measurand -> {phase index or None for the whole: value}; the outlet wins over other places."""
    table: dict[str, dict[int | None, float]] = {}
    for item in sorted(items, key=lambda item: item.location not in OUTER):
        if item.phase is None or item.phase in PHASES:
            table.setdefault(item.measurand, {})[PHASES[item.phase] if item.phase else None] = item.value
    return table


def _total(values: Mapping[int | None, float]) -> float | None:
    if None in values:
        return values[None]
    return sum(values.values()) if values else None


def _per_phase(
    values: Mapping[int | None, float],
    quantities: Sequence[Quantity],
    phases: tuple[int, ...],
    keep: Mapping[Quantity, float] | None = None,
) -> dict[Quantity, float]:
    """Magnitudes. Without a phase the value holds for each phase the charger is wired to ("overall value")."""
    if set(values) == {None}:
        found = {quantities[phase - 1]: abs(values[None]) for phase in phases}
    else:
        found = {
            quantities[phases[index] - 1]: abs(value)
            for index, value in values.items()
            if index is not None and index < len(phases)
        }
    return {quantity: max(value, (keep or {}).get(quantity, 0.0)) for quantity, value in found.items()}
