"""One sampling of the meter, before a version's encoding: measurand, number, unit, phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car

REGISTER = "Energy.Active.Import.Register"
MEASURED = (REGISTER, "Power.Active.Import", "Current.Import", "Voltage", "Current.Offered", "SoC")
"""What these stations can measure; the order is that of their answers."""
FEW = MEASURED[:5]
KNOWN_ONLY = (
    "Energy.Active.Export.Register", "Energy.Reactive.Import.Register", "Energy.Active.Import.Interval",
    "Power.Active.Export", "Power.Offered", "Power.Factor", "Power.Reactive.Import", "Current.Export",
    "Frequency", "Temperature", "RPM",
)  # fmt: skip
"""Measurands known by name without a sensor for them: accepted, never sent."""


@dataclass(frozen=True)
class Sampled:
    """One value; Wh, W, A, V or percent (kWh and kW for METER_KWH)."""

    measurand: str
    value: float
    decimals: int
    unit: str
    phase: str | None = None
    location: str = "Outlet"


def sampled(car: Car, offered_a: float, measurands: Iterable[str], habits: set[str]) -> list[Sampled]:
    """The asked measurands, told the way this firmware does."""
    if quirks.METER_PARTIAL in habits or quirks.METER_UNNAMED in habits:
        measurands = (REGISTER,)
    elif quirks.SENDS_FEW in habits:
        measurands = FEW
    asked = set(measurands)
    values = [value for name in MEASURED if name in asked for value in _measured(car, offered_a, name)]
    return [_told(value, habits) for value in values]


def _told(value: Sampled, habits: set[str]) -> Sampled:
    if quirks.METER_KWH in habits and value.unit in ("Wh", "W"):
        return replace(value, value=value.value / 1000, decimals=value.decimals + 3, unit=f"k{value.unit}")
    if quirks.METER_L1_N in habits and value.measurand == "Current.Import":
        return replace(value, phase=f"{value.phase}-N")
    return value


def _measured(car: Car, offered_a: float, name: str) -> list[Sampled]:
    if name == REGISTER:
        return [Sampled(name, car.energy_wh, 0, "Wh")]
    if name == "Power.Active.Import":
        return [Sampled(name, car.power_w, 1, "W")]
    if name == "Current.Offered":
        return [Sampled(name, offered_a, 1, "A")]
    if name == "Current.Import":
        return [Sampled(name, amps, 2, "A", f"L{index}") for index, amps in enumerate(car.current_a, 1)]
    if name == "Voltage":
        return [Sampled(name, volts, 1, "V", f"L{index}-N") for index, volts in enumerate(car.voltage_v, 1)]
    if name == "SoC" and car.soc_percent is not None:
        return [Sampled(name, car.soc_percent, 0, "Percent", None, "EV")]
    return []
