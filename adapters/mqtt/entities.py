"""What the home shows outwards: one table of values per role, with what Home Assistant needs to know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.model.preferences import ChargeMode
from gateway.model.quantity import Quantity
from gateway.model.site import Device, Role
from gateway.model.snapshot import ChargePhase, Snapshot

Look = Callable[[Snapshot], float | str | None]


class Kind(Enum):
    """A kind of sensor as Home Assistant knows it: device class, state class, unit."""

    POWER = ("power", "measurement", "W")
    ENERGY = ("energy", "total_increasing", "Wh")
    CURRENT = ("current", "measurement", "A")
    CHARGE = ("battery", "measurement", "%")
    TEMPERATURE = ("temperature", "measurement", "°C")
    WORD = ("enum", "", "")
    TEXT = ("", "", "")

    @property
    def device_class(self) -> str:
        return self.value[0]

    @property
    def state_class(self) -> str:
        return self.value[1]

    @property
    def unit(self) -> str:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Sensor:
    """One value of one device: `key` ends its topic and carries the unit."""

    key: str
    name: str
    kind: Kind
    look: Look
    words: tuple[str, ...] = ()
    """All values a WORD may have."""

    @property
    def counter(self) -> bool:
        """Whether it must never fall."""
        return self.kind is Kind.ENERGY


@dataclass(frozen=True, slots=True)
class Control:
    """One thing a person may set: `key` ends its set topic, `options` are the words it takes."""

    key: str
    name: str
    platform: str
    """select, text, number, switch, or button."""
    options: tuple[str, ...] = ()
    payload: str = ""
    """What a button sends."""


_Row = tuple[str, str, Kind, Quantity, int]
_CONSUMER: tuple[_Row, ...] = (
    ("power_w", "Power", Kind.POWER, Quantity.POWER, 1),
    ("energy_import_wh", "Energy used", Kind.ENERGY, Quantity.ENERGY_IMPORT, 1),
)
_HEAT: tuple[_Row, ...] = (*_CONSUMER, ("temperature_c", "Temperature", Kind.TEMPERATURE, Quantity.TEMPERATURE, 1))
_ROWS: Mapping[Role, tuple[_Row, ...]] = {
    Role.MAIN_METER: (
        ("power_w", "Grid power", Kind.POWER, Quantity.POWER, 1),
        ("energy_import_wh", "Energy from the grid", Kind.ENERGY, Quantity.ENERGY_IMPORT, 1),
        ("energy_export_wh", "Energy to the grid", Kind.ENERGY, Quantity.ENERGY_EXPORT, 1),
    ),
    Role.PV: (
        ("production_w", "Solar power", Kind.POWER, Quantity.POWER, -1),
        ("energy_produced_wh", "Solar energy", Kind.ENERGY, Quantity.ENERGY_EXPORT, 1),
    ),
    Role.BATTERY: (
        ("battery_power_w", "Battery power", Kind.POWER, Quantity.POWER, 1),
        ("battery_charged_wh", "Energy into the battery", Kind.ENERGY, Quantity.ENERGY_IMPORT, 1),
        ("battery_discharged_wh", "Energy out of the battery", Kind.ENERGY, Quantity.ENERGY_EXPORT, 1),
        ("soc_percent", "Battery charge", Kind.CHARGE, Quantity.SOC, 1),
    ),
    Role.HYBRID_INVERTER: (
        ("production_w", "Solar power", Kind.POWER, Quantity.PV_POWER, -1),
        ("energy_produced_wh", "Solar energy", Kind.ENERGY, Quantity.PV_ENERGY, 1),
        ("battery_power_w", "Battery power", Kind.POWER, Quantity.BATTERY_POWER, 1),
        ("battery_charged_wh", "Energy into the battery", Kind.ENERGY, Quantity.BATTERY_CHARGED, 1),
        ("battery_discharged_wh", "Energy out of the battery", Kind.ENERGY, Quantity.BATTERY_DISCHARGED, 1),
        ("soc_percent", "Battery charge", Kind.CHARGE, Quantity.SOC, 1),
    ),
    Role.EV_CHARGER: (("energy_import_wh", "Energy charged", Kind.ENERGY, Quantity.ENERGY_IMPORT, 1),),
    Role.WATER_HEATER: _HEAT,
    Role.HEAT_PUMP: _HEAT,
    Role.SUB_METER: (*_CONSUMER, ("energy_export_wh", "Energy returned", Kind.ENERGY, Quantity.ENERGY_EXPORT, 1)),
}
_OVERRIDES = (("run", "Run now"), ("pause", "Pause"), ("auto", "Follow the plan"))
_STEERED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.BATTERY, Role.HYBRID_INVERTER)


def sensors_of(device: Device) -> tuple[Sensor, ...]:
    """What one device shows; signs as in the home (charging positive), production positive where the name says so."""
    rows = _ROWS.get(device.role, _CONSUMER)
    sensors = tuple(Sensor(key, name, kind, _reading(device.id, q, sign)) for key, name, kind, q, sign in rows)
    return sensors + (_charger_sensors(device.id) if device.role is Role.EV_CHARGER else ())


def controls_of(device: Device) -> tuple[Control, ...]:
    """What a person may set at one device."""
    charging: tuple[Control, ...] = ()
    if device.role is Role.EV_CHARGER:
        modes = tuple(mode.value for mode in ChargeMode)
        charging = (Control("charge_mode", "Charge mode", "select", modes), Control("ready_by", "Ready by", "text"))
    if device.role not in _STEERED:
        return charging
    buttons = tuple(Control("override", name, "button", payload=action) for action, name in _OVERRIDES)
    return charging + buttons


def sensors_of_site() -> tuple[Sensor, ...]:
    """What the home as a whole shows."""
    return (Sensor("house_w", "Rest of the home", Kind.POWER, lambda snapshot: snapshot.house_w()),)


def _reading(device: str, quantity: Quantity, sign: int) -> Look:
    def look(snapshot: Snapshot) -> float | None:
        state = snapshot.devices.get(device)
        value = state.get(quantity) if state else None
        return None if value is None else sign * value + 0.0

    return look


def _charger_sensors(device: str) -> tuple[Sensor, ...]:
    def power(snapshot: Snapshot) -> float | None:
        status = snapshot.chargers.get(device)
        return status.power_w if status else None

    def offered(snapshot: Snapshot) -> float | None:
        status = snapshot.chargers.get(device)
        return status.offered_a if status else None

    def charge(snapshot: Snapshot) -> float | None:
        status = snapshot.chargers.get(device)
        return status.soc_percent if status else None

    def phase(snapshot: Snapshot) -> str | None:
        status = snapshot.chargers.get(device)
        return status.phase.value if status else None

    words = tuple(phase.value for phase in ChargePhase)
    return (
        Sensor("power_w", "Charging power", Kind.POWER, power),
        Sensor("offered_a", "Current offered", Kind.CURRENT, offered),
        Sensor("soc_percent", "Car's charge", Kind.CHARGE, charge),
        Sensor("phase", "State", Kind.WORD, phase, words),
    )
