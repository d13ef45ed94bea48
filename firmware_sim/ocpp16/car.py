"""What the charge point sees of the car and of the mains: the house's state, in the station's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmware_sim.ocpp16.profiles import Supply

DRAWING_A = 0.5
"""Above this current the car counts as charging."""

Sampled = dict[str, str]


@dataclass(frozen=True, slots=True)
class Car:
    """One state of the connector: V, A, W, Wh and percent, the register counting over the station's life."""

    plugged: bool = False
    soc_percent: float | None = None
    phases: int = 3
    current_a: tuple[float, ...] = (0.0, 0.0, 0.0)
    power_w: float = 0.0
    energy_wh: float = 0.0
    voltage_v: tuple[float, ...] = (230.0, 230.0, 230.0)

    @property
    def drawing(self) -> bool:
        """True while the car takes current."""
        return max(self.current_a) > DRAWING_A

    def supply(self) -> Supply:
        """What turns watts into amperes here."""
        return Supply(sum(self.voltage_v) / len(self.voltage_v), self.phases or 3)


def from_state(state: dict[str, Any]) -> Car:
    """The house's state line as the station's own view."""
    ev = state["ev"]
    return Car(
        plugged=bool(ev["plugged"]),
        soc_percent=ev.get("soc_percent"),
        phases=int(ev.get("phases", 3)),
        current_a=tuple(float(amps) for amps in ev["current_a"]),
        power_w=float(ev["power_w"]),
        energy_wh=float(ev["energy_wh"]),
        voltage_v=tuple(float(volts) for volts in state["voltage_v"]),
    )


def sample(car: Car, offered_a: float, measurands: list[str], context: str, at: datetime) -> dict[str, Any]:
    """One meterValue object (OCPP 1.6 section 7.33) with the asked measurands."""
    values = [value for name in measurands for value in _measured(car, offered_a, name)]
    return {"timestamp": stamp(at), "sampledValue": [{"context": context, **value} for value in values]}


def stamp(at: datetime) -> str:
    """An instant as chargers write it: UTC, milliseconds, Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _measured(car: Car, offered_a: float, name: str) -> list[Sampled]:
    if name == "Energy.Active.Import.Register":
        return [_value(name, f"{car.energy_wh:.0f}", "Wh")]
    if name == "Power.Active.Import":
        return [_value(name, f"{car.power_w:.1f}", "W")]
    if name == "Current.Offered":
        return [_value(name, f"{offered_a:.1f}", "A")]
    if name == "Current.Import":
        return [_value(name, f"{amps:.2f}", "A", f"L{index}") for index, amps in enumerate(car.current_a, 1)]
    if name == "Voltage":
        return [_value(name, f"{volts:.1f}", "V", f"L{index}-N") for index, volts in enumerate(car.voltage_v, 1)]
    if name == "SoC" and car.soc_percent is not None:
        return [{**_value(name, f"{car.soc_percent:.0f}", "Percent"), "location": "EV"}]
    return []


def _value(measurand: str, value: str, unit: str, phase: str | None = None) -> Sampled:
    phased = {"phase": phase} if phase else {}
    return {"measurand": measurand, "value": value, "unit": unit, "location": "Outlet", **phased}
