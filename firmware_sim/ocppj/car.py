"""What the station sees of the car and of the mains, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmware_sim.ocppj.profiles import Supply

DRAWING_A = 0.5
"""Above this current the car counts as charging."""


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


def stamp(at: datetime) -> str:
    """An instant as chargers write it: UTC, milliseconds, Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
