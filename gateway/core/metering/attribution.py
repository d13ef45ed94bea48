"""Attribution: where each device's energy came from in one quarter hour: sun, battery or grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.model.reading import Interval
from gateway.model.site import Role, Site


@dataclass(frozen=True, slots=True)
class Share:
    """One consumer's energy over a quarter hour, Wh >= 0; the three parts sum to `energy_wh` exactly."""

    device: str
    energy_wh: float
    solar_wh: float
    battery_wh: float

    @property
    def grid_wh(self) -> float:
        """What came from the grid, Wh."""
        return self.energy_wh - self.solar_wh - self.battery_wh


def attribute(site: Site, quarter: Mapping[str, Interval]) -> tuple[Share, ...]:
    """The shares of every consumer of one quarter: devices, "house", a charging "battery", and "grid" for export.

    All consumers of an instant drink from one pot: each gets the mix of sun, battery and grid that was there.
    Consumers of no energy are left out; without any source nothing is attributed to sun or battery.
    """
    sources = {
        "solar": _amount(quarter, SOLAR, given=True),
        "battery": sum(_amount(quarter, name, given=True) for name in _batteries(site)),
        "grid": sum(_amount(quarter, device.id, given=False) for device in site.of_role(Role.MAIN_METER)),
    }
    whole = sum(sources.values())
    sun, stored = ((sources[name] / whole if whole > 0 else 0.0) for name in ("solar", "battery"))
    return tuple(
        Share(name, energy, energy * sun, energy * stored) for name, energy in _consumers(site, quarter) if energy > 0
    )


def _consumers(site: Site, quarter: Mapping[str, Interval]) -> list[tuple[str, float]]:
    producers = (Role.MAIN_METER, Role.SUB_METER, Role.PV, Role.BATTERY, Role.HYBRID_INVERTER)
    names = [device.id for device in site.devices if device.role not in producers]
    rows = [(name, _amount(quarter, name, given=False)) for name in [*names, HOUSE]]
    rows.append(("battery", sum(_amount(quarter, name, given=False) for name in _batteries(site))))
    rows.append(("grid", sum(_amount(quarter, device.id, given=True) for device in site.of_role(Role.MAIN_METER))))
    return rows


def _batteries(site: Site) -> list[str]:
    hybrids = [f"{device.id}/battery" for device in site.of_role(Role.HYBRID_INVERTER)]
    return [device.id for device in site.of_role(Role.BATTERY)] + hybrids


def _amount(quarter: Mapping[str, Interval], name: str, *, given: bool) -> float:
    interval = quarter.get(name)
    if interval is None:
        return 0.0
    return (interval.export_wh if given else interval.import_wh) or 0.0
