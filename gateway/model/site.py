"""The site and its devices, as far as decisions need to know them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.model.envelope import EnvelopeSpec


class Role(StrEnum):
    """What a device is to the home."""

    MAIN_METER = "main_meter"
    SUB_METER = "sub_meter"
    PV = "pv"
    BATTERY = "battery"
    HYBRID_INVERTER = "hybrid_inverter"
    EV_CHARGER = "ev_charger"
    WATER_HEATER = "water_heater"
    HEAT_PUMP = "heat_pump"
    POOL_PUMP = "pool_pump"
    APPLIANCE = "appliance"
    GRID_LIMIT = "grid_limit"
    """A contact or a bridge that tells what the grid operator allows."""


class Tier(StrEnum):
    """What becomes of a device while the grid is lost and the home lives on its battery."""

    MUST = "must"
    """Runs on."""
    NICE = "nice"
    """Runs on while the battery holds enough."""
    NON_ESSENTIAL = "non_essential"
    """Off at once."""


@dataclass(frozen=True, slots=True)
class BatterySpec:
    """A battery as the plan sees it, AC side; powers are magnitudes in W."""

    capacity_wh: float
    max_charge_w: float
    max_discharge_w: float
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    wear_cost_micro_per_wh: float = 0.0
    """Money lost per Wh discharged, micro-units of the currency."""
    min_soc_percent: float = 5.0
    max_soc_percent: float = 100.0
    grid_charge: bool = True
    grid_export: bool = False
    follows_meter: bool = True
    """Whether it keeps the grid at zero by itself inside its band; else it only takes a power."""
    power_by_soc: tuple[tuple[float, float, float], ...] = ()
    """Points (SoC percent, most charging W, most discharging W), SoC rising; linear between, flat outside."""

    def at(self, soc_percent: float | None) -> BatterySpec:
        """The same battery with the most that it takes and gives, W, at one state of charge; unknown: at its best."""
        if not self.power_by_soc or soc_percent is None:
            return self
        charge, discharge = (_between(self.power_by_soc, soc_percent, column) for column in (1, 2))
        return replace(
            self,
            max_charge_w=min(self.max_charge_w, charge),
            max_discharge_w=min(self.max_discharge_w, discharge),
        )


def _between(points: tuple[tuple[float, float, float], ...], soc_percent: float, column: int) -> float:
    """One column of the points at a state of charge: linear between two of them, flat before the first and after the last."""
    if soc_percent <= points[0][0]:
        return points[0][column]
    for low, high in pairwise(points):
        if soc_percent <= high[0]:
            return low[column] + (high[column] - low[column]) * (soc_percent - low[0]) / (high[0] - low[0])
    return points[-1][column]


@dataclass(frozen=True, slots=True)
class ChargerSpec:
    """One charge point with one connector."""

    phases: tuple[int, ...] = (1, 2, 3)
    """Which grid phases it loads, e.g. (1, 2, 3) or (2,)."""
    min_current_a: float = 6.0
    max_current_a: float = 16.0
    safe_current_a: float = 6.0
    """What it may draw when nothing is known: 0, or at least `min_current_a`."""
    ev_battery_wh: float = 60_000.0


@dataclass(frozen=True, slots=True)
class WaterHeaterSpec:
    """An electric tank on a relay."""

    power_w: float
    volume_l: float
    min_temperature_c: float = 45.0
    max_temperature_c: float = 65.0
    loss_w_per_k: float = 1.5
    phase: int = 1


@dataclass(frozen=True, slots=True)
class HeatPumpSpec:
    """A heat pump or thermostat heating, and perhaps cooling, one zone; first-order RC model."""

    max_power_w: float
    cop: float = 3.0
    resistance_k_per_w: float = 0.006
    """Steady-state K of inside over outside per W of heat."""
    capacitance_wh_per_k: float = 4000.0
    phase: int = 1
    min_run_s: float = 0.0
    """A compressor that started runs at least so long, s; 0: it looks after itself."""
    min_pause_s: float = 0.0
    """One that stopped rests at least so long, s."""
    cooling_eer: float | None = None
    """Heat taken out of the room over power in; None: it cannot cool."""
    changes_over: bool = True
    """Whether what can cool goes over between heating and cooling by itself; else the owner switches it by hand."""


@dataclass(frozen=True, slots=True)
class PoolPumpSpec:
    """A pool's filter pump on a relay: it runs `hours_per_day` within local hours, in runs of at least `min_run_h`."""

    power_w: float
    hours_per_day: float = 6.0
    earliest: time = time(0)
    latest: time = time(0)
    """By when each day's hours are done, local; equal to `earliest`: any time of the local day."""
    min_run_h: float = 1.0
    phase: int = 1


