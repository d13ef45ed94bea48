"""What a page tells of the car that stands at a charger: whose it is, when it leaves, and what it says itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.core.control.car import CarWish, car_wish
from gateway.model.preferences import ChargeMode, Preferences
from gateway.model.site import Device, Site
from gateway.model.snapshot import ChargerStatus
from gateway.runtime.words import local_time


@dataclass(frozen=True, slots=True)
class CarFacts:
    """What holds for one car now; `need_wh` in Wh at the charger until `leaves`."""

    who: str
    """In words: the vehicle's name, "A guest's car", or empty."""
    vehicle: str
    guest: bool
    mode: ChargeMode
    """The mode in force: the vehicle's or a guest's may differ from the charger's."""
    leaves: datetime
    need_wh: float
    from_car: bool
    told: str
    """What the car itself said, in a sentence; empty when it said nothing."""
    limits: str
    """What it can take, e.g. "13 A on 1 phase"."""
    vacation: bool


def car_facts(
    site: Site, preferences: Preferences, device: Device, status: ChargerStatus | None, now: datetime
) -> CarFacts:
    """The facts of the car at a charger."""
    car = car_wish(site, preferences, device, status, now)
    return CarFacts(
        "A guest's car" if car.guest else car.vehicle.name if car.vehicle else "",
        car.vehicle.name if car.vehicle else "", car.guest, car.mode, car.ready, car.need_wh, car.from_car, _told(car, status, now, site.timezone),
        f"{car.max_a:g} A on {len(car.phases)} {'phase' if len(car.phases) == 1 else 'phases'}", car.vacation,
    )  # fmt: skip


def _told(car: CarWish, status: ChargerStatus | None, now: datetime, zone: ZoneInfo) -> str:
    needs = status.needs if status else None
    if needs is None:
        return ""
    parts = []
    if needs.departure is not None:
        parts.append(f"leaves {local_time(needs.departure, now, zone)}")
    if needs.energy_wh is not None:
        parts.append(f"wants {needs.energy_wh / 1000:.1f} kWh")
    if not parts:
        return ""
    words = f"The car itself says: {' and '.join(parts)}."
    return words if car.from_car else f"{words} Your own plan holds."
