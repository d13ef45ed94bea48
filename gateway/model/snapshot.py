"""The frozen state of the home: everything one decision may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.model.charging import ChargingNeeds
from gateway.model.loads import NO_LOADS, Loads
from gateway.model.plan import Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import VOLTAGES, Quantity
from gateway.model.reading import Rule
from gateway.model.setpoint import Limit, Override, Setpoint
from gateway.model.site import Role

LIVE_V = 50.0
"""A phase with less counts as dead, V."""
STORES = (Role.BATTERY, Role.HYBRID_INVERTER)
"""What may keep a home alive without the grid."""


class ChargePhase(StrEnum):
    """Where a connector stands, one machine for all OCPP versions."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    """Nothing plugged in."""
    PLUGGED = "plugged"
    """Plugged in, not charging: waits for us, for the car, or is full."""
    CHARGING = "charging"
    FAULTED = "faulted"


class GridState(StrEnum):
    """Whether the public grid is there."""

    PRESENT = "present"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ChargerStatus:
    """What the CSMS knows of one charge point; currents per phase in A, magnitudes."""

    id: str
    phase: ChargePhase
    connected: bool
    transaction: str = ""
    """Id of the open transaction; empty when none."""
    session_start: datetime | None = None
    session_wh: float = 0.0
    """Energy delivered in the open session, Wh."""
    power_w: float | None = None
    current_a: tuple[float | None, float | None, float | None] = (None, None, None)
    offered_a: float | None = None
    """Current the charger says it offers the car, A per phase."""
    soc_percent: float | None = None
    accepted_limit_a: float | None = None
    """The last limit it accepted, A per phase; None before the first."""
    accepted_at: datetime | None = None
    meter_age_s: float | None = None
    """Seconds since the last power or current was sampled; None when none was."""
    sample_interval_s: float = 10.0
    rung: str = ""
    """The way of limiting that is in use, in words."""
    model: str = ""
    version: str = ""
    """OCPP version spoken, e.g. "1.6"; empty before the first connection."""
    tag: str = ""
    """Identification shown at the charger for the open session; empty when none."""
    needs: ChargingNeeds | None = None
    """What the car itself said of this session."""
    phases_in_use: int | None = None
    """Phases the car is seen drawing on; None while unknown."""
    switches_phases: bool = False
    """Whether it announced that it can go from three phases to one and back."""
    resting: bool = False
    """Whether power and currents are zeros concluded from what it says of itself, not measured: they prove nothing."""
    lacks: str = ""
    """What its limits cannot guarantee, with the remedy, for a person; empty when nothing."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One device at one instant: `values` holds only fresh, valid readings, in the quantity's unit."""

    id: str
    role: Role
    online: bool
    age_s: float | None
    """Seconds since the last valid reading; None when there never was one."""
    values: Mapping[Quantity, float] = field(default_factory=dict)
    reason: str = ""
    """Why it is not online, in words."""
    doubts: Mapping[Quantity, str] = field(default_factory=dict)
    """Why the last reading of a quantity was not believed, "rule: words"; gone with the next valid one."""
    pace_s: float | None = None
    """How often it usually speaks, s of home time; None where that is not known."""

    def get(self, quantity: Quantity) -> float | None:
        """The fresh value, or None when it is unknown."""
        return self.values.get(quantity)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The home at `now`; immutable, handed to every decision of one tick."""

    now: datetime
    devices: Mapping[str, DeviceState]
    chargers: Mapping[str, ChargerStatus]
    preferences: Preferences
    limits: tuple[Limit, ...] = ()
    overrides: tuple[Override, ...] = ()
    plan: Plan | None = None
    commanded: Mapping[str, Setpoint] = field(default_factory=dict)
    """The last setpoint each device accepted, by device id."""
    disobeying: frozenset[str] = frozenset()
    """Chargers that were seen not to honour their limit: the guard counts them at their maximum."""
    loads: Loads = NO_LOADS
    """What pool pumps, appliances and tanks have behind them."""
    let_go: frozenset[str] = frozenset()
    """Batteries that were seen not to do what they are told: they are left to themselves until they obey again."""
    curtailable: frozenset[str] = frozenset()
    """Inverters whose power can be limited."""

    @property
    def grid(self) -> GridState:
        """Whether the public grid is there, as a device says it or as the main meter's voltages show.

        A main meter without voltage proves a loss only while an inverter still speaks.
        """
        said = {state.get(Quantity.GRID_PRESENT) for state in self.devices.values()} - {None}
        if said:
            return GridState.LOST if 0 in said else GridState.PRESENT
        meter = self.main_meter()
        if meter is None or (meter.age_s is None and not meter.doubts):
            return GridState.UNKNOWN
        if any(words.startswith(f"{Rule.ALL_ZERO.value}:") for words in meter.doubts.values()):
            island = any(state.online for state in self.devices.values() if state.role in STORES)
            return GridState.LOST if island else GridState.UNKNOWN
        volts = [value for quantity in VOLTAGES if (value := meter.get(quantity)) is not None]
        return GridState.PRESENT if volts and min(volts) >= LIVE_V else GridState.UNKNOWN

    def main_meter(self) -> DeviceState | None:
        """The main meter's state, or None when the site has none."""
        return next((d for d in self.devices.values() if d.role is Role.MAIN_METER), None)

    def grid_w(self) -> float | None:
        """Power at the grid connection, W, import positive; None when unknown."""
        meter = self.main_meter()
        return meter.get(Quantity.POWER) if meter else None

    def pv_w(self) -> float | None:
        """Solar power, W, zero or negative; None when no PV device is known to be working."""
        return _sum(
            device.get(Quantity.PV_POWER if device.role is Role.HYBRID_INVERTER else Quantity.POWER)
            for device in self.devices.values()
            if device.role in (Role.PV, Role.HYBRID_INVERTER)
        )

    def battery_w(self) -> float | None:
        """Battery power, W, charging positive; None when unknown."""
        return _sum(
            device.get(Quantity.BATTERY_POWER if device.role is Role.HYBRID_INVERTER else Quantity.POWER)
            for device in self.devices.values()
            if device.role in (Role.BATTERY, Role.HYBRID_INVERTER)
        )

    def soc_percent(self) -> float | None:
        """State of charge of the (first) battery, percent; None when unknown."""
        return next((soc for d in self.devices.values() if (soc := d.get(Quantity.SOC)) is not None
                     and d.role in (Role.BATTERY, Role.HYBRID_INVERTER)), None)  # fmt: skip

    def house_w(self) -> float | None:
        """The unmeasured remainder: grid minus every other measured part, W; None when the grid is unknown.

        A part that is silent belongs to the remainder, as it cannot be told apart. The inverter's own losses
        count here too.
        """
        grid = self.grid_w()
        if grid is None:
            return None
        parts = [
            device.get(Quantity.POWER)
            for device in self.devices.values()
            if device.role not in (Role.MAIN_METER, Role.SUB_METER, Role.EV_CHARGER)
        ]
        cars = [charger.power_w for charger in self.chargers.values()]
        return grid - sum(part for part in [*parts, *cars] if part is not None)


def _sum(values: object) -> float | None:
    known = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return sum(known) if known else None