@dataclass(frozen=True, slots=True)
class ApplianceSpec:
    """An appliance (washing machine, dishwasher, dryer) that runs one fixed profile once it is let; on a relay.

    `profile_w` is its mean power in each `step_s` from the start, W; it is never interrupted.
    """

    profile_w: tuple[float, ...]
    step_s: int = 900
    phase: int = 1


class Sharing(StrEnum):
    """How cars share what the fuses leave."""

    FAIR = "fair"
    """Alike, A per phase; who cannot get the minimum waits its turn."""
    PRIORITY = "priority"
    """The higher priority first, then the nearer departure; equals alike."""


Spec = BatterySpec | ChargerSpec | WaterHeaterSpec | HeatPumpSpec | PoolPumpSpec | ApplianceSpec | EnvelopeSpec | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """A branch of the installation with a fuse or a power limit of its own; `parent` is "" below the main fuse."""

    id: str
    name: str
    fuse_a: tuple[float, float, float] | None = None
    """Rating per phase L1, L2, L3, A; None: no fuse of its own."""
    limit_w: float | None = None
    """Most it may draw in all, W; None: no such limit."""
    parent: str = ""
    meter: str = ""
    """Device that measures the whole branch; empty: only what hangs on it and tells its own current is known."""


@dataclass(frozen=True, slots=True)
class Device:
    """One configured device: `id` is stable and unique, `name` is what the owner reads."""

    id: str
    name: str
    role: Role
    spec: Spec = None
    circuit: str = ""
    """The circuit it hangs on; empty: directly below the main fuse."""
    tier: Tier | None = None
    """What becomes of it while the grid is lost; None: as is usual for its role."""

    @property
    def load_tier(self) -> Tier:
        """Its tier: cars, pool pumps and appliances are not essential where nothing else was said, all others nice."""
        if self.tier is not None:
            return self.tier
        return Tier.NON_ESSENTIAL if self.role in (Role.EV_CHARGER, Role.POOL_PUMP, Role.APPLIANCE) else Tier.NICE


@dataclass(frozen=True, slots=True)
class Site:
    """The home: where it is, its connection to the grid, and its devices."""

    name: str
    timezone: ZoneInfo
    latitude: float
    longitude: float
    currency: str
    phases: int
    main_fuse_a: float
    """Rating of the main fuse per phase, A."""
    devices: tuple[Device, ...]
    nominal_voltage_v: float = 230.0
    import_limit_w: float | None = None
    export_limit_w: float | None = None
    co2_g_per_kwh: float = 300.0
    """Carbon intensity of grid energy used when no source tells better."""
    circuits: tuple[Circuit, ...] = ()
    """The branches below the main fuse, a tree by `parent`."""
    sharing: Sharing = Sharing.FAIR

    def of_role(self, *roles: Role) -> tuple[Device, ...]:
        """The devices with one of these roles, in the order of the site file."""
        return tuple(device for device in self.devices if device.role in roles)

    def device(self, device_id: str) -> Device | None:
        """The device with this id, or None."""
        return next((device for device in self.devices if device.id == device_id), None)

    def circuit(self, circuit_id: str) -> Circuit | None:
        """The circuit with this id, or None."""
        return next((circuit for circuit in self.circuits if circuit.id == circuit_id), None)

    def above(self, circuit_id: str) -> tuple[Circuit, ...]:
        """The circuit and all above it up to, not with, the main fuse; a loop of parents ends where it closes."""
        path: list[Circuit] = []
        circuit = self.circuit(circuit_id)
        while circuit is not None and circuit not in path:
            path.append(circuit)
            circuit = self.circuit(circuit.parent)
        return tuple(path)
